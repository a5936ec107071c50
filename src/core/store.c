/* SPDX-License-Identifier: MIT */
/* store.c - reading the activation store, several segments as one.
 *
 * Inside a segment positions count from its own first token.  Opening checks shapes only;
 * every number that comes out of a tensor is bounded where it is used.
 */
#include "core/store.h"

#include "base/mem.h"
#include "io/safetensors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct segment {
	struct safetensors *file;
	u64 first, n_tokens, first_text, n_texts; /* in the whole store */
	u64 n_indexed, n_kept;
	size_t n_bins;
	bool full, imported;
	const struct tensor *tokens, *flags, *text_ptr, *feature_ptr, *act_pos, *act_val, *act_scale;
	const struct tensor *density, *max, *mean, *count, *hist_edge, *hist_count;
	const struct tensor *ctx_ptr, *ctx_pos, *ctx_val, *ctx_kind, *ctx_interval;
};

struct store {
	struct segment *segments;
	size_t n;
	u32 n_features;
	u64 n_tokens, n_indexed, n_kept, n_contexts, n_activations;
	bool full, imported;
};

static int need(struct segment *s, const struct tensor **t, const char *name, unsigned dtypes, int n_dims, u64 a,
		u64 b, struct err *e)
{
	*t = safetensors_need(s->file, name, dtypes, n_dims, (u64[]){a, b}, e);
	return *t ? 0 : -1;
}

static int find_tensors(struct segment *s, u64 f, struct err *e)
{
	enum { U8 = 1 << DTYPE_U8, F32 = 1 << DTYPE_F32, U64 = 1 << DTYPE_U64, POS = 1 << DTYPE_U32 | 1 << DTYPE_U64 };
	if (need(s, &s->tokens, "tokens", 1u << DTYPE_U16 | 1u << DTYPE_U32, 1, TENSOR_ANY, 0, e) ||
	    need(s, &s->flags, "token_flags", U8, 1, s->tokens->n, 0, e) ||
	    need(s, &s->text_ptr, "text_ptr", U64, 1, TENSOR_ANY, 0, e) ||
	    need(s, &s->feature_ptr, "feature_ptr", U64, 1, f + 1, 0, e) ||
	    need(s, &s->act_pos, "act_pos", POS, 1, TENSOR_ANY, 0, e) ||
	    need(s, &s->act_val, "act_val", 1u << DTYPE_F16, 1, s->act_pos->n, 0, e) ||
	    need(s, &s->act_scale, "act_scale", F32, 1, f, 0, e) || need(s, &s->density, "density", F32, 1, f, 0, e) ||
	    need(s, &s->max, "max", F32, 1, f, 0, e) || need(s, &s->mean, "mean", F32, 1, f, 0, e) ||
	    need(s, &s->count, "count", U64, 1, f, 0, e) ||
	    need(s, &s->hist_count, "hist_count", U64, 2, f, TENSOR_ANY, e) ||
	    need(s, &s->hist_edge, "hist_edge", F32, 2, f, s->hist_count->shape[1] + 1, e) ||
	    need(s, &s->ctx_ptr, "ctx_ptr", U64, 1, f + 1, 0, e) ||
	    need(s, &s->ctx_pos, "ctx_pos", POS, 1, TENSOR_ANY, 0, e) ||
	    need(s, &s->ctx_val, "ctx_val", F32, 1, s->ctx_pos->n, 0, e) ||
	    need(s, &s->ctx_kind, "ctx_kind", U8, 1, s->ctx_pos->n, 0, e) ||
	    need(s, &s->ctx_interval, "ctx_interval", U8, 1, s->ctx_pos->n, 0, e))
		return -1;
	if (s->text_ptr->n < 1)
		return err_set(e, ERR_DAMAGED, "'%s': tensor 'text_ptr' is empty", safetensors_path(s->file));
	s->n_tokens = s->tokens->n;
	s->n_texts = s->text_ptr->n - 1;
	s->n_bins = s->hist_count->shape[1];
	return 0;
}

static int read_number(const struct segment *s, const char *key, u64 *out, struct err *e)
{
	const char *text = safetensors_metadata(s->file, key);
	char *end;
	errno = 0;
	if (text && *text >= '0' && *text <= '9') {
		*out = strtoull(text, &end, 10);
		if (!*end && !errno)
			return 0;
	}
	return err_set(e, ERR_DAMAGED, "'%s': its metadata has no whole number '%s'", safetensors_path(s->file), key);
}

static int read_metadata(struct segment *s, u64 expected_first, struct err *e)
{
	const char *path = safetensors_path(s->file), *coverage = safetensors_metadata(s->file, "coverage"),
		   *statistics = safetensors_metadata(s->file, "statistics");
	if (!coverage || (strcmp(coverage, "full") && strcmp(coverage, "examples")))
		return err_set(e, ERR_DAMAGED, "'%s': its metadata's coverage is neither full nor examples", path);
	s->full = !strcmp(coverage, "full");
	s->imported = statistics && !strcmp(statistics, "imported");
	if (read_number(s, "n_tokens_indexed", &s->n_indexed, e) || read_number(s, "n_tokens_kept", &s->n_kept, e) ||
	    read_number(s, "first_token", &s->first, e))
		return -1;
	if (s->first != expected_first)
		return err_set(e, ERR_DAMAGED, "'%s' begins at token %llu, where token %llu was expected", path,
			       (unsigned long long)s->first, (unsigned long long)expected_first);
	return 0;
}

static int open_segment(struct store *st, struct segment *s, const char *path, struct err *e)
{
	if (!(s->file = safetensors_open(path, e)) || find_tensors(s, st->n_features, e) ||
	    read_metadata(s, st->n_tokens, e))
		return -1;
	st->n_tokens += s->n_tokens;
	st->n_indexed += s->n_indexed;
	st->n_kept += s->n_kept;
	st->n_contexts += s->ctx_pos->n;
	st->n_activations += s->act_pos->n;
	st->full &= s->full;
	st->imported |= s->imported;
	return 0;
}

struct store *store_open(const char *const *segment_paths, size_t n, u32 n_features, struct err *e)
{
	struct store *s = xcalloc(1, sizeof *s);
	s->segments = xcalloc(n + 1, sizeof *s->segments);
	s->n_features = n_features;
	s->full = true;
	u64 texts = 0;
	for (size_t i = 0; i < n; i++) {
		s->n++;
		if (open_segment(s, &s->segments[i], segment_paths[i], e)) {
			store_free(s);
			return NULL;
		}
		s->segments[i].first_text = texts;
		texts += s->segments[i].n_texts;
	}
	return s;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		safetensors_free(s->segments[i].file);
	free(s->segments);
	free(s);
}

u64 store_n_tokens(const struct store *s)
{
	return s->n_tokens;
}

u64 store_n_indexed(const struct store *s)
{
	return s->n_indexed;
}

u64 store_n_kept(const struct store *s)
{
	return s->n_kept;
}

u64 store_n_contexts(const struct store *s)
{
	return s->n_contexts;
}

u64 store_n_activations(const struct store *s)
{
	return s->n_activations;
}

bool store_is_full(const struct store *s)
{
	return s->full;
}

bool store_is_imported(const struct store *s)
{
	return s->imported;
}

static const struct segment *segment_of(const struct store *s, u64 position)
{
	for (size_t i = 0; i < s->n; i++)
		if (position - s->segments[i].first < s->segments[i].n_tokens)
			return &s->segments[i];
	return NULL;
}

u32 store_token(const struct store *s, u64 position)
{
	const struct segment *g = segment_of(s, position);
	return g ? (u32)tensor_u64(g->tokens, position - g->first) : UINT32_MAX;
}

u8 store_token_flags(const struct store *s, u64 position)
{
	const struct segment *g = segment_of(s, position);
	return g ? g->flags->data.p[position - g->first] : 0;
}

/* The last index i < n with t[i] <= x, or 0: t ascends.  False if what it needs is not in memory. */
static bool find_last(const struct tensor *t, u64 n, u64 x, struct pages *w, u64 *out)
{
	u64 from = 0, to = n;
	while (to - from > 1) {
		u64 middle = from + (to - from) / 2;
		if (!tensor_there(t, middle, 1, w))
			return false;
		if (tensor_u64(t, middle) <= x)
			from = middle;
		else
			to = middle;
	}
	*out = from;
	return true;
}

u64 store_text_of(const struct store *s, u64 position, u64 *start, u64 *end)
{
	*start = position;
	*end = position + 1;
	const struct segment *g = segment_of(s, position);
	if (!g)
		return 0;
	u64 here = position - g->first, text = 0;
	if (g->n_texts) {
		find_last(g->text_ptr, g->n_texts, here, NULL, &text);
		u64 from = tensor_u64(g->text_ptr, text), to = tensor_u64(g->text_ptr, text + 1);
		if (from <= here && here < to && to <= g->n_tokens) {
			*start = g->first + from;
			*end = g->first + to;
		}
	}
	return g->first_text + text;
}

void store_stats(const struct store *s, u32 feature, struct store_stats *out)
{
	*out = (struct store_stats){0};
	f64 sum = 0;
	for (size_t i = 0; i < s->n && feature < s->n_features; i++) {
		const struct segment *g = &s->segments[i];
		u64 count = tensor_u64(g->count, feature);
		out->count += count;
		out->max = MAX(out->max, tensor_f32(g->max, feature));
		sum += (f64)count * (f64)tensor_f32(g->mean, feature);
		if (s->n == 1) {
			out->density = tensor_f32(g->density, feature);
			out->mean = tensor_f32(g->mean, feature);
		}
	}
	if (s->n > 1 && out->count) {
		out->density = (f32)((f64)out->count / (f64)MAX(s->n_kept, 1));
		out->mean = (f32)(sum / (f64)out->count);
	}
}

static f32 edge(const struct segment *g, u32 feature, size_t i)
{
	return tensor_f32(g->hist_edge, (u64)feature * (g->n_bins + 1) + i);
}

/* A segment with other edges is added by the middles of its bins. */
static void add_histogram(const struct segment *g, u32 feature, const f32 *edges, size_t n, u64 *counts)
{
	bool same = g->n_bins == n;
	for (size_t i = 0; same && i <= n; i++)
		same = edge(g, feature, i) == edges[i];
	for (size_t i = 0; i < g->n_bins; i++) {
		size_t bin = i;
		if (!same) {
			f32 middle = (edge(g, feature, i) + edge(g, feature, i + 1)) / 2;
			for (bin = 0; bin + 1 < n && middle >= edges[bin + 1]; bin++)
				;
		}
		counts[bin] += tensor_u64(g->hist_count, (u64)feature * g->n_bins + i);
	}
}

size_t store_histogram(const struct store *s, u32 feature, f32 *edges, u64 *counts, size_t max_bins)
{
	const struct segment *widest = NULL;
	for (size_t i = 0; i < s->n && feature < s->n_features; i++) {
		const struct segment *g = &s->segments[i];
		if (g->n_bins && g->n_bins <= max_bins &&
		    (!widest || edge(g, feature, g->n_bins) > edge(widest, feature, widest->n_bins)))
			widest = g;
	}
	if (!widest)
		return 0;
	for (size_t i = 0; i <= widest->n_bins; i++)
		edges[i] = edge(widest, feature, i);
	memset(counts, 0, widest->n_bins * sizeof *counts);
	for (size_t i = 0; i < s->n; i++)
		add_histogram(&s->segments[i], feature, edges, widest->n_bins, counts);
	return widest->n_bins;
}

/* A feature's run in a pointer array, within n. */
static u64 run_of(const struct tensor *ptr, u32 feature, u64 n, u64 *from)
{
	u64 a = tensor_u64(ptr, feature), b = tensor_u64(ptr, (u64)feature + 1);
	*from = a;
	return a <= b && b <= n ? b - a : 0;
}

static void get_context(const struct segment *g, u64 i, struct store_context *out)
{
	u64 at = tensor_u64(g->ctx_pos, i);
	u8 kind = g->ctx_kind->data.p[i];
	out->position = g->first + (g->n_tokens ? MIN(at, g->n_tokens - 1) : 0);
	out->act = tensor_f32(g->ctx_val, i);
	out->kind = kind <= CONTEXT_RANDOM ? (enum context_kind)kind : CONTEXT_RANDOM;
	out->interval = g->ctx_interval->data.p[i];
}

static int by_rank(const void *a, const void *b)
{
	const struct store_context *x = a, *y = b;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->kind == CONTEXT_INTERVAL && x->interval != y->interval)
		return x->interval > y->interval ? -1 : 1;
	if (x->kind != CONTEXT_RANDOM && x->act != y->act)
		return x->act > y->act ? -1 : 1;
	return x->position < y->position ? -1 : x->position > y->position;
}

static size_t merged_contexts(const struct store *s, u32 feature, u64 total, struct store_context *out, size_t cap)
{
	struct store_context *all = mem_try(total, sizeof *all, "contexts", NULL);
	if (!all)
		return 0;
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++) {
		const struct segment *g = &s->segments[i];
		u64 from, count = run_of(g->ctx_ptr, feature, g->ctx_pos->n, &from);
		for (u64 j = 0; j < count; j++)
			get_context(g, from + j, &all[n++]);
	}
	qsort(all, n, sizeof *all, by_rank);
	memcpy(out, all, MIN(n, cap) * sizeof *out);
	free(all);
	return n;
}

size_t store_contexts(const struct store *s, u32 feature, struct store_context *out, size_t cap)
{
	u64 total = 0, from = 0;
	for (size_t i = 0; i < s->n && feature < s->n_features; i++)
		total += run_of(s->segments[i].ctx_ptr, feature, s->segments[i].ctx_pos->n, &from);
	if (!cap || !total)
		return total;
	if (s->n > 1)
		return merged_contexts(s, feature, total, out, cap);
	for (size_t i = 0; i < total && i < cap; i++)
		get_context(&s->segments[0], from + i, &out[i]);
	return total;
}

/* The first of n positions from index `from` that is at least x; they ascend.  False if what it needs is not
 * in memory. */
static bool first_at(const struct tensor *positions, u64 from, u64 n, u64 x, struct pages *w, u64 *out)
{
	u64 to = from + n;
	while (from < to) {
		u64 middle = from + (to - from) / 2;
		if (!tensor_there(positions, middle, 1, w))
			return false;
		if (tensor_u64(positions, middle) < x)
			from = middle + 1;
		else
			to = middle;
	}
	*out = from;
	return true;
}

void store_activations(const struct store *s, u32 feature, u64 from, u64 to, f32 *out)
{
	memset(out, 0, (to - from) * sizeof *out);
	for (size_t i = 0; i < s->n && feature < s->n_features; i++) {
		const struct segment *g = &s->segments[i];
		if (to <= g->first || from >= g->first + g->n_tokens)
			continue;
		u64 run, n = run_of(g->feature_ptr, feature, g->act_pos->n, &run), low = MAX(from, g->first) - g->first;
		f32 scale = tensor_f32(g->act_scale, feature);
		u64 first = run;
		first_at(g->act_pos, run, n, low, NULL, &first);
		for (u64 j = first; j < run + n; j++) {
			u64 at = tensor_u64(g->act_pos, j);
			if (at >= g->n_tokens || at >= to - g->first)
				break;
			if (at >= low)
				out[g->first + at - from] = scale * tensor_f32(g->act_val, j);
		}
	}
}

u64 store_postings(const struct store *s, u32 feature, u64 skip, u64 *out, u64 cap)
{
	u64 filled = 0;
	for (size_t i = 0; i < s->n && filled < cap && feature < s->n_features; i++) {
		const struct segment *g = &s->segments[i];
		u64 run, n = run_of(g->feature_ptr, feature, g->act_pos->n, &run);
		u64 from = MIN(skip, n), end = MIN(n, from + cap - filled);
		skip -= from;
		for (u64 j = run + from; j < run + end; j++) {
			u64 at = tensor_u64(g->act_pos, j);
			out[filled++] = g->first + (at < g->n_tokens ? at : g->n_tokens - (g->n_tokens > 0));
		}
	}
	return filled;
}

/* ---- what of it lies in memory ---- */

bool store_stats_there(const struct store *s, u32 feature, struct pages *w)
{
	bool there = true;
	for (size_t i = 0; i < s->n && feature < s->n_features; i++) {
		const struct segment *g = &s->segments[i];
		there &= tensor_there(g->count, feature, 1, w);
		there &= tensor_there(g->max, feature, 1, w);
		there &= tensor_there(g->mean, feature, 1, w);
		there &= tensor_there(g->density, feature, 1, w);
	}
	return there;
}

bool store_histogram_there(const struct store *s, u32 feature, struct pages *w)
{
	bool there = true;
	for (size_t i = 0; i < s->n && feature < s->n_features; i++) {
		const struct segment *g = &s->segments[i];
		there &= tensor_there(g->hist_edge, (u64)feature * (g->n_bins + 1), g->n_bins + 1, w);
		there &= tensor_there(g->hist_count, (u64)feature * g->n_bins, g->n_bins, w);
	}
	return there;
}

/* What store_text_of, store_token and store_activations read round a position of a segment. */
static bool text_there(const struct segment *g, u32 feature, u64 at, struct pages *w)
{
	enum { AROUND = 80, FEW = 64 };
	u64 from = at > AROUND ? at - AROUND : 0, text = 0, run, first = 0;
	bool there = tensor_there(g->tokens, from, 2 * AROUND, w);
	there &= tensor_there(g->flags, from, 2 * AROUND, w);
	there &= !g->n_texts || (find_last(g->text_ptr, g->n_texts, at, w, &text) && tensor_there(g->text_ptr, text, 2, w));
	if (!tensor_there(g->feature_ptr, feature, 2, w))
		return false;
	u64 n = run_of(g->feature_ptr, feature, g->act_pos->n, &run);
	if (n && !first_at(g->act_pos, run, n, from, w, &first))
		return false;
	return there & (!n || (tensor_there(g->act_pos, first, FEW, w) & tensor_there(g->act_val, first, FEW, w)));
}

static bool segment_there(const struct segment *g, u32 feature, size_t cap, struct pages *w)
{
	enum { RUN = 8192 };
	u64 from;
	bool there = tensor_there(g->act_scale, feature, 1, w);
	if (!tensor_there(g->ctx_ptr, feature, 2, w))
		return false;
	u64 n = run_of(g->ctx_ptr, feature, g->ctx_pos->n, &from);
	there &= tensor_there(g->ctx_val, from, n, w) & tensor_there(g->ctx_kind, from, n, w);
	there &= tensor_there(g->ctx_interval, from, n, w);
	if (!tensor_there(g->ctx_pos, from, n, w))
		return false;
	for (u64 i = from; i < from + MIN(n, cap); i++)
		there &= text_there(g, feature, tensor_u64(g->ctx_pos, i), w);
	if (!tensor_there(g->feature_ptr, feature, 2, w))
		return false;
	n = MIN(run_of(g->feature_ptr, feature, g->act_pos->n, &from), RUN);
	return there & tensor_there(g->act_pos, from, n, w) & tensor_there(g->act_val, from, n, w);
}

bool store_contexts_there(const struct store *s, u32 feature, size_t cap, struct pages *w)
{
	bool there = true;
	for (size_t i = 0; i < s->n && feature < s->n_features; i++)
		there &= segment_there(&s->segments[i], feature, cap, w);
	return there;
}
