/* SPDX-License-Identifier: MIT */
/* bench_numbers.c - scans, graphs, encoding and training beside what the processor and memory can do.
 *
 * usage: bench_numbers [ROUNDS] WHAT SHAPE ...
 *        bench_numbers serve WHAT SHAPE
 * WHAT and SHAPE: limits | query N D | graph N D K | encode F D ROWS | train ROWS D F K.
 *
 * Each round times the work and its yardsticks one after the other in this process; printed are
 * medians and the median of the rounds' ratios.  With serve, each line on the standard input
 * runs the work once and prints its milliseconds, for a script that runs something else between.
 */
#include "base/mem.h"
#include "core/blas.h"
#include "core/encoder.h"
#include "core/kernel.h"
#include "core/knn.h"
#include "core/rand.h"
#include "core/rows.h"
#include "core/train_step.h"
#include "core/vec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NEAREST = 20, MOST_ROUNDS = 99, SAMPLE = 128 };

struct bench {
	unsigned rounds;
	struct pool *pool;
	size_t n, d, k, t; /* rows or features, their width, neighbours or active ones, tokens */
	f32 *w, *x, *z;	   /* [n][d], [t][d], [t][n] */
	struct rows *rows;
	struct encoder *encoder;
	struct step *step;
	u32 *id;
	f32 *score;
	u64 sink[64 * 16];
	size_t query;
};

static struct bench *all; /* of the program */

static f64 now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (f64)t.tv_sec + (f64)t.tv_nsec * 1e-9;
}

static void need(bool good, const struct err *e)
{
	if (good)
		return;
	fprintf(stderr, "bench_numbers: %s\n", e->msg);
	exit(1);
}

static int rising(const void *a, const void *b)
{
	f64 x = *(const f64 *)a, y = *(const f64 *)b;
	return (x > y) - (x < y);
}

static f64 median(const f64 *x, unsigned n)
{
	f64 s[MOST_ROUNDS];
	memcpy(s, x, n * sizeof *s);
	qsort(s, n, sizeof *s, rising);
	return s[n / 2];
}

static void *some(size_t n, size_t size)
{
	struct err e = {0};
	void *p = mem_try(n, size, "numbers", &e);
	need(p, &e);
	return p;
}

/* ---- limits ---- */

#if defined(__x86_64__)
#define TWELVE(op, r, a, b) \
	__asm__ volatile(op " %%" r a ",%%" r b ",%%" r "0\n" op " %%" r a ",%%" r b ",%%" r "1\n" op " %%" r a \
			 ",%%" r b ",%%" r "2\n" op " %%" r a ",%%" r b ",%%" r "3\n" op " %%" r a ",%%" r b ",%%" r \
			 "4\n" op " %%" r a ",%%" r b ",%%" r "5\n" op " %%" r a ",%%" r b ",%%" r "6\n" op " %%" r a \
			 ",%%" r b ",%%" r "7\n" op " %%" r a ",%%" r b ",%%" r "8\n" op " %%" r a ",%%" r b ",%%" r \
			 "9\n" op " %%" r a ",%%" r b ",%%" r "10\n" op " %%" r a ",%%" r b ",%%" r "11\n" :: \
				 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
				   "xmm10", "xmm11")
enum { TURNS = 6000000 };

static void peak_task(void *context, size_t task, unsigned thread)
{
	(void)task;
	(void)thread;
	int which = *(const int *)context;
	__asm__ volatile("vxorps %%ymm14,%%ymm14,%%ymm14\nvxorps %%ymm15,%%ymm15,%%ymm15" ::: "xmm14", "xmm15");
	for (long i = 0; i < TURNS; i++) {
		if (which == 0)
			TWELVE("vfmadd231ps", "ymm", "14", "15");
		else if (which == 1)
			TWELVE("vfmadd231ps", "zmm", "14", "15");
		else
			TWELVE("vdpbf16ps", "zmm", "14", "15");
	}
}

/* Operations a second of all threads: multiplications and additions in registers. */
static f64 peak(struct bench *b, int which)
{
	static const f64 per[] = {16, 32, 64};
	f64 t = now();
	pool_each(b->pool, pool_threads(b->pool), peak_task, &which);
	return 12 * per[which] * TURNS * pool_threads(b->pool) / (now() - t);
}

static f64 f32_peak(struct bench *b)
{
	return kernel_named("avx512") ? fmax(peak(b, 0), peak(b, 1)) : kernel_named("avx2") ? peak(b, 0) : NAN;
}

static f64 bf16_peak(struct bench *b)
{
	return kernel_named("avx512bf16") ? peak(b, 2) : NAN;
}
#else
static f64 f32_peak(struct bench *b)
{
	(void)b;
	return NAN;
}
#define bf16_peak f32_peak
#endif

typedef u64 v8 __attribute__((vector_size(64), aligned(8), may_alias));
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
static u64 sum_of(const u16 *p, size_t n)
{
	v8 s[4] = {{0}};
	const v8 *v = (const v8 *)(const void *)p;
	for (size_t i = 0; i + 4 <= n / 32; i += 4)
		for (int k = 0; k < 4; k++)
			s[k] += v[i + (size_t)k];
	s[0] += s[1] + s[2] + s[3];
	return s[0][0] + s[0][7];
}

static void read_task(void *context, size_t task, unsigned thread)
{
	struct bench *b = context;
	size_t from = task * 1024, n = MIN((size_t)1024, b->rows->n - from) * b->rows->stride;
	b->sink[thread % 64 * 16] += sum_of(b->rows->kept + from * b->rows->stride, n);
}

static void read_rows(struct bench *b)
{
	pool_each(b->pool, (b->rows->n + 1023) / 1024, read_task, b);
}

/* ---- work ---- */

static void make_row(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct bench *b = context;
	for (size_t i = task * 256; i < MIN((task + 1) * 256, b->n); i++) {
		for (size_t j = 0; j < b->d; j++) {
			u64 r = rand_u64(3, i * b->d + j);
			i32 s = (i32)(r & 0xffff) + (i32)(r >> 16 & 0xffff) + (i32)(r >> 32 & 0xffff) +
				(i32)(r >> 48);
			b->w[i * b->d + j] = (f32)(s - 131070);
		}
		rows_unit(b->w + i * b->d, b->d);
	}
}

static void make_rows(struct bench *b)
{
	b->w = some(b->n * b->d, sizeof *b->w);
	pool_each(b->pool, (b->n + 255) / 256, make_row, b);
}

static void make_kept(struct bench *b)
{
	struct err e = {0};
	make_rows(b);
	b->rows = rows_new(b->w, b->n, b->d, b->pool, &e);
	need(b->rows, &e);
	b->id = some(b->n * b->k, sizeof *b->id);
	b->score = some(b->n * b->k, sizeof *b->score);
}

static void query(struct bench *b)
{
	struct err e = {0};
	size_t at = b->query++ * 7919 % b->n;
	need(knn_scan(b->rows, NULL, b->pool, b->w + at * b->d, (u32)at, b->k, b->id, b->score, &e) > 0, &e);
}

static void graph(struct bench *b)
{
	struct err e = {0};
	struct knn_graph g = {NULL, b->k, NULL};
	need(!knn_rows_graph(b->rows, b->pool, &g, b->id, b->score, NULL, &e), &e);
}

static int weights(void *context, u32 first, u32 n, f32 *out, struct err *e)
{
	const struct bench *b = context;
	(void)e;
	memcpy(out, b->w + first * b->d, n * b->d * sizeof *out);
	return 0;
}

static void make_encoder(struct bench *b)
{
	struct err e = {0};
	make_rows(b);
	b->x = some(b->t * b->d, sizeof *b->x);
	for (size_t i = 0; i < b->t * b->d; i++)
		b->x[i] = (f32)rand_normal(9, i);
	b->z = some(b->t * b->n, sizeof *b->z);
	struct encoder_source s = {b->n, b->d, weights, b, NULL};
	b->encoder = encoder_new(&s, b->pool, &e);
	need(b->encoder, &e);
}

static void encode(struct bench *b)
{
	struct err e = {0};
	struct encoder_out o;
	need(!encoder_run(b->encoder, NULL, b->pool, b->x, b->t, &(struct encoder_cut){.k = b->k}, &o, &e), &e);
	b->sink[0] += o.n;
	encoder_out_release(&o);
}

enum { COLUMNS = 2048 };

static void blas_task(void *context, size_t task, unsigned thread)
{
	struct bench *b = context;
	(void)thread;
	size_t from = task * COLUMNS, n = MIN((size_t)COLUMNS, b->n - from);
	blas_gemm_nt(b->t, n, b->d, b->x, b->w + from * b->d, b->z + task * COLUMNS * b->t);
}

static void blas_product(struct bench *b)
{
	pool_each(b->pool, (b->n + COLUMNS - 1) / COLUMNS, blas_task, b);
}

static void make_step(struct bench *b)
{
	struct err e = {0};
	struct step_shape shape = {.d = (u32)b->d,
				   .n_features = (u32)b->n,
				   .k = (u32)b->k,
				   .batch = (u32)b->t,
				   .aux_rows = (u32)b->t / 8,
				   .aux_weight = 1.0f / 16,
				   .var = (f32)b->d};
	b->x = some(b->t * b->d, sizeof *b->x);
	for (size_t i = 0; i < b->t * b->d; i++)
		b->x[i] = (f32)rand_normal(9, i);
	b->step = step_new(&shape, b->pool, &e);
	need(b->step, &e);
	step_init(b->step, 4);
}

static void train(struct bench *b)
{
	struct step_loss loss;
	struct err e = {0};
	step_gradients(b->step, b->x, b->t, NULL, 0, NULL, &loss, &e);
	b->sink[0] += step_update(b->step, 1e-9, 1000) > 0;
}

/* ---- reports ---- */

static f64 timed(void (*work)(struct bench *), struct bench *b)
{
	f64 t = now();
	work(b);
	return now() - t;
}

static void report_limits(struct bench *b)
{
	f64 a[MOST_ROUNDS], c[MOST_ROUNDS];
	for (unsigned i = 0; i < b->rounds; i++) {
		a[i] = f32_peak(b) / 1e9;
		c[i] = bf16_peak(b) / 1e9;
	}
	printf("limits: f32 %.0f, bf16 %.0f thousand million operations a second, %u threads, kernel %s\n",
	       median(a, b->rounds), median(c, b->rounds), pool_threads(b->pool), kernel_best()->name);
}

static void report_query(struct bench *b)
{
	f64 work[MOST_ROUNDS], reading[MOST_ROUNDS], ratio[MOST_ROUNDS];
	query(b);
	read_rows(b);
	for (unsigned i = 0; i < b->rounds; i++) {
		work[i] = timed(query, b);
		reading[i] = timed(read_rows, b);
		ratio[i] = reading[i] / work[i];
	}
	printf("one query of %zu x %zu, %zu nearest: %.1f ms; reading its rows %.1f ms (%.1f GB/s); ratio %.2f\n", b->n,
	       b->d, b->k, 1e3 * median(work, b->rounds), 1e3 * median(reading, b->rounds),
	       (f64)(b->n * b->rows->stride * 2) / median(reading, b->rounds) / 1e9, median(ratio, b->rounds));
}

/* How many of the nearest in f64 are among those found, of a sample of rows; the least that is nearest of all
 * that f64 finds decides, so that equal ones do not count as lost. */
static void recall_task(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct bench *b = context;
	size_t row = task * (b->n / SAMPLE);
	f64 *s = some(b->n, sizeof *s);
	for (size_t i = 0; i < b->n; i++) {
		f64 sum = 0;
		for (size_t j = 0; j < b->d; j++)
			sum += (f64)b->w[row * b->d + j] * (f64)b->w[i * b->d + j];
		s[i] = i == row ? -2 : -sum;
	}
	f64 *sorted = some(b->n, sizeof *s);
	s[row] = 2;
	memcpy(sorted, s, b->n * sizeof *s);
	qsort(sorted, b->n, sizeof *s, rising);
	for (size_t k = 0; k < b->k; k++)
		b->sink[task] += s[b->id[row * b->k + k]] <= sorted[b->k - 1];
	free(s);
	free(sorted);
}

static void report_graph(struct bench *b)
{
	f64 work[MOST_ROUNDS], ratio[MOST_ROUNDS], found = 0;
	f64 operations = (f64)b->n * (f64)b->n * (f64)b->d;
	for (unsigned i = 0; i < b->rounds; i++) {
		f64 limit = fmax(f32_peak(b), bf16_peak(b));
		work[i] = timed(graph, b);
		limit = (limit + fmax(f32_peak(b), bf16_peak(b))) / 2;
		ratio[i] = operations / work[i] / limit;
	}
	memset(b->sink, 0, sizeof b->sink);
	size_t sample = MIN(b->n, (size_t)SAMPLE);
	pool_each(b->pool, sample, recall_task, b);
	for (size_t i = 0; i < sample; i++)
		found += (f64)b->sink[i];
	printf("graph of %zu x %zu, %zu nearest, each pair once: %.2f s; %.2f of the better peak (%.2f of it if both orders "
	       "of a pair counted); recall against f64 %.4f of %zu rows\n",
	       b->n, b->d, b->k, median(work, b->rounds), median(ratio, b->rounds), 2 * median(ratio, b->rounds),
	       found / (f64)(sample * b->k), sample);
}

/* What is given against f64: flips beyond 1e-4 of a row's largest, and the largest error of a value. */
static void report_flips(struct bench *b)
{
	struct err e = {0};
	struct encoder_out o;
	f64 worst = 0;
	size_t flips = 0, rows = MIN(b->t, (size_t)8), at = 0;
	need(!encoder_run(b->encoder, NULL, b->pool, b->x, rows, &(struct encoder_cut){.k = b->k}, &o, &e), &e);
	for (size_t t = 0; t < rows; t++) {
		f64 *p = some(b->n, sizeof *p), *s = some(b->n, sizeof *s);
		for (size_t f = 0; f < b->n; f++) {
			for (size_t j = 0; j < b->d; j++)
				p[f] += (f64)b->x[t * b->d + j] * (f64)b->w[f * b->d + j];
			s[f] = -p[f];
		}
		qsort(s, b->n, sizeof *s, rising);
		for (u32 i = 0; i < o.row_n[t]; i++, at++) {
			worst = fmax(worst, fabs((f64)o.act[at] - p[o.id[at]]) / -s[0]);
			flips += p[o.id[at]] < -s[b->k - 1] + 1e-4 * s[0];
		}
		free(p);
		free(s);
	}
	encoder_out_release(&o);
	printf("  against f64 on %zu rows: %zu flips beyond 1e-4 of a row's largest, largest error %.1e of it\n", rows, flips,
	       worst);
}

static void report_encode(struct bench *b)
{
	f64 work[MOST_ROUNDS], blas[MOST_ROUNDS], ratio[MOST_ROUNDS], share[MOST_ROUNDS];
	f64 operations = 2 * (f64)b->n * (f64)b->d * (f64)b->t;
	encode(b);
	blas_product(b);
	for (unsigned i = 0; i < b->rounds; i++) {
		f64 limit = fmax(f32_peak(b), bf16_peak(b));
		work[i] = timed(encode, b);
		blas[i] = timed(blas_product, b);
		ratio[i] = blas[i] / work[i];
		share[i] = operations / work[i] / limit;
	}
	printf("encoding %zu rows of %zu by %zu features, top %zu: %.1f ms, %.2f of the better peak; OpenBLAS f32 product "
	       "alone %.1f ms; ratio %.2f\n",
	       b->t, b->d, b->n, b->k, 1e3 * median(work, b->rounds), median(share, b->rounds),
	       1e3 * median(blas, b->rounds), median(ratio, b->rounds));
	report_flips(b);
}

static void report_train(struct bench *b)
{
	f64 work[MOST_ROUNDS], share[MOST_ROUNDS];
	f64 operations = 2 * (f64)b->n * (f64)b->d * (f64)b->t;
	train(b);
	for (unsigned i = 0; i < b->rounds; i++) {
		f64 limit = f32_peak(b);
		work[i] = timed(train, b);
		share[i] = operations / work[i] / limit;
	}
	printf("training step of %zu rows of %zu, %zu features, k %zu: %.1f ms; its encoder's f32 limit over that %.2f\n",
	       b->t, b->d, b->n, b->k, 1e3 * median(work, b->rounds), median(share, b->rounds));
}

static const struct what {
	const char *name;
	int n_numbers;
	void (*make)(struct bench *);
	void (*work)(struct bench *);
	void (*report)(struct bench *);
} whats[] = {
	{"limits", 0, NULL, NULL, report_limits},
	{"query", 2, make_kept, query, report_query},
	{"graph", 3, make_kept, graph, report_graph},
	{"encode", 3, make_encoder, encode, report_encode},
	{"train", 4, make_step, train, report_train},
};

static void read_shape(struct bench *b, const struct what *w, char **number)
{
	size_t x[4] = {0};
	for (int i = 0; i < w->n_numbers; i++)
		x[i] = strtoul(number[i], NULL, 10);
	b->n = x[0];
	b->d = x[1];
	b->k = x[2] ? x[2] : NEAREST;
	if (w->report == report_encode) {
		b->t = x[2];
		b->k = 32;
	} else if (w->report == report_train) {
		b->t = x[0];
		b->n = x[2];
		b->k = x[3];
	}
}

static void serve(struct bench *b, const struct what *w)
{
	char line[64];
	w->work(b);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin)) {
		printf("%.3f\n", 1e3 * timed(w->work, b));
		fflush(stdout);
	}
}

static int usage(void)
{
	fputs("usage: bench_numbers [ROUNDS | serve] WHAT [SHAPE ...] ...\n"
	      "limits | query N D | graph N D K | encode F D ROWS | train ROWS D F K\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	int at = 1;
	bool serving = argc > 1 && !strcmp(argv[1], "serve");
	unsigned rounds = 9;
	if (argc > 1 && (serving || (*argv[1] >= '0' && *argv[1] <= '9')))
		rounds = (unsigned)MAX(1, MIN(MOST_ROUNDS, atoi(argv[at]))), at++;
	for (; at < argc;) {
		const struct what *w = NULL;
		for (size_t i = 0; i < ARRAY_LEN(whats); i++)
			if (!strcmp(argv[at], whats[i].name))
				w = &whats[i];
		if (!w || at + w->n_numbers >= argc)
			return usage();
		all = xcalloc(1, sizeof *all);
		all->rounds = rounds;
		all->pool = pool_new(0);
		read_shape(all, w, argv + at + 1);
		if (w->make)
			w->make(all);
		if (serving && w->work)
			serve(all, w);
		else
			w->report(all);
		fflush(stdout);
		rows_free(all->rows);
		encoder_free(all->encoder);
		step_free(all->step);
		free(all->w);
		free(all->x);
		free(all->z);
		free(all->id);
		free(all->score);
		pool_free(all->pool);
		free(all);
		at += 1 + w->n_numbers;
	}
	return at == 1 ? usage() : 0;
}
