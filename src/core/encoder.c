/* SPDX-License-Identifier: MIT */
/* encoder.c - the features that lead on rows: candidates by tiles, decided in f32. */
#include "core/encoder.h"

#include "base/mem.h"
#include "core/kernel.h"
#include "core/topk.h"
#include "core/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	MOST_ROWS = 192, /* a group: a multiple of KERNEL_M */
	GROUP_BYTES = 448 << 10, /* of packed rows: they stay in a core's cache */
	PANELS_A_TASK = 64,
};

struct encoder {
	size_t n, d, stride, n_padded;
	u32 *panel;  /* [n_padded / 32][stride / 2][32] */
	f32 *weight; /* [n][d] */
	f32 *bias;   /* [n_padded] */
	/* what a product may be off by: |x| per_length + |x - x'| per_off + fixed; [n_padded] */
	f32 *per_length, *per_off, *fixed;
};

/* ---- making ---- */

struct making {
	struct encoder *c;
	const struct encoder_source *s;
	struct err *err; /* [tasks] */
	bool *failed;
};

static void keep_feature(struct encoder *c, size_t f, u16 *kept)
{
	const f32 *w = c->weight + f * c->d;
	f32 off = kernel_round(w, c->d, c->stride, kept), length = sqrtf(vec_dot(w, w, c->d)) * 1.0001f;
	f32 gamma = kernel_error(c->d);
	/* twice: the product, and vec_dot, which it is compared with; adding b rounds once more */
	c->per_length[f] = off + (2 * gamma + 1e-6f) * (length + off);
	c->per_off[f] = (length + off) * (1 + gamma);
	c->fixed[f] = fabsf(c->bias[f]) * 1e-6f;
}

static void make_block(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct making *m = context;
	struct encoder *c = m->c;
	size_t first = task * ENCODER_BLOCK, n = MIN((size_t)ENCODER_BLOCK, c->n - first);
	u16 *kept = mem_try(KERNEL_N * c->stride, sizeof *kept, "the weights", &m->err[task]);
	m->failed[task] =
		!kept || m->s->rows(m->s->context, (u32)first, (u32)n, c->weight + first * c->d, &m->err[task]);
	for (size_t at = first; !m->failed[task] && at < first + n; at += KERNEL_N) {
		const u16 *row[KERNEL_N] = {NULL};
		for (size_t i = 0; i < KERNEL_N && at + i < first + n; i++) {
			keep_feature(c, at + i, kept + i * c->stride);
			row[i] = kept + i * c->stride;
		}
		kernel_panel(row, c->stride, c->panel + at / KERNEL_N * KERNEL_N * c->stride / 2);
	}
	free(kept);
}

static int allocate(struct encoder *c, struct err *e)
{
	static const char what[] = "the weights";
	return (c->panel = mem_try(c->n_padded * c->stride, sizeof(u16), what, e)) &&
			       (c->weight = mem_try(c->n * c->d, sizeof(f32), what, e)) &&
			       (c->bias = mem_try(c->n_padded, sizeof(f32), what, e)) &&
			       (c->per_length = mem_try(c->n_padded, sizeof(f32), what, e)) &&
			       (c->per_off = mem_try(c->n_padded, sizeof(f32), what, e)) &&
			       (c->fixed = mem_try(c->n_padded, sizeof(f32), what, e))
		       ? 0
		       : -1;
}

struct encoder *encoder_new(const struct encoder_source *s, struct pool *pool, struct err *e)
{
	struct encoder *c = xcalloc(1, sizeof *c);
	size_t tasks = (s->n_features + ENCODER_BLOCK - 1) / ENCODER_BLOCK;
	struct making m = {c, s, xcalloc(tasks, sizeof *m.err), xcalloc(tasks, sizeof *m.failed)};
	c->n = s->n_features;
	c->d = s->d;
	c->stride = kernel_stride(s->d);
	c->n_padded = (c->n + KERNEL_N - 1) / KERNEL_N * KERNEL_N;
	int bad = allocate(c, e);
	if (!bad) {
		/* columns that are no features never lead */
		for (size_t f = 0; f < c->n_padded; f++)
			c->bias[f] = f >= c->n ? -INFINITY : s->bias ? s->bias[f] : 0;
		pool_each(pool, tasks, make_block, &m);
	}
	for (size_t i = 0; !bad && i < tasks; i++)
		if (m.failed[i])
			bad = err_set(e, m.err[i].code, "%s", m.err[i].msg);
	free(m.err);
	free(m.failed);
	if (!bad)
		return c;
	encoder_free(c);
	return NULL;
}

void encoder_free(struct encoder *c)
{
	if (!c)
		return;
	free(c->panel);
	free(c->weight);
	free(c->bias);
	free(c->per_length);
	free(c->per_off);
	free(c->fixed);
	free(c);
}

void encoder_out_release(struct encoder_out *o)
{
	free(o->row_n);
	free(o->id);
	free(o->act);
	*o = (struct encoder_out){0};
}

/* ---- candidates ---- */

struct candidate {
	u32 id;
	f32 most; /* p is at most this */
};

struct list {
	struct candidate *c;
	u32 n, cap;
};

struct run {
	const struct encoder *c;
	const struct kernel *kernel;
	const struct encoder_cut *cut;
	const f32 *x; /* of the group at hand */
	size_t n, n_padded;
	u8 *packed;
	f32 length[MOST_ROWS], off[MOST_ROWS];
	size_t panels_a_task;
	unsigned n_threads;
	struct worker {
		struct list list[MOST_ROWS];
		f32 least[MOST_ROWS]; /* what p must reach to matter */
		u64 *key;
		u32 cap_key;
		bool failed;
	} * worker;
	f32 *no_less; /* [n_padded]: what p of a feature must exceed to be active; k 0 only */
	/* the group's results */
	struct list active[MOST_ROWS]; /* most: p itself */
};

static f32 error_of(const struct run *r, size_t row, u32 f)
{
	const struct encoder *c = r->c;
	return r->length[row] * c->per_length[f] + r->off[row] * c->per_off[f] + c->fixed[f];
}

static u64 key_of(f32 v, u32 id)
{
	u32 bits;
	v += 0.0f;
	memcpy(&bits, &v, 4);
	bits = bits >> 31 ? ~bits : bits | 0x80000000u;
	return (u64)bits << 32 | (u32)~id;
}

static f32 value_of(u64 key)
{
	u32 bits = (u32)(key >> 32);
	f32 v;
	bits = bits >> 31 ? bits & 0x7fffffffu : ~bits;
	memcpy(&v, &bits, 4);
	return v;
}

static bool room_for_keys(struct worker *w, u32 n)
{
	if (n > w->cap_key) {
		u64 *key = realloc(w->key, 2 * (size_t)n * sizeof *key);
		if (!key)
			return false;
		w->key = key;
		w->cap_key = 2 * n;
	}
	return true;
}

/* k features are at least as large as the k-th of the least that each may be. */
static void narrow(const struct run *r, struct worker *w, size_t row, struct list *l, f32 *least)
{
	size_t k = r->cut->k;
	if (!k || l->n <= k)
		return;
	if (!room_for_keys(w, l->n)) {
		w->failed = true;
		return;
	}
	for (u32 i = 0; i < l->n; i++)
		w->key[i] = key_of(l->c[i].most - 2 * error_of(r, row, l->c[i].id), l->c[i].id);
	topk_keys(w->key, l->n, k);
	u64 kth = UINT64_MAX;
	for (size_t i = 0; i < k; i++)
		kth = MIN(kth, w->key[i]);
	*least = fmaxf(*least, value_of(kth));
	u32 kept = 0;
	for (u32 i = 0; i < l->n; i++)
		if (l->c[i].most >= *least)
			l->c[kept++] = l->c[i];
	l->n = kept;
}

static bool make_room(struct list *l)
{
	u32 cap = 2 * l->cap + 64;
	struct candidate *c = realloc(l->c, cap * sizeof *c);
	if (!c)
		return false;
	l->c = c;
	l->cap = cap;
	return true;
}

static void add(const struct run *r, struct worker *w, size_t row, struct list *l, f32 *least, u32 id, f32 most)
{
	if (l->n == l->cap) {
		if (l->n >= 3 * r->cut->k)
			narrow(r, w, row, l, least);
		if (l->n >= l->cap / 4 * 3 && !make_room(l)) {
			w->failed = true;
			return;
		}
	}
	if (most >= *least)
		l->c[l->n++] = (struct candidate){id, most};
}

static void take_row(struct run *r, struct worker *w, size_t row, u32 first, const f32 *z)
{
	const struct encoder *c = r->c;
	for (u32 j = 0; j < KERNEL_N && first + j < c->n; j++) {
		u32 f = first + j;
		f32 most = z[j] + c->bias[f] + error_of(r, row, f) * 1.00001f;
		if (most >= w->least[row] && (!r->no_less || most >= r->no_less[f]))
			add(r, w, row, &w->list[row], &w->least[row], f, most);
	}
}

static void products(void *context, size_t task, unsigned thread)
{
	struct run *r = context;
	struct worker *w = &r->worker[thread];
	const struct encoder *c = r->c;
	size_t first = task * r->panels_a_task, end = MIN(first + r->panels_a_task, c->n_padded / KERNEL_N);
	f32 z[KERNEL_M * KERNEL_N] __attribute__((aligned(64)));
	for (size_t p = first; p < end; p++) {
		size_t f = p * KERNEL_N;
		struct vec_bound b = {c->bias + f, c->per_length + f, c->per_off + f, c->fixed + f,
				      r->no_less ? r->no_less + f : NULL};
		for (size_t row = 0; row < r->n_padded; row += KERNEL_M) {
			r->kernel->tile(c->stride, r->packed + row * c->stride * r->kernel->a_size,
					c->panel + f * c->stride / 2, z);
			u32 hits = vec_tile_reach(z, &b, r->length + row, r->off + row, w->least + row);
			for (; hits; hits &= hits - 1) {
				size_t i = (size_t)__builtin_ctz(hits);
				take_row(r, w, row + i, (u32)f, z + i * KERNEL_N);
			}
		}
	}
}

/* ---- decisions ---- */

static int by_id(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static void settle(void *context, size_t row, unsigned thread)
{
	struct run *r = context;
	struct worker *w = &r->worker[thread];
	const struct encoder *c = r->c;
	struct list *l = &r->active[row];
	f32 least = 0;
	l->n = 0;
	for (unsigned i = 0; i < r->n_threads; i++) {
		struct list *part = &r->worker[i].list[row];
		for (u32 k = 0; k < part->n; k++)
			add(r, w, row, l, &least, part->c[k].id, part->c[k].most);
		part->n = 0;
	}
	narrow(r, w, row, l, &least);
	u32 n = 0;
	for (u32 i = 0; i < l->n; i++) {
		u32 f = l->c[i].id;
		f32 p = vec_dot(r->x + row * c->d, c->weight + f * c->d, c->d) + c->bias[f];
		if (p > 0 && (!r->no_less || p > r->no_less[f]))
			l->c[n++] = (struct candidate){f, p};
	}
	l->n = n;
	if (r->cut->k && n > r->cut->k) {
		if (!room_for_keys(w, n)) {
			w->failed = true;
			return;
		}
		for (u32 i = 0; i < n; i++)
			w->key[i] = key_of(l->c[i].most, l->c[i].id);
		topk_keys(w->key, n, r->cut->k);
		l->n = (u32)r->cut->k;
		for (u32 i = 0; i < l->n; i++)
			l->c[i] = (struct candidate){~(u32)w->key[i], value_of(w->key[i])};
	}
	if (l->n)
		qsort(l->c, l->n, sizeof *l->c, by_id);
}

static int append(struct run *r, struct encoder_out *o, size_t first, struct err *e)
{
	size_t more = 0;
	for (size_t i = 0; i < r->n; i++)
		more += r->active[i].n;
	if (o->n + more > o->cap) {
		size_t cap = 2 * o->cap + more;
		u32 *id = realloc(o->id, cap * sizeof *id);
		o->id = id ? id : o->id;
		f32 *act = realloc(o->act, cap * sizeof *act);
		o->act = act ? act : o->act;
		if (!id || !act)
			return err_set(e, ERR_FAILED, "no memory for activations");
		o->cap = cap;
	}
	for (size_t i = 0; i < r->n; i++) {
		o->row_n[first + i] = r->active[i].n;
		for (u32 k = 0; k < r->active[i].n; k++) {
			o->id[o->n] = r->active[i].c[k].id;
			o->act[o->n++] = r->active[i].c[k].most;
		}
	}
	return 0;
}

/* ---- groups of rows ---- */

static int pack_group(struct run *r, u16 *kept)
{
	const struct encoder *c = r->c;
	const u16 *row[KERNEL_M];
	r->n_padded = (r->n + KERNEL_M - 1) / KERNEL_M * KERNEL_M;
	for (size_t from = 0; from < r->n_padded; from += KERNEL_M) {
		for (size_t i = 0; i < KERNEL_M; i++) {
			bool there = from + i < r->n;
			const f32 *x = r->x + (from + i) * c->d;
			/* packed rows are bf16 with every kernel */
			r->off[from + i] = there ? kernel_round(x, c->d, c->stride, kept + i * c->stride) : 0;
			r->length[from + i] = there ? sqrtf(vec_dot(x, x, c->d)) * 1.0001f : 0;
			row[i] = there ? kept + i * c->stride : NULL;
		}
		r->kernel->pack(row, c->stride, r->packed + from * c->stride * r->kernel->a_size);
	}
	for (unsigned t = 0; t < r->n_threads; t++)
		for (size_t i = 0; i < r->n_padded; i++)
			r->worker[t].least[i] = i < r->n ? 0 : INFINITY;
	return 0;
}

static int one_group(struct run *r, struct pool *pool, u16 *kept, struct encoder_out *o, size_t first, struct err *e)
{
	size_t panels = r->c->n_padded / KERNEL_N;
	pack_group(r, kept);
	r->panels_a_task = MAX((size_t)1, MIN((size_t)PANELS_A_TASK, panels / (8 * r->n_threads)));
	pool_each(pool, (panels + r->panels_a_task - 1) / r->panels_a_task, products, r);
	pool_each(pool, r->n, settle, r);
	for (unsigned t = 0; t < r->n_threads; t++)
		if (r->worker[t].failed)
			return err_set(e, ERR_FAILED, "no memory for activations");
	return append(r, o, first, e);
}

static void run_release(struct run *r)
{
	for (unsigned t = 0; r->worker && t < r->n_threads; t++) {
		for (size_t i = 0; i < MOST_ROWS; i++)
			free(r->worker[t].list[i].c);
		free(r->worker[t].key);
	}
	for (size_t i = 0; i < MOST_ROWS; i++)
		free(r->active[i].c);
	free(r->worker);
	free(r->packed);
	free(r->no_less);
	free(r);
}

static int run_new(struct run *r, size_t group, struct err *e)
{
	const struct encoder *c = r->c;
	r->worker = xcalloc(r->n_threads, sizeof *r->worker);
	r->packed = mem_try(group * c->stride, r->kernel->a_size, "rows", e);
	if (!r->packed)
		return -1;
	if (r->cut->k)
		return 0;
	r->no_less = mem_try(c->n_padded, sizeof *r->no_less, "rows", e);
	for (size_t f = 0; r->no_less && f < c->n_padded; f++)
		r->no_less[f] = f < c->n && r->cut->least_of ? fmaxf(r->cut->least, r->cut->least_of[f])
							     : r->cut->least;
	return r->no_less ? 0 : -1;
}

int encoder_run(const struct encoder *c, const struct kernel *kernel, struct pool *pool, const f32 *x, size_t n,
		const struct encoder_cut *cut, struct encoder_out *o, struct err *e)
{
	struct run *r = xcalloc(1, sizeof *r);
	size_t fit = GROUP_BYTES / (c->stride * sizeof(u16)) / KERNEL_M * KERNEL_M;
	size_t group = MAX((size_t)KERNEL_M, MIN((size_t)MOST_ROWS, fit));
	u16 *kept = mem_try(KERNEL_M * c->stride, sizeof *kept, "rows", e);
	r->c = c;
	r->kernel = kernel ? kernel : kernel_best();
	r->cut = cut;
	r->n_threads = pool ? pool_threads(pool) : 1;
	*o = (struct encoder_out){.row_n = mem_try(n, sizeof(u32), "activations", e)};
	int bad = !kept || !o->row_n || run_new(r, group, e) ? -1 : 0;
	for (size_t at = 0; !bad && at < n; at += group) {
		r->x = x + at * c->d;
		r->n = MIN(group, n - at);
		bad = one_group(r, pool, kept, o, at, e);
	}
	run_release(r);
	free(kept);
	if (bad)
		encoder_out_release(o);
	return bad;
}
