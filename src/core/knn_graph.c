/* SPDX-License-Identifier: MIT */
/* knn_graph.c - the nearest of every row: each pair is multiplied once, for both its rows.
 *
 * Rows are taken in blocks; a block is multiplied with itself and with all rows after it, in
 * tiles.  The rows after it are split among the threads by columns, whose lists only that
 * thread touches; for the block's own rows each thread has lists of its own, which are added
 * up when the block is done.  Then its rows have met every other, and are final.
 *
 * Several processes take the blocks by turns; then each sends its lists to the first, where all
 * are added up, and every row is final at the end only.
 */
#include "core/knn_impl.h"

#include "base/buf.h"
#include "base/mem.h"
#include "core/kernel.h"
#include "core/ranks.h"
#include "core/rows.h"
#include "core/topk.h"
#include "core/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	STEP = 96,		/* rows of a block are a multiple: of tiles' rows and columns */
	BLOCK_BYTES = 448 << 10, /* of its packed rows: they stay in a core's cache */
	MOST_STEPS = 16,
	LINE = 64,		/* bytes that memory gives at a time */
	PANELS_A_TASK = 8, /* at most: at a block's end the other threads wait for the last of them */
};

struct graph {
	const struct rows *rows;
	const struct kernel *kernel;
	struct knn_bound bound;
	struct pool *pool;
	unsigned n_threads;
	size_t n_padded; /* rows in whole panels */
	u32 *panel;	 /* [n_padded / 32][stride / 2][32] */
	struct knn_list *list;
	u64 *slab; /* their first room */
	f32 *least; /* [n_padded]; infinite for rows that take no neighbours */
	size_t block, from, n_block; /* rows of a block at most; of the block at hand */
	u8 *packed;		     /* its rows, for tiles */
	size_t panels_a_task;
	struct worker {
		struct knn_list *list; /* [block] */
		u64 *slab;
		f32 *least; /* [block] */
		f32 *x, *y; /* [d] */
		f32 *wide;  /* [stride][KERNEL_N] a panel, or NULL */
		bool failed;
	} * worker;
	struct knn_state state;
	struct progress *progress;
};

static const u16 *row_at(const struct rows *r, size_t i)
{
	return i < r->n ? r->kept + i * r->stride : NULL;
}

static void make_panels(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct graph *g = context;
	const u16 *row[KERNEL_N];
	for (size_t i = 0; i < KERNEL_N; i++)
		row[i] = row_at(g->rows, task * KERNEL_N + i);
	kernel_panel(row, g->rows->stride, g->panel + task * KERNEL_N * g->rows->stride / 2);
}

static void pack_block(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct graph *g = context;
	const u16 *row[KERNEL_M];
	for (size_t i = 0; i < KERNEL_M; i++)
		row[i] = row_at(g->rows, g->from + task * KERNEL_M + i);
	g->kernel->pack(row, g->rows->stride, g->packed + task * KERNEL_M * g->rows->stride * g->kernel->a_size);
}

/* ---- tiles ---- */

/* One row of a tile in which something is near enough. */
static void take_row(struct graph *g, struct worker *w, size_t at, size_t column, const f32 *c)
{
	const struct rows *r = g->rows;
	size_t row = g->from + at;
	u32 hits = g->kernel->near_row(c, w->least[at], g->least + column);
	for (; hits; hits &= hits - 1) {
		size_t j = (size_t)__builtin_ctz(hits), other = column + j;
		/* of two rows of the block, and of a row and itself, only one order counts */
		if (other <= row || other >= r->n)
			continue;
		if (c[j] >= w->least[at] && !rows_is_empty(r, (u32)other) &&
		    knn_list_add(&w->list[at], &g->bound, &w->least[at], knn_key(c[j], (u32)other)))
			w->failed = true;
		if (c[j] >= g->least[other] && !rows_is_empty(r, (u32)row) &&
		    knn_list_add(&g->list[other], &g->bound, &g->least[other], knn_key(c[j], (u32)row)))
			w->failed = true;
	}
}

/* Memory is asked, while a tile of panel p multiplies, for a share of the next panel; with the first tile, for
 * where the panel's own lists go on and for the next one's lists. */
static void ask_ahead(const struct graph *g, size_t p, size_t a)
{
	size_t next = MIN(p + 1, g->n_padded / KERNEL_N - 1), bytes = g->rows->stride / 2 * KERNEL_N * sizeof(u32);
	const u8 *panel = (const u8 *)g->panel + next * bytes;
	for (size_t i = a * bytes / g->n_block / LINE; i < (a + KERNEL_M) * bytes / g->n_block / LINE; i++)
		__builtin_prefetch(panel + i * LINE, 0, 2);
	if (a)
		return;
	for (size_t j = 0; j < KERNEL_N; j++) {
		const struct knn_list *l = &g->list[p * KERNEL_N + j];
		__builtin_prefetch(l->key + l->n, 1);
		__builtin_prefetch(&g->list[next * KERNEL_N + j], 1);
	}
}

static void compare(void *context, size_t task, unsigned thread)
{
	struct graph *g = context;
	struct worker *w = &g->worker[thread];
	const struct kernel *k = g->kernel;
	size_t stride = g->rows->stride, first = g->from / KERNEL_N + task * g->panels_a_task;
	size_t end = MIN(first + g->panels_a_task, g->n_padded / KERNEL_N);
	f32 c[KERNEL_M * KERNEL_N] __attribute__((aligned(64)));
	for (size_t p = first; p < end; p++) {
		const u32 *b = g->panel + p * KERNEL_N * stride / 2;
		for (size_t a = 0; a < g->n_block; a += KERNEL_M) {
			ask_ahead(g, p, a);
			kernel_tile(k, stride, g->packed + a * stride * k->a_size, b, w->wide, !a, c);
			u32 hits = k->near_tile(c, w->least + a, g->least + p * KERNEL_N);
			for (; hits; hits &= hits - 1) {
				size_t i = (size_t)__builtin_ctz(hits);
				take_row(g, w, a + i, p * KERNEL_N, c + i * KERNEL_N);
			}
		}
	}
}

/* ---- a block ---- */

/* A row's candidates of all threads, in its own list. */
static void add_up(void *context, size_t task, unsigned thread)
{
	struct graph *g = context;
	size_t row = g->from + task;
	if (row >= g->rows->n)
		return;
	for (unsigned i = 0; i < g->n_threads; i++) {
		struct knn_list *part = &g->worker[i].list[task];
		for (u32 k = 0; k < part->n; k++)
			if (knn_list_add(&g->list[row], &g->bound, &g->least[row], part->key[k]))
				g->worker[thread].failed = true;
		part->n = 0;
	}
	knn_list_narrow(&g->list[row], &g->bound, &g->least[row]);
}

/* Candidates [from, end) of a row that lies in w->x are scored in f32; returns the least score. */
static f32 score(const struct graph *g, const struct worker *w, struct knn_list *l, u32 from, u32 end)
{
	const struct rows *r = g->rows;
	f32 least = INFINITY;
	for (u32 k = from; k < end; k++) {
		u32 other = knn_key_id(l->key[k]);
		const f32 *y = r->exact ? r->exact + other * r->d : w->y;
		if (r->exact && k + 1 < end)
			vec_fetch(r->exact + knn_key_id(l->key[k + 1]) * r->d, r->d);
		if (!r->exact)
			rows_exact(r, other, w->y);
		f32 s = vec_dot(w->x, y, r->d);
		l->key[k] = knn_key(s, other);
		least = fminf(least, s);
	}
	return least;
}

/* Scores what may be among the best: k that seem to be, and of the others what may come before any of these. */
static void score_all(const struct graph *g, const struct worker *w, struct knn_list *l)
{
	u32 n = (u32)MIN((size_t)l->n, g->bound.k), first = n;
	topk_keys(l->key, l->n, g->bound.k);
	f32 least = score(g, w, l, 0, first);
	for (u32 k = first; k < l->n; k++)
		if (knn_key_score(l->key[k]) + g->bound.slack >= least)
			l->key[n++] = l->key[k];
	score(g, w, l, first, n);
	l->n = n;
}

/* A row that has met all others. */
static void settle(void *context, size_t task, unsigned thread)
{
	struct graph *g = context;
	struct worker *w = &g->worker[thread];
	const struct rows *r = g->rows;
	size_t row = g->from + task, at = row * g->bound.k, m = 0;
	if (row >= r->n)
		return;
	struct knn_list *l = &g->list[row];
	knn_list_narrow(l, &g->bound, &g->least[row]);
	if (!rows_is_empty(r, (u32)row)) {
		rows_exact(r, (u32)row, w->x);
		score_all(g, w, l);
		m = knn_take_best(l->key, l->n, g->bound.k, g->state.id + at, g->state.score + at);
	}
	for (; m < g->bound.k; m++) {
		g->state.id[at + m] = KNN_NONE;
		g->state.score[at + m] = 0;
	}
	knn_list_release(l);
}

static void one_block(struct graph *g)
{
	size_t n = g->rows->n, panels;
	g->from = g->state.done;
	g->n_block = MIN(g->block, (n - g->from + KERNEL_M - 1) / KERNEL_M * KERNEL_M);
	for (unsigned i = 0; i < g->n_threads; i++)
		for (size_t k = 0; k < g->n_block; k++)
			g->worker[i].least[k] = g->from + k < n ? g->least[g->from + k] : INFINITY;
	pool_each(g->pool, g->n_block / KERNEL_M, pack_block, g);
	panels = (g->n_padded - g->from) / KERNEL_N;
	g->panels_a_task = MAX((size_t)1, MIN((size_t)PANELS_A_TASK, panels / (8 * g->n_threads)));
	pool_each(g->pool, (panels + g->panels_a_task - 1) / g->panels_a_task, compare, g);
	pool_each(g->pool, g->n_block, add_up, g);
	if (ranks_n() == 1)
		pool_each(g->pool, g->n_block, settle, g);
}

/* ---- all ---- */

static int worker_new(struct worker *w, const struct graph *g, size_t room, struct err *e)
{
	static const char what[] = "candidates";
	w->list = mem_try(g->block, sizeof *w->list, what, e);
	w->slab = mem_try(g->block * room, sizeof *w->slab, what, e);
	w->least = mem_try(g->block, sizeof *w->least, what, e);
	w->x = mem_try(g->rows->d, sizeof *w->x, what, e);
	w->y = mem_try(g->rows->d, sizeof *w->y, what, e);
	w->wide = g->kernel->wide_tile ? mem_try(g->rows->stride * KERNEL_N, sizeof *w->wide, what, e) : NULL;
	if (!w->list || !w->slab || !w->least || !w->x || !w->y || (g->kernel->wide_tile && !w->wide))
		return -1;
	for (size_t i = 0; i < g->block; i++)
		w->list[i] = (struct knn_list){w->slab + i * room, 0, (u32)room, false};
	return 0;
}

static int graph_new(struct graph *g, struct err *e)
{
	const struct rows *r = g->rows;
	/* the same blocks whatever the kernel: processes and checkpoints share them */
	size_t row_bytes = r->stride * sizeof(u16), room = 2 * g->bound.k + 32;
	g->block = STEP * MAX((size_t)1, MIN((size_t)MOST_STEPS, BLOCK_BYTES / (STEP * row_bytes)));
	g->n_padded = (r->n + KERNEL_N - 1) / KERNEL_N * KERNEL_N;
	g->n_threads = g->pool ? pool_threads(g->pool) : 1;
	g->worker = xcalloc(g->n_threads, sizeof *g->worker);
	if (!(g->panel = mem_try(g->n_padded * r->stride, sizeof(u16), "packed rows", e)) ||
	    !(g->list = mem_try(g->n_padded, sizeof *g->list, "candidates", e)) ||
	    !(g->slab = mem_try(r->n * room, sizeof *g->slab, "candidates", e)) ||
	    !(g->least = mem_try(g->n_padded, sizeof *g->least, "candidates", e)) ||
	    !(g->packed = mem_try(g->block * r->stride, g->kernel->a_size, "packed rows", e)))
		return -1;
	for (unsigned i = 0; i < g->n_threads; i++)
		if (worker_new(&g->worker[i], g, room, e))
			return -1;
	for (size_t i = 0; i < g->n_padded; i++)
		g->least[i] = i < r->n && !rows_is_empty(r, (u32)i) ? -INFINITY : INFINITY;
	for (size_t i = 0; i < r->n; i++)
		g->list[i] = (struct knn_list){g->slab + i * room, 0, (u32)room, false};
	g->state.list = g->list;
	g->state.least = g->least;
	pool_each(g->pool, g->n_padded / KERNEL_N, make_panels, g);
	return 0;
}

static void graph_release(struct graph *g)
{
	for (size_t i = 0; g->list && i < g->n_padded; i++)
		knn_list_release(&g->list[i]);
	for (unsigned i = 0; i < g->n_threads; i++) {
		struct worker *w = &g->worker[i];
		for (size_t k = 0; w->list && k < g->block; k++)
			knn_list_release(&w->list[k]);
		free(w->list);
		free(w->slab);
		free(w->least);
		free(w->x);
		free(w->y);
		free(w->wide);
	}
	free(g->worker);
	free(g->panel);
	free(g->list);
	free(g->slab);
	free(g->least);
	free(g->packed);
}

static u64 pairs(u64 rows)
{
	return rows * (rows - (rows > 0)) / 2;
}

static f64 seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (f64)t.tv_sec + (f64)t.tv_nsec * 1e-9;
}

static int failed(const struct graph *g, struct err *e)
{
	for (unsigned i = 0; i < g->n_threads; i++)
		if (g->worker[i].failed)
			return err_set(e, ERR_FAILED, "no memory for candidates");
	return 0;
}

static int go(struct graph *g, const struct knn_checkpoint *c, struct err *e)
{
	u64 n = g->rows->n, met = pairs(n) - pairs(n - g->state.done), block = 0;
	f64 written = seconds();
	progress_start(g->progress, "comparing", "pairs", pairs(n));
	progress_add(g->progress, met);
	while (g->state.done < n && !progress_cancelled(g->progress)) {
		if (block++ % ranks_n() == ranks_me())
			one_block(g);
		g->state.done = MIN(g->state.done + g->block, n);
		if (failed(g, e))
			return -1;
		u64 now = pairs(n) - pairs(n - g->state.done);
		progress_add(g->progress, now - met);
		met = now;
		bool due = progress_cancelled(g->progress) || (c && seconds() - written >= c->every);
		if (c && due && g->state.done < n) {
			if (knn_checkpoint_write(&g->state, c, e))
				return -1;
			written = seconds();
		}
	}
	if (g->state.done < n)
		return err_set(e, ERR_CANCELLED, "stopped before every feature was compared");
	return 0;
}

/* ---- several processes ---- */

enum { ROWS_A_MESSAGE = 1 << 14 };

static int send_lists(struct graph *g, struct err *e)
{
	struct buf b = BUF_INIT;
	int bad = 0;
	for (size_t from = 0; !bad && from < g->rows->n; from += ROWS_A_MESSAGE) {
		size_t end = MIN(from + ROWS_A_MESSAGE, g->rows->n);
		buf_clear(&b);
		for (size_t i = from; i < end; i++) {
			knn_list_narrow(&g->list[i], &g->bound, &g->least[i]);
			buf_add(&b, &g->list[i].n, sizeof g->list[i].n);
			buf_add(&b, g->list[i].key, g->list[i].n * sizeof(u64));
		}
		bad = ranks_send(b.s, b.n, e);
	}
	buf_release(&b);
	return bad;
}

static int take_list(struct graph *g, size_t row, const struct buf *b, size_t *at, struct err *e)
{
	u32 n = 0;
	bool whole = b->n - *at >= sizeof n;
	if (whole)
		memcpy(&n, b->s + *at, sizeof n);
	if (!whole || (b->n - *at - sizeof n) / sizeof(u64) < n)
		return err_set(e, ERR_FAILED, "another process sent less than it should have");
	*at += sizeof n;
	for (u32 i = 0; i < n; i++, *at += sizeof(u64)) {
		u64 key;
		memcpy(&key, b->s + *at, sizeof key);
		if (knn_key_id(key) >= g->rows->n)
			return err_set(e, ERR_FAILED, "another process compares more rows than there are here");
		if (knn_list_add(&g->list[row], &g->bound, &g->least[row], key))
			g->worker[0].failed = true;
	}
	return 0;
}

static int receive_lists(struct graph *g, unsigned from_rank, struct err *e)
{
	struct buf b = BUF_INIT;
	int bad = 0;
	for (size_t from = 0; !bad && from < g->rows->n; from += ROWS_A_MESSAGE) {
		size_t end = MIN(from + ROWS_A_MESSAGE, g->rows->n), at = 0;
		bad = ranks_receive(from_rank, &b, e);
		for (size_t i = from; !bad && i < end; i++)
			bad = take_list(g, i, &b, &at, e);
	}
	buf_release(&b);
	return bad;
}

static int share(struct graph *g, struct err *e)
{
	if (ranks_me())
		return send_lists(g, e);
	for (unsigned i = 1; i < ranks_n(); i++)
		if (receive_lists(g, i, e))
			return -1;
	g->from = 0;
	pool_each(g->pool, g->rows->n, settle, g);
	return failed(g, e);
}

int knn_rows_graph(const struct rows *rows, struct pool *pool, const struct knn_graph *o, u32 *id, f32 *score,
		   struct progress *progress, struct err *e)
{
	struct graph g = {.rows = rows, .pool = pool, .progress = progress};
	g.kernel = o->kernel ? o->kernel : kernel_best();
	g.bound.k = o->k;
	g.bound.slack = knn_slack(rows, 1 + 1e-5f, rows->off);
	g.state = (struct knn_state){.rows = rows, .k = o->k, .id = id, .score = score};
	const struct knn_checkpoint *c = ranks_n() == 1 ? o->checkpoint : NULL;
	int bad = graph_new(&g, e) || (c && knn_checkpoint_read(&g.state, c, e) < 0) || go(&g, c, e) ||
		  (ranks_n() > 1 && share(&g, e));
	graph_release(&g);
	return bad ? -1 : 0;
}

int knn_graph(const struct knn_rows *rows, struct pool *pool, size_t k, u32 *id, f32 *score,
	      struct progress *progress, struct err *e)
{
	if (!rows->n)
		return 0;
	struct rows *r = rows_new(rows->p, rows->n, rows->d, pool, e);
	int bad = r ? knn_rows_graph(r, pool, &(struct knn_graph){.k = k}, id, score, progress, e) : -1;
	rows_free(r);
	return bad;
}
