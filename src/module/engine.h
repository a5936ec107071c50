/* SPDX-License-Identifier: MIT */
/* engine.h - what a module is asked, done with a language model behind lm.h.
 *
 * Knows no libllama.  The contracts of the functions are those of the ops in module.h; one
 * thread owns an engine.  Memory of the model is empty between requests, but for a prompt
 * that score keeps.
 */
#ifndef FEATLAS_ENGINE_H
#define FEATLAS_ENGINE_H

#include "module/lm.h"
#include "module/module.h"

struct engine {
	struct lm *lm;
	const struct lm_info *info;
	struct buf default_system; /* the model's own system turn, or empty */
	bool chatml;               /* the vocabulary has ChatML's marker */
	f32 lens_norm;             /* typical norm after the last layer; 0: not measured yet */
	u32 *kept;     /* tokens whose memory sequence 0 holds, from an earlier score */
	size_t n_kept;
	u64 kept_at;   /* lm_n_cleared then */
};

struct engine *engine_new(struct lm *lm /* taken */);
void engine_free(struct engine *g);
void engine_info(const struct engine *g, struct module_info *info); /* sha256: only of a converted model's source */

/* The layer whose output is the hook; "blocks.0.hook_resid_pre" has none and is refused. */
int engine_layer(const struct engine *g, const char *hook, u32 *layer, struct err *e);

int engine_vocab(struct engine *g, struct buf *blob, u64 *offsets, u8 *special, struct err *e);
int engine_tokenize(struct engine *g, const struct module_text *t, u32 **tokens, u8 **flags, size_t *n, struct err *e);
int engine_render(struct engine *g, const struct module_text *t, struct buf *out, struct err *e);
int engine_states(struct engine *g, struct module_request *r, const u32 *tokens, size_t n_tokens,
		  const char *const *hooks, size_t n_hooks, f32 *const *rows, struct err *e);
int engine_generate(struct engine *g, struct module_request *r, const struct run *runs, size_t n_runs,
		    const struct generate_options *o, struct err *e);
int engine_score(struct engine *g, struct module_request *r, const struct run *runs, size_t n_runs,
		 struct score *out, struct err *e);
/* Each vector, made as long as the last layer's rows typically are, takes the place of a row
 * there: final norm and unembedding are the model's own.  Values are logits less their mean
 * over the vocabulary. */
int engine_lens(struct engine *g, struct module_request *r, const f32 *vectors, size_t n, u32 k, u32 *top_token,
		f32 *top_value, u32 *bottom_token, f32 *bottom_value, struct err *e);

/* For the parts of the engine: columns of runs, decoded with their interventions. */
struct engine_slot {
	size_t run;
	u32 position;
};
struct engine_pass {
	struct engine *g;
	struct module_request *request;
	const struct run *runs;
	size_t n_runs;
	bool generate;           /* a run's whole text is its prompt */
	u8 *layers;              /* [n_layers] */
	f32 *work;               /* for run_apply */
	i64 rows_layer;          /* whose rows are kept as they came, or -1 */
	f32 *rows;               /* [n_columns][d] of the last decode */
	struct lm_column *columns;
	struct engine_slot *slots; /* [n_columns] */
	size_t n;                /* columns so far */
};
int engine_pass_init(struct engine_pass *p, struct engine *g, struct module_request *r, const struct run *runs,
		     size_t n_runs, const char *rows_hook, struct err *e);
void engine_pass_release(struct engine_pass *p); /* the model's cancel hook too */
void engine_pass_add(struct engine_pass *p, size_t run, u32 position, u32 token, u32 seq, bool logits);
/* Decodes the columns added and begins anew; hooked: apply interventions and keep rows. */
int engine_pass_decode(struct engine_pass *p, bool hooked, struct err *e);
/* The first position of a run that an intervention touches; SIZE_MAX if none. */
size_t engine_first_touched(const struct engine_pass *p, size_t run);

#endif
