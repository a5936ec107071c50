/* SPDX-License-Identifier: MIT */
/* suite_rows.h - the residual rows of a concept's texts, read through the live model once.
 *
 * They are kept with io/cache.h, so that another dictionary at the same hook, or another way of judging,
 * needs no model.  What they are known by: the model's sha256, the hook, its median norm (for the sinks),
 * chat or plain, and a hash of the texts.
 */
#ifndef FEATLAS_SUITE_ROWS_H
#define FEATLAS_SUITE_ROWS_H

#include "session/session.h"
#include "session/suite.h"

struct suite_rows {
	size_t n_texts;
	u32 *n;         /* [n_texts] tokens that count: featlas-atlas(5)'s mask */
	u64 n_rows;     /* their sum */
	f32 *x;         /* [n_rows][d_model], text after text */
};

/* b is connected, or NULL: then only what is kept of the atlas' model is used, and ERR_UNAVAILABLE says that it is
 * not there.  One request a text that has to be read.  A place to keep them is wished for, not needed. */
int suite_rows_read(struct session *s, struct backend *b, const struct suite_concept *c, bool chat, struct suite_rows *out,
		    struct err *e);
void suite_rows_release(struct suite_rows *r);

#endif
