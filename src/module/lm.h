/* SPDX-License-Identifier: MIT */
/* lm.h - a causal language model that can be read and written at every layer.
 *
 * What the engine needs of libllama, without its headers: module_llama.c implements it and is
 * the only file that includes them.  One thread owns an lm.  A fault inside libllama ends the
 * process, which holds nothing but the model.
 *
 * Decoding.  A decode is up to n_columns tokens ("columns"), each of a sequence and a position;
 * the memory of a sequence's earlier positions is kept until it is forgotten.  The rows of a
 * watched layer are the residual stream after that block, f32 [columns][d_model], in column
 * order, and may be changed in place: all later layers see the change.
 *
 * After a decode that was stopped early the memory is good only for passes that stop no later;
 * lm_decode refuses others until lm_clear.  A decode that fails or is cancelled clears it.
 */
#ifndef FEATLAS_LM_H
#define FEATLAS_LM_H

#include "base/buf.h"
#include "base/err.h"

struct lm;

struct lm_info {
	char name[128];     /* as the model's file says, and what was done to it: "X, Q4_1 to BF16" */
	char source[65];    /* sha256 of the file it was converted from, lower-case hex; "" if it was not */
	u32 d_model, n_layers, n_vocab;
	u32 n_ctx;          /* positions in memory, over all sequences */
	u32 n_columns;      /* the most in one decode */
	u32 n_logits;       /* the most columns of one decode whose logits are wanted, or whose last layer is watched */
	u32 n_seq;          /* sequences 0 to n_seq - 1, and n_seq as a spare one */
	u32 bos;            /* UINT32_MAX: none */
	bool adds_bos;      /* the model wants texts to begin with bos */
};

struct lm_options {
	unsigned threads;   /* 0: one */
	u32 n_ctx;          /* 0: 4096, or less where the model was trained on less */
	bool (*progress)(void *context, f32 part); /* may be NULL; false ends the load */
	void *context;
};

/* Loads, and proves by one decode that every layer's rows can be read: a model whose layers
 * are not found, or are no plain rows, is refused by name. */
struct lm *lm_open(const char *path, const struct lm_options *o, struct err *e);
void lm_free(struct lm *m);
const struct lm_info *lm_info(const struct lm *m);
/* Asked between the nodes of the graph while a decode runs; NULL turns it off. */
void lm_on_cancel(struct lm *m, bool (*cancelled)(const void *context), const void *context);

/* The model's chat template (Jinja source), or NULL; borrowed. */
const char *lm_jinja(const struct lm *m);
/* Appends a chat as libllama's own reading of the template has it; open: with the head of an
 * assistant's turn at the end.  -1 where libllama does not know the template. */
int lm_add_chat(const struct lm *m, const char *const *roles, const char *const *contents, size_t n, bool open,
		struct buf *out);
/* Tokens of a text; special: the text of control tokens stands for them.  *tokens is owned. */
int lm_tokenize(const struct lm *m, const char *s, size_t n, bool special, u32 **tokens, size_t *n_tokens,
		struct err *e);
void lm_add_piece(const struct lm *m, u32 token, struct buf *out); /* control tokens as their text */
bool lm_is_control(const struct lm *m, u32 token);
bool lm_is_end(const struct lm *m, u32 token); /* ends a generation */

struct lm_column {
	u32 token, position, seq;
	bool logits; /* wanted at this column */
};

/* Rows of a layer at columns first to first + n - 1; returns whether they were changed. */
typedef bool (*lm_rows_fn)(void *context, u32 layer, f32 *rows, size_t first, size_t n);

struct lm_watch {
	const u8 *layers; /* [n_layers], non-zero: watched */
	bool stop;        /* end the pass after the deepest one; no logits */
	lm_rows_fn fn;
	void *context;
};

/* w may be NULL.  ERR_CANCELLED where cancelled said so. */
int lm_decode(struct lm *m, const struct lm_column *columns, size_t n, const struct lm_watch *w, struct err *e);
/* f32 [n_vocab] of a column whose logits were wanted; valid until the next decode. */
const f32 *lm_logits(struct lm *m, size_t column);

void lm_clear(struct lm *m);                          /* forgets everything */
u64 lm_n_cleared(const struct lm *m);                 /* how often that was: what was kept is gone when it grows */
void lm_share(struct lm *m, u32 from, u32 to);        /* seq `to`, empty, remembers all of `from` */
void lm_forget(struct lm *m, u32 seq, u32 position);  /* a sequence's positions from there on */

/* Writes a BF16 copy of a model file of any precision, which holds the name and the sha256 of the
 * file it came from. */
int lm_convert(const char *in, const char *out, struct err *e);

#endif
