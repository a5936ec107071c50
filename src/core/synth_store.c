/* SPDX-License-Identifier: MIT */
/* synth_store.c - the activation store of a made-up atlas.
 *
 * Texts have a topic each; more than half of a feature's activations stand in texts of its
 * cluster's topic, so that features of a cluster fire together.
 */
#include "core/synth_impl.h"

#include "base/half.h"
#include "base/mem.h"
#include "core/atlas.h"
#include "core/index.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	TEXT = 128, /* tokens, the first of them masked */
	N_TEXTS = 2048,
	N_TOKENS = TEXT * N_TEXTS,
	N_KEPT = (TEXT - 1) * N_TEXTS,
	N_TOPICS = 256,
	TOPIC_KEPT = N_KEPT / N_TOPICS,
	BINS = 10,
	MOST = 1 << 12, /* activations of a feature */
	CONTEXTS = 4,
};

/* A feature's activations, position ascending. */
struct fires {
	u32 n, pos[MOST];
	f32 act[MOST]; /* as f16 holds them */
	f32 max, mean;
};

/* One of n draws from [0, size), each from its own n-th of it, so that they ascend. */
static u32 spread(struct draw *d, u32 i, u32 n, u32 size)
{
	u32 from = (u32)((u64)size * i / n), to = (u32)((u64)size * (i + 1) / n);
	return from + draw_below(d, MAX(to - from, 1));
}

/* Unmasked token i of those in a topic's texts, or of all where topic is N_TOPICS. */
static u32 place(u32 topic, u32 i)
{
	u32 text = i / (TEXT - 1);
	return (topic < N_TOPICS ? topic + N_TOPICS * text : text) * TEXT + 1 + i % (TEXT - 1);
}

/* Some in the topic's texts and some anywhere, merged; on one token they are one. */
static void where_it_fires(const struct synth *s, u64 feature, struct fires *out)
{
	struct draw d = {s->o.seed ^ 0xf14eu, feature << 13};
	u32 cluster = synth_cluster(s->o.seed, s->o.n_features, (u32)feature);
	u32 topic = (u32)(rand_u64(s->o.seed ^ 0x70b1cu, cluster) % N_TOPICS);
	f64 u = rand_unit(s->o.seed ^ 0xde5u, feature), density = pow(10, -5.3 + 3.3 * u * u);
	u32 want = draw_below(&d, 50) ? MIN((u32)ceil(density * N_KEPT), (u32)MOST) : 0;
	u32 near = MIN((want * 3 + 4) / 5, (u32)TOPIC_KEPT / 2), far = want - near, i = 0, k = 0, n = 0;
	u32 a = near ? place(topic, spread(&d, 0, near, TOPIC_KEPT)) : UINT32_MAX;
	u32 b = far ? place(N_TOPICS, spread(&d, 0, far, N_KEPT)) : UINT32_MAX;
	while (i < near || k < far) {
		out->pos[n] = MIN(a, b);
		bool first = a <= b;
		n += !n || out->pos[n - 1] != out->pos[n];
		if (first)
			a = ++i < near ? place(topic, spread(&d, i, near, TOPIC_KEPT)) : UINT32_MAX;
		else
			b = ++k < far ? place(N_TOPICS, spread(&d, k, far, N_KEPT)) : UINT32_MAX;
	}
	out->n = n;
}

/* Squares of uniform numbers: many small activations, few large ones. */
static void how_it_fires(const struct synth *s, u64 feature, struct fires *out)
{
	f32 top = 2 + 30 * (f32)rand_unit(s->o.seed ^ 0x709u, feature);
	f64 sum = 0;
	where_it_fires(s, feature, out);
	out->max = 0;
	for (u32 i = 0; i < out->n; i++) {
		f32 u = (f32)rand_unit(s->o.seed ^ 0xac7u, feature << 18 ^ out->pos[i]);
		out->act[i] = f16_to_f32(f32_to_f16(top * (0.02f + 0.98f * u * u)));
		out->max = MAX(out->max, out->act[i]);
		sum += (f64)out->act[i];
	}
	out->mean = out->n ? (f32)(sum / out->n) : 0;
}

static u64 count_of(const struct synth *s, u64 i)
{
	struct fires f;
	where_it_fires(s, i, &f);
	return f.n;
}

static void put_u64(struct buf *out, u64 x)
{
	buf_add(out, &x, sizeof x);
}

static void put_f32(struct buf *out, f32 x)
{
	buf_add(out, &x, sizeof x);
}

static void fill_ptr(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	u64 at = s->start[from / SYNTH_CHUNK];
	if (!from)
		put_u64(out, at);
	for (u64 i = from; i < to; i++)
		put_u64(out, at += count_of(s, i));
}

static void fill_count(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	for (u64 i = from; i < to; i++)
		put_u64(out, count_of(s, i));
}

static void fill_density(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	for (u64 i = from; i < to; i++)
		put_f32(out, (f32)((f64)count_of(s, i) / N_KEPT));
}

static void fill_pos(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	struct fires f;
	for (u64 i = from; i < to; i++) {
		where_it_fires(s, i, &f);
		buf_add(out, f.pos, f.n * sizeof *f.pos);
	}
}

static void fill_val(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	struct fires f;
	for (u64 i = from; i < to; i++) {
		how_it_fires(s, i, &f);
		for (u32 k = 0; k < f.n; k++)
			buf_add(out, &(u16){f32_to_f16(f.act[k])}, sizeof(u16));
	}
}

static void fill_max(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	struct fires f;
	for (u64 i = from; i < to; i++) {
		how_it_fires(s, i, &f);
		put_f32(out, f.max);
	}
}

static void fill_mean(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	struct fires f;
	for (u64 i = from; i < to; i++) {
		how_it_fires(s, i, &f);
		put_f32(out, f.mean);
	}
}

static void fill_scale(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	(void)s;
	for (u64 i = from; i < to; i++)
		put_f32(out, 1);
}

static void fill_hist(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	struct fires f;
	for (u64 i = from; i < to; i++) {
		f32 edges[BINS + 1];
		u64 counts[BINS] = {0};
		how_it_fires(s, i, &f);
		if (f.n)
			index_histogram(f.act, f.n, f.max, BINS, edges, counts);
		buf_add(out, counts, sizeof counts);
	}
}

static void fill_edges(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	struct fires f;
	for (u64 i = from; i < to; i++) {
		how_it_fires(s, i, &f);
		for (u32 b = 0; b <= BINS; b++)
			put_f32(out, (f32)((f64)f.max * b / BINS));
	}
}

/* ---- contexts: the strongest, one a text ---- */

static u32 contexts(const struct fires *f, u32 *at)
{
	u32 n = 0;
	while (n < CONTEXTS) {
		u32 best = UINT32_MAX;
		for (u32 i = 0; i < f->n; i++) {
			bool taken = false;
			for (u32 k = 0; k < n; k++)
				taken |= f->pos[at[k]] / TEXT == f->pos[i] / TEXT;
			if (!taken && (best == UINT32_MAX || f->act[i] > f->act[best]))
				best = i;
		}
		if (best == UINT32_MAX)
			break;
		at[n++] = best;
	}
	return n;
}

static u64 n_contexts(const struct synth *s, u64 i)
{
	struct fires f;
	u32 at[CONTEXTS];
	how_it_fires(s, i, &f);
	return contexts(&f, at);
}

static void fill_ctx_ptr(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	u64 at = s->start[from / SYNTH_CHUNK];
	if (!from)
		put_u64(out, at);
	for (u64 i = from; i < to; i++)
		put_u64(out, at += n_contexts(s, i));
}

static void fill_ctx_pos(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	struct fires f;
	u32 at[CONTEXTS];
	for (u64 i = from; i < to; i++) {
		how_it_fires(s, i, &f);
		u32 n = contexts(&f, at);
		for (u32 k = 0; k < n; k++)
			buf_add(out, &f.pos[at[k]], sizeof *f.pos);
	}
}

static void fill_ctx_val(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	struct fires f;
	u32 at[CONTEXTS];
	for (u64 i = from; i < to; i++) {
		how_it_fires(s, i, &f);
		u32 n = contexts(&f, at);
		for (u32 k = 0; k < n; k++)
			put_f32(out, f.act[at[k]]);
	}
}

static void fill_bytes_of_zero(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	(void)s;
	for (u64 i = from; i < to; i++)
		buf_addc(out, 0);
}

/* ---- texts ---- */

static void fill_tokens(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	for (u64 i = from; i < to; i++) {
		u64 r = rand_u64(s->o.seed ^ 0x70cu, i);
		/* every eighth word is one of four of the text's topic */
		if (r % 8 == 0)
			r = rand_u64(s->o.seed ^ 0x70b1cu, i / TEXT % N_TOPICS * 4 + r / 8 % 4);
		u16 token = (u16)(i % TEXT ? synth_zipf(r) : synth_n_words());
		buf_add(out, &token, sizeof token);
	}
}

static void fill_flags(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	(void)s;
	for (u64 i = from; i < to; i++)
		buf_addc(out, i % TEXT ? 0 : TOKEN_FIRST | TOKEN_SPECIAL);
}

static void fill_text_ptr(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	(void)s;
	for (u64 i = from; i < to; i++)
		put_u64(out, i * TEXT);
}

static void add_meta(struct safetensors_writer *w, const struct synth *s)
{
	char *indexed = xasprintf("%d", N_TOKENS), *kept = xasprintf("%d", N_KEPT);
	safetensors_writer_meta(w, "uuid", atlas_json_uuid(s->json));
	safetensors_writer_meta(w, "build_id", atlas_json_build_id(s->json));
	safetensors_writer_meta(w, "coverage", "full");
	safetensors_writer_meta(w, "n_tokens_indexed", indexed);
	safetensors_writer_meta(w, "n_tokens_kept", kept);
	safetensors_writer_meta(w, "first_token", "0");
	free(indexed);
	free(kept);
}

struct part {
	const char *name;
	enum dtype type;
	u64 shape[2]; /* the second 0: one dimension */
	struct synth_fill fill;
};

static int write_parts(struct synth *s, struct safetensors_writer *w, const struct part *t, size_t n,
		       struct err *e)
{
	u64 all = 0;
	for (size_t i = 0; i < n; i++) {
		safetensors_writer_declare(w, t[i].name, t[i].type, t[i].shape[1] ? 2 : 1, t[i].shape);
		all += t[i].shape[0] * MAX(t[i].shape[1], 1) * dtype_size(t[i].type);
	}
	progress_start(s->progress, "activations", "bytes", all);
	int bad = safetensors_writer_begin(w, e);
	for (size_t i = 0; !bad && i < n; i++) {
		u64 total;
		/* what begins where is measured for one of the two at a time */
		if (t[i].fill.fill == fill_ptr)
			bad = synth_measure(s, s->o.n_features, count_of, &total, e);
		bad = bad || synth_stream(s, w, &t[i].fill, e);
	}
	return bad;
}

int synth_store(struct synth *s, struct err *e)
{
	u64 f = s->o.n_features, c = SYNTH_CHUNK, n_act, n_ctx;
	if (synth_measure(s, f, count_of, &n_act, e) || synth_measure(s, f, n_contexts, &n_ctx, e))
		return -1;
	/* contexts were measured last, so they come first */
	const struct part parts[] = {
		{"ctx_ptr", DTYPE_U64, {f + 1}, {fill_ctx_ptr, f, c}},
		{"feature_ptr", DTYPE_U64, {f + 1}, {fill_ptr, f, c}},
		{"text_ptr", DTYPE_U64, {N_TEXTS + 1}, {fill_text_ptr, N_TEXTS + 1, c}},
		{"count", DTYPE_U64, {f}, {fill_count, f, c}},
		{"hist_count", DTYPE_U64, {f, BINS}, {fill_hist, f, c}},
		{"act_pos", DTYPE_U32, {n_act}, {fill_pos, f, c}},
		{"act_scale", DTYPE_F32, {f}, {fill_scale, f, c}},
		{"density", DTYPE_F32, {f}, {fill_density, f, c}},
		{"max", DTYPE_F32, {f}, {fill_max, f, c}},
		{"mean", DTYPE_F32, {f}, {fill_mean, f, c}},
		{"hist_edge", DTYPE_F32, {f, BINS + 1}, {fill_edges, f, c}},
		{"ctx_pos", DTYPE_U32, {n_ctx}, {fill_ctx_pos, f, c}},
		{"ctx_val", DTYPE_F32, {n_ctx}, {fill_ctx_val, f, c}},
		{"tokens", DTYPE_U16, {N_TOKENS}, {fill_tokens, N_TOKENS, c}},
		{"act_val", DTYPE_F16, {n_act}, {fill_val, f, c}},
		{"token_flags", DTYPE_U8, {N_TOKENS}, {fill_flags, N_TOKENS, c}},
		{"ctx_kind", DTYPE_U8, {n_ctx}, {fill_bytes_of_zero, n_ctx, c}},
		{"ctx_interval", DTYPE_U8, {n_ctx}, {fill_bytes_of_zero, n_ctx, c}},
	};
	char *path = xasprintf("%s/activations.safetensors", s->folder);
	struct safetensors_writer *w = safetensors_writer_new(path, e);
	free(path);
	if (!w)
		return -1;
	add_meta(w, s);
	if (!write_parts(s, w, parts, ARRAY_LEN(parts), e))
		return safetensors_writer_commit(w, e);
	safetensors_writer_abandon(w);
	return -1;
}
