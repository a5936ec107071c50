/* SPDX-License-Identifier: MIT */
/* parts.h - making the parts of an atlas that come after its dictionary.
 *
 * Each function writes one file into the folder and notes it in json; the caller commits, and
 * opens the atlas anew before the next part that reads this one.
 */
#ifndef FEATLAS_PARTS_H
#define FEATLAS_PARTS_H

#include "backend/backend.h"
#include "core/atlas.h"
#include "core/index.h"
#include "session/scores.h"

struct parts {
	struct atlas *atlas;     /* as it is on disk */
	json_t *json;            /* atlas.json with a new build id */
	struct backend *backend; /* connected; NULL: what needs no model */
	struct pool *pool;
	struct progress *progress;
};

enum { PARTS_TOKENS = 20 /* promoted and suppressed tokens of a feature */ };

/* uuid, build_id and first_token of o are filled in here.  append: one more segment. */
int parts_store(struct parts *p, struct acts *a, size_t hook, const struct index_options *o, bool append,
		struct index_report *report, struct err *e);
/* The live model's rows of a fixed text, into atlas.json itself. */
int parts_fingerprint(struct parts *p, struct err *e);
int parts_vocab(struct parts *p, struct err *e);
int parts_logits(struct parts *p, struct err *e);
/* Lexical labels of every feature with contexts, and those of a file of "id TAB text" lines
 * (NULL: none), which count as a person's.  n gets how many labels. */
int parts_labels(struct parts *p, const char *tsv, u64 *n, struct err *e);

struct parts_scored {
	u32 n_input, n_output, n_topic; /* features with each score */
	bool resumed;
	f64 mean[SCORES_N_FACTORS], median[SCORES_N_FACTORS]; /* output score by factor, over n_sample features */
	u32 n_sample;
	f64 best_factor;
};
/* Input, output and topic score of every feature.  Without a backend the latter two are NaN.  Topic words
 * and input scores come from the store; one that keeps examples only keeps the ones there are.  What stops
 * or fails leaves scores.part.safetensors in the folder (also written every half minute), and is taken up
 * there when it is asked for the same again. */
int parts_scores(struct parts *p, f64 output_factor, f64 topic_strength, struct parts_scored *out, struct err *e);

#endif
