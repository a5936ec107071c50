/* SPDX-License-Identifier: MIT */
/* attach.h - the live model taken for one piece of work on an atlas: connected, watched, and checked.
 *
 * What asks a live model about an atlas stands between attach_model and detach_model, in commands and on the
 * screen, so that ^C reaches it and nobody reads one model's answers as another's.  One thread a backend.
 */
#ifndef FEATLAS_ATTACH_H
#define FEATLAS_ATTACH_H

#include "backend/steer.h"

enum { ATTACH_WARNING = 256 };
/* p hears progress and ends requests when it is cancelled; it must live until detach_model, which follows in any
 * case.  -1 and *e: the model cannot be started or cannot serve this atlas.  warning: a sentence where it is
 * another than the atlas's, else "" (steer_check_model). */
int attach_model(struct backend *b, const struct atlas *a, struct progress *p, char warning[ATTACH_WARNING],
		 struct err *e);
void detach_model(struct backend *b);

#endif
