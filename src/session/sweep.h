/* SPDX-License-Identifier: MIT */
/* sweep.h - one list of features at many strengths, seeds and prompts: a text and its measures a cell.
 *
 * The strengths are those of the first spec; the others move with it and keep their proportion to
 * it, so that 10:1x and 20:2x at strength 3 are 3x and 6x; one to be ablated stays ablated.
 * Beside the grid stands a baseline for each prompt and seed, and on request the same grid once
 * more with a random direction in place of each decoder row, of the same norm.
 *
 * Measures of a cell.  The reply is what was generated; the unsteered model reads prompt and
 * reply together.  "Its baseline" is that of the same prompt and seed.
 *   nll      mean over the reply's tokens of -ln p(token | all before), unsteered; excess is nll
 *            less its baseline's.  0 for an empty reply
 *   kl       mean over the tokens of its baseline's reply of KL(p || q), p the next-token
 *            distribution of the unsteered model, q that of the model steered as the cell is,
 *            both reading prompt and baseline's reply: the same tokens for all strengths
 *   gain     mean over the listed words' first tokens of ln q - ln p, after prompt and
 *            baseline's reply
 *   acts     of each watched feature, its own activations f over the reply's tokens that count
 *            (not special, no sinks: featlas-atlas(5)), unsteered: mean and max
 *   repeats  steer_repeated_4grams of the reply
 *   words    different listed words in the text, hit_words
 *   hit      hit_is of words, repeats and nll
 *
 * A live model adds up in another order beside other texts: what it draws at a temperature depends
 * on max_runs, and is the same again with the same grid.
 *
 * Cost, in tokens of the model: generation (cells + baselines), as much again for nll, for acts
 * with the prompt, and for kl and gain.  As few requests as the protocol's limits allow.
 */
#ifndef FEATLAS_SWEEP_H
#define FEATLAS_SWEEP_H

#include "backend/steer.h"
#include "session/session.h"

enum { SWEEP_MAX_CELLS = 100000, SWEEP_RANDOM_SEED = 1000003 };
enum sweep_kind { SWEEP_BASELINE, SWEEP_STEERED, SWEEP_RANDOM };
/* Text, nll, repeats, words and hit are always there. */
enum sweep_measure { SWEEP_ACTS = 1, SWEEP_DISTANCE = 2 /* kl and gain */, SWEEP_ALL = 3 };

struct sweep_request {
	const struct steer_spec *specs;
	size_t n_specs;
	const f32 *strengths; /* in the unit of the first spec; ascending */
	size_t n_strengths;
	const u64 *seeds;
	size_t n_seeds;
	const char *const *prompts;
	size_t n_prompts;
	const char *const *words; /* listed words; with n_words 0 the topic words of the specs' features */
	size_t n_words;
	const u32 *others;        /* features watched beside those of the specs */
	size_t n_others;
	unsigned measures;        /* of enum sweep_measure */
	bool random;              /* the random directions too; of spec i seeded with random_seed + its feature */
	u64 random_seed;
	size_t max_runs;          /* texts at once; 0: as many as a request holds */
	bool chat;
	enum intervention_where where;
	f32 temperature;
	u32 n_tokens;
};

struct sweep_act { f32 mean, max; };

struct sweep_cell {
	enum sweep_kind kind;
	size_t prompt, seed, strength; /* numbers in the request; a baseline's strength is 0 and means nothing */
	bool done;
	struct buf text; /* bytes */
	u32 *tokens;
	size_t n;
	f64 nll, excess, kl, gain, repeats; /* NaN: not measured */
	struct sweep_act *acts;             /* [n_watched] of the sweep */
	size_t words;
	bool hit;
};

struct sweep {
	struct sweep_request q; /* with copies of all it points to */
	u32 *watched;           /* the specs' features, then the others; each once */
	size_t n_watched;
	char **words;           /* listed; topic words stand as their tokens do, without blanks */
	u32 *word_tokens;       /* [n_words]; UINT32_MAX where there is none.  Of given words known after sweep_run */
	size_t n_words;
	f64 *change;            /* [n_strengths] |sum of what adds put on a reply's row| / median norm; NaN: not known */
	struct sweep_cell *cells; /* baselines, steered, random */
	size_t n_cells, n_done;
};

/* Checks the request against the atlas and lays out the cells.  ERR_USAGE: nothing to sweep, a first spec that is to
 * be ablated or has strength 0 where others go along, strengths out of order, over SWEEP_MAX_CELLS. */
struct sweep *sweep_new(struct session *session, const struct sweep_request *q, struct err *e);
void sweep_free(struct sweep *s); /* NULL is fine */
/* strength is not looked at for a baseline; NULL where there are no such cells. */
struct sweep_cell *sweep_at(const struct sweep *s, enum sweep_kind kind, size_t prompt, size_t seed, size_t strength);
/* The specs of a strength: out [n_specs]. */
void sweep_specs(const struct sweep *s, size_t strength, struct steer_spec *out);

/* Takes over a finished cell of a sweep made from the same request, for another thread to read. */
void sweep_copy_cell(struct sweep *to, const struct sweep *from, const struct sweep_cell *c);

/* The axes from words, owned: "0,1,1.5x" or "-1..3:0.5" (the step is 0.5 where none is given) or both, ascending;
 * "6" for seeds 1 to 6, or "11-20". */
int sweep_parse_strengths(const char *text, f32 **out, size_t *n, struct err *e);
int sweep_parse_seeds(const char *text, u64 **out, size_t *n, struct err *e);
/* The command that makes the same sweep. */
void sweep_add_command(const struct sweep *s, const struct atlas *a, struct buf *out);

/* A cell is finished: nothing writes it after this call.  Return false to stop. */
typedef bool (*sweep_fn)(void *context, const struct sweep *s, const struct sweep_cell *cell);
/* Generates and measures every cell that is not done, baselines first.  b is connected.  like (or NULL): a finished
 * sweep of the same prompts, seeds, temperature, length and template, whose baselines are not generated anew.
 * Progress counts generated tokens.  Cancelled (through p with backend_watch, or by fn) or failed, the
 * finished cells stand. */
int sweep_run(struct sweep *s, struct session *session, struct backend *b, const struct sweep *like,
	      struct progress *p, sweep_fn fn, void *context, struct err *e);

#endif
