/* SPDX-License-Identifier: MIT */
/* check.h - is a dictionary computed the way it was trained?
 *
 * Files of the field leave out how their numbers are meant: whether b_dec is subtracted, how rows are
 * normalised, whether decoder norms are folded, which function follows.  A wrong reading shows on rows of the model itself: the
 * reconstruction is worse than the mean (FVU above 1), or half of all features fire.  So weights are looked at
 * for what no reading can mend, and a sample of rows is run through every reading that the arrays allow.
 * FVU = sum |x - y|^2 / sum |x - mean|^2, the mean of the sample.
 */
#ifndef FEATLAS_CHECK_H
#define FEATLAS_CHECK_H

#include "base/progress.h"
#include "core/dict.h"

struct check_weights {
	u64 n_not_finite;       /* features with a number that is none, in encoder, decoder, bias or threshold */
	u64 n_zero_decoder;     /* features without a direction */
	f32 least_norm, median_norm, most_norm; /* of decoder rows */
	f32 tied;               /* median cosine of w_i and d_i; NaN where they live in different places */
	u64 n_negative_threshold;
};
/* Reads all of the weights.  progress counts features and cancels. */
int check_weights(struct dict *d, struct check_weights *out, struct progress *progress, struct err *e);

struct check_sample {
	u64 n;          /* rows */
	f64 fvu, l0;    /* fvu NaN where there is no target */
	u64 n_silent;   /* features that fired on none of them */
};
/* x [n][d_in] and what should come out, y [n][d_out]: x itself but for a transcoder (NULL: not known). */
int check_sample(struct dict *d, struct pool *pool, const f32 *x, const f32 *y, size_t n, struct check_sample *out,
		 struct progress *progress, struct err *e);

/* A reading of the same arrays. */
struct check_reading {
	char what[128]; /* "b_dec subtracted, rows as they are" */
	bool as_opened;
	struct dict_options options;
	struct check_sample s;
};
enum { CHECK_MOST_READINGS = 28, CHECK_READING_ROWS = 512 };
/* Every reading that the architecture allows, the one it was opened with first, on the first
 * CHECK_READING_ROWS rows; the others by FVU, of several k that are about as good the least first.  Returns how many, -1 on error. */
i64 check_readings(struct dict *d, const struct dict_options *opened, struct pool *pool, const f32 *x, const f32 *y,
		   size_t n, struct check_reading out[CHECK_MOST_READINGS], struct progress *progress, struct err *e);

/* What the files promise: k, SAELens' sparsity table, dictionary_learning's eval_results.json, a folder's name. */
struct check_promise {
	f64 l0, fvu, dead; /* NaN where they do not; dead is a share */
	char why[64];      /* where it stands */
};
void check_promised(const struct dict *d, struct check_promise *p);

enum check_verdict { CHECK_SOUND, CHECK_DOUBTFUL, CHECK_WRONG };
const char *check_verdict_name(enum check_verdict v); /* "sound" */
/* The verdict, and the sentence that goes with it: r [n] from check_readings, n 0 where there was no sample. */
enum check_verdict check_judge(const struct dict *d, const struct check_weights *w, const struct check_promise *p,
			       const struct check_reading *r, size_t n, char *sentence, size_t size);

#endif
