/* SPDX-License-Identifier: MIT */
/* export_dashboard.c - features with their contexts as SAEDashboard's JSON. */
#include "cmd/export.h"

#include "base/mem.h"
#include "base/outfile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 128 };

static u32 layer_of(const struct export *x)
{
	return (u32)strtoul(x->source, NULL, 10);
}

static void add_context(void *context, const struct export_context *c)
{
	void **both = context;
	json_t *j = json_object();
	json_object_set_new(j, "bin_min", json_f32(c->bin_min));
	json_object_set_new(j, "bin_max", json_f32(c->bin_max));
	json_object_set_new(j, "bin_contains", json_f32(c->bin_contains));
	json_object_set_new(j, "tokens", export_tokens(both[0], c->from, c->n));
	json_object_set_new(j, "values", export_f32s(c->act, c->n));
	json_object_set_new(j, "qualifying_token_index", json_integer((json_int_t)c->peak));
	json_array_append_new(both[1], j);
}

static int add_feature(struct export *x, u32 feature, struct buf *out, struct err *e)
{
	const struct atlas *a = x->s->atlas;
	u32 width = dict_info(a->dict)->d_out;
	f32 *row = x->vectors && width ? xcalloc(width, sizeof *row) : NULL;
	if (row)
		dict_decoder_row(a->dict, feature, row);
	json_t *j = json_object(), *list = json_array();
	json_object_set_new(j, "feature_index", json_integer(feature));
	export_set_numbers(x, feature, j);
	json_object_set_new(j, "n_prompts_total", json_integer(0));
	json_object_set_new(j, "n_tokens_in_prompt", json_integer((json_int_t)x->width));
	json_object_set_new(j, "dataset", json_string(json_opt_str(a->json, "corpus", "")));
	json_object_set_new(j, "vector", export_f32s(row, row ? width : 0));
	json_object_set(j, "activations", list);
	int bad = export_each_context(x, feature, add_context, (void *[]){x, list}, e);
	json_add_line(out, j);
	json_decref(list);
	json_decref(j);
	free(row);
	return bad;
}

/* Whether the feature fires at all, as far as is known. */
static bool is_alive(const struct export *x, u32 feature)
{
	struct store_stats stats;
	store_stats(x->s->atlas->store, feature, &stats);
	return stats.count || stats.density > 0;
}

/* The features are written one by one: the object around them is closed by hand. */
static int write_batch(struct export *x, u32 number, u32 *feature, struct err *e)
{
	char *path = xasprintf("%s/batch-%u.json", x->folder, number);
	struct outfile *file = outfile_new(path, e);
	struct buf out = BUF_INIT;
	u32 n = 0;
	int bad = file ? 0 : -1;
	free(path);
	json_t *head = json_pack("{s:s, s:i, s:s, s:n, s:[]}", "model_id", x->model, "layer", (int)layer_of(x), "sae_set",
				 x->set, "sae_id_suffix", "features");
	json_add_line(&out, head);
	json_decref(head);
	buf_remove(&out, out.n - 2, 2); /* "]}" */
	for (; !bad && n < BATCH && *feature < x->s->atlas->n_features; ++*feature) {
		progress_add(x->progress, 1);
		if (!is_alive(x, *feature))
			continue;
		if (n++)
			buf_addc(&out, ',');
		bad = add_feature(x, *feature, &out, e) || outfile_add(file, out.s, out.n, e);
		buf_clear(&out);
		if (!bad && progress_cancelled(x->progress))
			bad = err_set(e, ERR_CANCELLED, "stopped; what is in '%s' is not whole", x->folder);
	}
	buf_adds(&out, "]}\n");
	bad = bad || outfile_add(file, out.s, out.n, e);
	buf_release(&out);
	if (!bad)
		return outfile_commit(file, e);
	outfile_abandon(file);
	return -1;
}

static int write_skipped(const struct export *x, struct err *e)
{
	json_t *skipped = json_array(), *sparsity = json_array();
	for (u32 f = 0; f < x->s->atlas->n_features; f++)
		if (!is_alive(x, f)) {
			json_array_append_new(skipped, json_integer(f));
			json_array_append_new(sparsity, json_real(-10)); /* log10(0 + 1e-10) */
		}
	json_t *j = json_pack("{s:s, s:i, s:s, s:o, s:o}", "model_id", x->model, "layer", (int)layer_of(x), "sae_set",
			      x->set, "log_sparsity", sparsity, "skipped_indexes", skipped);
	char *path = xasprintf("%s/skipped_indexes.json", x->folder);
	int bad = json_write_file(path, j, e);
	free(path);
	json_decref(j);
	return bad;
}

int export_dashboard(struct export *x, struct err *e)
{
	u32 feature = 0;
	const char *missing = atlas_missing(x->s->atlas, "store");
	if (missing)
		return err_set(e, ERR_UNAVAILABLE, "%s", missing);
	progress_start(x->progress, "exporting", "features", x->s->atlas->n_features);
	for (u32 b = 0; feature < x->s->atlas->n_features; b++)
		if (write_batch(x, b, &feature, e))
			return -1;
	return write_skipped(x, e);
}
