/* SPDX-License-Identifier: MIT */
/* half.h - f16 and bf16 to and from f32, round to nearest even.  Any thread. */
#ifndef FEATLAS_HALF_H
#define FEATLAS_HALF_H

#include "base/types.h"
#include <string.h>

static inline f32 bf16_to_f32(u16 h)
{
	u32 b = (u32)h << 16;
	f32 f;
	memcpy(&f, &b, 4);
	return f;
}

static inline u16 f32_to_bf16(f32 f)
{
	u32 b;
	memcpy(&b, &f, 4);
	if ((b & 0x7fffffffu) > 0x7f800000u)
		return (u16)(b >> 16 | 0x40);
	return (u16)((b + 0x7fff + (b >> 16 & 1)) >> 16);
}

static inline f32 f16_to_f32(u16 h)
{
	_Float16 v;
	memcpy(&v, &h, 2);
	return (f32)v;
}

static inline u16 f32_to_f16(f32 f) /* beyond 65,504 gives infinity */
{
	_Float16 v = (_Float16)f;
	u16 h;
	memcpy(&h, &v, 2);
	return h;
}

#endif
