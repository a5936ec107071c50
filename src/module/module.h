/* SPDX-License-Identifier: MIT */
/* module.h - what a backend module implements; module_main.c does the rest.
 *
 * A module is a program whose main is module_main(&ops, argc, argv).  module_main speaks the
 * protocol of featlas-backend(7) on stdin and stdout, checks every request (types, shapes,
 * token ids below n_vocab, hooks by hook_parse, interventions by run_check) before it calls
 * an op, and answers cancel while an op runs.  Ops are called one at a time, all on the main
 * thread, load first.  They return 0, or -1 with *e (ERR_CANCELLED where they stopped because
 * module_cancelled said so); what they allocate for the caller is freed with free().
 *
 * Descriptor 1 is stderr while an op runs: what a library prints there breaks no line.
 */
#ifndef FEATLAS_MODULE_H
#define FEATLAS_MODULE_H

#include "base/buf.h"
#include "base/err.h"
#include "core/hook.h"
#include "core/run.h"

#define MODULE_PROTOCOL "1.1"

/* The request being served. */
struct module_request;

/* True once the client cancelled, or went away.  Any thread; cheap enough for each node of a graph. */
bool module_cancelled(const struct module_request *r);
/* How far; sent at most ten times a second.  total 0: not known.  what: "loading", "tokens". */
void module_progress(struct module_request *r, const char *what, u64 done, u64 total);
/* A token of a generate run, in order.  row: f32 [d], where rows were asked for, else NULL: the
 * row of the token *before* this one, the position whose logits it was drawn from, as it was
 * before interventions at that hook.  Text is taken from the op vocab. */
void module_token(struct module_request *r, size_t run, u32 token, const f32 *row);
/* Before each step of a generate: waits for the readers of paced runs, and does what update has
 * asked for meanwhile: amounts of the runs' interventions change, and whether they are off. */
void module_step(struct module_request *r);
/* A run has ended at an end-of-generation token, which is not sent.  A run that is not ended so
 * ended at its length. */
void module_end(struct module_request *r, size_t run);

/* The TopK encoder that load_encoder left for a hook, for run_apply; NULL if none. */
const struct run_encoder *module_encoder(const struct module_request *r, const char *hook);

struct module_info {
	char name[128];      /* "SmolLM2-135M-Instruct, Q4_1 to BF16" */
	char sha256[65];     /* of the model file, lower-case hex; "" if there is none */
	char tokenizer[65];  /* hash of the vocabulary; "" if not known */
	char templ[1024]; /* one chat turn: literal text with {user}, default system message included; "" if
			     none */
	u32 d_model, n_layers, n_vocab, n_ctx;
	u32 bos;             /* UINT32_MAX: none is added */
};

struct module_message {
	const char *role, *content; /* "system", "user", "assistant"; content is UTF-8 */
	size_t n;
};

/* A text to tokenize: plain, or a chat put into the model's template. */
struct module_text {
	const char *text; /* NULL for a chat */
	size_t n;
	const struct module_message *messages;
	size_t n_messages;
	bool open; /* chat: end with the head of an assistant's turn */
};

struct module_ops {
	const char *program; /* "featlas-llama" */
	const char *usage;   /* the text of --help: arguments and variables */

	/* Reads the arguments and loads the model.  Fills info.  NULL and *e on failure. */
	void *(*load)(int argc, char **argv, struct module_info *info, struct module_request *r,
		      struct err *e);
	void (*unload)(void *m);

	/* Every token's bytes: blob holds them back to back, offsets[V + 1], special[V] 0 or 1.
	 * Called once, after load. */
	int (*vocab)(void *m, struct buf *blob, u64 *offsets, u8 *special, struct err *e);
	/* tokens and flags are new arrays of *n.  flags: TOKEN_FIRST on position 0, TOKEN_SPECIAL on
	 * special tokens and on everything the template put there (a default system message too),
	 * TOKEN_PROMPT on all up to the last assistant turn's content.  Markers of the template that
	 * stand in a message or in a plain text are text, not special tokens.  The BOS token is added
	 * where the model wants one and the text does not begin with it. */
	int (*tokenize)(void *m, const struct module_text *t, u32 **tokens, u8 **flags, size_t *n,
			struct err *e);
	/* The text a chat becomes.  NULL: the model has no template. */
	int (*render)(void *m, const struct module_text *t, struct buf *out, struct err *e);

	/* Rows of one text at some hooks in one pass that stops after the deepest: rows[h] is f32
	 * [n_tokens][d].  n_tokens is at least 1 and at most n_ctx. */
	int (*states)(void *m, struct module_request *r, const u32 *tokens, size_t n_tokens,
		      const char *const *hooks, size_t n_hooks, f32 *const *rows, struct err *e);
	/* Continues every run by up to o->n_tokens (defaults are filled in), side by side, calling
	 * module_step before each step and module_token after it.  Sampling: greedy, or temperature after top-k and top-p, from the run's own
	 * seed: equal runs with equal seeds give equal texts, whatever runs beside them.
	 * Interventions are run_apply's.  The first run that is only a prompt's continuation is
	 * no different from the others. */
	int (*generate)(void *m, struct module_request *r, const struct run *runs, size_t n_runs,
			const struct generate_options *o, struct err *e);
	/* Negative log-likelihood and the rest of struct score, in one pass a run. */
	int (*score)(void *m, struct module_request *r, const struct run *runs, size_t n_runs,
		     struct score *out, struct err *e);
	/* The k tokens each vector writes most and least: as a row of the last layer, all at one length,
	 * through final norm and unembedding, the mean over the vocabulary removed.  Best first; ties
	 * by id. */
	int (*lens)(void *m, struct module_request *r, const f32 *vectors, size_t n, u32 k, u32 *top_token,
		    f32 *top_value, u32 *bottom_token, f32 *bottom_value, struct err *e);
};

int module_main(const struct module_ops *ops, int argc, char **argv);

#endif
