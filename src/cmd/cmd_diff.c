/* SPDX-License-Identifier: MIT */
/* cmd_diff.c - diff A B: the features of two dictionaries side by side. */
#include "cmd/cmd.h"

#include "base/buf.h"
#include "base/mem.h"
#include "core/match.h"
#include "session/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct diff {
	struct session *s[2];
	struct knn_rows rows[2];
	struct match *to[2]; /* to[0][i]: the nearest in B of feature i of A; to[1] the other way */
	struct match_tree tree;
	f32 least;
};

static int diff_open(struct diff *d, const struct cmd_args *a, struct err *e)
{
	for (int i = 0; i < 2; i++) {
		d->s[i] = session_open(a->positional[i], NULL, e);
		if (!d->s[i])
			return -1;
	}
	const struct atlas *x = d->s[0]->atlas, *y = d->s[1]->atlas;
	u32 wx = dict_info(x->dict)->d_out, wy = dict_info(y->dict)->d_out;
	if (wx != wy)
		return err_set(e, ERR_USAGE, "'%s' writes rows of %u numbers and '%s' of %u: these cannot be compared",
			       a->positional[0], wx, a->positional[1], wy);
	if (*x->hook && *y->hook && strcmp(x->hook, y->hook))
		fprintf(stderr, "featlas diff: warning: '%s' is at %s and '%s' at %s\n", a->positional[0], x->hook,
			a->positional[1], y->hook);
	if (*x->model.name && *y->model.name && strcmp(x->model.name, y->model.name))
		fprintf(stderr, "featlas diff: warning: '%s' is of the model %s and '%s' of %s\n", a->positional[0],
			x->model.name, a->positional[1], y->model.name);
	for (int i = 0; i < 2; i++) {
		const struct atlas *at = d->s[i]->atlas;
		d->rows[i] = (struct knn_rows){dict_decoder_unit(at->dict, d->s[i]->pool, e), at->n_features, wx};
		d->to[i] = d->rows[i].p ? mem_try(at->n_features, sizeof **d->to, "the matches", e) : NULL;
		if (!d->to[i])
			return -1;
	}
	return 0;
}

static int compare(struct diff *d, struct err *e)
{
	struct progress p = {0};
	struct cmd_progress *shown = cmd_progress_start(&p);
	int bad = 0;
	for (int i = 0; i < 2 && !bad; i++)
		bad = match_nearest(&d->rows[i], &d->rows[1 - i], d->s[0]->pool, d->to[i], &p, e);
	cmd_progress_stop(shown);
	return bad || match_tree_init(&d->tree, d->rows[0].n, d->to[1], d->rows[1].n, d->least, e) ? -1 : 0;
}

static void diff_release(struct diff *d)
{
	match_tree_release(&d->tree);
	for (int i = 0; i < 2; i++) {
		free(d->to[i]);
		session_free(d->s[i]);
	}
}

static bool mutual(const struct diff *d, u32 id)
{
	u32 b = d->to[0][id].id;
	return b != KNN_NONE && d->to[1][b].id == id;
}

static int ascending(const void *a, const void *b)
{
	f32 x = *(const f32 *)a, y = *(const f32 *)b;
	return (x > y) - (x < y);
}

/* Of one side: the median cosine to the nearest, and the shares at least 0.9 and below `least`. */
static json_t *side_json(const struct diff *d, int side)
{
	size_t n = d->rows[side].n, near = 0, far = 0;
	f32 *v = xmalloc(MAX(n, (size_t)1) * sizeof *v);
	for (size_t i = 0; i < n; i++) {
		v[i] = d->to[side][i].cosine;
		near += v[i] >= 0.9f;
		far += v[i] < d->least;
	}
	qsort(v, n, sizeof *v, ascending);
	json_t *j = json_pack("{s:s, s:I, s:o, s:I, s:I}", "atlas", d->s[side]->atlas->name, "n_features", (json_int_t)n,
			      "median_cosine", json_f32(v[n / 2]), "at_least_0.9", (json_int_t)near, "below_least",
			      (json_int_t)far);
	free(v);
	return j;
}

static json_t *summary_json(const struct diff *d)
{
	u32 n = (u32)d->rows[0].n, n_mutual = 0, n_split = 0;
	for (u32 i = 0; i < n; i++) {
		n_mutual += mutual(d, i);
		n_split += d->tree.first[i + 1] - d->tree.first[i] > 1;
	}
	json_t *j = json_pack("{s:o, s:o, s:o, s:I, s:I}", "a", side_json(d, 0), "b", side_json(d, 1), "least",
			      json_f32(d->least), "mutual", (json_int_t)n_mutual, "split", (json_int_t)n_split);
	if (n != d->rows[1].n)
		return j;
	/* two states of one training: the same number may still be the same feature */
	u32 same = 0;
	for (u32 i = 0; i < n; i++)
		same += d->to[0][i].id == i;
	json_object_set_new(j, "same_number", json_integer(same));
	return j;
}

static void print_side(const json_t *j, const char *other, f64 least)
{
	f64 n = MAX((f64)json_opt_u64(j, "n_features", 1), 1.0);
	printf("%s\t%.0f features; nearest in %s: median cosine %.3f, %.1f %% at 0.9 or more, %.1f %% below %g\n",
	       json_opt_str(j, "atlas", ""), n, other, json_opt_f64(j, "median_cosine", 0),
	       100 * (f64)json_opt_u64(j, "at_least_0.9", 0) / n, 100 * (f64)json_opt_u64(j, "below_least", 0) / n,
	       least);
}

static void print_summary(const struct diff *d)
{
	json_t *j = summary_json(d);
	const json_t *a = json_object_get(j, "a"), *b = json_object_get(j, "b");
	print_side(a, json_opt_str(b, "atlas", ""), (f64)d->least);
	print_side(b, json_opt_str(a, "atlas", ""), (f64)d->least);
	printf("%llu pairs are each other's nearest; %llu features of %s split into several of %s\n",
	       (unsigned long long)json_opt_u64(j, "mutual", 0), (unsigned long long)json_opt_u64(j, "split", 0),
	       json_opt_str(a, "atlas", ""), json_opt_str(b, "atlas", ""));
	if (json_object_get(j, "same_number"))
		printf("%llu features have the same number on both sides\n",
		       (unsigned long long)json_opt_u64(j, "same_number", 0));
	json_decref(j);
}

static json_t *match_json(const struct diff *d, const struct match *m)
{
	struct label l;
	if (m->id == KNN_NONE)
		return json_null();
	return json_pack("{s:I, s:o, s:o}", "id", (json_int_t)m->id, "cosine", json_f32(m->cosine), "label",
			 session_label(d->s[1], m->id, &l) ? json_text((const char *)l.text.p, l.text.n) : json_null());
}

static void print_json(const struct diff *d, u32 id)
{
	json_t *j = cmd_feature_json(d->s[0], id), *children = json_array();
	for (u32 c = d->tree.first[id]; c < d->tree.first[id + 1]; c++)
		json_array_append_new(children, match_json(d, &d->tree.child[c]));
	json_object_set_new(j, "nearest", match_json(d, &d->to[0][id]));
	json_object_set_new(j, "mutual", json_boolean(mutual(d, id)));
	json_object_set_new(j, "children", children);
	cmd_print_json(j);
}

static void add_label(struct buf *out, struct session *s, u32 id)
{
	struct label l;
	if (session_label(s, id, &l))
		cmd_add_text(out, (const char *)l.text.p, l.text.n);
}

/* A feature of A, and below it those of B that it became: nearest first. */
static void print_tree(const struct diff *d, u32 id)
{
	struct buf out = BUF_INIT;
	const struct match *near = &d->to[0][id];
	u32 from = d->tree.first[id], to = d->tree.first[id + 1];
	buf_addf(&out, "#%u\t\t", id);
	add_label(&out, d->s[0], id);
	buf_addc(&out, '\n');
	for (u32 c = from; c < to; c++) {
		const struct match *m = &d->tree.child[c];
		buf_addf(&out, "  %s#%u\t%.3f\t", m->id == near->id ? "=" : "+", m->id, (f64)m->cosine);
		add_label(&out, d->s[1], m->id);
		buf_addc(&out, '\n');
	}
	if (from == to && near->id != KNN_NONE) {
		buf_addf(&out, "  ~#%u\t%.3f\t", near->id, (f64)near->cosine);
		add_label(&out, d->s[1], near->id);
		buf_addc(&out, '\n');
	}
	cmd_flush(&out);
	buf_release(&out);
}

int cmd_diff(const struct cmd_args *a, struct err *e)
{
	struct diff d = {0};
	f64 least;
	u64 limit;
	const char *of = arg_str(a, "of", NULL);
	u32 id = 0;
	if (arg_f64(a, "least", 0.5, &least, e) || arg_u64(a, "limit", 20, 0, UINT32_MAX, &limit, e))
		return -1;
	if (!(least > 0 && least <= 1))
		return err_set(e, ERR_USAGE, "--least is a cosine above 0 and at most 1, not %g", least);
	d.least = (f32)least;
	int bad = diff_open(&d, a, e) || (of && session_parse_id(d.s[0], of, &id, e)) || compare(&d, e) ? -1 : 0;
	bool json = arg_flag(a, "json"), summary = arg_flag(a, "summary");
	if (!bad && of)
		(json ? print_json : print_tree)(&d, id);
	else if (!bad && json && summary)
		cmd_print_json(summary_json(&d));
	else if (!bad && json)
		for (u32 i = 0; i < d.rows[0].n; i++)
			print_json(&d, i);
	else if (!bad) {
		print_summary(&d);
		/* without --json: what split, which is what one comes for */
		for (u32 i = 0; i < d.rows[0].n && !summary && limit; i++)
			if (d.tree.first[i + 1] - d.tree.first[i] > 1) {
				print_tree(&d, i);
				limit--;
			}
	}
	diff_release(&d);
	return bad ? -1 : EXIT_OK;
}
