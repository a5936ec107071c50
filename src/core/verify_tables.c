/* SPDX-License-Identifier: MIT */
/* verify_tables.c - weights, texts, labels and tables, number by number. */
#include "core/verify.h"

#include "base/utf8.h"
#include "core/judged.h"
#include "core/map.h"

#include <math.h>
#include <string.h>

bool verify_pointers(struct verify *v, const struct safetensors *s, const char *name, u64 last)
{
	const struct tensor *t = safetensors_find(s, name);
	bool good = t->n && tensor_u64(t, 0) == 0 && tensor_u64(t, t->n - 1) == last;
	for (u64 i = 1; i < t->n && good; i++)
		good = tensor_u64(t, i - 1) <= tensor_u64(t, i);
	if (!good)
		verify_fault(v, "'%s': '%s' does not ascend from 0 to %llu", safetensors_path(s), name,
			     (unsigned long long)last);
	return good;
}

void verify_finite(struct verify *v, const struct safetensors *s, const char *name, bool allow_nan)
{
	const struct tensor *t = safetensors_find(s, name);
	f32 x[1024];
	for (u64 i = 0; i < t->n; i += ARRAY_LEN(x)) {
		u64 n = MIN(ARRAY_LEN(x), t->n - i);
		tensor_get_f32(t, i, n, x);
		for (u64 k = 0; k < n; k++)
			if (!isfinite(x[k]) && !(allow_nan && isnan(x[k]))) {
				verify_fault(v, "'%s': tensor '%s' holds %s at %llu", safetensors_path(s), name,
					     isnan(x[k]) ? "no number" : "infinity", (unsigned long long)(i + k));
				return;
			}
	}
}

void verify_dictionary(struct verify *v, const struct safetensors *s)
{
	for (size_t i = 0; i < safetensors_count(s); i++) {
		enum dtype t = safetensors_at(s, i)->dtype;
		if (t == DTYPE_F16 || t == DTYPE_BF16 || t == DTYPE_F32 || t == DTYPE_F64)
			verify_finite(v, s, safetensors_at(s, i)->name, false);
	}
}

void verify_vocab(struct verify *v, const struct safetensors *s)
{
	verify_pointers(v, s, "offset", safetensors_find(s, "bytes")->n);
}

static const char *label_fault(const struct safetensors *s, u64 i, u32 n_features)
{
	const struct tensor *bytes = safetensors_find(s, "bytes"), *offset = safetensors_find(s, "offset"),
			    *feature = safetensors_find(s, "feature");
	u64 from = tensor_u64(offset, i), to = tensor_u64(offset, i + 1);
	const char *text = (const char *)bytes->data.p + from;
	if (!utf8_is_valid(text, to - from))
		return "is not valid UTF-8";
	if (memchr(text, '\n', to - from))
		return "has a newline";
	if (n_features && tensor_u64(feature, i) >= n_features)
		return "is of a feature that is not there";
	if (i && tensor_u64(feature, i) < tensor_u64(feature, i - 1))
		return "is not in the order of features";
	return NULL;
}

void verify_labels(struct verify *v, const struct safetensors *s)
{
	if (!verify_pointers(v, s, "offset", safetensors_find(s, "bytes")->n))
		return;
	for (u64 i = 0; i < safetensors_find(s, "feature")->n; i++) {
		const char *what = label_fault(s, i, v->n_features);
		if (what) {
			verify_fault(v, "'%s': label %llu %s", safetensors_path(s), (unsigned long long)i, what);
			return;
		}
	}
}

/* A table [F][*] of ids below limit, or UINT32_MAX for none.  False if it is not there. */
static bool check_ids(struct verify *v, const struct safetensors *s, const char *name, u32 limit, const char *of)
{
	struct err e = {0};
	u64 want[] = {v->n_features, TENSOR_ANY};
	const struct tensor *t = safetensors_need(s, name, 1u << DTYPE_U32, 2, want, &e);
	if (!t) {
		verify_fault(v, "%s", e.msg);
		return false;
	}
	for (u64 i = 0; i < t->n; i++) {
		u64 x = tensor_u64(t, i);
		if (x >= limit && x != UINT32_MAX) {
			verify_fault(v, "'%s': '%s' of feature %llu names %s %llu, which is not there", safetensors_path(s), name,
				     (unsigned long long)(i / t->shape[1]), of, (unsigned long long)x);
			break;
		}
	}
	return true;
}

/* Values [F][n] beside a table of ids: finite, and descending by sign. */
static void check_values(struct verify *v, const struct safetensors *s, const char *ids, const char *name, f32 sign)
{
	struct err e = {0};
	const struct tensor *t = safetensors_need(s, name, 1u << DTYPE_F16, 2, safetensors_find(s, ids)->shape, &e);
	if (!t) {
		verify_fault(v, "%s", e.msg);
		return;
	}
	verify_finite(v, s, name, false);
	u64 n = t->shape[1];
	for (u64 i = 0; i < t->n; i++)
		if (i % n && sign * tensor_f32(t, i) > sign * tensor_f32(t, i - 1)) {
			verify_fault(v, "'%s': '%s' of feature %llu is out of order", safetensors_path(s), name,
				     (unsigned long long)(i / n));
			return;
		}
}

void verify_logits(struct verify *v, const struct safetensors *s)
{
	if (check_ids(v, s, "promoted_token", v->n_vocab, "token"))
		check_values(v, s, "promoted_token", "promoted_value", 1);
	if (check_ids(v, s, "suppressed_token", v->n_vocab, "token"))
		check_values(v, s, "suppressed_token", "suppressed_value", -1);
}

void verify_graph(struct verify *v, const struct safetensors *s)
{
	if (!check_ids(v, s, "neighbour_id", v->n_features, "feature"))
		return;
	check_values(v, s, "neighbour_id", "neighbour_score", 1);
	const struct tensor *t = safetensors_find(s, "neighbour_id");
	for (u64 i = 0; i < t->n; i++)
		if (tensor_u64(t, i) == i / t->shape[1]) {
			verify_fault(v, "'%s': feature %llu is its own neighbour", safetensors_path(s),
				     (unsigned long long)(i / t->shape[1]));
			return;
		}
}

void verify_scores(struct verify *v, const struct safetensors *s)
{
	static const char *const names[] = {"input_score", "output_score", "topic_score", "output_score_tuned"};
	bool tuned = safetensors_find(s, names[3]); /* may be missing */
	for (size_t i = 0; i < ARRAY_LEN(names) - !tuned; i++) {
		struct err e = {0};
		if (safetensors_need(s, names[i], 1u << DTYPE_F32, 1, (u64[]){v->n_features}, &e))
			verify_finite(v, s, names[i], true);
		else
			verify_fault(v, "%s", e.msg);
	}
	check_ids(v, s, "topic_word", v->n_vocab, "token");
}

static void check_groups(struct verify *v, const struct safetensors *s, const char *name, u32 n)
{
	const struct tensor *t = safetensors_find(s, name);
	for (u64 i = 0; i < t->n; i++) {
		u64 x = tensor_u64(t, i);
		if (x >= n && x != MAP_NONE) {
			verify_fault(v, "'%s': '%s' of feature %llu is %llu of %u", safetensors_path(s), name,
				     (unsigned long long)i, (unsigned long long)x, (unsigned)n);
			return;
		}
	}
}

static bool names_are_texts(const struct map *m)
{
	for (u32 i = 0; i < map_n_clusters(m) + map_n_parts(m); i++) {
		u32 c = map_n_clusters(m);
		struct span t = i < c ? map_cluster_name(m, i) : map_part_name(m, i - c);
		if (t.n && (!utf8_is_valid((const char *)t.p, t.n) || memchr(t.p, '\n', t.n)))
			return false;
	}
	return true;
}

void verify_map(struct verify *v, const struct safetensors *s)
{
	struct err e = {0};
	struct map *m = map_open(s, v->n_features, &e);
	if (!m) {
		verify_fault(v, "%s", e.msg);
		return;
	}
	verify_finite(v, s, "xy", false);
	check_groups(v, s, "cluster", map_n_clusters(m));
	check_groups(v, s, "part", map_n_parts(m));
	if (verify_pointers(v, s, "name_offset", safetensors_find(s, "name_bytes")->n) && !names_are_texts(m))
		verify_fault(v, "'%s': a name is not a line of valid UTF-8", safetensors_path(s));
	map_free(m);
}

void verify_judged(struct verify *v, const struct safetensors *s)
{
	struct err e = {0};
	struct judged *j = judged_open(s, &e);
	if (!j) {
		verify_fault(v, "%s", e.msg);
		return;
	}
	bool good = verify_pointers(v, s, "offset", safetensors_find(s, "bytes")->n);
	for (u64 i = 0; good && i < judged_count(j); i++) {
		struct judgement x;
		const char *what = judged_fault(j, i);
		judged_at(j, i, &x);
		if (!what && x.feature >= v->n_features)
			what = "is of a feature that is not there";
		if (what)
			verify_fault(v, "'%s': judgement %llu %s", safetensors_path(s), (unsigned long long)i, what);
		good = !what;
	}
	judged_free(j);
}
