/* SPDX-License-Identifier: MIT */
/* dict_weights.c - a dictionary's numbers as f32, whole or a piece at a time, however they are stored. */
#include "base/mem.h"
#include "core/blas.h"
#include "core/dict_impl.h"
#include "core/vec.h"
#include "io/cache.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct tensor *dict_array_data(const struct dict_array *a, struct err *e)
{
	return a->mapped ? a->t : tensors_data(a->file, a->t->name, e);
}

static void round_all(enum dtype t, f32 *x, size_t n)
{
	if (t != N_DTYPES)
		for (size_t i = 0; i < n; i++)
			x[i] = dict_round(t, x[i]);
}

static void rows_by_width(const struct tensor *t, u64 n_features, u32 width, u32 first, u32 n, f32 *out)
{
	f32 line[DICT_BLOCK];
	for (u32 j = 0; j < width; j++) {
		tensor_get_f32(t, j * n_features + first, n, line);
		for (u32 i = 0; i < n; i++)
			out[(size_t)i * width + j] = line[i];
	}
}

static void rows_summed(const struct tensor *t, u32 n_sum, u32 width, u32 first, u32 n, f32 *out)
{
	f32 piece[DICT_BLOCK];
	memset(out, 0, (size_t)n * width * sizeof *out);
	for (u32 i = 0; i < n; i++)
		for (u32 l = 0; l < n_sum; l++)
			for (u32 j = 0; j < width; j += DICT_BLOCK) {
				u32 m = MIN((u32)DICT_BLOCK, width - j);
				tensor_get_f32(t, ((u64)(first + i) * n_sum + l) * width + j, m, piece);
				vec_add(out + (size_t)i * width + j, piece, m);
			}
}

int dict_matrix_rows(const struct dict *d, const struct dict_matrix *m, u32 first, u32 n, f32 *out, struct err *e)
{
	const struct tensor *t = dict_array_data(&m->a, e);
	if (!t)
		return -1;
	if (m->layout == DICT_BY_WIDTH)
		rows_by_width(t, d->plan.info.n_features, m->width, first, n, out);
	else if (m->n_sum > 1)
		rows_summed(t, m->n_sum, m->width, first, n, out);
	else
		tensor_get_f32(t, (u64)first * m->width, (u64)n * m->width, out);
	round_all(d->plan.round, out, (size_t)n * m->width);
	return 0;
}

u32 dict_tile_features(const struct dict *d, u32 width)
{
	return MAX(1u, MIN(MIN((u32)DICT_BLOCK, (u32)DICT_TILE / width), d->plan.info.n_features));
}

/* A tile in its own layout, for the product that goes with it. */
static int get_tile(const struct dict *d, const struct dict_matrix *m, u32 first, u32 n, f32 *tile, struct err *e)
{
	if (m->layout == DICT_BY_FEATURE)
		return dict_matrix_rows(d, m, first, n, tile, e);
	const struct tensor *t = dict_array_data(&m->a, e);
	if (!t)
		return -1;
	for (u32 j = 0; j < m->width; j++)
		tensor_get_f32(t, (u64)j * d->plan.info.n_features + first, n, tile + (size_t)j * n);
	round_all(d->plan.round, tile, (size_t)n * m->width);
	return 0;
}

static void multiply(const struct dict_matrix *m, size_t n, size_t n_features, const f32 *x, const f32 *w, f32 *out)
{
	if (m->layout == DICT_BY_WIDTH)
		blas_gemm_nn(n, n_features, m->width, x, w, out);
	else
		blas_gemm_nt(n, n_features, m->width, x, w, out);
}

int dict_products(const struct dict *d, const struct dict_matrix *m, const f32 *whole, const f32 *x, size_t n, f32 *out,
		  f32 *tile, f32 *z, struct err *e)
{
	u32 n_features = d->plan.info.n_features, step = dict_tile_features(d, m->width);
	if (whole) {
		multiply(m, n, n_features, x, whole, out);
		return 0;
	}
	for (u32 first = 0; first < n_features; first += step) {
		u32 k = MIN(step, n_features - first);
		if (get_tile(d, m, first, k, tile, e))
			return -1;
		multiply(m, n, k, x, tile, z);
		for (size_t i = 0; i < n; i++)
			memcpy(out + i * n_features + first, z + i * k, k * sizeof *out);
	}
	return 0;
}

static int copy_rows(const struct dict *d, const struct dict_matrix *m, f32 *out, struct err *e)
{
	for (u32 f = 0; f < d->plan.info.n_features; f += DICT_BLOCK) {
		u32 n = MIN((u32)DICT_BLOCK, d->plan.info.n_features - f);
		if (dict_matrix_rows(d, m, f, n, out + (size_t)f * m->width, e))
			return -1;
	}
	return 0;
}

/* The matrix whole, where it can be used as it lies or is small enough to copy. */
static int make_whole(struct dict *d, struct dict_f32 *out, const struct dict_matrix *m, bool by_feature, struct err *e)
{
	u64 n = (u64)d->plan.info.n_features * m->width;
	if (out->p || !m->a.t)
		return 0;
	const struct tensor *t = dict_array_data(&m->a, e);
	if (!t)
		return -1;
	bool turn = by_feature && m->layout == DICT_BY_WIDTH;
	if (t->dtype == DTYPE_F32 && (uintptr_t)t->data.p % sizeof(f32) == 0 && d->plan.round == N_DTYPES && !turn &&
	    m->n_sum == 1) {
		out->p = (const f32 *)(const void *)t->data.p;
		return 0;
	}
	if (n > d->copy_limit)
		return 0;
	if (!(out->copy = mem_try(n, sizeof(f32), "the weights", e)))
		return -1;
	if (turn || m->n_sum > 1) {
		if (copy_rows(d, m, out->copy, e))
			return -1;
	} else {
		tensor_get_f32(t, 0, n, out->copy);
		round_all(d->plan.round, out->copy, n);
	}
	out->p = out->copy;
	return 0;
}

/* A vector, or the skip's matrix, rounded and scaled. */
static int make_vector(struct dict *d, struct dict_f32 *out, const struct dict_array *a, f64 scale, struct err *e)
{
	if (out->p || !a->t)
		return 0;
	const struct tensor *t = dict_array_data(a, e);
	if (!t || !(out->copy = mem_try(t->n, sizeof(f32), "weights", e)))
		return -1;
	tensor_get_f32(t, 0, t->n, out->copy);
	round_all(d->plan.round, out->copy, t->n);
	if (scale != 1)
		vec_scale(out->copy, (f32)scale, t->n);
	out->p = out->copy;
	return 0;
}

bool dict_uses_norms(const struct dict *d)
{
	const struct dict_plan *p = &d->plan;
	return p->info.rescale_by_decoder_norm || p->info.select_by_decoder_norm || p->unit_decoder;
}

static int make_norms(struct dict *d, struct err *e)
{
	u32 w = d->plan.dec.width, n_features = d->plan.info.n_features;
	f32 *norm = mem_try(n_features, sizeof(f32), "decoder norms", e);
	f32 *rows = mem_try((u64)DICT_BLOCK * w, sizeof(f32), "decoder rows", e);
	int bad = norm && rows ? 0 : -1;
	for (u32 f = 0; !bad && f < n_features; f += DICT_BLOCK) {
		u32 n = MIN((u32)DICT_BLOCK, n_features - f);
		bad = dict_matrix_rows(d, &d->plan.dec, f, n, rows, e);
		for (u32 i = 0; !bad && i < n; i++)
			norm[f + i] = sqrtf(vec_dot(rows + (size_t)i * w, rows + (size_t)i * w, w));
	}
	free(rows);
	if (bad)
		free(norm);
	else
		d->row_norm = norm;
	return bad;
}

/* Thresholds and gates in the form in which a row is compared with them. */
static int make_cuts(struct dict *d, struct err *e)
{
	const struct dict_plan *p = &d->plan;
	bool had = d->least.p, had_mag = d->mag.p;
	if (make_vector(d, &d->least, &p->threshold, 1, e) || make_vector(d, &d->gate, &p->b_gate, 1, e) ||
	    make_vector(d, &d->mag, &p->r_mag, 1, e))
		return -1;
	for (u32 f = 0; !had && p->log_threshold && f < p->info.n_features; f++)
		d->least.copy[f] = expf(d->least.copy[f]);
	if (!had && d->least.p && p->threshold_scale != 1)
		vec_scale(d->least.copy, (f32)p->threshold_scale, p->info.n_features);
	for (u32 f = 0; !had_mag && d->mag.p && f < p->info.n_features; f++)
		d->mag.copy[f] = expf(d->mag.copy[f]);
	d->least_all = p->threshold_all > 0 ? (f32)(p->threshold_all * p->threshold_scale) : 0;
	return 0;
}

static int make_encoder(struct dict *d, struct err *e)
{
	const struct dict_plan *p = &d->plan;
	return make_whole(d, &d->enc, &p->enc, false, e) || make_whole(d, &d->glu, &p->glu, false, e) ||
			       make_vector(d, &d->b_enc, &p->b_enc, 1, e) || make_vector(d, &d->b_glu, &p->b_glu, 1, e) ||
			       make_vector(d, &d->subtract, &p->subtract, p->bias_scale, e) || make_cuts(d, e) ||
			       (dict_uses_norms(d) && !d->row_norm && make_norms(d, e)) ||
			       (p->info.arch == DICT_MATCHING_PURSUIT && make_whole(d, &d->dec, &p->dec, true, e))
		       ? -1
		       : 0;
}

int dict_ready_encoder(struct dict *d, struct err *e)
{
	if (d->plan.info.arch == DICT_NONE)
		return err_set(e, ERR_UNAVAILABLE, "'%s': there is no encoder here, only what was imported",
			       d->plan.info.path);
	pthread_mutex_lock(&d->lock);
	int bad = d->encoder_ready ? 0 : make_encoder(d, e);
	d->encoder_ready = !bad;
	pthread_mutex_unlock(&d->lock);
	return bad;
}

int dict_ready_decoder(struct dict *d, struct err *e)
{
	const struct dict_plan *p = &d->plan;
	if (dict_ready_encoder(d, e))
		return -1;
	pthread_mutex_lock(&d->lock);
	int bad = d->decoder_ready ? 0
				   : make_whole(d, &d->dec, &p->dec, true, e) ||
					     make_vector(d, &d->b_dec, &p->b_dec, p->bias_scale, e) ||
					     make_vector(d, &d->skip, &p->skip, 1, e);
	d->decoder_ready = !bad;
	pthread_mutex_unlock(&d->lock);
	return bad ? -1 : 0;
}

/* Columns become rows, a block of features at a time, bytes as they are. */
static int turn_block(const struct tensor *t, u64 first, u64 n, u8 *block, struct safetensors_writer *w, struct err *e)
{
	size_t size = dtype_size(t->dtype);
	u64 width = t->shape[0], all = t->shape[1];
	for (u64 j = 0; j < width; j++)
		for (u64 i = 0; i < n; i++)
			memcpy(block + (i * width + j) * size, t->data.p + (j * all + first + i) * size, size);
	return safetensors_writer_add(w, block, n * width * size, e);
}

static int fill_rows(struct safetensors_writer *w, void *context, struct err *e)
{
	const struct tensor *t = context;
	u64 row = t->shape[0] * dtype_size(t->dtype), step = MAX((u64)64, ((u64)16 << 20) / row);
	u8 *block = mem_try(step, row, "rows of the decoder", e);
	int bad = block ? 0 : -1;
	for (u64 f = 0; !bad && f < t->shape[1]; f += step)
		bad = turn_block(t, f, MIN(step, t->shape[1] - f), block, w, e);
	free(block);
	return bad;
}

void dict_want_rows(struct dict *d)
{
	pthread_mutex_lock(&d->lock);
	struct dict_matrix *m = &d->dec_rows;
	const struct tensor *t = m->layout == DICT_BY_WIDTH && !d->dec_cache ? dict_array_data(&m->a, NULL) : NULL;
	if (t) {
		char *what = xasprintf("rows of %s", t->name), *key = cache_key(tensors_path(m->a.file), what, NULL);
		const struct tensor like = {.dtype = t->dtype, .n_dims = 2, .shape = {t->shape[1], t->shape[0]}, .n = t->n};
		struct tensor from = *t;
		d->dec_cache = key ? cache_get(key, &like, fill_rows, &from, NULL) : NULL;
		if (d->dec_cache) {
			m->a = (struct dict_array){NULL, safetensors_find(d->dec_cache, "data"), true};
			m->layout = DICT_BY_FEATURE;
		}
		free(key);
		free(what);
	}
	pthread_mutex_unlock(&d->lock);
}
