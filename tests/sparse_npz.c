/* SPDX-License-Identifier: MIT */
/* sparse_npz.c - the zip64 records by hand (PKWARE's APPNOTE 4.3), the arrays as holes. */
#include "sparse_npz.h"

#include "base/buf.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct writer {
	int fd;
	u64 at;
	struct buf directory;
	int failed;
};

static void add(struct buf *b, u64 v, size_t n)
{
	buf_add(b, &v, n); /* little-endian */
}

static void put(struct writer *w, const void *p, size_t n, u64 at)
{
	w->failed |= pwrite(w->fd, p, n, (off_t)at) != (ssize_t)n;
}

static void put_next(struct writer *w, struct buf *b)
{
	put(w, b->s, b->n, w->at);
	w->at += b->n;
	buf_release(b);
}

static void add_npy_header(struct buf *b, u64 rows, u64 cols)
{
	char shape[64];
	snprintf(shape, sizeof shape, cols ? "(%llu, %llu)" : "(%llu,)", (unsigned long long)rows,
		 (unsigned long long)cols);
	buf_add(b, "\x93NUMPY\1\0\x76\0", 10);
	buf_addf(b, "%-117s\n", "");
	char text[118];
	snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }", shape);
	memcpy(b->s + b->n - 118, text, strlen(text));
}

static void put_array(struct writer *w, const char *name, u64 rows, u64 cols, f32 last)
{
	u64 size = 128 + rows * (cols ? cols : 1) * sizeof last, start = w->at, length = strlen(name);
	struct buf b = BUF_INIT;
	add(&b, 0x04034b50, 4);
	add(&b, 45, 6);
	add(&b, 0, 8);
	add(&b, UINT64_MAX, 8);
	add(&b, length, 2);
	add(&b, 20, 2);
	buf_adds(&b, name);
	add(&b, 1 | 16 << 16, 4);
	add(&b, size, 8);
	add(&b, size, 8);
	add_npy_header(&b, rows, cols);
	put_next(w, &b);
	w->at += size - 128;
	put(w, &last, sizeof last, w->at - sizeof last);
	struct buf *d = &w->directory;
	add(d, 0x02014b50, 4);
	add(d, 45 | 45 << 16, 8);
	add(d, 0, 8);
	add(d, UINT64_MAX, 8);
	add(d, length, 2);
	add(d, 28, 2);
	add(d, 0, 8);
	add(d, 0, 2);
	add(d, UINT32_MAX, 4);
	buf_adds(d, name);
	add(d, 1 | 24 << 16, 4);
	add(d, size, 8);
	add(d, size, 8);
	add(d, start, 8);
}

static void put_end(struct writer *w, u64 n)
{
	u64 directory = w->at, size = w->directory.n;
	put_next(w, &w->directory);
	u64 end = w->at;
	struct buf b = BUF_INIT;
	add(&b, 0x06064b50, 4);
	add(&b, 44, 8);
	add(&b, 45 | 45 << 16, 4);
	add(&b, 0, 8);
	add(&b, n, 8);
	add(&b, n, 8);
	add(&b, size, 8);
	add(&b, directory, 8);
	add(&b, 0x07064b50, 4);
	add(&b, 0, 4);
	add(&b, end, 8);
	add(&b, 1, 4);
	add(&b, 0x06054b50, 4);
	add(&b, 0, 4);
	add(&b, n | n << 16, 4);
	add(&b, size, 4);
	add(&b, UINT32_MAX, 4);
	add(&b, 0, 2);
	put_next(w, &b);
}

int sparse_npz(const char *path, u64 n, u64 d)
{
	struct writer w = {.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666),
			   .directory = BUF_INIT};
	if (w.fd < 0)
		return -1;
	put_array(&w, "W_enc.npy", d, n, 1);
	put_array(&w, "W_dec.npy", n, d, 2);
	put_array(&w, "b_enc.npy", n, 0, 3);
	put_array(&w, "b_dec.npy", d, 0, 4);
	put_array(&w, "threshold.npy", n, 0, 5);
	put_end(&w, 5);
	return close(w.fd) || w.failed ? -1 : 0;
}
