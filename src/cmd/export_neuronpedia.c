/* SPDX-License-Identifier: MIT */
/* export_neuronpedia.c - features, activations and explanations as Neuronpedia's own exports hold them. */
#include "cmd/export.h"

#include "base/mem.h"
#include "base/outfile.h"
#include "cmd/show.h"
#include "io/gzip.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BATCH = 1024, NEAR = 32, FLUSH = 1 << 20 };

struct lines {
	struct export *x;
	struct outfile *plain; /* one of these */
	struct gzip_writer *packed;
	struct buf out;
	u32 feature;
	size_t n; /* lines of this feature */
	int bad;
	struct err *e;
};

static int flush(struct lines *l)
{
	int bad = l->packed ? gzip_writer_add(l->packed, l->out.s, l->out.n, l->e)
			    : outfile_add(l->plain, l->out.s, l->out.n, l->e);
	buf_clear(&l->out);
	return bad;
}

static void add_line(struct lines *l, json_t *j /* taken */)
{
	json_add_line(&l->out, j);
	buf_addc(&l->out, '\n');
	json_decref(j);
	l->n++;
	if (l->out.n >= FLUSH && !l->bad)
		l->bad = flush(l);
}

static json_t *begin(const struct lines *l, const char *kind)
{
	char index[16];
	json_t *j = json_object();
	snprintf(index, sizeof index, "%u", l->feature);
	if (kind) {
		char *id = xasprintf("%s.%s%u.%zu", l->x->s->atlas->uuid, kind, l->feature, l->n);
		json_object_set_new(j, "id", json_string(id));
		free(id);
	}
	json_object_set_new(j, "modelId", json_string(l->x->model));
	json_object_set_new(j, "layer", json_string(l->x->source));
	json_object_set_new(j, "index", json_string(index));
	return j;
}

static void set_near(const struct lines *l, json_t *j)
{
	struct atlas_neighbour near[NEAR];
	size_t n = atlas_neighbours(l->x->s->atlas, l->feature, near, NEAR);
	json_t *id = json_array(), *score = json_array();
	for (size_t i = 0; i < n; i++) {
		json_array_append_new(id, json_integer(near[i].id));
		json_array_append_new(score, json_f32(near[i].score));
	}
	json_object_set_new(j, "topkCosSimIndices", id);
	json_object_set_new(j, "topkCosSimValues", score);
}

static json_t *vector(const struct lines *l)
{
	struct dict *d = l->x->s->atlas->dict;
	u32 width = dict_info(d)->d_out;
	f32 *row = l->x->vectors && width ? xcalloc(width, sizeof *row) : NULL;
	if (row)
		dict_decoder_row(d, l->feature, row);
	json_t *list = export_f32s(row, row ? width : 0);
	free(row);
	return list;
}

static void add_feature(struct lines *l)
{
	const struct atlas *a = l->x->s->atlas;
	struct store_stats stats = {0};
	if (a->store)
		store_stats(a->store, l->feature, &stats);
	json_t *j = begin(l, NULL), *row = vector(l);
	json_object_set_new(j, "creatorId", json_null());
	json_object_set_new(j, "sourceSetName", json_string(l->x->set));
	json_object_set_new(j, "maxActApprox", json_f32(isfinite(stats.max) ? stats.max : 0));
	json_object_set_new(j, "hasVector", json_boolean(json_array_size(row)));
	json_object_set_new(j, "vector", row);
	json_object_set_new(j, "vectorLabel", json_null());
	json_object_set_new(j, "vectorDefaultSteerStrength", json_null());
	json_object_set_new(j, "hookName", json_string(a->hook));
	set_near(l, j);
	export_set_numbers(l->x, l->feature, j);
	add_line(l, j);
}

static void add_context(void *context, const struct export_context *c)
{
	struct lines *l = context;
	f32 least = c->act[0];
	u64 most = 0; /* a stronger one may stand beside the peak of an interval */
	for (u64 i = 1; i < c->n; i++) {
		least = fminf(least, c->act[i]);
		most = c->act[i] > c->act[most] ? i : most;
	}
	json_t *j = begin(l, "a");
	json_object_set_new(j, "creatorId", json_null());
	json_object_set_new(j, "dataSource", json_string(json_opt_str(l->x->s->atlas->json, "corpus", "")));
	json_object_set_new(j, "tokens", export_tokens(l->x, c->from, c->n));
	json_object_set_new(j, "values", export_f32s(c->act, c->n));
	json_object_set_new(j, "maxValue", json_f32(c->act[most]));
	json_object_set_new(j, "minValue", json_f32(least));
	json_object_set_new(j, "maxValueTokenIndex", json_integer((json_int_t)most));
	json_object_set_new(j, "qualifyingTokenIndex", json_integer((json_int_t)c->peak));
	json_object_set_new(j, "dfaValues", json_array());
	json_object_set_new(j, "dfaMaxValue", json_null());
	json_object_set_new(j, "dfaTargetIndex", json_null());
	json_object_set_new(j, "binMin", json_f32(c->bin_min));
	json_object_set_new(j, "binMax", json_f32(c->bin_max));
	json_object_set_new(j, "binContains", json_f32(c->bin_contains));
	add_line(l, j);
}

static void add_contexts(struct lines *l)
{
	if (export_each_context(l->x, l->feature, add_context, l, l->e))
		l->bad = -1;
}

static void set_text(json_t *j, const char *key, const char *text)
{
	json_object_set_new(j, key, text && *text ? json_text(text, strlen(text)) : json_null());
}

static void add_label(void *context, const struct label *label)
{
	struct lines *l = context;
	if (l->x->kind && strcmp(l->x->kind, label_kind_words[label->kind]))
		return;
	json_t *j = begin(l, "e");
	set_text(j, "authorId", label->author);
	json_object_set_new(j, "description", json_text((const char *)label->text.p, label->text.n));
	json_object_set_new(j, "embedding", json_array());
	set_text(j, "typeName", label->source);
	set_text(j, "explanationModelName", label->model);
	json_object_set_new(j, "score", json_f32(label->score));
	json_object_set_new(j, "umap_x", json_integer(0));
	json_object_set_new(j, "umap_y", json_integer(0));
	json_object_set_new(j, "umap_cluster", json_integer(0));
	json_object_set_new(j, "umap_log_feature_sparsity", json_integer(0));
	add_line(l, j);
}

static void add_labels(struct lines *l)
{
	if (!session_is_rejected(l->x->s, l->feature))
		session_each_label(l->x->s, l->feature, add_label, l);
}

static int write_batch(struct export *x, const char *what, void (*add)(struct lines *), u32 batch, struct err *e)
{
	char *path = xasprintf("%s/%s/batch-%u.jsonl%s", x->folder, what, batch, x->gzip ? ".gz" : "");
	struct lines l = {.x = x, .out = BUF_INIT, .e = e};
	if (x->gzip)
		l.packed = gzip_writer_new(path, e);
	else
		l.plain = outfile_new(path, e);
	free(path);
	if (!l.plain && !l.packed)
		return -1;
	u32 end = MIN((batch + 1) * BATCH, x->s->atlas->n_features);
	for (l.feature = batch * BATCH; !l.bad && l.feature < end; l.feature++) {
		l.n = 0;
		add(&l);
		progress_add(x->progress, 1);
		if (!l.bad && progress_cancelled(x->progress))
			l.bad = err_set(e, ERR_CANCELLED, "stopped; what is in '%s' is not whole", x->folder);
	}
	l.bad = l.bad || flush(&l);
	buf_release(&l.out);
	if (!l.bad)
		return l.packed ? gzip_writer_commit(l.packed, e) : outfile_commit(l.plain, e);
	gzip_writer_abandon(l.packed);
	outfile_abandon(l.plain);
	return -1;
}

int export_neuronpedia(struct export *x, struct err *e)
{
	static const struct {
		const char *name;
		void (*add)(struct lines *);
	} kinds[] = {{"features", add_feature}, {"activations", add_contexts}, {"explanations", add_labels}};
	u32 n = x->s->atlas->n_features;
	progress_start(x->progress, "exporting", "features", (u64)n * ARRAY_LEN(kinds));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		char *folder = xasprintf("%s/%s", x->folder, kinds[i].name);
		int bad = mkdir(folder, 0777) && errno != EEXIST ? err_os(e, "cannot make '%s'", folder) : 0;
		free(folder);
		for (u32 b = 0; !bad && b * BATCH < n; b++)
			bad = write_batch(x, kinds[i].name, kinds[i].add, b, e);
		if (bad)
			return -1;
	}
	return 0;
}
