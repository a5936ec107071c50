/* SPDX-License-Identifier: MIT */
/* dict_export.h - any dictionary as SAELens' folder.
 *
 * FOLDER/cfg.json of version 6 and FOLDER/sae_weights.safetensors in F32, such that SAELens and dict_open give the
 * activations and reconstructions that d gives: factors that d has apart (a norm scale, unit rows, decoder norms
 * that select or, but for topk, scale) are folded into the weights, and so is a bias on the input of a transcoder.
 * ERR_UNAVAILABLE by name where SAELens has no such dictionary: groupmax, GLU, identity, a TopK that selects by
 * decoder norms without scaling by them, a TopK with a skip connection or of two widths.
 * Both files appear whole or not at all.  Memory: at most 64 Mi numbers of W_enc at a time.
 */
#ifndef FEATLAS_DICT_EXPORT_H
#define FEATLAS_DICT_EXPORT_H

#include "base/progress.h"
#include "core/dict.h"

int dict_export(struct dict *d, const char *folder, struct progress *p, struct err *e);

#endif
