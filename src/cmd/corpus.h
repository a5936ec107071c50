/* SPDX-License-Identifier: MIT */
/* corpus.h - texts for a harvest, one after another: JSON lines, or records of token ids. */
#ifndef FEATLAS_CORPUS_H
#define FEATLAS_CORPUS_H

#include "backend/backend.h"

struct corpus;

/* JSON lines: {"text": ...} is plain, {"messages": [{"role", "content"}, ...]} goes into the chat
 * template; blank lines count for nothing.  With ids: u32 line, u32 n_prompt, u32 n, n ids as
 * u16, little-endian.  Reads the file once, to count and to check it. */
struct corpus *corpus_open(const char *path, bool ids, struct err *e);
void corpus_free(struct corpus *c); /* NULL is fine */
u64 corpus_count(const struct corpus *c);
/* Tokens and flags of text i (any order), owned by the caller.  Template tokens are known from
 * the model: for token ids, the template's own tokens around the user's words are looked for. */
int corpus_tokens(struct corpus *c, struct backend *b, u64 i, u32 **tokens, u8 **flags, size_t *n,
		  struct err *e);

#endif
