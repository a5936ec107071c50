/* SPDX-License-Identifier: MIT */
/* judged.c - judgements in a tensor file. */
#include "core/judged.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is counted of a judgement, in the file's order. */
enum count {
	FIRES, FIRES_RIGHT, SILENT, SILENT_RIGHT, NEAR, NEAR_RIGHT, ASSUMED, UNJUDGED, LEVELS,
	N_COUNTS = LEVELS + 2 * EVIDENCE_LEVELS,
};
enum { MOST_METHODS = 1000 };

struct judged {
	const struct tensor *bytes, *offset, *feature, *method, *counts, *balanced;
	struct judged_method *methods;
	size_t n_methods;
	json_t *json; /* owns the methods' texts */
};

static void take_counts(const u16 c[N_COUNTS], struct evidence_score *s)
{
	*s = (struct evidence_score){.fires = {c[FIRES], c[FIRES_RIGHT]}, .silent = {c[SILENT], c[SILENT_RIGHT]},
				     .near = {c[NEAR], c[NEAR_RIGHT]}, .n_assumed = c[ASSUMED],
				     .n_unjudged = c[UNJUDGED]};
	for (int l = 0; l < EVIDENCE_LEVELS; l++)
		for (int k = 0; k < 2; k++)
			s->level[l][k] = c[LEVELS + 2 * l + k];
}

static void give_counts(const struct evidence_score *s, u16 c[N_COUNTS])
{
	const u32 v[] = {[FIRES] = s->fires[0], [FIRES_RIGHT] = s->fires[1], [SILENT] = s->silent[0],
			 [SILENT_RIGHT] = s->silent[1], [NEAR] = s->near[0], [NEAR_RIGHT] = s->near[1],
			 [ASSUMED] = s->n_assumed, [UNJUDGED] = s->n_unjudged};
	for (size_t i = 0; i < LEVELS; i++)
		c[i] = (u16)v[i];
	for (int l = 0; l < EVIDENCE_LEVELS; l++)
		for (int k = 0; k < 2; k++)
			c[LEVELS + 2 * l + k] = (u16)s->level[l][k];
}

/* ---- reading ---- */

static int read_methods(struct judged *j, const struct safetensors *file, struct err *e)
{
	const char *text = safetensors_metadata(file, "methods"), *path = safetensors_path(file);
	j->json = text ? json_parse(text, strlen(text), "the methods", e) : NULL;
	j->n_methods = json_array_size(j->json);
	if (!json_is_array(j->json) || j->n_methods > MOST_METHODS)
		return err_set(e, ERR_DAMAGED, "'%s' has no list of methods", path);
	j->methods = xcalloc(j->n_methods + 1, sizeof *j->methods);
	for (size_t i = 0; i < j->n_methods; i++) {
		const json_t *o = json_array_get(j->json, i);
		struct judged_method *m = &j->methods[i];
		m->name = json_opt_str(o, "name", "");
		m->model = json_opt_str(o, "model", "");
		m->ask.n_fires = (u32)MIN(json_opt_u64(o, "fires", 0), EVIDENCE_MOST);
		m->ask.n_other = (u32)MIN(json_opt_u64(o, "other", 0), EVIDENCE_MOST);
		m->ask.n_near = (u32)MIN(json_opt_u64(o, "near", 0), EVIDENCE_MOST);
		m->ask.seed = json_opt_u64(o, "seed", 0);
		m->ask.fuzzing = !strcmp(m->name, "fuzzing");
		if (!*m->name)
			return err_set(e, ERR_DAMAGED, "'%s': method %zu has no name", path, i);
	}
	return 0;
}

struct judged *judged_open(const struct safetensors *file, struct err *e)
{
	struct judged *j = xcalloc(1, sizeof *j);
	u64 any[] = {TENSOR_ANY};
	if (!(j->feature = safetensors_need(file, "feature", 1u << DTYPE_U32, 1, any, e)))
		goto fail;
	u64 n[] = {j->feature->n}, ends[] = {j->feature->n + 1}, table[] = {j->feature->n, N_COUNTS};
	if (!(j->method = safetensors_need(file, "method", 1u << DTYPE_U16, 1, n, e)) ||
	    !(j->counts = safetensors_need(file, "counts", 1u << DTYPE_U16, 2, table, e)) ||
	    !(j->balanced = safetensors_need(file, "balanced_accuracy", 1u << DTYPE_F32, 1, n, e)) ||
	    !(j->bytes = safetensors_need(file, "bytes", 1u << DTYPE_U8, 1, any, e)) ||
	    !(j->offset = safetensors_need(file, "offset", 1u << DTYPE_U64, 1, ends, e)) || read_methods(j, file, e))
		goto fail;
	return j;
fail:
	judged_free(j);
	return NULL;
}

void judged_free(struct judged *j)
{
	if (!j)
		return;
	json_decref(j->json);
	free(j->methods);
	free(j);
}

u64 judged_count(const struct judged *j)
{
	return j->feature->n;
}

static void read_counts(const struct judged *j, u64 i, u16 c[N_COUNTS])
{
	for (u64 k = 0; k < N_COUNTS; k++)
		c[k] = (u16)tensor_u64(j->counts, i * N_COUNTS + k);
}

void judged_at(const struct judged *j, u64 i, struct judgement *out)
{
	u64 from = tensor_u64(j->offset, i), to = tensor_u64(j->offset, i + 1), m = tensor_u64(j->method, i);
	u16 c[N_COUNTS];
	read_counts(j, i, c);
	*out = (struct judgement){.feature = (u32)tensor_u64(j->feature, i), .method = {.name = "", .model = ""}};
	if (from <= to && to <= j->bytes->n)
		out->label = (struct span){j->bytes->data.p + from, to - from};
	if (m < j->n_methods)
		out->method = j->methods[m];
	take_counts(c, &out->score);
}

u64 judged_of(const struct judged *j, u32 feature, u64 *first)
{
	u64 low = 0, high = j->feature->n, n = 0;
	while (low < high) {
		u64 middle = low + (high - low) / 2;
		if (tensor_u64(j->feature, middle) < feature)
			low = middle + 1;
		else
			high = middle;
	}
	*first = low;
	while (low + n < j->feature->n && tensor_u64(j->feature, low + n) == feature)
		n++;
	return n;
}

static int rank_of(const char *method)
{
	static const char *const order[] = {"topic", "lexical", "fuzzing", "detection"};
	for (int i = 0; i < (int)ARRAY_LEN(order); i++)
		if (!strcmp(order[i], method))
			return i;
	return -1;
}

bool judged_best(const struct judged *j, u32 feature, const struct span *label, struct judgement *out, f32 *balanced)
{
	u64 first = 0, n = j ? judged_of(j, feature, &first) : 0;
	bool found = false;
	for (u64 i = first; i < first + n; i++) {
		struct judgement x;
		struct evidence_figures f;
		judged_at(j, i, &x);
		evidence_figures(&x.score, &f);
		if (label && (label->n != x.label.n || memcmp(label->p, x.label.p, x.label.n)))
			continue;
		int better = found ? rank_of(x.method.name) - rank_of(out->method.name) : 1;
		if (better < 0 || isnan(f.balanced) || (!better && f.balanced <= *balanced))
			continue;
		found = true;
		*out = x;
		*balanced = f.balanced;
	}
	return found;
}

const char *judged_fault(const struct judged *j, u64 i)
{
	struct judgement x, before;
	struct evidence_figures f;
	u16 c[N_COUNTS];
	u32 asked = 0, right = 0;
	f32 balanced = tensor_f32(j->balanced, i);
	judged_at(j, i, &x);
	read_counts(j, i, c);
	evidence_figures(&x.score, &f);
	for (int l = 0; l < EVIDENCE_LEVELS; l++) {
		asked += x.score.level[l][0];
		right += x.score.level[l][1];
	}
	if (tensor_u64(j->method, i) >= j->n_methods)
		return "is by a method that is not there";
	if (!x.label.p || !utf8_is_valid((const char *)x.label.p, x.label.n) || memchr(x.label.p, '\n', x.label.n))
		return "is of a label that is no line of UTF-8";
	for (int k = 0; k < N_COUNTS; k += 2)
		if (k != ASSUMED && c[k + 1] > c[k])
			return "has more right answers than questions";
	if (asked != x.score.fires[0] || right != x.score.fires[1] || x.score.near[0] > x.score.silent[0] ||
	    x.score.near[1] > x.score.silent[1] || x.score.n_assumed > x.score.silent[0])
		return "has counts that do not add up";
	if (isnan(balanced) != isnan(f.balanced) || fabsf(balanced - f.balanced) > 1e-6f)
		return "has another balanced accuracy than its counts";
	if (i) {
		judged_at(j, i - 1, &before);
		if (before.feature > x.feature)
			return "is not in the order of features";
	}
	return NULL;
}

/* ---- writing ---- */

bool judged_same_method(const struct judged_method *a, const struct judged_method *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->model, b->model) && a->ask.n_fires == b->ask.n_fires &&
	       a->ask.n_other == b->ask.n_other && a->ask.n_near == b->ask.n_near && a->ask.seed == b->ask.seed;
}

struct row {
	const struct judgement *x;
	u64 order;
	u16 method;
};

static int by_feature(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (x->x->feature != y->x->feature)
		return x->x->feature < y->x->feature ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static bool same_row(const struct row *a, const struct row *b)
{
	return a->x->feature == b->x->feature && a->method == b->method && a->x->label.n == b->x->label.n &&
	       !memcmp(a->x->label.p, b->x->label.p, a->x->label.n);
}

/* Numbers the methods, and leaves of what is there twice the last. */
static u64 settle(const struct judgement *items, u64 n, struct row *rows, const struct judged_method **methods,
		  size_t *n_methods, size_t cap)
{
	u64 kept = 0;
	for (u64 i = 0; i < n; i++) {
		size_t m = 0;
		while (m < *n_methods && !judged_same_method(methods[m], &items[i].method))
			m++;
		if (m == cap)
			continue;
		if (m == *n_methods)
			methods[(*n_methods)++] = &items[i].method;
		rows[kept++] = (struct row){&items[i], i, (u16)m};
	}
	qsort(rows, kept, sizeof *rows, by_feature);
	u64 out = 0;
	for (u64 i = 0; i < kept; i++) {
		u64 at = out;
		while (at > 0 && rows[at - 1].x->feature == rows[i].x->feature && !same_row(&rows[at - 1], &rows[i]))
			at--;
		if (at > 0 && same_row(&rows[at - 1], &rows[i]))
			rows[at - 1] = rows[i];
		else
			rows[out++] = rows[i];
	}
	return out;
}

static char *methods_text(const struct judged_method *const *methods, size_t n)
{
	struct buf b = BUF_INIT;
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		const struct judged_method *m = methods[i];
		json_t *name = json_text(m->name, strlen(m->name)), *model = json_text(m->model, strlen(m->model));
		json_t *o = json_pack("{s:o, s:o, s:I, s:I, s:I, s:I}", "name", name, "model", model, "fires",
				      (json_int_t)m->ask.n_fires, "other", (json_int_t)m->ask.n_other, "near",
				      (json_int_t)m->ask.n_near, "seed", (json_int_t)m->ask.seed);
		json_array_append_new(list, o);
	}
	json_add_line(&b, list);
	json_decref(list);
	return buf_take(&b);
}

int judged_write(const char *path, const struct judgement *items, u64 n, const char *uuid, const char *build_id,
		 struct err *e)
{
	struct row *rows = xcalloc(n + 1, sizeof *rows);
	const struct judged_method *methods[MOST_METHODS];
	size_t n_methods = 0;
	n = settle(items, n, rows, methods, &n_methods, MOST_METHODS);
	u64 *offset = xcalloc(n + 1, sizeof *offset);
	u32 *feature = xcalloc(n + 1, sizeof *feature);
	f32 *balanced = xcalloc(n + 1, sizeof *balanced);
	u16 *method = xcalloc(n + 1, sizeof *method), (*counts)[N_COUNTS] = xcalloc(n + 1, sizeof *counts);
	struct buf bytes = BUF_INIT;
	for (u64 i = 0; i < n; i++) {
		const struct judgement *x = rows[i].x;
		struct evidence_figures f;
		evidence_figures(&x->score, &f);
		buf_add(&bytes, x->label.p, x->label.n);
		offset[i + 1] = bytes.n;
		feature[i] = x->feature;
		method[i] = rows[i].method;
		balanced[i] = f.balanced;
		give_counts(&x->score, counts[i]);
	}
	char *text = methods_text(methods, n_methods);
	const char *const meta[] = {"uuid", uuid, "build_id", build_id, "methods", text, NULL};
	struct tensor_out out[] = {
		{"offset", DTYPE_U64, 1, {n + 1}, offset},
		{"feature", DTYPE_U32, 1, {n}, feature},
		{"balanced_accuracy", DTYPE_F32, 1, {n}, balanced},
		{"method", DTYPE_U16, 1, {n}, method},
		{"counts", DTYPE_U16, 2, {n, N_COUNTS}, counts},
		{"bytes", DTYPE_U8, 1, {bytes.n}, bytes.s},
	};
	int bad = safetensors_write_file(path, out, ARRAY_LEN(out), meta, e);
	free(text);
	buf_release(&bytes);
	free(offset);
	free(feature);
	free(balanced);
	free(method);
	free(counts);
	free(rows);
	return bad;
}
