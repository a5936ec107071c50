/* SPDX-License-Identifier: MIT */
/* topic.h - the words around a feature's contexts, and its lexical label.
 *
 * Topic words: up to 20 content tokens (word-initial, four letters or more, outside the 250
 * commonest) that stand within 12 tokens of the feature's 25 strongest contexts, in at least
 * 3 of them and at 3 times their base rate, best log-odds first:
 * k ln((k / n) / min(1, 24 p)), k of n contexts, p the token's share of all unmasked tokens.
 */
#ifndef FEATLAS_TOPIC_H
#define FEATLAS_TOPIC_H

#include "base/buf.h"
#include "core/store.h"
#include "core/vocab.h"

/* How common each token is; read-only after it is made, so any thread may share it. */
struct topic_base;

struct topic_base *topic_base_new(const struct store *s, const struct vocab *v, struct err *e);
void topic_base_free(struct topic_base *b); /* NULL is fine */
bool topic_is_content(const struct topic_base *b, u32 token);

enum { TOPIC_WORDS = 20 };
struct topic_word {
	u32 token;
	u32 k;     /* contexts it stands in */
	f32 score;
};
/* Best first; returns how many, n_contexts (may be NULL) gets n. */
size_t topic_words(const struct topic_base *b, u32 feature, struct topic_word out[TOPIC_WORDS], size_t *n_contexts);

/* The content tokens around each of a feature's strongest contexts, and the number of the text it stands in. */
enum { TOPIC_PASSAGES = 25, TOPIC_PASSAGE = 25 };
struct topic_passage {
	u64 text;
	size_t n;
	u32 word[TOPIC_PASSAGE]; /* ascending, none twice */
};
size_t topic_passages(const struct topic_base *b, u32 feature, struct topic_passage out[TOPIC_PASSAGES]);

/* The share of the strongest contexts whose peak token is among the given ones (input score
 * of Arad et al., EMNLP 2025); NaN where the feature has no context or n is 0. */
f32 topic_input_score(const struct store *s, u32 feature, const u32 *tokens, size_t n);

/* Appends a label made from what peaks, what stands around it and what is promoted, such as
 * "bridge / tunnel / crossing", or a quoted token and a topic where what peaks is a mark or a
 * function word.  Safe text in one line, never empty for a feature that has a context; *score gets
 * the share of top contexts that the words account for.  False (nothing appended): no
 * context. */
bool topic_label(const struct topic_base *b, u32 feature, const u32 *promoted, size_t n_promoted, struct buf *out,
		 f32 *score);

#endif
