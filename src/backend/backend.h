/* SPDX-License-Identifier: MIT */
/* backend.h - a live model behind a module process.
 *
 * A module (featlas-llama, fake, or any command line) speaks JSON-RPC 2.0 lines with
 * raw-byte frames, featlas-backend(7).  This is the client: start, requests, streams, cancel,
 * restart.  A module that dies, hangs, floods or prints rubbish is an error here, never a
 * crash.  One thread owns a backend (a command's main thread, or a job of the screens);
 * backend_cancel and backend_state may be called from any thread.
 */
#ifndef FEATLAS_BACKEND_H
#define FEATLAS_BACKEND_H

#include "base/json.h"
#include "base/progress.h"
#include "core/run.h"

struct backend;

enum backend_state { BACKEND_OFF, BACKEND_LOADING, BACKEND_READY, BACKEND_BUSY, BACKEND_DIED };

/* spec: "fake", "llama", "llama:/path/model.gguf", or a command line for the shell ("ssh box
 * featlas-llama -m x.gguf").  Modules are programs featlas-NAME, looked for in
 * $FEATLAS_BACKEND_DIR, $(libexecdir)/featlas, and beside the program itself; a command line has
 * these before its PATH.
 * NULL or "": $FEATLAS_BACKEND, else the llama module with the model that bootstrap obtained.
 * Does not wait for the model: the first request does.  ERR_UNAVAILABLE, with the remedy,
 * where module or model are not there.  $FEATLAS_BACKEND_TIMEOUT: the seconds of silence
 * taken for a hang, 120. */
struct backend *backend_new(const char *spec, struct err *e);
void backend_free(struct backend *b); /* shutdown, then kill; NULL is fine */
/* Waits until the module has answered initialize.  progress may be NULL. */
int backend_connect(struct backend *b, struct progress *p, struct err *e);
enum backend_state backend_state(const struct backend *b);
/* "llama ready", "loading 42 %", "busy 31/60", "off", "died", "died, R restarts". */
void backend_words(const struct backend *b, char *out, size_t size);
/* Any thread: ends the request that runs; it returns ERR_CANCELLED. */
void backend_cancel(struct backend *b);
/* The owner: from now on cancelling p ends requests too, also one that is asked for later; NULL
 * ends that.  p outlives it. */
void backend_watch(struct backend *b, struct progress *p);

struct backend_info {
	char name[128], sha256[65], tokenizer[65];
	char templ[1024]; /* one chat turn: literal text with {user}, or "" */
	u32 d_model, n_layers, n_vocab, n_ctx;
	u32 bos;          /* UINT32_MAX: none */
};
const struct backend_info *backend_info(const struct backend *b); /* valid after connect */

/* What was found out about the model that runs, by a key; forgotten when the module restarts.  false:
 * nothing is kept under this key.  The owner. */
bool backend_verdict(const struct backend *b, const char *key, char *out, size_t size);
void backend_keep_verdict(struct backend *b, const char *key, const char *verdict /* "": it is the right one */);
bool backend_is_foreign(const struct backend *b); /* any thread: the last verdict was not "" */

bool backend_can(const struct backend *b, const char *method); /* valid after connect */
/* Whether it knows what protocol 1.1 brought: conditions, off, paced, update, orthogonal and cap. */
bool backend_is_1_1(const struct backend *b);

/* Tokens of a text; plain, or a user's message put into the chat template.  *tokens and
 * *flags (enum token_flag, may be NULL) are owned by the caller. */
int backend_tokenize(struct backend *b, const char *text, bool chat, u32 **tokens, u8 **flags, size_t *n,
		     struct err *e);
/* A chat of {"role", "content"} objects; open: end with the head of an assistant's turn. */
int backend_tokenize_messages(struct backend *b, const json_t *messages, bool open, u32 **tokens, u8 **flags,
			      size_t *n, struct err *e);
/* All token texts: blob and offsets[V+1], special flags [V]; owned. */
int backend_vocab(struct backend *b, u8 **blob, u64 **offsets, u8 **special, u32 *n, struct err *e);

/* Residual rows of one text at some hooks, in one pass stopped after the last: rows[h] is a
 * caller's buffer f32 [n][d]. */
int backend_states(struct backend *b, const u32 *tokens, size_t n, const char *const *hooks, size_t n_hooks,
		   f32 *const *rows, struct err *e);

/* Gives the module a TopK dictionary's encoder, so that f_i can be computed there.  It is kept for
 * the hook until another comes or the module restarts: backend_has_encoder says whether the
 * one given with this key (any pointer that stands for the dictionary) is still there. */
bool backend_has_encoder(const struct backend *b, const char *hook, const void *key);
int backend_load_encoder(struct backend *b, const char *hook, const f32 *w_enc /* [F][d] */, const f32 *bias,
			 u32 n_features, u32 d, u32 k, const void *key, struct err *e);

/* A token of a run: text is bytes, perhaps part of a character.  row (f32 [d] or NULL, borrowed) is
 * that of the position the token was drawn from, the one before it, as it was before
 * interventions at rows_hook.  Return false to stop. */
typedef bool (*generate_fn)(void *context, size_t run, u32 token, const char *text, size_t n, const f32 *row);
int backend_generate(struct backend *b, const struct run *runs, size_t n_runs,
		     const struct generate_options *o, generate_fn fn, void *context, struct err *e);

/* In a generate_fn only: from the next token on an intervention of a run has another amount (NULL: as it
 * is), or is on (1), off (0), or as it is (-1).  Of a paced run it is the very next one. */
void backend_update(struct backend *b, size_t run, size_t intervention, const f32 *amount, int on);

int backend_score(struct backend *b, const struct run *runs, size_t n_runs, struct score *out, struct err *e);

/* Top and bottom tokens of vectors through final norm and unembedding (direction only: each
 * vector is unit-normed, mean logit over the vocabulary removed). */
int backend_lens(struct backend *b, const f32 *vectors /* [n][d] */, size_t n, u32 k, u32 *top_token,
		 f32 *top_value, u32 *bottom_token, f32 *bottom_value /* each [n][k] */, struct err *e);

#endif
