/* SPDX-License-Identifier: MIT */
/* types.h - the short names of fixed-width types, and spans of bytes. */
#ifndef FEATLAS_TYPES_H
#define FEATLAS_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t i32;
typedef int64_t i64;
typedef float f32;
typedef double f64;

/* A borrowed run of bytes; p may be unaligned, and is not terminated. */
struct span {
	const u8 *p;
	size_t n;
};

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#ifdef __GNUC__
#define FORMAT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define FORMAT_PRINTF(fmt, args)
#endif

#endif
