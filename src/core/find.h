/* SPDX-License-Identifier: MIT */
/* find.h - which features tell texts of a concept from others.
 *
 * A text's value of a feature is the largest activation on its tokens that count, 0 where it does not fire, or
 * their mean.
 * AUROC is the share of pairs (a positive and a negative text) in which the positive has the larger value,
 * ties a half (Mann and Whitney 1947).  Values of a feature of which one is at most FIND_ROUNDING of the larger
 * above the next are one value, the least of them: texts that begin alike differ there by the order in which a
 * model added up, which is no evidence.  (With a chain of such steps so are its ends: who is equal to whom hangs
 * on no order, and on no grid that might pass between two that are.)  Having looked at thousands of features, the
 * best one's AUROC flatters it: so the choice is repeated without each of k parts of the texts, and judged on the
 * part left out.
 */
#ifndef FEATLAS_FIND_H
#define FEATLAS_FIND_H

#include "base/err.h"
#include "base/pool.h"
#include "base/types.h"
#include "core/dict.h"

/* Values are sparse: of each text the features that fire, ids ascending. */
struct find_text {
	u32 *id;
	f32 *value;
	size_t n;
	bool positive;
};

#define FIND_ROUNDING 1e-4

enum find_value { FIND_MAX, FIND_MEAN };
/* The text of n tokens that count.  Owned by the caller: find_text_release. */
void find_gather(const struct dict_row *rows, size_t n, enum find_value how, bool positive, struct find_text *out);
void find_text_release(struct find_text *t);

struct find_score {
	u32 feature;
	f32 auroc;
	f32 mean_difference; /* of the values, positive less negative */
	u32 n_positive, n_negative; /* texts where it fires */
};

/* "Active on A and not on B": only features that fire on at least the share `on` of the positive texts and at
 * most `off` of the negative ones; NULL: all.  Shares from 0 to 1. */
struct find_filter {
	f32 on, off;
};

/* All features that fire on any text and pass the filter, best AUROC first, then by mean difference, then by id: at
 * most cap.  Returns how many there are in all, -1 on error.  O(texts x F log texts). */
i64 find_rank(const struct find_text *t, size_t n, u32 n_features, const struct find_filter *filter, struct pool *pool,
	      struct find_score *out, size_t cap, struct err *e);

struct find_held_out {
	u32 folds;      /* in which both kinds of text were left out and both were left */
	f32 auroc;      /* mean over folds, of the feature chosen without the fold; NaN where there was none */
	u32 chosen;     /* the feature chosen most often, */
	u32 times;      /* and how often */
};
/* Texts are dealt to folds by find_deal.  Where nothing passes the filter without a fold, there
 * is no choice, and its AUROC counts as chance, 0.5. */
int find_held_out(const struct find_text *t, size_t n, u32 n_features, u32 folds, const struct find_filter *filter,
		  struct pool *pool, struct find_held_out *out, struct err *e);

/* The fold of each text: by turns, each kind by itself. */
void find_deal(const bool *positive, size_t n, u32 folds, u32 *fold /* [n] */);

/* AUROC of one feature over the texts for which use is true (NULL: all); NaN without both kinds. */
f32 find_auroc(const struct find_text *t, size_t n, u32 feature, const bool *use);

#endif
