/* SPDX-License-Identifier: MIT */
/* fuzz_npz.c - any bytes as a zip of arrays, and as the .npy array in one. */
#include "fuzz.h"

#include "base/mem.h"
#include "io/npy.h"
#include "io/tensors.h"
#include "io/zip.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile u64 sink; /* so that reads are not left out */

static void must_say(const struct err *e, const char *path)
{
	if (!*e->msg || !strstr(e->msg, path))
		abort(); /* an error that does not say what and where */
}

static int count(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)e;
	*(u64 *)ctx += n;
	sink += ((const u8 *)p)[n - 1];
	return 0;
}

/* The bytes lie in a block of exactly their size, so that a sanitizer sees a read beyond them. */
static void read_zip(struct span file)
{
	struct err e = {0};
	struct zip *z = zip_open(file, "it", &e);
	if (!z) {
		must_say(&e, "'it'");
		return;
	}
	for (size_t i = 0; i < zip_count(z); i++) {
		const struct zip_entry *x = zip_at(z, i);
		u64 n = 0;
		size_t at;
		if (!zip_find(z, x->name, &at) || at != i)
			abort();
		if (zip_read(z, i, UINT64_MAX, count, &n, &e))
			must_say(&e, "'it'");
		if (n > x->size || (x->stored && n != x->size))
			abort();
	}
	zip_free(z);
}

static void read_npy(struct span array)
{
	struct npy npy;
	struct err e = {0};
	if (npy_parse(array, "it", &npy, &e))
		must_say(&e, "it");
	else if (npy.header > array.n || npy.n_dims > TENSOR_MAX_DIMS)
		abort();
}

static void read_tensors(const char *path)
{
	struct err e = {0};
	struct tensors *s = tensors_open(path, &e);
	if (!s) {
		must_say(&e, path);
		return;
	}
	for (size_t i = 0; i < tensors_count(s); i++) {
		const struct tensor *t = tensors_at(s, i);
		if (tensors_find(s, t->name) != t)
			abort();
		for (u64 k = 0; t->data.p && k < t->n; k += t->n / 64 + 1) {
			f32 v = tensor_f32(t, k);
			sink += tensor_u64(t, k) + (v > 0);
		}
	}
	tensors_verify(s, NULL, NULL);
	tensors_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u8 *exact = xmalloc(size + !size);
	memcpy(exact, data, size);
	read_zip((struct span){exact, size});
	read_npy((struct span){exact, size});
	free(exact);
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	char *path = xasprintf("/proc/self/fd/%d", fd);
	read_tensors(path);
	free(path);
	close(fd);
	return 0;
}
