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
_Static_assert(MOST_ROWS <= 256, "a row's place in its group is a u8");

struct encoder {
	size_t n, d, stride, n_padded;
	u32 *panel; /* [n_padded / 32][stride / 2][32] */
	f32 *own;   /* [n][d], or NULL: the weights are the caller's */
	const f32 *weight, *given_bias;
	const u32 *id; /* the weights' rows that are features, or NULL: all, as they come */
	f32 *bias;     /* [n_padded] */
	/* what a product may be off by: |x| per_length + |x - x'| per_off + fixed; [n_padded] */
	f32 *per_length, *per_off, *fixed;
	struct panel_bound {
		f32 per_length, per_off, fixed;
	} * bound; /* [n_padded / 32] the largest of a panel's */
	unsigned n_threads;
	u16 **kept; /* [n_threads], [KERNEL_N][stride] */
};

/* ---- making ---- */

static size_t place(const struct encoder *c, size_t f)
{
	return c->id ? c->id[f] : f;
}

static const f32 *weights(const struct encoder *c, size_t f)
{
	return c->weight + place(c, f) * c->d;
}

static void keep_feature(struct encoder *c, size_t f, u16 *kept)
{
	const f32 *w = weights(c, f);
	f32 off = kernel_round(w, c->d, c->stride, kept), length = sqrtf(vec_dot(w, w, c->d)) * 1.0001f;
	f32 gamma = kernel_error(c->d);
	c->bias[f] = c->given_bias ? c->given_bias[place(c, f)] : 0;
	/* twice: the product, and vec_dot, which it is compared with; adding b rounds once more */
	c->per_length[f] = off + (2 * gamma + 1e-6f) * (length + off);
	c->per_off[f] = (length + off) * (1 + gamma);
	c->fixed[f] = fabsf(c->bias[f]) * 1e-6f;
}

static void make_panel(void *context, size_t task, unsigned thread)
{
	struct encoder *c = context;
	size_t first = task * KERNEL_N;
	u16 *kept = c->kept[thread];
	const u16 *row[KERNEL_N] = {NULL};
	struct panel_bound b = {0};
	for (size_t i = 0; i < KERNEL_N && first + i < c->n; i++) {
		size_t f = first + i;
		keep_feature(c, f, kept + i * c->stride);
		row[i] = kept + i * c->stride;
		b.per_length = fmaxf(b.per_length, c->per_length[f]);
		b.per_off = fmaxf(b.per_off, c->per_off[f]);
		b.fixed = fmaxf(b.fixed, c->fixed[f]);
	}
	c->bound[task] = b;
	/* columns that are no features never lead */
	for (size_t f = MAX(first, c->n); f < first + KERNEL_N; f++)
		c->bias[f] = -INFINITY;
	kernel_panel(row, c->stride, c->panel + first * c->stride / 2);
}

static void make_panels(struct encoder *c, size_t n, struct pool *pool)
{
	c->n = n;
	c->n_padded = (n + KERNEL_N - 1) / KERNEL_N * KERNEL_N;
	pool_each(pool, c->n_padded / KERNEL_N, make_panel, c);
}

static int allocate(struct encoder *c, size_t n, struct err *e)
{
	static const char what[] = "the weights";
	size_t padded = (n + KERNEL_N - 1) / KERNEL_N * KERNEL_N;
	if (!(c->panel = mem_try(padded * c->stride, sizeof(u16), what, e)) ||
	    !(c->bias = mem_try(padded, sizeof(f32), what, e)) ||
	    !(c->per_length = mem_try(padded, sizeof(f32), what, e)) ||
	    !(c->per_off = mem_try(padded, sizeof(f32), what, e)) ||
	    !(c->fixed = mem_try(padded, sizeof(f32), what, e)) ||
	    !(c->bound = mem_try(padded / KERNEL_N, sizeof *c->bound, what, e)))
		return -1;
	for (unsigned i = 0; i < c->n_threads; i++)
		if (!(c->kept[i] = mem_try(KERNEL_N * c->stride, sizeof(u16), what, e)))
			return -1;
	return 0;
}

struct encoder *encoder_room(size_t n_features, size_t d, struct pool *pool, struct err *e)
{
	struct encoder *c = xcalloc(1, sizeof *c);
	c->d = d;
	c->stride = kernel_stride(d);
	c->n_threads = pool ? pool_threads(pool) : 1;
	c->kept = xcalloc(c->n_threads, sizeof *c->kept);
	if (!allocate(c, n_features, e))
		return c;
	encoder_free(c);
	return NULL;
}

void encoder_take(struct encoder *c, const struct encoder_weights *w, struct pool *pool)
{
	c->weight = w->weight;
	c->given_bias = w->bias;
	c->id = w->id;
	make_panels(c, w->n, pool);
}

struct fetching {
	struct encoder *c;
	const struct encoder_source *s;
	struct err *err; /* [tasks] */
	bool *failed;
};

static void fetch(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct fetching *m = context;
	size_t first = task * ENCODER_BLOCK, n = MIN((size_t)ENCODER_BLOCK, m->s->n_features - first);
	m->failed[task] =
		m->s->rows(m->s->context, (u32)first, (u32)n, m->c->own + first * m->c->d, &m->err[task]);
}

struct encoder *encoder_new(const struct encoder_source *s, struct pool *pool, struct err *e)
{
	struct encoder *c = encoder_room(s->n_features, s->d, pool, e);
	if (!c || !(c->own = mem_try(s->n_features * s->d, sizeof(f32), "the weights", e))) {
		encoder_free(c);
		return NULL;
	}
	size_t tasks = (s->n_features + ENCODER_BLOCK - 1) / ENCODER_BLOCK;
	struct fetching m = {c, s, xcalloc(tasks, sizeof *m.err), xcalloc(tasks, sizeof *m.failed)};
	int bad = 0;
	pool_each(pool, tasks, fetch, &m);
	for (size_t i = 0; !bad && i < tasks; i++)
		if (m.failed[i])
			bad = err_set(e, m.err[i].code, "%s", m.err[i].msg);
	free(m.err);
	free(m.failed);
	if (!bad) {
		encoder_take(c, &(struct encoder_weights){c->own, s->bias, NULL, s->n_features}, pool);
		return c;
	}
	encoder_free(c);
	return NULL;
}

void encoder_free(struct encoder *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->n_threads; i++)
		free(c->kept[i]);
	free(c->kept);
	free(c->panel);
	free(c->own);
	free(c->bias);
	free(c->per_length);
	free(c->per_off);
	free(c->fixed);
	free(c->bound);
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
	const f32 *x; /* of the group at hand: its rows at[0..n) */
	u8 at[MOST_ROWS];
	size_t n, n_padded;
	f32 guess; /* what the k-th is likely to exceed, by the length of the row; 0: nothing is known */
	u8 *packed;
	u16 *kept; /* [n_threads][KERNEL_M][stride] */
	f32 length[MOST_ROWS], off[MOST_ROWS];
	size_t panels_a_task;
	unsigned n_threads;
	struct worker {
		struct list list[MOST_ROWS];
		f32 least[MOST_ROWS]; /* what p must reach to matter */
		u64 *key;
		u32 cap_key;
		f32 *wide; /* [stride][KERNEL_N] a panel, or NULL */
		bool failed;
	} * worker;
	f32 *no_less; /* [n_padded]: what p of a feature must exceed to be active; k 0 only */
	f32 *add;     /* [n_padded]: bias, less no_less */
	/* the group's results, by row */
	struct list active[MOST_ROWS]; /* most: p itself */
	f32 kth[MOST_ROWS];	       /* of what is active the least, by the length of the row */
	bool again[MOST_ROWS];	       /* the guess was too high */
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
	*least = fmaxf(*least, value_of((u64)topk_upper(w->key, l->n, k) << 32));
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

static void take_row(struct run *r, struct worker *w, size_t row, u32 first, const f32 *z, f32 over)
{
	const struct encoder *c = r->c;
	for (u32 hits = r->kernel->over_row(z, over, r->add + first); hits; hits &= hits - 1) {
		u32 j = (u32)__builtin_ctz(hits), f = first + j;
		f32 most = z[j] + c->bias[f] + error_of(r, row, f) * 1.00001f;
		if (most >= w->least[row] && (!r->no_less || most >= r->no_less[f]))
			add(r, w, row, &w->list[row], &w->least[row], f, most);
	}
}

/* What a product and the bias must reach in a panel, for rows from .. from + KERNEL_M: a little less than
 * least, by what any of its features may be off.  no_less is in the other side already. */
static void least_of_panel(const struct run *r, const struct worker *w, size_t panel, size_t from, f32 *over)
{
	const struct panel_bound *b = &r->c->bound[panel];
	for (size_t i = 0; i < KERNEL_M; i++) {
		f32 off = r->length[from + i] * b->per_length + r->off[from + i] * b->per_off + b->fixed;
		over[i] = (r->no_less && w->least[from + i] < INFINITY ? 0 : w->least[from + i]) - off * 1.001f;
	}
}

static void products(void *context, size_t task, unsigned thread)
{
	struct run *r = context;
	struct worker *w = &r->worker[thread];
	const struct encoder *c = r->c;
	const struct kernel *k = r->kernel;
	f32 *wide = r->n_padded > KERNEL_M ? w->wide : NULL;
	size_t first = task * r->panels_a_task, end = MIN(first + r->panels_a_task, c->n_padded / KERNEL_N);
	f32 z[KERNEL_M * KERNEL_N] __attribute__((aligned(64))), over[KERNEL_M];
	for (size_t p = first; p < end; p++) {
		size_t f = p * KERNEL_N;
		const u32 *b = c->panel + f * c->stride / 2;
		for (size_t row = 0; row < r->n_padded; row += KERNEL_M) {
			kernel_tile(k, c->stride, r->packed + row * c->stride * k->a_size, b, wide, !row, z);
			least_of_panel(r, w, p, row, over);
			u32 hits = k->over_tile(z, over, r->add + f);
			for (; hits; hits &= hits - 1) {
				size_t i = (size_t)__builtin_ctz(hits);
				take_row(r, w, row + i, (u32)f, z + i * KERNEL_N, over[i]);
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

static const f32 *row_of(const struct run *r, size_t i)
{
	return r->x + r->at[i] * r->c->d;
}

/* Of those that were decided the k largest, in order of ids. */
static void keep_best(struct run *r, struct worker *w, size_t i, struct list *l)
{
	size_t k = r->cut->k;
	if (!room_for_keys(w, l->n)) {
		w->failed = true;
		return;
	}
	f32 guess = r->guess * r->length[i], least = INFINITY;
	size_t above = 0;
	for (u32 j = 0; j < l->n; j++) {
		above += l->c[j].most >= guess;
		w->key[j] = key_of(l->c[j].most, l->c[j].id);
	}
	/* all above the guess are here, but nothing is known of others */
	r->again[r->at[i]] = r->guess > 0 && above < k;
	if (l->n > k) {
		topk_keys(w->key, l->n, k);
		l->n = (u32)k;
	}
	for (u32 j = 0; j < l->n; j++) {
		l->c[j] = (struct candidate){~(u32)w->key[j], value_of(w->key[j])};
		least = fminf(least, l->c[j].most);
	}
	r->kth[r->at[i]] = l->n == k ? least / r->length[i] : 0;
}

static void settle(void *context, size_t i, unsigned thread)
{
	struct run *r = context;
	struct worker *w = &r->worker[thread];
	const struct encoder *c = r->c;
	struct list *l = &r->active[r->at[i]];
	f32 least = 0;
	l->n = 0;
	for (unsigned t = 0; t < r->n_threads; t++) {
		struct list *part = &r->worker[t].list[i];
		for (u32 k = 0; k < part->n; k++)
			add(r, w, i, l, &least, part->c[k].id, part->c[k].most);
		part->n = 0;
	}
	narrow(r, w, i, l, &least);
	u32 n = 0;
	for (u32 k = 0; k < l->n; k++) {
		u32 f = l->c[k].id;
		if (k + 1 < l->n)
			vec_fetch(weights(c, l->c[k + 1].id), c->d);
		f32 p = vec_dot(row_of(r, i), weights(c, f), c->d) + c->bias[f];
		if (p > 0 && (!r->no_less || p > r->no_less[f]))
			l->c[n++] = (struct candidate){f, p};
	}
	l->n = n;
	if (r->cut->k)
		keep_best(r, w, i, l);
	if (l->n)
		qsort(l->c, l->n, sizeof *l->c, by_id);
}

static int append(struct run *r, size_t n, struct encoder_out *o, size_t first, struct err *e)
{
	size_t more = 0;
	for (size_t i = 0; i < n; i++)
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
	for (size_t i = 0; i < n; i++) {
		o->row_n[first + i] = r->active[i].n;
		for (u32 k = 0; k < r->active[i].n; k++) {
			o->id[o->n] = r->active[i].c[k].id;
			o->act[o->n++] = r->active[i].c[k].most;
		}
	}
	return 0;
}

/* ---- groups of rows ---- */

static void pack_rows(void *context, size_t task, unsigned thread)
{
	struct run *r = context;
	const struct encoder *c = r->c;
	const u16 *row[KERNEL_M];
	u16 *kept = r->kept + thread * KERNEL_M * c->stride;
	size_t from = task * KERNEL_M;
	for (size_t i = 0; i < KERNEL_M; i++) {
		bool there = from + i < r->n;
		const f32 *x = there ? row_of(r, from + i) : NULL;
		/* packed rows are bf16 with every kernel */
		r->off[from + i] = there ? kernel_round(x, c->d, c->stride, kept + i * c->stride) : 0;
		r->length[from + i] = there ? sqrtf(vec_dot(x, x, c->d)) * 1.0001f : 0;
		row[i] = there ? kept + i * c->stride : NULL;
	}
	r->kernel->pack(row, c->stride, r->packed + from * c->stride * r->kernel->a_size);
}

static void pack_group(struct run *r, struct pool *pool)
{
	r->n_padded = (r->n + KERNEL_M - 1) / KERNEL_M * KERNEL_M;
	pool_each(pool, r->n_padded / KERNEL_M, pack_rows, r);
	for (unsigned t = 0; t < r->n_threads; t++)
		for (size_t i = 0; i < r->n_padded; i++)
			r->worker[t].least[i] = i < r->n ? r->guess * r->length[i] : INFINITY;
}

static void one_pass(struct run *r, struct pool *pool)
{
	size_t panels = r->c->n_padded / KERNEL_N;
	pack_group(r, pool);
	r->panels_a_task = MAX((size_t)1, MIN((size_t)PANELS_A_TASK, panels / (8 * r->n_threads)));
	pool_each(pool, (panels + r->panels_a_task - 1) / r->panels_a_task, products, r);
	pool_each(pool, r->n, settle, r);
}

/* Rows are alike: the k-th of the next ones is hardly far below the least of these. */
static f32 next_guess(const struct run *r, size_t n)
{
	f32 least = INFINITY;
	for (size_t i = 0; i < n; i++)
		if (r->kth[i] >= 0)
			least = fminf(least, r->kth[i]);
	return least < INFINITY ? 0.85f * least : 0;
}

static int one_group(struct run *r, struct pool *pool, size_t n, struct encoder_out *o, size_t first, struct err *e)
{
	r->n = n;
	for (size_t i = 0; i < n; i++)
		r->at[i] = (u8)i;
	one_pass(r, pool);
	if (r->guess > 0) {
		r->n = 0;
		for (size_t i = 0; i < n; i++)
			if (r->again[i])
				r->at[r->n++] = (u8)i;
		r->guess = 0;
		if (r->n)
			one_pass(r, pool);
	}
	if (r->cut->k)
		r->guess = next_guess(r, n);
	for (unsigned t = 0; t < r->n_threads; t++)
		if (r->worker[t].failed)
			return err_set(e, ERR_FAILED, "no memory for activations");
	return append(r, n, o, first, e);
}

static void run_release(struct run *r)
{
	for (unsigned t = 0; r->worker && t < r->n_threads; t++) {
		for (size_t i = 0; i < MOST_ROWS; i++)
			free(r->worker[t].list[i].c);
		free(r->worker[t].key);
		free(r->worker[t].wide);
	}
	for (size_t i = 0; i < MOST_ROWS; i++)
		free(r->active[i].c);
	free(r->worker);
	free(r->packed);
	free(r->kept);
	free(r->no_less);
	free(r->add);
	free(r);
}

static int run_new(struct run *r, size_t group, struct err *e)
{
	const struct encoder *c = r->c;
	r->worker = xcalloc(r->n_threads, sizeof *r->worker);
	r->packed = mem_try(group * c->stride, r->kernel->a_size, "rows", e);
	r->kept = mem_try(r->n_threads * KERNEL_M * c->stride, sizeof *r->kept, "rows", e);
	r->add = mem_try(c->n_padded, sizeof *r->add, "rows", e);
	if (!r->packed || !r->kept || !r->add)
		return -1;
	for (unsigned t = 0; r->kernel->wide_tile && t < r->n_threads; t++)
		if (!(r->worker[t].wide = mem_try(c->stride * KERNEL_N, sizeof(f32), "rows", e)))
			return -1;
	memcpy(r->add, c->bias, c->n_padded * sizeof *r->add);
	if (r->cut->k)
		return 0;
	r->no_less = mem_try(c->n_padded, sizeof *r->no_less, "rows", e);
	for (size_t f = 0; r->no_less && f < c->n_padded; f++) {
		r->no_less[f] = f < c->n && r->cut->least_of ? fmaxf(r->cut->least, r->cut->least_of[f])
							     : r->cut->least;
		r->add[f] -= r->no_less[f];
	}
	return r->no_less ? 0 : -1;
}

int encoder_run(const struct encoder *c, const struct kernel *kernel, struct pool *pool, const f32 *x, size_t n,
		const struct encoder_cut *cut, struct encoder_out *o, struct err *e)
{
	struct run *r = xcalloc(1, sizeof *r);
	size_t fit = GROUP_BYTES / (c->stride * sizeof(u16)) / KERNEL_M * KERNEL_M;
	size_t group = MAX((size_t)KERNEL_M, MIN((size_t)MOST_ROWS, fit));
	r->c = c;
	r->kernel = kernel ? kernel : kernel_best();
	r->cut = cut;
	r->n_threads = pool ? pool_threads(pool) : 1;
	*o = (struct encoder_out){.row_n = mem_try(n, sizeof(u32), "activations", e)};
	int bad = !o->row_n || run_new(r, group, e) ? -1 : 0;
	for (size_t at = 0; !bad && at < n; at += group) {
		r->x = x + at * c->d;
		bad = one_group(r, pool, MIN(group, n - at), o, at, e);
	}
	run_release(r);
	if (bad)
		encoder_out_release(o);
	return bad;
}
