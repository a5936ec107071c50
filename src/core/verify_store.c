/* SPDX-License-Identifier: MIT */
/* verify_store.c - a segment of the store, number by number. */
#include "core/verify.h"

#include <math.h>
#include <string.h>

struct segment {
	struct verify *v;
	const struct safetensors *s;
	const char *path;
	u64 n_tokens, kept;
	bool full, imported; /* imported: the statistics are others' */
};

static const struct tensor *get(const struct segment *g, const char *name)
{
	return safetensors_find(g->s, name);
}

static void check_tokens(struct segment *g)
{
	const struct tensor *tokens = get(g, "tokens"), *flags = get(g, "token_flags");
	u64 kept = 0;
	bool said = false;
	for (u64 i = 0; i < g->n_tokens; i++) {
		u64 t = tensor_u64(tokens, i);
		kept += !(flags->data.p[i] & TOKEN_MASKED);
		if (t >= g->v->n_vocab && g->v->n_vocab != UINT32_MAX && !said) {
			verify_fault(g->v, "'%s': token %llu at position %llu is not in the vocabulary", g->path,
				     (unsigned long long)t, (unsigned long long)i);
			said = true;
		}
	}
	if (g->full && kept != g->kept)
		verify_fault(g->v, "'%s': %llu tokens are unmasked, its metadata says %llu", g->path,
			     (unsigned long long)kept, (unsigned long long)g->kept);
}

/* A feature's positions ascend, stand on unmasked tokens, and have a value of at most the maximum. */
static bool check_run(struct segment *g, u32 f, u64 from, u64 to)
{
	const struct tensor *pos = get(g, "act_pos"), *val = get(g, "act_val"), *flags = get(g, "token_flags");
	f32 scale = tensor_f32(get(g, "act_scale"), f), max = tensor_f32(get(g, "max"), f);
	const char *what = NULL;
	for (u64 i = from; i < to && !what; i++) {
		u64 at = tensor_u64(pos, i);
		f32 value = scale * tensor_f32(val, i);
		if (at >= g->n_tokens)
			what = "fires beyond the last token";
		else if (i > from && at <= tensor_u64(pos, i - 1))
			what = "has positions that do not ascend";
		else if (flags->data.p[at] & TOKEN_MASKED)
			what = "fires on a masked token";
		else if (!isfinite(value) || value < 0)
			what = "has an activation that is no positive number";
		else if (value > max * 1.002f)
			what = "has an activation above its maximum";
	}
	if (what)
		verify_fault(g->v, "'%s': feature %u %s", g->path, f, what);
	return !what;
}

static void check_postings(struct segment *g)
{
	const struct tensor *ptr = get(g, "feature_ptr"), *count = get(g, "count");
	if (!verify_pointers(g->v, g->s, "feature_ptr", get(g, "act_pos")->n))
		return;
	for (u32 f = 0; f < g->v->n_features; f++) {
		u64 from = tensor_u64(ptr, f), to = tensor_u64(ptr, (u64)f + 1), n = tensor_u64(count, f);
		if (g->full ? to - from != n : to - from > n) {
			verify_fault(g->v, "'%s': feature %u has %llu activations and a count of %llu", g->path, f,
				     (unsigned long long)(to - from), (unsigned long long)n);
			return;
		}
		if (!check_run(g, f, from, to))
			return;
	}
}

static void check_statistics(struct segment *g)
{
	static const char *const floats[] = {"act_scale", "density", "max", "mean", "hist_edge", "ctx_val"};
	for (size_t i = 0; i < ARRAY_LEN(floats); i++)
		verify_finite(g->v, g->s, floats[i], false);
	const struct tensor *count = get(g, "count"), *density = get(g, "density"), *hist = get(g, "hist_count");
	u64 bins = hist->shape[1];
	for (u32 f = 0; f < g->v->n_features; f++) {
		u64 n = tensor_u64(count, f), sum = 0;
		f64 want = (f64)n / (f64)MAX(g->kept, 1);
		for (u64 i = 0; i < bins; i++)
			sum += tensor_u64(hist, f * bins + i);
		if (g->imported)
			continue;
		if (bins && sum != n) {
			verify_fault(g->v, "'%s': feature %u has %llu activations in its histogram and a count of %llu",
				     g->path, f, (unsigned long long)sum, (unsigned long long)n);
			return;
		}
		if (fabs((f64)tensor_f32(density, f) - want) > 1e-5 * want) {
			verify_fault(g->v, "'%s': feature %u has a density of %g, but its count says %g", g->path, f,
				     (f64)tensor_f32(density, f), want);
			return;
		}
	}
}

static void check_edges(struct segment *g)
{
	const struct tensor *edge = get(g, "hist_edge"), *count = get(g, "count");
	u64 n = edge->shape[1];
	for (u32 f = 0; f < g->v->n_features; f++)
		for (u64 i = 1; i < n && tensor_u64(count, f); i++)
			if (!(tensor_f32(edge, f * n + i - 1) <= tensor_f32(edge, f * n + i))) {
				verify_fault(g->v, "'%s': the histogram of feature %u has edges that do not ascend", g->path, f);
				return;
			}
}

static void check_context_list(struct segment *g)
{
	const struct tensor *ptr = get(g, "ctx_ptr"), *pos = get(g, "ctx_pos"), *val = get(g, "ctx_val");
	const u8 *kind = get(g, "ctx_kind")->data.p;
	if (!verify_pointers(g->v, g->s, "ctx_ptr", pos->n))
		return;
	for (u32 f = 0; f < g->v->n_features; f++) {
		u64 from = tensor_u64(ptr, f), to = tensor_u64(ptr, (u64)f + 1);
		const char *what = NULL;
		for (u64 i = from; i < to && !what; i++) {
			if (tensor_u64(pos, i) >= g->n_tokens)
				what = "stand beyond the last token";
			else if (kind[i] > CONTEXT_RANDOM)
				what = "are of no known kind";
			else if (i > from && kind[i] < kind[i - 1])
				what = "are not in the order top, interval, random";
			else if (i > from && kind[i] == CONTEXT_TOP && tensor_f32(val, i) > tensor_f32(val, i - 1))
				what = "do not descend by activation";
		}
		if (what) {
			verify_fault(g->v, "'%s': the contexts of feature %u %s", g->path, f, what);
			return;
		}
	}
}

static u64 metadata_number(const struct safetensors *s, const char *key)
{
	u64 n = 0;
	for (const char *p = safetensors_metadata(s, key); p && *p >= '0' && *p <= '9'; p++)
		n = n * 10 + (u64)(*p - '0');
	return n;
}

void verify_segment(struct verify *v, const struct safetensors *s)
{
	const char *statistics = safetensors_metadata(s, "statistics");
	struct segment g = {v, s, safetensors_path(s), safetensors_find(s, "tokens")->n,
			    metadata_number(s, "n_tokens_kept"), !strcmp(safetensors_metadata(s, "coverage"), "full"),
			    statistics && !strcmp(statistics, "imported")};
	if (g.full && metadata_number(s, "n_tokens_indexed") != g.n_tokens)
		verify_fault(v, "'%s' has %llu tokens, its metadata says %llu", g.path, (unsigned long long)g.n_tokens,
			     (unsigned long long)metadata_number(s, "n_tokens_indexed"));
	verify_pointers(v, s, "text_ptr", g.n_tokens);
	check_tokens(&g);
	check_postings(&g);
	check_statistics(&g);
	check_edges(&g);
	check_context_list(&g);
}

void verify_contexts(struct verify *v, const struct store *st)
{
	struct store_context list[256];
	for (u32 f = 0; f < v->n_features; f++) {
		size_t n = store_contexts(st, f, list, ARRAY_LEN(list));
		for (size_t i = 0; i < MIN(n, ARRAY_LEN(list)); i++) {
			f32 act;
			store_activations(st, f, list[i].position, list[i].position + 1, &act);
			if (fabsf(act - list[i].act) <= 0.002f * fabsf(act) + 1e-6f)
				continue;
			verify_fault(v, "the store: feature %u has %g at position %llu, but its context says %g", f, (f64)act,
				     (unsigned long long)list[i].position, (f64)list[i].act);
			return;
		}
	}
}
