/* SPDX-License-Identifier: MIT */
/* bench_open.c - opening a Gemma Scope dictionary of a million features: time, and memory as evidence that
 * nothing is copied.
 *
 * usage: bench_open [FEATURES [WIDTH]]     1048576 2304
 */
#include "base/mem.h"
#include "io/tensors.h"
#include "../sparse_npz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static f64 now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (f64)t.tv_sec + (f64)t.tv_nsec / 1e9;
}

static f64 resident(void) /* MiB */
{
	long total = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (f && fscanf(f, "%ld %ld", &total, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return (f64)pages * (f64)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static int compare(const void *a, const void *b)
{
	f64 x = *(const f64 *)a, y = *(const f64 *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	u64 n = argc > 1 ? strtoull(argv[1], NULL, 10) : 1 << 20,
	    d = argc > 2 ? strtoull(argv[2], NULL, 10) : 2304;
	char folder[] = "/tmp/featlas-bench-XXXXXX";
	char *path = mkdtemp(folder) ? xasprintf("%s/params.npz", folder) : NULL;
	f64 seconds[101];
	struct err e = {0};
	struct stat st;
	if (!path || sparse_npz(path, n, d) || stat(path, &st)) {
		perror(folder);
		return 1;
	}
	f64 before = resident();
	for (size_t i = 0; i < ARRAY_LEN(seconds); i++) {
		f64 start = now();
		struct tensors *s = tensors_open(path, &e);
		seconds[i] = now() - start;
		if (!s) {
			fprintf(stderr, "%s\n", e.msg);
			return 1;
		}
		if (i + 1 == ARRAY_LEN(seconds)) {
			printf("open params.npz  %llu x %llu, %.1f GB in the file, %.1f MB on disk\n",
			       (unsigned long long)n, (unsigned long long)d, (f64)st.st_size / 1e9,
			       (f64)st.st_blocks * 512 / 1e6);
			printf("resident memory  %.1f MiB before, %.1f MiB with the file open\n", before,
			       resident());
			const struct tensor *t = tensors_find(s, "W_dec");
			printf("W_dec            %s, its last element is %g\n",
			       tensors_is_mapped(s, "W_dec") ? "mapped where it lies" : "COPIED",
			       (double)tensor_f32(t, t->n - 1));
		}
		tensors_free(s);
	}
	f64 first = seconds[0];
	qsort(seconds, ARRAY_LEN(seconds), sizeof *seconds, compare);
	printf("time             %.3f ms the first time, %.3f ms the median of %zu\n", first * 1e3,
	       seconds[ARRAY_LEN(seconds) / 2] * 1e3, ARRAY_LEN(seconds));
	unlink(path);
	rmdir(folder);
	free(path);
	return 0;
}
