/* SPDX-License-Identifier: MIT */
/* vocab.h - token id to bytes.  Borrowed, mapped, thread-safe. */
#ifndef FEATLAS_VOCAB_H
#define FEATLAS_VOCAB_H

#include "base/buf.h"
#include "base/err.h"

struct vocab;

struct vocab *vocab_open(const char *path, struct err *e);
/* Of arrays as a live model gives them, taken: bytes [offset[n]], offset [n+1] ascending, special [n]. */
struct vocab *vocab_take(u8 *bytes, u64 *offset, u8 *special, u32 n);
void vocab_free(struct vocab *v);
u32 vocab_count(const struct vocab *v);
struct span vocab_bytes(const struct vocab *v, u32 token); /* empty for an id that is not there */
bool vocab_is_special(const struct vocab *v, u32 token);
/* Appends the text of tokens, joined as bytes first and then made valid UTF-8. */
void vocab_add_text(const struct vocab *v, struct buf *out, const u32 *tokens, size_t n);
/* Writes vocab.safetensors: bytes u8[B], offset u64[V+1], special u8[V]. */
int vocab_write(const char *path, const struct span *tokens, const u8 *special, u32 n, const char *uuid,
		const char *build_id, struct err *e);

#endif
