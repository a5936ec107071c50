/* SPDX-License-Identifier: MIT */
/* bench_core.c - what encoding, training and comparing cost beside the bare products in them.
 *
 * usage: bench_core [ROUNDS [F [D]]]
 *
 * Each round times the work and its yardstick one after the other, so that a busy machine
 * slows both; printed are the median times and the median of the rounds' ratios.  Nothing is
 * asserted: read the ratios, not the times.
 */
#include "base/mem.h"
#include "core/blas.h"
#include "core/dict.h"
#include "core/dict_write.h"
#include "core/knn.h"
#include "core/rand.h"
#include "core/train_step.h"
#include "core/vec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { K = 32, ROWS = 2048, BLOCK = 256, MAX_ROUNDS = 99, NEAREST = 32 };

struct bench {
	size_t f, d;
	unsigned rounds;
	struct pool *pool;
	f32 *x;	       /* [ROWS][d] */
	f32 *w, *unit; /* [F][d] */
	f32 *z;	       /* [threads][BLOCK][F] */
	struct dict *dict;
	struct step *step;
	u32 *id;
	f32 *score;
	f64 sink;
};

static f64 now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (f64)t.tv_sec + (f64)t.tv_nsec * 1e-9;
}

static void die(const struct err *e)
{
	fprintf(stderr, "bench_core: %s\n", e->msg);
	exit(1);
}

static int rising(const void *a, const void *b)
{
	f64 x = *(const f64 *)a, y = *(const f64 *)b;
	return (x > y) - (x < y);
}

static f64 median(f64 *x, unsigned n)
{
	qsort(x, n, sizeof *x, rising);
	return x[n / 2];
}

static void pair(struct bench *b, const char *name, void (*work)(struct bench *), const char *beside,
		 void (*yardstick)(struct bench *))
{
	f64 a[MAX_ROUNDS], c[MAX_ROUNDS], ratio[MAX_ROUNDS];
	work(b);
	yardstick(b);
	for (unsigned i = 0; i < b->rounds; i++) {
		f64 t0 = now();
		work(b);
		f64 t1 = now();
		yardstick(b);
		f64 t2 = now();
		a[i] = t1 - t0;
		c[i] = t2 - t1;
		ratio[i] = a[i] / c[i];
	}
	printf("%-28s %8.1f ms   %-28s %8.1f ms   ratio %.2f\n", name, 1e3 * median(a, b->rounds), beside,
	       1e3 * median(c, b->rounds), median(ratio, b->rounds));
}

static void product_block(void *context, size_t task, unsigned thread)
{
	struct bench *b = context;
	blas_gemm_nt(BLOCK, b->f, b->d, b->x + task * BLOCK * b->d, b->w, b->z + thread * BLOCK * b->f);
}

/* x W for all rows, on all threads, and nothing else. */
static void product(struct bench *b)
{
	pool_each(b->pool, ROWS / BLOCK, product_block, b);
}

/* The products of a step that knows nothing of sparsity: z, y, and four of gradients. */
static void six_products(struct bench *b)
{
	for (int i = 0; i < 6; i++)
		product(b);
}

static void encode(struct bench *b)
{
	struct dict_row row[ROWS];
	void *arena;
	struct err e = {0};
	if (dict_encode(b->dict, b->pool, b->x, ROWS, row, &arena, &e))
		die(&e);
	b->sink += (f64)row[0].act[0];
	free(arena);
}

static void train(struct bench *b)
{
	struct step_loss loss;
	struct err e = {0};
	step_gradients(b->step, b->x, ROWS, NULL, 0, NULL, &loss, &e);
	b->sink += step_update(b->step, 1e-9, 1000);
}

static void near(struct bench *b)
{
	struct err e = {0};
	struct knn_rows rows = {b->unit, b->f, b->d};
	if (knn_near(&rows, b->pool, b->unit, 0, NEAREST, b->id, b->score, &e) < 0)
		die(&e);
}

static void read_block(void *context, size_t task, unsigned thread)
{
	struct bench *b = context;
	(void)thread;
	size_t from = task * 1024, n = MIN((size_t)1024, b->f - from) * b->d;
	b->score[task % NEAREST] = vec_dot(b->unit + from * b->d, b->unit + from * b->d, n);
}

/* Every row read once, in one long sum. */
static void read_rows(struct bench *b)
{
	pool_each(b->pool, (b->f + 1023) / 1024, read_block, b);
}

static void graph(struct bench *b)
{
	struct err e = {0};
	struct knn_rows rows = {b->unit, MIN((size_t)ROWS, b->f), b->d};
	if (knn_graph(&rows, b->pool, NEAREST, b->id, b->score, NULL, &e))
		die(&e);
}

static void graph_block(void *context, size_t task, unsigned thread)
{
	struct bench *b = context;
	size_t n = MIN((size_t)ROWS, b->f), rows = MIN((size_t)BLOCK, n - task * BLOCK);
	blas_gemm_nt(rows, n, b->d, b->unit + task * BLOCK * b->d, b->unit, b->z + thread * BLOCK * b->f);
}

static void graph_product(struct bench *b)
{
	pool_each(b->pool, (MIN((size_t)ROWS, b->f) + BLOCK - 1) / BLOCK, graph_block, b);
}

static f32 *numbers(size_t n, u64 seed)
{
	struct err e = {0};
	f32 *p = mem_try(n, sizeof *p, "numbers", &e);
	if (!p)
		die(&e);
	for (size_t i = 0; i < n; i++)
		p[i] = (f32)rand_normal(seed, i);
	return p;
}

static void make_dict(struct bench *b)
{
	char folder[] = "/tmp/featlas-bench-XXXXXX";
	struct err e = {0};
	f32 *bias = numbers(b->f, 5);
	struct dict_weights w = {(u32)b->d, (u32)b->f, K, b->w, b->unit, bias, b->x, NULL};
	json_t *about = json_object();
	if (!mkdtemp(folder) || dict_write(folder, &w, DTYPE_F32, about, "u", "b", &e) ||
	    !(b->dict = dict_open(folder, &e)))
		die(&e);
	char *cfg = xasprintf("%s/cfg.json", folder), *st = xasprintf("%s/sae_weights.safetensors", folder);
	unlink(cfg);
	unlink(st);
	rmdir(folder);
	free(cfg);
	free(st);
	free(bias);
	json_decref(about);
}

static void make(struct bench *b)
{
	struct err e = {0};
	b->pool = pool_new(0);
	b->x = numbers(ROWS * b->d, 1);
	b->w = numbers(b->f * b->d, 2);
	b->unit = numbers(b->f * b->d, 3);
	for (size_t i = 0; i < b->f; i++)
		vec_scale(b->unit + i * b->d,
			  1 / sqrtf(vec_dot(b->unit + i * b->d, b->unit + i * b->d, b->d)), b->d);
	b->z = mem_try(pool_threads(b->pool) * BLOCK * b->f, sizeof *b->z, "products", &e);
	b->id = mem_try((size_t)ROWS * NEAREST, sizeof *b->id, "neighbours", &e);
	b->score = mem_try((size_t)ROWS * NEAREST, sizeof *b->score, "neighbours", &e);
	struct step_shape shape = {.d = (u32)b->d,
				   .n_features = (u32)b->f,
				   .k = K,
				   .batch = ROWS,
				   .aux_rows = ROWS / 8,
				   .aux_weight = 1.0f / 16,
				   .var = (f32)b->d};
	b->step = step_new(&shape, b->pool, &e);
	if (!b->z || !b->id || !b->score || !b->step)
		die(&e);
	step_init(b->step, 4);
	make_dict(b);
}

int main(int argc, char **argv)
{
	struct bench b = {.rounds = 9, .f = 8192, .d = 576};
	if (argc > 1)
		b.rounds = (unsigned)MAX(1, MIN(MAX_ROUNDS, atoi(argv[1])));
	if (argc > 2)
		b.f = strtoul(argv[2], NULL, 10);
	if (argc > 3)
		b.d = strtoul(argv[3], NULL, 10);
	if (b.f < K || !b.d) {
		fputs("usage: bench_core [ROUNDS [F [D]]]\n", stderr);
		return 2;
	}
	make(&b);
	printf("F %zu, d %zu, k %d, %d rows, %u threads, %u rounds\n", b.f, b.d, K, ROWS,
	       pool_threads(b.pool), b.rounds);
	pair(&b, "encode", encode, "its product", product);
	pair(&b, "training step", train, "its encoder's product", product);
	pair(&b, "training step", train, "a dense step's products", six_products);
	pair(&b, "neighbours of one", near, "reading the rows", read_rows);
	pair(&b, "neighbours of all", graph, "their products", graph_product);
	return b.sink == 0.5;
}
