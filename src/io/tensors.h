/* SPDX-License-Identifier: MIT */
/* tensors.h - named arrays from whatever holds them, behind one look.
 *
 * A source is a safetensors file, a safetensors index (model.safetensors.index.json, with its shards
 * beside it), a zip of .npy entries (.npz), or a zip with a torch pickle (.pt, .pth, .ckpt).  Which one it is is seen
 * in the first bytes, never in the name.  Links are followed, so a Hugging Face snapshot opens.
 *
 * Opening maps the file and reads headers only.  Entries of a zip that are stored are mapped where they
 * lie; deflated ones are inflated once, when first asked for by tensors_data, into a file of
 * $XDG_CACHE_HOME/featlas named by the content's hash, and mapped from there.  Every length, offset,
 * shape and stride is checked against the file before a tensor is handed out.
 * Thread-safe to read; memory is constant in the size of the tensors.
 */
#ifndef FEATLAS_TENSORS_H
#define FEATLAS_TENSORS_H

#include "base/json.h"
#include "io/safetensors.h"

enum tensors_kind { TENSORS_SAFETENSORS, TENSORS_SHARDS, TENSORS_NPZ, TENSORS_TORCH };

struct tensors;

struct tensors *tensors_open(const char *path, struct err *e);
void tensors_free(struct tensors *s); /* NULL is fine */
enum tensors_kind tensors_kind(const struct tensors *s);
const char *tensors_path(const struct tensors *s);
size_t tensors_count(const struct tensors *s);
/* What the header says: name, dtype, shape.  data may be empty until tensors_data.  A torch file's nested
 * dictionaries give names joined by '.'; its scalars and strings are values, below. */
const struct tensor *tensors_at(const struct tensors *s, size_t i);
const struct tensor *tensors_find(const struct tensors *s, const char *name); /* or NULL */
/* The tensor with its data in C order, mapped or (deflated, or strided in a torch file) made once in the cache.
 * dtypes, n_dims and want as in safetensors_need. */
const struct tensor *tensors_need(struct tensors *s, const char *name, unsigned dtypes, int n_dims, const u64 *want,
				  struct err *e);
/* A plain value of a torch pickle ("activation" "TopK", "activation_state_dict.k" 32) as JSON, or NULL.
 * Borrowed. */
const json_t *tensors_value(const struct tensors *s, const char *name);
/* Where the tensor's bytes come from: true where they are the file's own pages, false for the cache. */
bool tensors_is_mapped(const struct tensors *s, const char *name);

#endif
