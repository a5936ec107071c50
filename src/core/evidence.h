/* SPDX-License-Identifier: MIT */
/* evidence.h - is a label true?  Questions about texts, and what the answers are worth.
 *
 * Detection and fuzzing as Delphi asks them (Paulo et al. 2024; delphi/scorers/classifier): of texts of 32 tokens,
 * some of which activate the feature, say from the label alone which do; or, with tokens marked in each, say
 * where the marked tokens are the ones that do.
 *
 * Texts that activate it are its chosen contexts of all strengths, dealt evenly over five levels of activation
 * (fifths of its maximum).  Those that do not are contexts of other features, drawn from all of them, and of
 * its ten nearest neighbours (the hard ones), in whose windows it has no activation in the store.  What that
 * means depends on the store: with full coverage, or where every token on which the feature fires is at
 * hand, it is silent there.  With coverage examples only what is near a feature's own contexts is kept, so
 * silence in another feature's context is assumed, and each such question says so (`known` false): a feature
 * of density p fires in a drawn window of 32 tokens with a chance of at most 32 p.  Near its neighbours'
 * contexts the chance is several times that (docs/science.md), so there neighbours' contexts are not asked about.
 *
 * Marks of fuzzing: where the feature fires by 0.3 of its most in the text or more; in a neighbour's context where
 * the neighbour does; in another feature's the places of a context that activates, moved over.
 *
 * Half of a feature's contexts, by a hash of their position, are kept for explaining (evidence_is_shown): no
 * question is made of them, so that a label made from texts is judged on others.
 *
 * Everything is a function of atlas, feature and seed.  Thread-safe.
 */
#ifndef FEATLAS_EVIDENCE_H
#define FEATLAS_EVIDENCE_H

#include "base/buf.h"
#include "core/atlas.h"

enum { EVIDENCE_TOKENS = 32, EVIDENCE_LEVELS = 5, EVIDENCE_NEAR = 10, EVIDENCE_MOST = 256 };

#define EVIDENCE_MARKED 0.3f

enum evidence_source { EVIDENCE_FIRES, EVIDENCE_OTHER, EVIDENCE_NEIGHBOUR };

struct evidence_question {
	u64 from;  /* position of its first token */
	u32 n;     /* tokens, at most EVIDENCE_TOKENS */
	u32 of;    /* the feature whose context it is */
	u64 marks; /* bit i: token from + i is marked; 0 in detection */
	f32 act;   /* of EVIDENCE_FIRES: at its peak */
	enum evidence_source source;
	u8 level;  /* of EVIDENCE_FIRES: 0 weakest, below EVIDENCE_LEVELS */
	bool known;
};

struct evidence_ask {
	u32 n_fires, n_other, n_near; /* so many of each, where there are; EVIDENCE_MOST in all */
	bool fuzzing;
	u64 seed;
};

/* Fills out and returns how many, -1 on error: no store, no vocabulary, or too little to ask (fewer than two
 * texts of either kind).  What neighbours lack comes from
 * other features, and so does all of it where silence is assumed. */
i64 evidence_make(const struct atlas *a, u32 feature, const struct evidence_ask *ask,
		  struct evidence_question out[EVIDENCE_MOST], struct err *e);
/* Whether every activation of the feature is in the store. */
bool evidence_is_complete(const struct store *s, u32 feature);
/* Whether a context is for explaining, not for questions. */
bool evidence_is_shown(u32 feature, u64 position);

/* The text without special tokens, as UTF-8, marked tokens between `open` and `close` (NULL: not marked);
 * marked (or NULL) gets a byte for each byte of the text, 1 where a marked token stands. */
void evidence_add_text(const struct atlas *a, const struct evidence_question *q, const char *open, const char *close,
		       struct buf *out, struct buf *marked);

enum evidence_answer { EVIDENCE_NO, EVIDENCE_YES, EVIDENCE_UNJUDGED };

/* Counts: [0] asked, [1] right.  What was not judged is asked nowhere. */
struct evidence_score {
	u32 fires[2], silent[2];
	u32 near[2];    /* of silent, those of neighbours */
	u32 level[EVIDENCE_LEVELS][2];
	u32 n_assumed;  /* of silent, those whose silence is assumed */
	u32 n_unjudged;
};
void evidence_count(const struct evidence_question *q, const u8 *answer, size_t n, struct evidence_score *out);

/* Balanced accuracy is the mean of the shares of right answers among texts of either kind; NaN where one was not
 * asked.  F1 is of the answer yes. */
struct evidence_figures {
	f32 accuracy, balanced, precision, recall, f1;
};
void evidence_figures(const struct evidence_score *s, struct evidence_figures *out);

/* ---- a predictor without a model (evidence_words.c) ---- */

/* The words of a label that could stand in a text: of three letters or more and no function words, and whatever is
 * in quotes. */
struct evidence_words;
struct evidence_words *evidence_words_of_label(const char *label, size_t n);
struct evidence_words *evidence_words_of_topic(const struct atlas *a, u32 feature); /* the topic words */
void evidence_words_free(struct evidence_words *w); /* NULL is fine */
/* Whether one of them stands in the text, in another ending too ("bridges", "crossing"), where marked is given
 * on marked bytes. */
bool evidence_words_match(const struct evidence_words *w, const struct buf *text, const struct buf *marked);

#endif
