/* SPDX-License-Identifier: MIT */
/* fuzz_frame.c - any bytes as messages of the backend protocol: lines and the arrays behind them. */
#include "fuzz.h"

#include "io/frame.h"

#include <stdlib.h>
#include <string.h>

enum { LIMIT = 1 << 16 };

static volatile u64 sink; /* so that reads are not left out */

static void read_arrays(const struct frame *f)
{
	for (size_t i = 0; i < f->n_arrays; i++) {
		const struct frame_array *a = &f->arrays[i];
		const u8 *p = a->data;
		struct err e = {0};
		if (a->n && (uintptr_t)p % dtype_size(a->dtype))
			abort();
		for (u64 k = 0; k < a->n * dtype_size(a->dtype); k++)
			sink += p[k];
		/* the first of a name is the one that counts */
		if (!frame_need(f, a->name, a->dtype, a->n_dims, a->shape, &e) && !e.msg[0])
			abort();
	}
}

/* Returns how much of the input it used, or 0 at the end. */
static size_t one_message(const u8 *p, size_t n)
{
	struct err e = {0};
	struct frame f;
	const u8 *nl = memchr(p, '\n', n);
	size_t line = nl ? (size_t)(nl - p) : n, used = nl ? line + 1 : n;
	if (frame_parse(&f, (const char *)p, line, LIMIT, &e)) {
		if (f.line || f.arrays || f.bytes > LIMIT || !e.msg[0])
			abort();
		return used + f.bytes <= n ? used + f.bytes : 0;
	}
	if (f.bytes > LIMIT)
		abort();
	size_t bytes = f.bytes;
	if (used + bytes <= n && frame_room(&f, &e)) {
		memcpy(f.data, p + used, bytes);
		if (!frame_settle(&f, &e))
			read_arrays(&f);
	}
	frame_release(&f);
	return used + bytes <= n ? used + bytes : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (size_t at = 0, used; at < size && (used = one_message(data + at, size - at)); at += used)
		;
	return 0;
}
