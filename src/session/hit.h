/* SPDX-License-Identifier: MIT */
/* hit.h - whether a steered text is about what it was steered to: the rule, fixed beforehand.
 *
 * A text is a hit when it has two different words of a list, at most 20 % repeated 4-grams, and a mean
 * negative log-likelihood under the unsteered model at most 1.5 nats a token above that of the
 * baseline, the unsteered text of the same prompt and seed.  A seed is hit when two thirds of its
 * texts are, one a prompt; a feature steers when eight tenths of the seeds are.  Lists, features and
 * strengths are chosen on other seeds and prompts than the figures come from.  Pure functions.
 */
#ifndef FEATLAS_HIT_H
#define FEATLAS_HIT_H

#include "base/types.h"

enum { HIT_WORDS = 2 };
#define HIT_REPEATS 0.2 /* of steer_repeated_4grams */
#define HIT_EXCESS 1.5  /* nats a token */

/* Different words of a list that stand in a text of n bytes, each counted once.  A word matches at the start
 * of one, in either case, and may be a stem or hold blanks ("galax", "global warming"); in scripts
 * without letter case it matches anywhere.  An empty word never does.  O(n n_words). */
size_t hit_words(const char *const *words, size_t n_words, const char *text, size_t n);

bool hit_is(size_t words, f64 repeats, f64 nll, f64 baseline_nll);
bool hit_seed(size_t hits, size_t n_texts);
bool hit_steers(size_t seeds_hit, size_t n_seeds);

#endif
