/* SPDX-License-Identifier: MIT */
/* dict_encode.c - activations and reconstructions of a dictionary. */
#include "core/dict.h"

#include "base/mem.h"
#include "core/blas.h"
#include "core/dict_impl.h"
#include "core/encoder.h"
#include "core/topk.h"
#include "core/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct dict_row_norm dict_norm_of(const struct dict *d, const f32 *x)
{
	struct dict_row_norm r = {0, 1, 1};
	size_t n = d->plan.info.d_in;
	f64 sum = 0, square = 0;
	if (d->plan.info.norm == DICT_NORM_CONSTANT) {
		for (size_t i = 0; i < n; i++)
			square += (f64)x[i] * x[i];
		r.scale = (f32)sqrt((f64)n / square);
		r.back = 1 / r.scale;
	} else if (d->plan.info.norm == DICT_NORM_LAYER) {
		for (size_t i = 0; i < n; i++)
			sum += x[i];
		for (size_t i = 0; i < n; i++)
			square += (x[i] - sum / (f64)n) * (x[i] - sum / (f64)n);
		f64 deviation = sqrt(square / (f64)MAX(n - 1, 1));
		r = (struct dict_row_norm){(f32)(sum / (f64)n), (f32)(1 / (deviation + 1e-5)), (f32)deviation};
	}
	return r;
}

void dict_input_row(const struct dict *d, const f32 *x, f32 *out)
{
	const struct dict_plan *p = &d->plan;
	size_t n = p->info.d_in;
	for (size_t i = 0; i < n; i++)
		out[i] = p->round == N_DTYPES ? x[i] : dict_round(p->round, x[i]);
	if (p->info.norm != DICT_NORM_NONE) {
		struct dict_row_norm r = dict_norm_of(d, out);
		for (size_t i = 0; i < n; i++)
			out[i] = (out[i] - r.shift) * r.scale;
	}
	if (d->subtract.p)
		vec_sub(out, out, d->subtract.p, n);
	if (p->enc_scale != 1)
		vec_scale(out, (f32)p->enc_scale, n);
}

static size_t gated(const struct dict *d, const f32 *p, u32 *id, f32 *act)
{
	size_t n = 0;
	for (size_t i = 0; i < d->plan.info.n_features; i++) {
		f32 size = d->mag.p[i] * p[i] + d->b_enc.p[i];
		if (p[i] + d->gate.p[i] > 0 && size > 0) {
			id[n] = (u32)i;
			act[n++] = size;
		}
	}
	return n;
}

static size_t group_max(const struct dict *d, const f32 *p, u32 *id, f32 *act)
{
	size_t n = 0, width = d->plan.info.n_features / d->plan.info.k;
	for (size_t from = 0; from + width <= d->plan.info.n_features; from += width) {
		size_t best = from;
		for (size_t i = from + 1; i < from + width; i++)
			best = p[i] > p[best] ? i : best;
		if (p[best] > 0) {
			id[n] = (u32)best;
			act[n++] = p[best];
		}
	}
	return n;
}

static size_t above(const struct dict *d, const f32 *p, u32 *id, f32 *act)
{
	const f32 *least = d->least.p;
	f32 all = d->least_all;
	size_t n = 0;
	for (size_t i = 0; i < d->plan.info.n_features; i++) {
		if (p[i] > all && (!least || p[i] > least[i])) {
			id[n] = (u32)i;
			act[n++] = p[i];
		}
	}
	return n;
}

static size_t not_zero(const struct dict *d, const f32 *p, u32 *id, f32 *act)
{
	size_t n = 0;
	for (size_t i = 0; i < d->plan.info.n_features; i++)
		if (p[i] != 0) {
			id[n] = (u32)i;
			act[n++] = p[i];
		}
	return n;
}

/* p from products: bias, GLU, norms. */
static void finish_pre(const struct dict *d, f32 *p, const f32 *glu)
{
	size_t f = d->plan.info.n_features;
	if (d->plan.info.arch == DICT_GATED)
		return; /* gate and magnitude have biases of their own */
	if (d->b_enc.p)
		vec_add(p, d->b_enc.p, f);
	for (size_t i = 0; glu && i < f; i++)
		p[i] /= 1 + expf(-(glu[i] + d->b_glu.p[i]));
	if (d->plan.info.rescale_by_decoder_norm || d->plan.info.select_by_decoder_norm)
		for (size_t i = 0; i < f; i++)
			p[i] *= d->row_norm[i];
}

/* The activation function on a row of pre-activations: ids ascending. */
static size_t activate(const struct dict *d, struct topk *t, const f32 *p, u32 *id, f32 *act)
{
	const struct dict_info *i = &d->plan.info;
	size_t n;
	switch (i->arch) {
	case DICT_GATED:
		return gated(d, p, id, act);
	case DICT_TOPK:
		n = topk_row(t, p, i->n_features, i->k, id, act);
		break;
	case DICT_GROUPMAX:
		n = group_max(d, p, id, act);
		break;
	case DICT_IDENTITY:
		n = not_zero(d, p, id, act);
		break;
	default:
		n = above(d, p, id, act);
	}
	for (size_t j = 0; i->select_by_decoder_norm && j < n; j++)
		act[j] /= d->row_norm[id[j]];
	return n;
}

/* Rows are encoded in blocks; a block keeps its own list until all are done. */
struct block {
	u32 *id;
	f32 *act;
	size_t n, cap;
	bool failed;
	struct err err;
};

struct scratch {
	f32 *x, *p, *glu, *act;
	f32 *tile, *z; /* where the weights are too large to lie in memory as f32 */
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
	if (!n)
		return true;
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

/* The active features of row i of a block; false where the weights could not be had. */
static bool encode_row(struct encoding *g, struct scratch *s, size_t i, size_t *m, struct err *e)
{
	const struct dict *d = g->d;
	size_t w = d->plan.info.d_in, f = d->plan.info.n_features;
	if (d->plan.info.arch == DICT_MATCHING_PURSUIT) {
		f32 *dense = s->p + f;
		return !dict_pursue(d, s->x + i * w, s->p, dense, s->id, s->act, s->tile, s->z, m, e);
	}
	f32 *p = s->p + i * f;
	finish_pre(d, p, s->glu ? s->glu + i * f : NULL);
	*m = activate(d, s->topk, p, s->id, s->act);
	return true;
}

static void encode_block(void *context, size_t task, unsigned thread)
{
	struct encoding *g = context;
	const struct dict_plan *plan = &g->d->plan;
	struct scratch *s = &g->scratch[thread];
	size_t from = task * g->block_rows, n = MIN(g->block_rows, g->n - from), m = 0;
	size_t w = plan->info.d_in, f = plan->info.n_features;
	struct err *e = &g->blocks[task].err;
	for (size_t i = 0; i < n; i++)
		dict_input_row(g->d, g->x + (from + i) * w, s->x + i * w);
	bool good = plan->info.arch == DICT_MATCHING_PURSUIT ||
		    (!dict_products(g->d, &plan->enc, g->d->enc.p, s->x, n, s->p, s->tile, s->z, e) &&
		     (!s->glu || !dict_products(g->d, &plan->glu, g->d->glu.p, s->x, n, s->glu, s->tile, s->z, e)));
	for (size_t i = 0; i < n && good; i++) {
		good = encode_row(g, s, i, &m, e);
		if (good && g->dense) {
			f32 *out = g->dense + (from + i) * f;
			memset(out, 0, f * sizeof *out);
			for (size_t j = 0; j < m; j++)
				out[s->id[j]] = s->act[j];
		} else if (good) {
			g->row_n[from + i] = (u32)m;
			if (!keep(&g->blocks[task], s->id, s->act, m))
				good = err_set(e, ERR_FAILED, "cannot allocate memory for the activations of %zu rows",
					       g->n) == 0;
		}
	}
	g->blocks[task].failed = !good;
}

static int scratch_new(const struct encoding *g, struct scratch *s, struct err *e)
{
	static const char what[] = "the encoding of rows";
	const struct dict *d = g->d;
	size_t f = d->plan.info.n_features, w = MAX(d->plan.info.d_in, d->plan.info.d_out);
	bool pursuit = d->plan.info.arch == DICT_MATCHING_PURSUIT;
	bool tiled = pursuit ? !d->dec.p : !d->enc.p || (d->plan.glu.a.t && !d->glu.p);
	/* a pursuit works row by row: its products, and what it has chosen so far */
	s->p = mem_try(pursuit ? 2 : g->block_rows, f * sizeof *s->p, what, e);
	s->x = mem_try(g->block_rows * d->plan.info.d_in, sizeof *s->x, what, e);
	s->id = mem_try(f, sizeof *s->id, what, e);
	s->act = mem_try(f, sizeof *s->act, what, e);
	s->topk = topk_new(f, e);
	if (!s->p || !s->x || !s->id || !s->act || !s->topk)
		return -1;
	if (d->plan.glu.a.t && !(s->glu = mem_try(g->block_rows, f * sizeof *s->glu, what, e)))
		return -1;
	if (!tiled)
		return 0;
	s->tile = mem_try(MAX((size_t)DICT_TILE, w), sizeof *s->tile, what, e);
	s->z = mem_try(g->block_rows * dict_tile_features(d, (u32)w), sizeof *s->z, what, e);
	return s->tile && s->z ? 0 : -1;
}

static int encoding_new(struct encoding *g, struct dict *d, struct pool *pool, const f32 *x, size_t n,
			f32 *dense, struct err *e)
{
	size_t f = d->plan.info.n_features;
	*g = (struct encoding){.d = d, .x = x, .n = n, .dense = dense};
	if (dict_ready_encoder(d, e))
		return -1;
	g->block_rows = MAX((size_t)16, MIN(n >= 512 ? (size_t)256 : 64, ((size_t)8 << 20) / f));
	g->n_blocks = (n + g->block_rows - 1) / g->block_rows;
	g->blocks = xcalloc(g->n_blocks + 1, sizeof *g->blocks);
	g->n_scratch = pool ? pool_threads(pool) : 1;
	g->scratch = xcalloc(g->n_scratch, sizeof *g->scratch);
	if (!dense && !(g->row_n = mem_try(n, sizeof *g->row_n, "the encoding of rows", e)))
		return -1;
	for (unsigned i = 0; i < g->n_scratch; i++)
		if (scratch_new(g, &g->scratch[i], e))
			return -1;
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
		free(g->scratch[i].glu);
		free(g->scratch[i].tile);
		free(g->scratch[i].z);
		free(g->scratch[i].id);
		free(g->scratch[i].act);
		topk_free(g->scratch[i].topk);
	}
	free(g->scratch);
	free(g->blocks);
	free(g->row_n);
}

static int check_blocks(const struct encoding *g, struct err *e)
{
	for (size_t b = 0; b < g->n_blocks; b++)
		if (g->blocks[b].failed)
			return err_set(e, g->blocks[b].err.code, "%s", g->blocks[b].err.msg);
	return 0;
}

/* The blocks' lists, one after the other, in one allocation. */
static int gather(const struct encoding *g, struct dict_row *out, void **arena, struct err *e)
{
	size_t all = 0, at = 0, row = 0;
	for (size_t b = 0; b < g->n_blocks; b++)
		all += g->blocks[b].n;
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

/* ---- many rows ---- */

/* Below this the weights' other forms do not pay.  Of n alone: what a row gives must not depend on the calls
 * before, or on which process of several makes this one.  The limit is of weights, 6 bytes each. */
enum { MANY_ROWS = 32, ENCODER_LIMIT = 320 << 20 };

static bool is_plain(const struct dict *d, size_t n)
{
	const struct dict_info *i = &d->plan.info;
	return n >= MANY_ROWS && (i->arch == DICT_TOPK || i->arch == DICT_JUMPRELU) && i->k <= i->n_features &&
	       !d->plan.glu.a.t && !i->rescale_by_decoder_norm && !i->select_by_decoder_norm &&
	       (u64)i->n_features * i->d_in <= ENCODER_LIMIT;
}

static int source_rows(void *context, u32 first, u32 n, f32 *out, struct err *e)
{
	const struct dict *d = context;
	return dict_matrix_rows(d, &d->plan.enc, first, n, out, e);
}

static const struct encoder *encoder_of(struct dict *d, struct pool *pool, struct err *e)
{
	if (dict_ready_encoder(d, e))
		return NULL;
	pthread_mutex_lock(&d->lock);
	struct encoder_source s = {d->plan.info.n_features, d->plan.info.d_in, source_rows, d, d->b_enc.p};
	if (!d->encoder)
		d->encoder = encoder_new(&s, pool, e);
	pthread_mutex_unlock(&d->lock);
	return d->encoder;
}

static int encode_many(struct dict *d, struct pool *pool, const f32 *x, size_t n, struct encoder_out *o, struct err *e)
{
	const struct encoder *c = encoder_of(d, pool, e);
	size_t w = d->plan.info.d_in;
	f32 *in = c ? mem_try(n * w, sizeof *in, "the encoding of rows", e) : NULL;
	struct encoder_cut cut = {d->plan.info.arch == DICT_TOPK ? d->plan.info.k : 0, d->least_all, d->least.p};
	if (!in)
		return -1;
	for (size_t i = 0; i < n; i++)
		dict_input_row(d, x + i * w, in + i * w);
	int bad = encoder_run(c, NULL, pool, in, n, &cut, o, e);
	free(in);
	return bad;
}

static int encode_sparse(struct dict *d, struct pool *pool, const f32 *x, size_t n, struct dict_row *out, void **arena,
			 struct err *e)
{
	struct encoder_out o;
	if (encode_many(d, pool, x, n, &o, e))
		return -1;
	u32 *id = mem_try(o.n, sizeof(u32) + sizeof(f32), "activations", e);
	f32 *act = (f32 *)(void *)(id + o.n);
	size_t at = 0;
	if (id && o.n) {
		memcpy(id, o.id, o.n * sizeof *id);
		memcpy(act, o.act, o.n * sizeof *act);
	}
	for (size_t i = 0; id && i < n; at += o.row_n[i++])
		out[i] = (struct dict_row){o.row_n[i], id + at, act + at};
	*arena = id;
	encoder_out_release(&o);
	return id ? 0 : -1;
}

static int encode_many_dense(struct dict *d, struct pool *pool, const f32 *x, size_t n, f32 *acts, struct err *e)
{
	struct encoder_out o;
	size_t f = d->plan.info.n_features, at = 0;
	if (encode_many(d, pool, x, n, &o, e))
		return -1;
	memset(acts, 0, n * f * sizeof *acts);
	for (size_t i = 0; i < n; i++)
		for (u32 k = 0; k < o.row_n[i]; k++, at++)
			acts[i * f + o.id[at]] = o.act[at];
	encoder_out_release(&o);
	return 0;
}

int dict_encode(struct dict *d, struct pool *pool, const f32 *x, size_t n, struct dict_row *out, void **arena,
		struct err *e)
{
	struct encoding g;
	*arena = NULL;
	if (is_plain(d, n))
		return encode_sparse(d, pool, x, n, out, arena, e);
	int bad = encoding_new(&g, d, pool, x, n, NULL, e);
	if (!bad) {
		pool_each(pool, g.n_blocks, encode_block, &g);
		bad = check_blocks(&g, e) || gather(&g, out, arena, e) ? -1 : 0;
	}
	encoding_release(&g);
	return bad;
}

int dict_encode_dense(struct dict *d, struct pool *pool, const f32 *x, size_t n, f32 *acts, struct err *e)
{
	struct encoding g;
	if (is_plain(d, n))
		return encode_many_dense(d, pool, x, n, acts, e);
	int bad = encoding_new(&g, d, pool, x, n, acts, e);
	if (!bad) {
		pool_each(pool, g.n_blocks, encode_block, &g);
		bad = check_blocks(&g, e);
	}
	encoding_release(&g);
	return bad;
}

/* Rows of weights for chosen features, as the products have them: not scaled, rows of x are. */
static int chosen_rows(const struct dict *d, const struct dict_matrix *m, const u32 *ids, size_t n, f32 *out,
		       struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (dict_matrix_rows(d, m, ids[i], 1, out + i * m->width, e))
			return -1;
	return 0;
}

static f32 pre_of(const struct dict *d, u32 id, const f32 *x, const f32 *row, const f32 *glu)
{
	size_t w = d->plan.info.d_in;
	f32 p = vec_dot(x, row, w) * (d->mag.p ? d->mag.p[id] : 1) + (d->b_enc.p ? d->b_enc.p[id] : 0);
	if (glu)
		p /= 1 + expf(-(vec_dot(x, glu, w) + d->b_glu.p[id]));
	return p * (d->plan.info.rescale_by_decoder_norm ? d->row_norm[id] : 1);
}

int dict_pre(struct dict *d, const f32 *x, size_t n, const u32 *ids, size_t n_ids, f32 *out, struct err *e)
{
	const struct dict_plan *p = &d->plan;
	size_t w = p->info.d_in;
	const struct dict_matrix *m = p->info.arch == DICT_MATCHING_PURSUIT ? &p->dec : &p->enc;
	if (dict_ready_encoder(d, e))
		return -1;
	f32 *rows = mem_try(n_ids * w, sizeof(f32), "encoder rows", e), *in = mem_try(w, sizeof(f32), "a row", e);
	f32 *glu = p->glu.a.t ? mem_try(n_ids * w, sizeof(f32), "encoder rows", e) : NULL;
	int bad = !rows || !in || (p->glu.a.t && !glu) || chosen_rows(d, m, ids, n_ids, rows, e) ||
				  (glu && chosen_rows(d, &p->glu, ids, n_ids, glu, e))
			  ? -1
			  : 0;
	for (size_t r = 0; !bad && r < n; r++) {
		dict_input_row(d, x + r * w, in);
		for (size_t i = 0; i < n_ids; i++)
			out[r * n_ids + i] = pre_of(d, ids[i], in, rows + i * w, glu ? glu + i * w : NULL);
	}
	free(rows);
	free(glu);
	free(in);
	return bad;
}

/* y += x W_skip, x as it came. */
static void add_skip(const struct dict *d, const f32 *x, f32 *y)
{
	size_t in = d->plan.info.d_in, out = d->plan.info.d_out;
	for (size_t i = 0; d->plan.skip_in_out && i < in; i++)
		vec_axpy(y, x[i], d->skip.p + i * out, out);
	for (size_t o = 0; !d->plan.skip_in_out && o < out; o++)
		y[o] += vec_dot(x, d->skip.p + o * in, in);
}

/* The decoder's rows, each as often as its feature is active. */
static int sum_rows(const struct dict *d, const struct dict_row *row, const f32 *act, f32 *y, f32 *one, struct err *e)
{
	size_t w = d->plan.info.d_out;
	if (d->dec.p) {
		vec_gather_sum(y, d->dec.p, w, row->id, act, row->n, w);
		return 0;
	}
	memset(y, 0, w * sizeof *y);
	for (size_t j = 0; j < row->n; j++) {
		if (dict_matrix_rows(d, &d->dec_rows, row->id[j], 1, one, e))
			return -1;
		vec_axpy(y, act[j], one, w);
	}
	return 0;
}

static void finish_row(const struct dict *d, const f32 *x, f32 *y)
{
	const struct dict_plan *p = &d->plan;
	size_t w = p->info.d_out;
	if (p->dec_scale != 1)
		vec_scale(y, (f32)p->dec_scale, w);
	if (d->b_dec.p)
		vec_add(y, d->b_dec.p, w);
	if (p->info.norm != DICT_NORM_NONE && !p->info.is_transcoder) { /* SAELens, saes/transcoder.py */
		struct dict_row_norm r = dict_norm_of(d, x);
		for (size_t j = 0; j < w; j++)
			y[j] = y[j] * r.back + r.shift;
	}
	if (d->skip.p)
		add_skip(d, x, y);
}

int dict_decode(struct dict *d, const struct dict_row *rows, size_t n, const f32 *x, f32 *y, struct err *e)
{
	const struct dict_plan *p = &d->plan;
	size_t w = p->info.d_out, most = 0, all = 0;
	if (dict_ready_decoder(d, e))
		return -1;
	for (size_t i = 0; i < n; i++) {
		most = MAX(most, rows[i].n);
		all += rows[i].n;
	}
	if (!d->dec.p && all > p->info.n_features / 64) /* fewer are sooner read one by one */
		dict_want_rows(d);
	bool divide = p->info.rescale_by_decoder_norm || p->unit_decoder;
	f32 *act = mem_try(most, sizeof *act, "activations", e), *one = mem_try(w, sizeof *one, "a decoder row", e);
	int bad = act && one ? 0 : -1;
	for (size_t i = 0; i < n && !bad; i++) {
		for (size_t j = 0; j < rows[i].n; j++)
			act[j] = divide ? rows[i].act[j] / d->row_norm[rows[i].id[j]] : rows[i].act[j];
		bad = sum_rows(d, &rows[i], act, y + i * w, one, e);
		if (!bad)
			finish_row(d, x ? x + i * p->info.d_in : NULL, y + i * w);
	}
	free(act);
	free(one);
	return bad;
}
