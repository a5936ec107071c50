/* SPDX-License-Identifier: MIT */
/* train_acts.h - rows of a harvested folder as a source for training.
 *
 * Masked tokens (position 0, special tokens, sinks) are left out, and the texts that
 * acts_held_out names are held out whole.
 */
#ifndef FEATLAS_TRAIN_ACTS_H
#define FEATLAS_TRAIN_ACTS_H

#include "core/acts.h"
#include "core/train.h"

struct train_acts;

/* acts is borrowed.  Reads flags and text bounds, not rows; takes 16 bytes a token. */
struct train_acts *train_acts_new(struct acts *acts, size_t hook, struct err *e);
void train_acts_free(struct train_acts *t); /* NULL is fine */
void train_acts_source(struct train_acts *t, struct train_source *out);

#endif
