/* SPDX-License-Identifier: MIT */
/* standalone.c - a fuzz target without libFuzzer: replays files, or mutates them by a seed.
 *
 * TARGET FILE...              runs each file once
 * TARGET -n N -s S FILE...    runs N mutations of the files, the same ones for the same S
 *
 * A crash names its iteration; `-i I` writes that input to stdout instead of running it.
 */
#include "fuzz.h"

#include "base/mapfile.h"
#include "base/mem.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct input {
	u8 *p;
	size_t n, cap;
};

static u64 state;
static volatile unsigned long iteration;

static u64 draw(u64 n)
{
	state += 0x9e3779b97f4a7c15u;
	u64 x = state;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (x ^ x >> 31) % (n ? n : 1);
}

static void on_crash(int sig)
{
	char line[64];
	int n = snprintf(line, sizeof line, "not ok 1 - crashed at iteration %lu\n", iteration);
	if (write(1, line, (size_t)n) < 0)
		_exit(9);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void set_size(struct input *x, size_t n)
{
	if (n > x->cap) {
		x->cap = 2 * n;
		x->p = xrealloc(x->p, x->cap);
	}
	if (n > x->n)
		memset(x->p + x->n, 0, n - x->n);
	x->n = n;
}

/* A run of bytes of `from` takes the place of a run of x. */
static void splice(struct input *x, const u8 *from, size_t n_from)
{
	size_t at = draw(x->n + 1), cut = draw(MIN(x->n - at, 16) + 1), n = draw(MIN(n_from, 64) + 1),
	       source = draw(n_from - n + 1), tail = x->n - at - cut;
	u8 *piece = xmalloc(n + 1);
	memcpy(piece, from + source, n);
	set_size(x, x->n + n);
	memmove(x->p + at + n, x->p + at + cut, tail);
	memcpy(x->p + at, piece, n);
	x->n = at + n + tail;
	free(piece);
}

static void put_digits(struct input *x)
{
	static const char *const numbers[] = {"0", "1", "9", "-1", "4294967296", "18446744073709551615", "9223372036854775807",
					      "1e9", "00", "99999999999999999999"};
	const char *s = numbers[draw(ARRAY_LEN(numbers))];
	for (size_t tries = 0; tries < 64 && x->n; tries++) {
		size_t at = draw(x->n);
		if (x->p[at] < '0' || x->p[at] > '9')
			continue;
		struct input old = {xmalloc(x->n), x->n, x->n};
		memcpy(old.p, x->p, x->n);
		size_t n = strlen(s);
		set_size(x, old.n + n);
		memcpy(x->p + at, s, n);
		memcpy(x->p + at + n, old.p + at + 1, old.n - at - 1);
		x->n = old.n + n - 1;
		free(old.p);
		return;
	}
}

/* The bytes behind a header (u64 length, header) that stays as it is: what a file says of itself is
 * true, and all its numbers lie. */
static bool mutate_data(struct input *x)
{
	static const u8 odd[] = {0, 1, 2, 4, 0x7f, 0x80, 0xfe, 0xff};
	u64 n;
	if (x->n < 8)
		return false;
	memcpy(&n, x->p, 8);
	if (n >= x->n - 8)
		return false;
	size_t from = 8 + (size_t)n;
	for (u64 times = 1 + draw(8); times; times--)
		x->p[from + draw(x->n - from)] = draw(2) ? odd[draw(ARRAY_LEN(odd))] : (u8)draw(256);
	return true;
}

static void mutate(struct input *x, const struct span *seeds, size_t n_seeds)
{
	static const u8 odd[] = {0, 1, 0x7f, 0x80, 0xff, '"', '{', '[', ',', '\\'};
	struct span other = seeds[draw(n_seeds)];
	if (draw(2) && mutate_data(x))
		return;
	for (u64 times = 1 + draw(6); times; times--) {
		switch (draw(7)) {
		case 0:
			if (x->n)
				x->p[draw(x->n)] ^= (u8)(1u << draw(8));
			break;
		case 1:
			if (x->n)
				x->p[draw(x->n)] = odd[draw(ARRAY_LEN(odd))];
			break;
		case 2:
			set_size(x, draw(x->n + 1));
			break;
		case 3:
			splice(x, other.p, other.n);
			break;
		case 4:
			if (x->n >= 8)
				x->p[draw(8)] = (u8)draw(256);
			break;
		case 5:
			set_size(x, x->n + draw(32));
			break;
		default:
			put_digits(x);
		}
	}
}

static void run_mutations(const struct span *seeds, size_t n_seeds, u64 n, u64 seed, long dump)
{
	struct input x = {0};
	for (u64 i = 0; i < n; i++) {
		iteration = i;
		state = seed << 32 ^ i * 0x2545f4914f6cdd1du;
		struct span from = seeds[draw(n_seeds)];
		set_size(&x, from.n);
		memcpy(x.p, from.p, from.n);
		mutate(&x, seeds, n_seeds);
		if (dump < 0)
			LLVMFuzzerTestOneInput(x.p, x.n);
		else if ((u64)dump == i)
			fwrite(x.p, 1, x.n, stdout);
	}
	free(x.p);
}

int main(int argc, char **argv)
{
	u64 n = 0, seed = 1;
	long dump = -1;
	int option;
	while ((option = getopt(argc, argv, "n:s:i:")) != -1) {
		if (option == '?')
			return 2;
		*(option == 'n' ? &n : option == 's' ? &seed : (u64 *)&dump) = strtoull(optarg, NULL, 10);
	}
	size_t n_seeds = (size_t)(argc - optind);
	struct mapfile **files = xcalloc(n_seeds + 1, sizeof *files);
	struct span *seeds = xcalloc(n_seeds + 1, sizeof *seeds);
	struct err e = {0};
	for (size_t i = 0; i < n_seeds; i++) {
		if (!(files[i] = mapfile_open(argv[optind + (int)i], &e))) {
			fprintf(stderr, "%s\n", e.msg);
			return 2;
		}
		seeds[i] = mapfile_span(files[i]);
	}
	signal(SIGSEGV, on_crash);
	signal(SIGBUS, on_crash);
	signal(SIGABRT, on_crash);
	for (size_t i = 0; i < n_seeds && dump < 0; i++)
		LLVMFuzzerTestOneInput(seeds[i].p, seeds[i].n);
	if (n_seeds)
		run_mutations(seeds, n_seeds, n, seed, dump);
	for (size_t i = 0; i < n_seeds; i++)
		mapfile_free(files[i]);
	free(files);
	free(seeds);
	if (dump < 0)
		printf("1..1\nok 1 - %zu files and %llu mutations\n", n_seeds, (unsigned long long)n);
	return 0;
}
