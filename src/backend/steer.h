/* SPDX-License-Identifier: MIT */
/* steer.h - turning features of an atlas in a live model: baseline and steered, side by side.
 *
 * A spec says what is done to one feature; a request is a prompt with specs; a result is two
 * texts and how they differ.  The vectors come from the atlas' dictionary, the strengths from
 * its store.  One thread; backend_cancel ends a request.
 */
#ifndef FEATLAS_STEER_H
#define FEATLAS_STEER_H

#include "backend/backend.h"
#include "core/atlas.h"
#include "core/fingerprint.h"

enum steer_method {
	STEER_ADD, STEER_CLAMP, STEER_SCALE, STEER_ABLATE, STEER_PIN, STEER_ORTHOGONAL, STEER_CAP, N_STEER_METHODS
};

/* When a feature is steered. */
enum steer_if {
	STEER_ALWAYS,
	STEER_IF_FEATURE, /* at tokens where another feature's f is above an amount */
	STEER_IF_TEXT,    /* while a regex matches in the last STEER_IF_WINDOW characters of the reply so far */
};
enum { STEER_IF_WINDOW = 200, STEER_IF_MOST = 120 /* bytes of a regex */ };

struct steer_spec {
	u32 feature;
	enum steer_method method;
	f32 strength;    /* of scale and orthogonal: the factor; of ablate: not used */
	bool times_max;  /* strength counts the feature's maximum; else it is the coefficient */
	int where;       /* enum intervention_where, or -1: the request's */
	char hook[64];   /* "" : the atlas' */
	enum steer_if condition;
	u32 if_feature;
	f32 if_above;       /* f, or with if_times_max a multiple of that feature's maximum */
	bool if_times_max;
	char if_regex[STEER_IF_MOST + 1];
};

const char *steer_spec_method(enum steer_method m); /* "add" */
/* Whether the strength is a bare factor, which no maximum multiplies: scale, orthogonal. */
bool steer_is_factor(enum steer_method m);
/* Whether the strength is written "2x": it counts the maximum, and the method takes no bare factor. */
bool steer_in_maxima(const struct steer_spec *s);
/* [NAME#]ID[:STRENGTH[:METHOD[:key=value,...]]]: STRENGTH "2x" or "5", 2x by default, 0 for
 * orthogonal, 1x for cap; METHOD may stand in its place; keys on (reply, prompt, both), hook and if (steer_if_parse).  Checked against the atlas. */
int steer_spec_parse(const char *text, const struct atlas *a, struct steer_spec *out, struct err *e);
/* The number the method works with: the coefficient, target, factor or cap, in the feature's own
 * unit.  -1 and *e where
 * "Nx" is asked and the maximum is not known or 0. */
int steer_spec_coefficient(const struct steer_spec *s, const struct atlas *a, f32 *out, struct err *e);

/* The same as text, which parses to the same. */
void steer_spec_add(const struct steer_spec *s, struct buf *out);
/* "#12" (fires at all), "#12>3.5", "#12>0.5x" (of its maximum), "/regex/", or "" for always; sets the
 * condition of *out, or leaves it alone with -1 and *e. */
int steer_if_parse(const char *text, size_t n, const struct atlas *a, struct steer_spec *out, struct err *e);
void steer_if_add(const struct steer_spec *s, struct buf *out); /* the same as text; nothing for always */

/* Limits of a request, the same on the screen and in commands. */
enum { STEER_MOST_FEATURES = 64, STEER_MOST_TOKENS = 100000 };
#define STEER_MOST_TEMPERATURE 100.0

struct steer_request {
	const char *prompt;
	bool chat;                 /* a user's message in the chat template; else plain text */
	const struct steer_spec *specs;
	size_t n_specs;
	enum intervention_where where;
	u64 seed;
	f32 temperature;
	u32 n_tokens;
	bool want_rows;            /* give fn the hook's row of each token */
};

/* A token of stream 0 (baseline) or 1 (steered); text is bytes.  row: see generate_fn; NULL unless
 * wanted.  Return false to stop. */
typedef bool (*steer_fn)(void *context, int stream, u32 token, const char *text, size_t n, const f32 *row);

struct steer_result {
	struct buf text[2];    /* bytes */
	u32 *tokens[2];
	size_t n[2];
	i64 first_difference;  /* the first token that differs, from 0; -1: none does */
	f64 change_over_norm;  /* mean size of the change over the hook's median norm; NaN if not known */
	f64 repeated_4grams[2]; /* share of the 4-grams of tokens that stood in the text before */
};

/* What was generated before a failure or cancel stands in *out too; release it in any case. */
int steer_generate(struct backend *b, const struct atlas *a, const struct steer_request *q, steer_fn fn,
		   void *context, struct steer_result *out, struct err *e);
void steer_result_release(struct steer_result *r);
f64 steer_repeated_4grams(const u32 *tokens, size_t n);

/* What specs become, for requests of another make (session/sweep.h): the interventions in their order, the amounts
 * from the strengths.  Where they read the activations of a TopK dictionary its encoder is given to the module. */
struct steer_list {
	struct intervention *list; /* [n] */
	f32 *vectors;              /* theirs */
	char (*hooks)[64];         /* [n] of the specs that name one, which need not outlive the call */
	size_t n;
};
/* The size of what n adds put on a row of the reply, over the median norm of the atlas' hook; NaN where one is at
 * another hook or the norm is not known.  O(n d). */
f64 steer_change_over_norm(const struct intervention *list, size_t n, const struct atlas *a);
/* The amount of one of them, of a kind and direction [d_model] that stand, from its spec. */
int steer_list_amount(const struct steer_spec *s, const struct atlas *a, struct intervention *v, struct err *e);
int steer_list_make(struct backend *b, const struct atlas *a, const struct steer_spec *specs, size_t n,
		    enum intervention_where where, struct steer_list *out, struct err *e);
void steer_list_release(struct steer_list *l);

/* One of several seeds. */
struct steer_best {
	u64 seed;
	struct buf text[2]; /* baseline, steered; bytes */
	u32 *tokens[2];
	size_t n[2];
	f64 loglik[2];      /* mean log-likelihood of the reply's tokens under the unsteered model, in nats; NaN: none */
	f64 repeated_4grams[2];
	i64 first_difference;
};
enum { STEER_MOST_SEEDS = 64 };
/* Seeds q->seed to q->seed + n - 1 in one batch, steered and not; out [n] comes ordered by loglik of the
 * steered text, the likeliest first.  What the model finds likely reads well, and so do commonplaces and
 * repetitions: repeated_4grams stands beside it.  Wants a temperature.  fn hears the tokens of all runs,
 * and gets no rows.  Release *out in any case. */
int steer_best(struct backend *b, const struct atlas *a, const struct steer_request *q, size_t n, steer_fn fn,
	       void *context, struct steer_best *out, struct err *e);
void steer_best_release(struct steer_best *b, size_t n);

/* What a run is known by: a hash of atlas, model, prompt, features and options. */
int steer_hash(const struct atlas *a, const struct steer_request *q, char hex[65], struct err *e);
/* [{"id", "method", "strength", "coefficient"}, ...] of a request. */
json_t *steer_features_json(const struct atlas *a, const struct steer_request *q);

/* What the live model makes of a fixed text at a hook. */
int steer_fingerprint(struct backend *b, const char *hook, struct fingerprint *out, struct err *e);
/* Whether the live model is the atlas' one: -1 and *e where it cannot serve at all (widths or
 * hook), else 0, with a sentence in warning where it has another vocabulary, computes other rows
 * than atlas.json's fingerprint says, or, where there is none, came in another file ("" if not).
 * Connects; the verdict is kept until the module restarts, backend_is_foreign tells it too.  Costs
 * a pass over some thirty tokens the first time. */
int steer_check_model(struct backend *b, const struct atlas *a, char *warning, size_t size, struct err *e);

#endif
