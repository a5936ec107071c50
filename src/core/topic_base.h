/* SPDX-License-Identifier: MIT */
/* topic_base.h - what topic.c and topic_label.c share. */
#ifndef FEATLAS_TOPIC_BASE_H
#define FEATLAS_TOPIC_BASE_H

#include "core/topic.h"

struct topic_base {
	const struct store *store;
	const struct vocab *vocab;
	u32 n_vocab;
	u64 *count, total; /* [n_vocab], over unmasked tokens */
	bool *common, *content;
};

enum { TOPIC_CONTEXTS = 25 };
/* The strongest contexts: the top ones, then those of the highest intervals. */
size_t topic_contexts(const struct store *s, u32 feature, struct store_context out[TOPIC_CONTEXTS]);
/* A letter of any script, near enough for choosing words. */
bool topic_is_letter(i32 cp);
/* A word, in lower case, that says little of a subject. */
bool topic_is_function_word(const char *word);
/* "bridge" and "bridges", "cross" and "crossing": one says the other. */
bool topic_are_kin(const char *a, size_t n_a, const char *b, size_t n_b);

#endif
