/* SPDX-License-Identifier: MIT */
/* hook.h - names of places in a model, as TransformerLens and SAELens write them. */
#ifndef FEATLAS_HOOK_H
#define FEATLAS_HOOK_H

#include "base/err.h"

enum hook_place { HOOK_RESID_PRE, HOOK_RESID_POST };

/* "blocks.22.hook_resid_post" to layer 22, HOOK_RESID_POST.  Any other name, and a layer the
 * model does not have, is ERR_NOT_FOUND with a sentence that names it. */
int hook_parse(const char *name, u32 n_layers, u32 *layer, enum hook_place *place, struct err *e);

#endif
