/* SPDX-License-Identifier: MIT */
/* cmd_near.c - near ATLAS ID: a feature's nearest, by decoder cosine or by firing together. */
#include "cmd/cmd.h"

#include "base/buf.h"
#include "base/mem.h"
#include "cmd/near_vector.h"
#include "core/cooc.h"
#include "core/knn.h"
#include "core/rows.h"
#include "session/session.h"

#include <stdlib.h>
#include <string.h>

/* One chance meeting would put pairs of rare features above all others. */
enum { NPMI_LEAST_BOTH = 3 };

struct near {
	struct session *s;
	const struct cmd_args *args;
	struct progress *progress;
	const char *metric;
	u32 id[2];
	bool pair;   /* a difference */
	bool vector; /* a direction from elsewhere: no id */
	size_t k, n;
	struct found {
		u32 id;
		f64 score;
		u64 both;
	} * out;
};

static bool by_cosine(const struct near *j)
{
	return !strcmp(j->metric, "cosine");
}

static f32 *direction(struct near *j, const struct rows *r, struct err *e)
{
	const char *file = arg_str(j->args, "vector", NULL), *text = arg_str(j->args, "text", NULL);
	if (file)
		return near_file(file, r->d, e);
	if (text)
		return near_text(j->s, text, !arg_flag(j->args, "plain"), j->progress, e);
	if (j->pair)
		return near_difference(r, j->id[0], j->id[1], e);
	f32 *x = mem_try(r->d, sizeof *x, "a row", e);
	if (x)
		rows_exact(r, j->id[0], x);
	return x;
}

/* Room for two more: of a difference its own features are left out. */
static int scan(struct near *j, struct err *e)
{
	if (!dict_info(j->s->atlas->dict)->d_out)
		return err_set(e, ERR_UNAVAILABLE, "'%s' has no decoder rows, only what was imported", j->s->atlas->folder);
	struct rows *r = rows_of_atlas(j->s->atlas, j->s->pool, j->progress, e);
	f32 *query = r ? direction(j, r, e) : NULL;
	u32 *id = xcalloc(j->k + 2, sizeof *id);
	f32 *score = xcalloc(j->k + 2, sizeof *score);
	u32 but = j->vector || j->pair ? KNN_NONE : j->id[0];
	i64 n = query ? knn_scan(r, NULL, j->s->pool, query, but, j->k + 2, id, score, e) : -1;
	for (i64 i = 0; i < n && j->n < j->k; i++)
		if (!j->pair || (id[i] != j->id[0] && id[i] != j->id[1]))
			j->out[j->n++] = (struct found){id[i], (f64)score[i], 0};
	free(id);
	free(score);
	free(query);
	rows_free(r);
	return n < 0 ? -1 : 0;
}

/* Those the graph has, if it has k or all there are; else the whole dictionary is compared. */
static int find_cosine(struct near *j, struct err *e)
{
	const struct atlas *a = j->s->atlas;
	if (j->pair || j->vector)
		return scan(j, e);
	struct atlas_neighbour *stored = xcalloc(j->k, sizeof *stored);
	size_t n = atlas_neighbours(a, j->id[0], stored, j->k);
	/* without decoder rows the stored ones are all there are */
	bool enough = n == j->k || (n && (n == a->n_features - 1 || !dict_info(a->dict)->d_out));
	for (size_t i = 0; enough && i < n; i++)
		j->out[j->n++] = (struct found){stored[i].id, (f64)stored[i].score, 0};
	free(stored);
	return enough ? 0 : scan(j, e);
}

static int find_together(struct near *j, struct err *e)
{
	const struct atlas *a = j->s->atlas;
	bool npmi = !strcmp(j->metric, "npmi");
	if (j->pair || j->vector)
		return err_set(e, ERR_USAGE, "--by %s is of one feature", j->metric);
	if (!a->store)
		return err_set(e, ERR_UNAVAILABLE, "%s", atlas_missing(a, "store"));
	struct cooc *c = xcalloc(j->k, sizeof *c);
	i64 n = cooc_near(a->store, a->n_features, j->id[0], npmi ? COOC_NPMI : COOC_JACCARD,
			  npmi ? NPMI_LEAST_BOTH : 1, j->k, c, j->s->pool, j->progress, e);
	for (i64 i = 0; i < n; i++)
		j->out[j->n++] = (struct found){c[i].id, c[i].score, c[i].both};
	free(c);
	return n < 0 ? -1 : 0;
}

static void print_json(const struct near *j, const struct found *n)
{
	struct label l;
	json_t *o = json_object();
	json_object_set_new(o, "id", json_integer(n->id));
	json_object_set_new(o, "score", by_cosine(j) ? json_f32((f32)n->score) : json_real(n->score));
	json_object_set_new(o, "metric", json_string(j->metric));
	json_object_set_new(o, "label",
			    session_label(j->s, n->id, &l) ? json_text((const char *)l.text.p, l.text.n)
							   : json_null());
	if (by_cosine(j))
		json_object_set_new(o, "cosine", json_f32((f32)n->score));
	else
		json_object_set_new(o, "both", json_integer((json_int_t)n->both));
	cmd_print_json(o);
}

static void print_line(const struct near *j, const struct found *n)
{
	struct label l;
	struct buf out = BUF_INIT;
	buf_addf(&out, "#%u\t%.3f\t", n->id, n->score);
	if (session_label(j->s, n->id, &l))
		cmd_add_text(&out, (const char *)l.text.p, l.text.n);
	buf_addc(&out, '\n');
	cmd_flush(&out);
	buf_release(&out);
}

static int read_args(struct near *j, struct err *e)
{
	const struct cmd_args *a = j->args;
	u64 k;
	j->metric = arg_str(a, "by", "cosine");
	if (strcmp(j->metric, "cosine") && strcmp(j->metric, "jaccard") && strcmp(j->metric, "npmi"))
		return err_set(e, ERR_USAGE, "--by wants cosine, jaccard or npmi, not '%s'", j->metric);
	j->vector = arg_str(a, "vector", NULL) || arg_str(a, "text", NULL);
	if (j->vector ? a->n_positional > 1 || (arg_str(a, "vector", NULL) && arg_str(a, "text", NULL))
		      : a->n_positional < 2)
		return err_set(e, ERR_USAGE, "near wants one of a feature, A-B, --vector and --text");
	if (arg_u64(a, "k", 10, 1, 1u << 20, &k, e) || !(j->s = cmd_open(a, e)))
		return -1;
	if (!j->vector) {
		j->pair = near_parse_pair(j->s, a->positional[1], j->id);
		if (!j->pair && session_parse_id(j->s, a->positional[1], &j->id[0], e))
			return -1;
	}
	j->k = (size_t)MIN(k, (u64)j->s->atlas->n_features);
	j->out = xcalloc(j->k, sizeof *j->out);
	return 0;
}

int cmd_near(const struct cmd_args *a, struct err *e)
{
	struct progress p = {0};
	struct near j = {.args = a, .progress = &p};
	int bad = read_args(&j, e);
	if (!bad) {
		struct cmd_progress *shown = cmd_progress_start(&p);
		bad = by_cosine(&j) ? find_cosine(&j, e) : find_together(&j, e);
		cmd_progress_stop(shown);
	}
	for (size_t i = 0; !bad && i < j.n; i++)
		(arg_flag(a, "json") ? print_json : print_line)(&j, j.out + i);
	free(j.out);
	session_free(j.s);
	return bad ? -1 : j.n ? EXIT_OK : EXIT_NONE;
}
