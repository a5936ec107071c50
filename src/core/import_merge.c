/* SPDX-License-Identifier: MIT */
/* import_merge.c - a feature's records become rows of columns. */
#include "core/import_merge.h"

#include "base/half.h"
#include "base/mem.h"
#include "core/index.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct import_column import_columns[N_COLUMNS] = {
	[TEXT_PTR] = {"text_ptr", DTYPE_U64, false},
	[FEATURE_PTR] = {"feature_ptr", DTYPE_U64, false},
	[COUNT] = {"count", DTYPE_U64, false},
	[HIST_COUNT] = {"hist_count", DTYPE_U64, true},
	[CTX_PTR] = {"ctx_ptr", DTYPE_U64, false},
	[ACT_POS] = {"act_pos", DTYPE_U32, false},
	[SCALE] = {"act_scale", DTYPE_F32, false},
	[DENSITY] = {"density", DTYPE_F32, false},
	[LARGEST] = {"max", DTYPE_F32, false},
	[MEAN] = {"mean", DTYPE_F32, false},
	[HIST_EDGE] = {"hist_edge", DTYPE_F32, true},
	[CTX_POS] = {"ctx_pos", DTYPE_U32, false},
	[CTX_VAL] = {"ctx_val", DTYPE_F32, false},
	[ACT_VAL] = {"act_val", DTYPE_F16, false},
	[CTX_KIND] = {"ctx_kind", DTYPE_U8, false},
	[CTX_INTERVAL] = {"ctx_interval", DTYPE_U8, false},
	[PROMOTED] = {"promoted_token", DTYPE_U32, true},
	[PROMOTED_VALUE] = {"promoted_value", DTYPE_F16, true},
	[SUPPRESSED] = {"suppressed_token", DTYPE_U32, true},
	[SUPPRESSED_VALUE] = {"suppressed_value", DTYPE_F16, true},
	[NEAR] = {"neighbour_id", DTYPE_U32, true},
	[NEAR_SCORE] = {"neighbour_score", DTYPE_F16, true},
	[W_DEC] = {"W_dec", DTYPE_F32, true},
};

static int add(struct merge *m, enum column c, const void *p, size_t n, struct err *e)
{
	size_t size = dtype_size(import_columns[c].dtype);
	if (!n || fwrite(p, size, n, m->column[c]) == n)
		return 0;
	return err_os(e, "cannot write a scratch file");
}

static int add_u64(struct merge *m, enum column c, u64 v, struct err *e)
{
	return add(m, c, &v, 1, e);
}

static int add_f32(struct merge *m, enum column c, f32 v, struct err *e)
{
	return add(m, c, &v, 1, e);
}

struct numbers { /* a feature record, decoded; lists unaligned */
	f32 max, density, mean;
	u64 n_tokens;
	u32 n_bins, n_promoted, n_suppressed, n_near, n_vector;
	const u8 *height, *edge, *promoted, *suppressed, *near, *vector;
};

static int read_numbers(const struct loaded *x, struct numbers *n, struct err *e)
{
	struct cursor c = {x->numbers, x->numbers + x->n_numbers, false};
	*n = (struct numbers){.max = NAN, .density = NAN, .mean = NAN};
	if (!x->numbers)
		return 0;
	n->max = cursor_f32(&c);
	n->density = cursor_f32(&c);
	n->mean = cursor_f32(&c);
	n->n_tokens = cursor_u64(&c);
	n->n_bins = cursor_u32(&c);
	n->height = cursor_bytes(&c, 8 * (u64)n->n_bins);
	n->edge = cursor_bytes(&c, n->n_bins ? 4 * ((u64)n->n_bins + 1) : 0);
	n->n_promoted = cursor_u32(&c);
	n->promoted = cursor_bytes(&c, sizeof(struct atlas_token) * (u64)n->n_promoted);
	n->n_suppressed = cursor_u32(&c);
	n->suppressed = cursor_bytes(&c, sizeof(struct atlas_token) * (u64)n->n_suppressed);
	n->n_near = cursor_u32(&c);
	n->near = cursor_bytes(&c, sizeof(struct atlas_neighbour) * (u64)n->n_near);
	n->n_vector = cursor_u32(&c);
	n->vector = cursor_bytes(&c, 4 * (u64)n->n_vector);
	return c.bad ? err_set(e, ERR_DAMAGED, "'%s' is damaged; remove it, and the import makes it again",
			       x->numbers_part->path)
		     : 0;
}

/* Its texts: where each begins, what fires in it, and which place stands for it. */
static int add_context(struct merge *m, const struct loaded_context *c, f32 scale, u64 *n_act, struct err *e)
{
	u64 first = m->report->n_tokens;
	u8 kind = (u8)c->kind;
	if (first + c->n >= UINT32_MAX)
		return err_set(e, ERR_FAILED, "there are more tokens than a segment of the store holds");
	for (u32 i = 0; i < c->n_act; i++) {
		u32 at, pos;
		f32 act;
		memcpy(&at, c->act + 8 * (size_t)i, 4);
		memcpy(&act, c->act + 8 * (size_t)i + 4, 4);
		pos = (u32)first + MIN(at, c->n - 1);
		u16 half = f32_to_f16(act / scale);
		if (add(m, ACT_POS, &pos, 1, e) || add(m, ACT_VAL, &half, 1, e))
			return -1;
	}
	u32 peak = (u32)first + c->at;
	*n_act += c->n_act;
	m->report->n_tokens += c->n;
	m->n_texts++;
	m->report->n_contexts++;
	return add_u64(m, TEXT_PTR, m->report->n_tokens, e) || add(m, CTX_POS, &peak, 1, e) ||
	       add_f32(m, CTX_VAL, c->peak, e) || add(m, CTX_KIND, &kind, 1, e) ||
	       add(m, CTX_INTERVAL, &c->interval, 1, e);
}

/* Bins beyond a feature's own have no width and hold nothing. */
static int add_histogram(struct merge *m, const struct numbers *n, u64 *count, f64 *mean, struct err *e)
{
	f64 sum = 0;
	f32 edge = 0, next = 0;
	*count = 0;
	if (n->n_bins)
		memcpy(&next, n->edge, 4);
	edge = next;
	if (add_f32(m, HIST_EDGE, edge, e))
		return -1;
	for (u32 i = 0; i < m->bins; i++) {
		f64 height = 0;
		if (i < n->n_bins) {
			memcpy(&height, n->height + 8 * (size_t)i, 8);
			memcpy(&next, n->edge + 4 * (size_t)i + 4, 4);
		}
		u64 whole = height > 0 && height < 0x1p60 ? (u64)(height + 0.5) : 0;
		*count += whole;
		sum += (f64)whole * ((f64)edge + next) / 2;
		edge = MAX(edge, next);
		if (add_u64(m, HIST_COUNT, whole, e) || add_f32(m, HIST_EDGE, edge, e))
			return -1;
	}
	*mean = *count ? sum / (f64)*count : 0;
	return 0;
}

static int add_statistics(struct merge *m, const struct numbers *n, f32 scale, f32 max, u64 n_act,
			  struct err *e)
{
	u64 count;
	f64 mean;
	if (add_histogram(m, n, &count, &mean, e))
		return -1;
	f32 density = n->density >= 0 && n->density <= 1 ? n->density : 0;
	if (!count && n->n_tokens)
		count = (u64)((f64)density * (f64)n->n_tokens + 0.5);
	if (!(density > 0) && n->n_tokens)
		density = (f32)((f64)count / (f64)n->n_tokens);
	if (n->mean > 0 && n->mean < INFINITY)
		mean = (f64)n->mean;
	m->report->n_activations += n_act;
	return add_f32(m, SCALE, scale, e) || add_f32(m, DENSITY, density, e) ||
	       add_f32(m, LARGEST, max, e) || add_f32(m, MEAN, (f32)mean, e) ||
	       add_u64(m, COUNT, MAX(count, n_act), e) ||
	       add_u64(m, FEATURE_PTR, m->report->n_activations, e) ||
	       add_u64(m, CTX_PTR, m->report->n_contexts, e);
}

static int strongest(const void *a, const void *b)
{
	const struct atlas_token *x = a, *y = b;
	if (x->value != y->value)
		return x->value > y->value ? -1 : 1;
	return 0;
}

static int nearest(const void *a, const void *b)
{
	const struct atlas_neighbour *x = a, *y = b;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static u16 to_half(f32 v)
{
	return f32_to_f16(v > 65504 ? 65504 : v < -65504 ? -65504 : v);
}

/* A row of ids and values; where there are fewer than places, no id and the last value. */
static int add_pairs(struct merge *m, enum column c, const struct atlas_token *t, u32 n, u32 places,
		     struct err *e)
{
	u16 half = 0;
	u32 none = UINT32_MAX;
	for (u32 i = 0; i < places; i++) {
		half = i < n ? to_half(t[i].value) : half;
		if (add(m, c, i < n ? &t[i].token : &none, 1, e) || add(m, c + 1, &half, 1, e))
			return -1;
	}
	return 0;
}

static int add_tokens(struct merge *m, enum column c, const u8 *list, u32 n, u32 places, bool rising,
		      struct err *e)
{
	struct atlas_token *t = xcalloc(n + 1, sizeof *t);
	u32 kept = 0;
	for (u32 i = 0; i < n; i++) {
		memcpy(&t[kept], list + i * sizeof *t, sizeof *t);
		t[kept].token = import_part_token(m->x.numbers_part, t[kept].token);
		t[kept].value = rising ? -t[kept].value : t[kept].value;
		kept += t[kept].token != UINT32_MAX && isfinite(t[kept].value);
	}
	/* mergesort in glibc, but nothing promises that: equal values keep the order they came in */
	for (u32 i = 1; i < kept; i++)
		for (u32 k = i; k > 0 && strongest(&t[k - 1], &t[k]) > 0; k--) {
			struct atlas_token swap = t[k];
			t[k] = t[k - 1];
			t[k - 1] = swap;
		}
	for (u32 i = 0; rising && i < kept; i++)
		t[i].value = -t[i].value;
	int bad = add_pairs(m, c, t, kept, places, e);
	free(t);
	return bad;
}

static int add_near(struct merge *m, u32 feature, const struct numbers *n, struct err *e)
{
	struct atlas_neighbour *t = xcalloc(n->n_near + 1, sizeof *t);
	u32 kept = 0;
	for (u32 i = 0; i < n->n_near; i++) {
		memcpy(&t[kept], n->near + i * sizeof *t, sizeof *t);
		kept += t[kept].id != feature && t[kept].id < m->n_features && isfinite(t[kept].score);
	}
	qsort(t, kept, sizeof *t, nearest);
	struct atlas_token *pairs = xcalloc(kept + 1, sizeof *pairs);
	for (u32 i = 0; i < kept; i++)
		pairs[i] = (struct atlas_token){t[i].id, t[i].score};
	int bad = add_pairs(m, NEAR, pairs, kept, m->n_near, e);
	free(pairs);
	free(t);
	return bad;
}

static int add_tables(struct merge *m, u32 feature, const struct numbers *n, struct err *e)
{
	f32 zero = 0;
	if (m->n_promoted + m->n_suppressed &&
	    (add_tokens(m, PROMOTED, n->promoted, n->n_promoted, m->n_promoted, false, e) ||
	     add_tokens(m, SUPPRESSED, n->suppressed, n->n_suppressed, m->n_suppressed, true, e)))
		return -1;
	if (m->n_near && add_near(m, feature, n, e))
		return -1;
	for (u32 i = 0; i < m->width; i++)
		if (add(m, W_DEC, i < n->n_vector ? n->vector + 4 * (size_t)i : (const u8 *)&zero, 1, e))
			return -1;
	return 0;
}

static int add_feature(struct merge *m, u32 feature, struct err *e)
{
	struct numbers n;
	if (loader_feature(m->l, feature, &m->x, e) || read_numbers(&m->x, &n, e))
		return -1;
	f32 max = n.max > 0 && n.max < INFINITY ? n.max : 0;
	for (size_t i = 0; i < m->x.n_contexts; i++)
		max = MAX(max, m->x.contexts[i].peak);
	f32 scale = index_scale(max);
	u64 n_act = 0;
	for (size_t i = 0; i < m->x.n_contexts; i++)
		if (add_context(m, &m->x.contexts[i], scale, &n_act, e))
			return -1;
	for (size_t i = 0; i < m->x.n_labels; i++)
		label_list_add(m->labels, &m->x.labels[i].label);
	m->report->n_repeated += m->x.n_repeated;
	return add_statistics(m, &n, scale, max, n_act, e) || add_tables(m, feature, &n, e);
}

int import_merge(struct merge *m, struct err *e)
{
	for (enum column c = 0; c < N_COLUMNS; c++)
		if (!(m->column[c] = index_scratch(m->im->folder, e)))
			return -1;
	if (add_u64(m, TEXT_PTR, 0, e) || add_u64(m, FEATURE_PTR, 0, e) || add_u64(m, CTX_PTR, 0, e))
		return -1;
	progress_start(m->progress, "merging", "features", m->n_features);
	for (u32 f = 0; f < m->n_features; f++) {
		if (add_feature(m, f, e))
			return -1;
		progress_add(m->progress, 1);
		if (progress_cancelled(m->progress))
			return err_set(e, ERR_CANCELLED, "stopped on request");
	}
	return 0;
}
