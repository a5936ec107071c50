/* SPDX-License-Identifier: MIT */
/* bench_search.c - the label search beside ripgrep over the same labels.
 *
 * usage: bench_search [-p PATTERN] [-t THREADS] ATLAS LINES [ROUNDS [RG]]
 *
 * LINES is a file for the labels, a line each; it is written where there is none.  Each round runs
 * RG -c on it and the search in this process, one after the other, so that a busy machine slows
 * both; printed are the medians and the median of the rounds' ratios.  ripgrep's time has the start
 * of its process in it, a few milliseconds.  Then: how soon the first 50 hits are there, how long a
 * search goes on when it is cancelled, and what it takes of memory.
 */
#include "base/mem.h"
#include "core/atlas.h"
#include "core/labels.h"
#include "core/search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ROUNDS = 99, FIRST = 50, CANCELS = 15 };

static const struct {
	const char *pattern;
	bool judged; /* one of the five with a goal */
	bool backtracks; /* ripgrep needs PCRE2 for it */
} patterns[] = {
	{"hyperbola", true, false},
	{"(?i)insurance", true, false},
	{"\\bphys\\w+\\b", true, false},
	{"\\b[a-z]+ology\\b", true, false},
	{".*x.*y", true, false},
	{"references", false, false},
	{"(?i)task", false, false},
	{"volcano|senator|trombone|glacier|enzyme", false, false},
	{"^[^ ]+ing .*\\d$", false, false},
	{"\\w+ly \\w+ed\\b", false, false},
	{"(\\w+) and \\1", false, true},
};

/* Four that have taken minutes elsewhere, two that are merely slow. */
static const char *const hard[] = {"^(a+)+$", "^([a-z]+ ?)+\\d$", "(?:[a-z]+ ?)+\\d$", "(.*)*[^\\s\\S]", "(\\w+).*\\1\\1", "\\w+\\W\\w+\\d"};

struct bench {
	struct atlas *atlas;
	struct pool *pool;
	struct search_pattern *pattern;
	struct search_result result;
	struct progress progress;
	struct err e;
	const char *lines, *rg;
	int rounds;
};

static f64 now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (f64)t.tv_sec * 1e3 + (f64)t.tv_nsec / 1e6;
}

static void die(const char *what)
{
	fprintf(stderr, "bench_search: %s\n", what);
	exit(1);
}

static int rising(const void *a, const void *b)
{
	f64 x = *(const f64 *)a, y = *(const f64 *)b;
	return (x > y) - (x < y);
}

static f64 median(f64 *x, int n)
{
	qsort(x, (size_t)n, sizeof *x, rising);
	return x[n / 2];
}

static void write_lines(const struct bench *b)
{
	if (!access(b->lines, R_OK))
		return;
	FILE *f = fopen(b->lines, "w");
	if (!f)
		die("cannot write the lines");
	for (u64 i = 0; i < labels_count(b->atlas->labels); i++) {
		struct label l;
		labels_at(b->atlas->labels, i, &l);
		fwrite(l.text.p, 1, l.text.n, f);
		fputc('\n', f);
	}
	if (fclose(f))
		die("cannot write the lines");
}

static u64 run_rg(const struct bench *b, const char *pattern, bool backtracks)
{
	int fd[2];
	char text[64] = "";
	if (pipe(fd))
		die("no pipe");
	pid_t pid = fork();
	if (!pid) {
		dup2(fd[1], 1);
		close(fd[0]);
		close(fd[1]);
		execlp(b->rg, b->rg, "--no-config", "-c", backtracks ? "-P" : "--engine=default", "-e", pattern, b->lines, (char *)NULL);
		_exit(127);
	}
	close(fd[1]);
	size_t n = 0;
	for (ssize_t r; n < sizeof text - 1 && (r = read(fd[0], text + n, sizeof text - 1 - n)) > 0;)
		n += (size_t)r;
	close(fd[0]);
	int status;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) > 1)
		die("ripgrep failed");
	return strtoull(text, NULL, 10);
}

static void compile(struct bench *b, const char *pattern)
{
	b->pattern = search_compile(pattern, SEARCH_EXACT, NULL, &b->e);
	if (!b->pattern)
		die(b->e.msg);
}

static void search(void *context)
{
	struct bench *b = context;
	search_labels(b->pattern, b->pool, b->atlas->labels, NULL, 0, NULL, b->atlas->n_features, &b->result, &b->progress, &b->e);
}

static void clear(struct bench *b)
{
	search_pattern_free(b->pattern);
	search_result_release(&b->result);
	b->pattern = NULL;
	memset(&b->progress, 0, sizeof b->progress);
}

static f64 one_search(struct bench *b, const char *pattern, u64 *hits, u64 *gave_up)
{
	f64 start = now_ms();
	compile(b, pattern);
	search(b);
	f64 ms = now_ms() - start;
	*hits = b->result.n_hits;
	*gave_up = b->result.n_gave_up;
	clear(b);
	return ms;
}

/* As a prompt sees it: the search on a thread beside this one, which looks now and then. */
static f64 first_hits(struct bench *b, const char *pattern)
{
	f64 start = now_ms();
	compile(b, pattern);
	if (search_result_init(&b->result, b->atlas->n_features, &b->e))
		die(b->e.msg);
	struct job *j = job_start(search, b, -1);
	while (search_hits(&b->result) < FIRST && !job_done(j))
		usleep(50);
	f64 ms = now_ms() - start;
	progress_cancel(&b->progress);
	job_join(j);
	clear(b);
	return ms;
}

static void pairs(struct bench *b, const char *pattern, bool judged, bool backtracks)
{
	f64 rg[MAX_ROUNDS], own[MAX_ROUNDS], ratio[MAX_ROUNDS], first[MAX_ROUNDS];
	u64 lines = 0, hits = 0, gave_up = 0;
	for (int i = 0; i < b->rounds; i++) {
		f64 start = now_ms();
		lines = b->rg ? run_rg(b, pattern, backtracks) : 0;
		rg[i] = now_ms() - start;
		own[i] = one_search(b, pattern, &hits, &gave_up);
		ratio[i] = rg[i] / own[i];
		first[i] = first_hits(b, pattern);
	}
	bool one_each = labels_count(b->atlas->labels) == b->atlas->n_features;
	printf("| `");
	for (const char *s = pattern; *s; s++)
		printf(*s == '|' ? "\\|" : "%c", *s);
	printf("`%s | %llu%s | %.0f | %.1f | %.1fx | %.2f |\n", judged ? " *" : "", (unsigned long long)hits,
	       !b->rg || !one_each ? "" : lines == hits ? " = rg" : " **not rg's**", median(rg, b->rounds),
	       median(own, b->rounds), median(ratio, b->rounds), median(first, b->rounds));
	if (b->rg && one_each && lines != hits)
		printf("\nripgrep counts %llu lines; %llu labels gave up\n\n", (unsigned long long)lines, (unsigned long long)gave_up);
	fflush(stdout);
}

static void cancels(struct bench *b, const char *pattern)
{
	f64 ms[CANCELS];
	for (int i = 0; i < CANCELS; i++) {
		compile(b, pattern);
		if (search_result_init(&b->result, b->atlas->n_features, &b->e))
			die(b->e.msg);
		struct job *j = job_start(search, b, -1);
		usleep((useconds_t)(2000 + 1000 * i));
		f64 start = now_ms();
		progress_cancel(&b->progress);
		job_join(j);
		ms[i] = now_ms() - start;
		clear(b);
	}
	f64 middle = median(ms, CANCELS);
	printf("| `%s` | %.2f | %.2f |\n", pattern, middle, ms[CANCELS - 1]);
	fflush(stdout);
}

static u64 own_memory(void)
{
	char line[128];
	unsigned long long kib = 0;
	FILE *f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof line, f))
		sscanf(line, "RssAnon: %llu", &kib);
	if (f)
		fclose(f);
	return kib;
}

static void memory(struct bench *b)
{
	u64 before = own_memory(), most = 0;
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		compile(b, patterns[i].pattern);
		search(b);
		most = MAX(most, own_memory());
		clear(b);
	}
	printf("\nMemory of a search beyond the mapped labels: %.1f MiB.\n", most > before ? (f64)(most - before) / 1024 : 0);
}

static void opening(struct bench *b, const char *folder)
{
	f64 ms[MAX_ROUNDS];
	for (int i = 0; i < b->rounds; i++) {
		f64 start = now_ms();
		struct atlas *a = atlas_open(folder, &b->e);
		ms[i] = now_ms() - start;
		if (!a)
			die(b->e.msg);
		atlas_free(a);
	}
	printf("Opening the atlas, warm: %.2f ms.\n", median(ms, b->rounds));
}

int main(int argc, char **argv)
{
	struct bench b = {.rounds = 5, .rg = "rg"};
	const char *only = NULL;
	unsigned threads = 2;
	for (int c; (c = getopt(argc, argv, "p:t:")) != -1;) {
		if (c == 'p')
			only = optarg;
		else if (c == 't')
			threads = (unsigned)atoi(optarg);
		else
			return 2;
	}
	argc -= optind;
	argv += optind;
	if (argc < 2)
		die("usage: bench_search [-p PATTERN] [-t THREADS] ATLAS LINES [ROUNDS [RG]]");
	b.lines = argv[1];
	if (argc > 2)
		b.rounds = MAX(1, MIN(atoi(argv[2]), MAX_ROUNDS));
	if (argc > 3)
		b.rg = argv[3][0] ? argv[3] : NULL;
	b.pool = pool_new(threads);
	b.atlas = atlas_open(argv[0], &b.e);
	if (!b.atlas || !b.atlas->labels)
		die(b.atlas ? "the atlas has no labels" : b.e.msg);
	if (b.rg)
		write_lines(&b);
	struct labels_raw raw = labels_raw(b.atlas->labels);
	printf("%llu labels, %.0f MB, %u threads; ripgrep has one for one file.\n\n", (unsigned long long)raw.n,
	       (f64)raw.bytes.n / 1e6, threads);
	puts("| pattern (* with a goal) | hits | rg, ms | featlas, ms | ratio | first 50 hits, ms |\n|---|---|---|---|---|---|");
	if (only)
		pairs(&b, only, false, false);
	for (size_t i = 0; !only && i < ARRAY_LEN(patterns); i++)
		pairs(&b, patterns[i].pattern, patterns[i].judged, patterns[i].backtracks);
	if (!only) {
		puts("\n| cancelled | median, ms | longest, ms |\n|---|---|---|");
		for (size_t i = 0; i < ARRAY_LEN(hard); i++)
			cancels(&b, hard[i]);
		for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
			if (patterns[i].judged)
				cancels(&b, patterns[i].pattern);
		memory(&b);
		opening(&b, argv[0]);
	}
	atlas_free(b.atlas);
	pool_free(b.pool);
	return 0;
}
