/* SPDX-License-Identifier: MIT */
/* bench_demo.c - open, search, neighbours and encode on an atlas.
 *
 * usage: bench_demo FEATLAS ATLAS [ROUNDS]
 *
 * Medians over the rounds, and the fastest, which load touches least.  The program's start is timed
 * on a pseudo-terminal, from the fork to the first bytes of a frame; beside it the start of the same
 * program that prints its version and ends.
 */
#include "base/mem.h"
#include "core/knn.h"
#include "core/labels.h"
#include "core/rand.h"
#include "core/search.h"
#include "core/vec.h"
#include "session/session.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ROUNDS = 99, N_NEAR = 100, NEAREST = 32, N_ROWS = 64 };

static const char *const patterns[] = {"bridge|san francisco",
				       "\\bDNA\\b|gene",
				       "^the ",
				       "[0-9]+",
				       "\\b[a-z]+ology\\b",
				       "french|spanish|german",
				       "(?=.*word)(?=.*end)",
				       "(\\w+) and \\1",
				       ".*e.*e.*e",
				       "\\p{Lu}{2,}",
				       "error|exception|warning",
				       "[^ -~]",
				       "zzzzzz"};

struct bench {
	const char *program, *folder;
	struct session *session;
	struct search_pattern *pattern;
	u64 hits;
	f32 *x;
	f64 sink;
};

static f64 now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (f64)t.tv_sec * 1e3 + (f64)t.tv_nsec / 1e6;
}

static void die(const struct err *e)
{
	fprintf(stderr, "bench_demo: %s\n", e->msg);
	exit(1);
}

static int rising(const void *a, const void *b)
{
	f64 x = *(const f64 *)a, y = *(const f64 *)b;
	return (x > y) - (x < y);
}

static void timed(struct bench *b, int rounds, const char *name, void (*work)(struct bench *))
{
	f64 ms[MAX_ROUNDS];
	work(b);
	for (int i = 0; i < rounds; i++) {
		f64 start = now_ms();
		work(b);
		ms[i] = now_ms() - start;
	}
	qsort(ms, (size_t)rounds, sizeof *ms, rising);
	printf("| %s | %.3f | %.3f |", name, ms[rounds / 2], ms[0]);
}

static void reopen(struct bench *b)
{
	struct err e = {0};
	struct atlas *a = atlas_open(b->folder, &e);
	if (!a)
		die(&e);
	atlas_free(a);
}

/* Until the program on a pseudo-terminal has written something; then its terminal goes. */
static void run(struct bench *b, const char *what, const char *argument)
{
	struct winsize size = {.ws_row = 40, .ws_col = 120};
	char chunk[4096];
	int fd;
	pid_t pid = forkpty(&fd, NULL, NULL, &size);
	if (!pid) {
		setenv("TERM", "xterm-256color", 1);
		execlp(b->program, b->program, what, argument, (char *)NULL);
		_exit(127);
	}
	/* switching the terminal over comes before anything is drawn: a frame has the atlas's name */
	const char *slash = strrchr(b->folder, '/'), *name = slash && slash[1] ? slash + 1 : b->folder;
	struct pollfd p = {fd, POLLIN, 0};
	bool drawn = false;
	while (!drawn && poll(&p, 1, 20000) > 0) {
		ssize_t n = read(fd, chunk, sizeof chunk);
		if (n <= 0)
			break;
		drawn = !argument || memmem(chunk, (size_t)n, name, MIN(strlen(name), 8));
	}
	close(fd);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

static void first_frame(struct bench *b)
{
	run(b, "open", b->folder);
}

static void version(struct bench *b)
{
	run(b, "--version", NULL);
}

static void search(struct bench *b)
{
	struct err e = {0};
	struct search_result r = {0};
	const struct atlas *a = b->session->atlas;
	if (search_labels(b->pattern, b->session->pool, a->labels, NULL, 0, NULL, a->n_features, &r, NULL,
			  &e))
		die(&e);
	b->hits = r.n_hits;
	search_result_release(&r);
}

static void near(struct bench *b)
{
	struct err e = {0};
	const struct atlas *a = b->session->atlas;
	const f32 *unit = dict_decoder_unit(a->dict, b->session->pool, &e);
	u32 id[NEAREST];
	f32 score[NEAREST];
	if (!unit)
		die(&e);
	struct knn_rows rows = {unit, a->n_features, a->d_model};
	for (u32 i = 0; i < N_NEAR; i++) {
		u32 f = (u32)((u64)i * a->n_features / N_NEAR);
		const f32 *query = unit + (size_t)f * a->d_model;
		if (knn_near(&rows, b->session->pool, query, f, NEAREST, id, score, &e) < 0)
			die(&e);
		b->sink += (f64)score[0];
	}
}

static void stored(struct bench *b)
{
	const struct atlas *a = b->session->atlas;
	struct atlas_neighbour list[NEAREST];
	for (u32 i = 0; i < N_NEAR; i++)
		b->sink += (f64)atlas_neighbours(a, (u32)((u64)i * a->n_features / N_NEAR), list, NEAREST);
}

static void encode(struct bench *b)
{
	struct err e = {0};
	struct dict_row rows[N_ROWS];
	void *arena;
	if (dict_encode(b->session->atlas->dict, b->session->pool, b->x, N_ROWS, rows, &arena, &e))
		die(&e);
	b->sink += rows[0].n;
	free(arena);
}

/* Rows as the dictionary expects them: its bias, a few directions, some noise. */
static void make_rows(struct bench *b)
{
	const struct atlas *a = b->session->atlas;
	size_t d = a->d_model;
	f32 *row = xcalloc(d, sizeof *row), norm = a->norm_median > 0 ? a->norm_median : 1;
	b->x = xcalloc(N_ROWS * d, sizeof *b->x);
	for (u32 i = 0; i < N_ROWS; i++) {
		f32 *x = b->x + i * d;
		dict_b_dec(a->dict, x);
		for (u32 j = 0; j < 16; j++) {
			dict_decoder_row(a->dict, (i * 127 + j * 31) % a->n_features, row);
			vec_axpy(x, norm / 4, row, d);
		}
		for (size_t j = 0; j < d; j++)
			x[j] += norm * 0.005f * (f32)rand_normal(i + 1, j);
	}
	free(row);
}

static void searches(struct bench *b, int rounds)
{
	struct err e = {0};
	for (size_t i = 0; b->session->atlas->labels && i < ARRAY_LEN(patterns); i++) {
		char name[96];
		int n = snprintf(name, sizeof name, "search `");
		for (const char *s = patterns[i]; *s; s++) /* a bar ends a cell */
			n += snprintf(name + n, sizeof name - (size_t)n, *s == '|' ? "\\|" : "%c", *s);
		snprintf(name + n, sizeof name - (size_t)n, "`");
		b->pattern = search_compile(patterns[i], SEARCH_SMART, NULL, &e);
		if (!b->pattern)
			die(&e);
		timed(b, rounds, name, search);
		printf(" %llu features |\n", (unsigned long long)b->hits);
		search_pattern_free(b->pattern);
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 3 ? atoi(argv[3]) : 9;
	struct err e = {0};
	if (argc < 3 || rounds < 5 || rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: bench_demo FEATLAS ATLAS [ROUNDS, 5 to %d]\n", MAX_ROUNDS);
		return 2;
	}
	struct bench b = {.program = argv[1], .folder = argv[2], .session = session_open(argv[2], NULL, &e)};
	if (!b.session)
		die(&e);
	make_rows(&b);
	const struct atlas *a = b.session->atlas;
	printf("| %u features of %u, %u threads, %d rounds | median ms | fastest ms | |\n|---|--:|--:|---|\n",
	       a->n_features, a->d_model, pool_threads(b.session->pool), rounds);
	timed(&b, rounds, "open the atlas", reopen);
	puts(" |");
	timed(&b, rounds, "start the program, to its first frame", first_frame);
	puts(" |");
	timed(&b, rounds, "start the program, to print its version", version);
	puts(" |");
	searches(&b, rounds);
	timed(&b, rounds, "nearest 32 of 100 features, computed", near);
	puts(" all |");
	timed(&b, rounds, "neighbours of 100 features, stored", stored);
	puts(" all |");
	timed(&b, rounds, "encode 64 rows", encode);
	puts(" all |");
	session_free(b.session);
	free(b.x);
	return b.sink == 0.5;
}
