/* SPDX-License-Identifier: MIT */
/* dict_encode.c - activations and reconstructions of a dictionary. */
#include "core/dict.h"

#include "base/mem.h"
#include "core/blas.h"
#include "core/dict_impl.h"
#include "core/topk.h"
#include "core/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int as_f32(struct dict_f32 *out, const struct tensor *t, const char *what, struct err *e)
{
	if (t->dtype == DTYPE_F32 && (uintptr_t)t->data.p % sizeof(f32) == 0) {
		out->p = (const f32 *)(const void *)t->data.p;
		return 0;
	}
	out->copy = mem_try(t->n, sizeof(f32), what, e);
	if (!out->copy)
		return -1;
	tensor_get_f32(t, 0, t->n, out->copy);
	out->p = out->copy;
	return 0;
}

static int make_norms(struct dict *d, struct err *e)
{
	size_t n = d->info.d_out;
	f32 *norm = mem_try(d->info.n_features, sizeof(f32), "decoder norms", e);
	f32 *row = mem_try(n, sizeof(f32), "a decoder row", e);
	for (u32 f = 0; norm && row && f < d->info.n_features; f++) {
		dict_decoder_row(d, f, row);
		norm[f] = sqrtf(vec_dot(row, row, n));
	}
	free(row);
	d->row_norm = norm;
	return norm && row ? 0 : -1;
}

static int make_encoder(struct dict *d, struct err *e)
{
	if (d->info.arch == DICT_NONE)
		return err_set(e, ERR_UNAVAILABLE, "'%s': there is no encoder here, only what was imported",
			       d->cfg_path);
	pthread_mutex_lock(&d->lock);
	int bad = 0;
	if (!d->encoder_ready) {
		bad = (!d->enc.p && as_f32(&d->enc, d->w_enc, "the encoder", e)) ||
		      (!d->enc_bias.p && as_f32(&d->enc_bias, d->b_enc, "encoder biases", e)) ||
		      (!d->dec_bias.p && as_f32(&d->dec_bias, d->b_dec, "decoder biases", e)) ||
		      (d->threshold && !d->least.p && as_f32(&d->least, d->threshold, "thresholds", e)) ||
		      (d->info.rescale_by_decoder_norm && !d->row_norm && make_norms(d, e));
		d->encoder_ready = !bad;
	}
	pthread_mutex_unlock(&d->lock);
	return bad ? -1 : 0;
}

static int make_decoder(struct dict *d, struct err *e)
{
	if (make_encoder(d, e))
		return -1;
	pthread_mutex_lock(&d->lock);
	int bad = !d->decoder_ready && as_f32(&d->dec, d->w_dec, "the decoder", e);
	d->decoder_ready = !bad;
	pthread_mutex_unlock(&d->lock);
	return bad ? -1 : 0;
}

/* What the normalisation took from a row: in (x - shift) * scale, out y * back + shift. */
struct row_norm {
	f32 shift, scale, back;
};

static struct row_norm norm_of(const struct dict *d, const f32 *x)
{
	struct row_norm r = {0, 1, 1};
	size_t n = d->info.d_in;
	f64 sum = 0, square = 0;
	if (d->info.norm == DICT_NORM_CONSTANT) {
		for (size_t i = 0; i < n; i++)
			square += (f64)x[i] * x[i];
		r.scale = (f32)sqrt((f64)n / square);
		r.back = 1 / r.scale;
	} else if (d->info.norm == DICT_NORM_LAYER) {
		for (size_t i = 0; i < n; i++)
			sum += x[i];
		for (size_t i = 0; i < n; i++)
			square += (x[i] - sum / (f64)n) * (x[i] - sum / (f64)n);
		f64 deviation = sqrt(square / (f64)MAX(n - 1, 1));
		r = (struct row_norm){(f32)(sum / (f64)n), (f32)(1 / (deviation + 1e-5)), (f32)deviation};
	}
	return r;
}

static void input_row(const struct dict *d, const f32 *x, f32 *out)
{
	size_t n = d->info.d_in;
	struct row_norm r = norm_of(d, x);
	for (size_t i = 0; i < n; i++)
		out[i] = d->info.norm == DICT_NORM_NONE ? x[i] : (x[i] - r.shift) * r.scale;
	/* s (x - b_dec / s): SAELens' fold_activation_norm_scaling_factor */
	if (d->info.norm_scale != 1)
		vec_scale(out, (f32)d->info.norm_scale, n);
	if (d->info.apply_b_dec_to_input)
		vec_sub(out, out, d->dec_bias.p, n);
}

/* The activation function on a row of pre-activations without bias: ids ascending. */
static size_t activate(const struct dict *d, struct topk *t, f32 *p, u32 *id, f32 *act)
{
	size_t f = d->info.n_features, n = 0;
	vec_add(p, d->enc_bias.p, f);
	if (d->row_norm)
		for (size_t i = 0; i < f; i++)
			p[i] *= d->row_norm[i];
	if (d->info.arch == DICT_TOPK)
		return topk_row(t, p, f, d->info.k, id, act);
	for (size_t i = 0; i < f; i++) {
		if (p[i] > 0 && (!d->least.p || p[i] > d->least.p[i])) {
			id[n] = (u32)i;
			act[n++] = p[i];
		}
	}
	return n;
}

/* Rows are encoded in blocks; a block keeps its own list until all are done. */
struct block {
	u32 *id;
	f32 *act;
	size_t n, cap;
	bool failed;
};

struct scratch {
	f32 *x, *p, *act;
	u32 *id;
	struct topk *topk;
};

struct encoding {
	const struct dict *d;
	const f32 *x;
	size_t n, block_rows;
	struct block *blocks;
	size_t n_blocks;
	struct scratch *scratch;
	unsigned n_scratch;
	u32 *row_n; /* [n], sparse */
	f32 *dense; /* [n][F], or NULL */
};

static bool keep(struct block *b, const u32 *id, const f32 *act, size_t n)
{
	if (b->cap - b->n < n) {
		size_t cap = MAX(2 * b->cap, b->n + n);
		u32 *i = realloc(b->id, cap * sizeof *i);
		b->id = i ? i : b->id;
		f32 *a = realloc(b->act, cap * sizeof *a);
		b->act = a ? a : b->act;
		if (!i || !a)
			return false;
		b->cap = cap;
	}
	memcpy(b->id + b->n, id, n * sizeof *id);
	memcpy(b->act + b->n, act, n * sizeof *act);
	b->n += n;
	return true;
}

static void encode_block(void *context, size_t task, unsigned thread)
{
	struct encoding *g = context;
	const struct dict *d = g->d;
	struct scratch *s = &g->scratch[thread];
	size_t from = task * g->block_rows, n = MIN(g->block_rows, g->n - from);
	size_t w = d->info.d_in, f = d->info.n_features;
	for (size_t i = 0; i < n; i++)
		input_row(d, g->x + (from + i) * w, s->x + i * w);
	blas_gemm_nn(n, f, w, s->x, d->enc.p, s->p);
	for (size_t i = 0; i < n; i++) {
		size_t m = activate(d, s->topk, s->p + i * f, s->id, s->act);
		if (g->dense) {
			f32 *out = g->dense + (from + i) * f;
			memset(out, 0, f * sizeof *out);
			for (size_t j = 0; j < m; j++)
				out[s->id[j]] = s->act[j];
		} else {
			g->row_n[from + i] = (u32)m;
			if (!keep(&g->blocks[task], s->id, s->act, m))
				g->blocks[task].failed = true;
		}
	}
}

static int encoding_new(struct encoding *g, struct dict *d, struct pool *pool, const f32 *x, size_t n,
			f32 *dense, struct err *e)
{
	static const char what[] = "the encoding of rows";
	size_t f = d->info.n_features;
	*g = (struct encoding){.d = d, .x = x, .n = n, .dense = dense};
	if (make_encoder(d, e))
		return -1;
	g->block_rows = MAX((size_t)16, MIN(n >= 512 ? (size_t)256 : 64, ((size_t)8 << 20) / f));
	g->n_blocks = (n + g->block_rows - 1) / g->block_rows;
	g->blocks = xcalloc(g->n_blocks + 1, sizeof *g->blocks);
	g->n_scratch = pool ? pool_threads(pool) : 1;
	g->scratch = xcalloc(g->n_scratch, sizeof *g->scratch);
	if (!dense && !(g->row_n = mem_try(n, sizeof *g->row_n, what, e)))
		return -1;
	for (unsigned i = 0; i < g->n_scratch; i++) {
		struct scratch *s = &g->scratch[i];
		s->x = mem_try(g->block_rows * d->info.d_in, sizeof *s->x, what, e);
		s->p = mem_try(g->block_rows * f, sizeof *s->p, what, e);
		s->id = mem_try(f, sizeof *s->id, what, e);
		s->act = mem_try(f, sizeof *s->act, what, e);
		s->topk = topk_new(f, e);
		if (!s->x || !s->p || !s->id || !s->act || !s->topk)
			return -1;
	}
	return 0;
}

static void encoding_release(struct encoding *g)
{
	for (size_t i = 0; g->blocks && i < g->n_blocks; i++) {
		free(g->blocks[i].id);
		free(g->blocks[i].act);
	}
	for (unsigned i = 0; i < g->n_scratch; i++) {
		free(g->scratch[i].x);
		free(g->scratch[i].p);
		free(g->scratch[i].id);
		free(g->scratch[i].act);
		topk_free(g->scratch[i].topk);
	}
	free(g->scratch);
	free(g->blocks);
	free(g->row_n);
}

/* The blocks' lists, one after the other, in one allocation. */
static int gather(const struct encoding *g, struct dict_row *out, void **arena, struct err *e)
{
	size_t all = 0, at = 0, row = 0;
	for (size_t b = 0; b < g->n_blocks; b++) {
		if (g->blocks[b].failed)
			return err_set(e, ERR_FAILED,
				       "cannot allocate memory for the activations of %zu rows", g->n);
		all += g->blocks[b].n;
	}
	u32 *id = mem_try(all, sizeof(u32) + sizeof(f32), "activations", e);
	if (!id)
		return -1;
	f32 *act = (f32 *)(void *)(id + all);
	for (size_t b = 0; b < g->n_blocks; b++) {
		const struct block *k = &g->blocks[b];
		if (k->n) {
			memcpy(id + at, k->id, k->n * sizeof *id);
			memcpy(act + at, k->act, k->n * sizeof *act);
		}
		for (size_t end = MIN(row + g->block_rows, g->n); row < end; row++) {
			out[row] = (struct dict_row){g->row_n[row], id + at, act + at};
			at += g->row_n[row];
		}
	}
	*arena = id;
	return 0;
}

int dict_encode(struct dict *d, struct pool *pool, const f32 *x, size_t n, struct dict_row *out, void **arena,
		struct err *e)
{
	struct encoding g;
	*arena = NULL;
	int bad = encoding_new(&g, d, pool, x, n, NULL, e);
	if (!bad) {
		pool_each(pool, g.n_blocks, encode_block, &g);
		bad = gather(&g, out, arena, e);
	}
	encoding_release(&g);
	return bad;
}

int dict_encode_dense(struct dict *d, struct pool *pool, const f32 *x, size_t n, f32 *acts, struct err *e)
{
	struct encoding g;
	int bad = encoding_new(&g, d, pool, x, n, acts, e);
	if (!bad)
		pool_each(pool, g.n_blocks, encode_block, &g);
	encoding_release(&g);
	return bad;
}

int dict_pre(struct dict *d, const f32 *x, size_t n, const u32 *ids, size_t n_ids, f32 *out, struct err *e)
{
	size_t w = d->info.d_in;
	if (make_encoder(d, e))
		return -1;
	f32 *rows = mem_try(n_ids * w, sizeof(f32), "encoder rows", e),
	    *in = mem_try(w, sizeof(f32), "a row", e);
	f32 *bias = mem_try(n_ids, sizeof(f32), "encoder biases", e);
	int bad = rows && in && bias ? 0 : -1;
	for (size_t i = 0; !bad && i < n_ids; i++)
		dict_encoder_row(d, ids[i], rows + i * w, bias + i);
	for (size_t r = 0; !bad && r < n; r++) {
		input_row(d, x + r * w, in);
		for (size_t i = 0; i < n_ids; i++)
			out[r * n_ids + i] = (vec_dot(in, rows + i * w, w) / (f32)d->info.norm_scale + bias[i]) *
					     (d->row_norm ? d->row_norm[ids[i]] : 1);
	}
	free(rows);
	free(in);
	free(bias);
	return bad;
}

int dict_decode(struct dict *d, const struct dict_row *rows, size_t n, const f32 *x, f32 *y, struct err *e)
{
	size_t w = d->info.d_out, most = 0;
	if (make_decoder(d, e))
		return -1;
	for (size_t i = 0; i < n; i++)
		most = MAX(most, rows[i].n);
	f32 *act = mem_try(most, sizeof *act, "activations", e);
	if (!act)
		return -1;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < rows[i].n; j++)
			act[j] = d->row_norm ? rows[i].act[j] / d->row_norm[rows[i].id[j]] : rows[i].act[j];
		vec_gather_sum(y + i * w, d->dec.p, w, rows[i].id, act, rows[i].n, w);
		vec_add(y + i * w, d->dec_bias.p, w);
		if (d->out_scale != 1)
			vec_scale(y + i * w, (f32)d->out_scale, w);
		if (d->info.norm == DICT_NORM_NONE)
			continue;
		struct row_norm r = norm_of(d, x + i * w);
		for (size_t j = 0; j < w; j++)
			y[i * w + j] = y[i * w + j] * r.back + r.shift;
	}
	free(act);
	return 0;
}
