/* SPDX-License-Identifier: MIT */
/* tensors.h - named arrays from whatever holds them, behind one look.
 *
 * A source is a safetensors file, a safetensors index (model.safetensors.index.json, with its shards
 * beside it), a zip of .npy entries (.npz), or a zip with a torch pickle (.pt, .pth, .ckpt).  Which one it is
 * is seen in its content, never in the name.  Links are followed, so a Hugging Face snapshot opens.
 *
 * Opening maps the file and reads headers only.  Entries of a zip that are stored are used where they
 * lie; deflated ones are inflated once, when first asked for by tensors_need or tensors_data, into a file of
 * $XDG_CACHE_HOME/featlas/arrays (cache.h), and mapped from there; so are arrays whose order is not C.
 * Every length, offset, shape and stride is checked against the file before a tensor is handed out; what is
 * wrong is refused with the file, the field and the reason.  The CRC of a stored entry is not compared on
 * opening, which would read all of it: tensors_verify does.
 *
 * Data may begin at any byte: in files that numpy.savez writes it seldom begins at a multiple of 4.
 * Thread-safe to read; memory is constant in the size of the tensors.
 */
#ifndef FEATLAS_TENSORS_H
#define FEATLAS_TENSORS_H

#include "base/json.h"
#include "base/progress.h"
#include "io/safetensors.h"

enum tensors_kind { TENSORS_SAFETENSORS, TENSORS_SHARDS, TENSORS_NPZ, TENSORS_TORCH };

struct tensors;

struct tensors *tensors_open(const char *path, struct err *e);
void tensors_free(struct tensors *s); /* NULL is fine */
enum tensors_kind tensors_kind(const struct tensors *s);
const char *tensors_path(const struct tensors *s);
size_t tensors_count(const struct tensors *s);
/* What the header says: name, dtype, shape, in the file's order.  data is empty for what is not in place
 * until tensors_data has put it there.  An .npz entry W.npy is named "W"; its arrays of text or objects are
 * left out. A torch file's nested dictionaries give names joined by '.', a lone tensor is named "tensor"; its
 * scalars and strings are values, below. */
const struct tensor *tensors_at(const struct tensors *s, size_t i);
const struct tensor *tensors_find(const struct tensors *s, const char *name); /* or NULL */
/* The tensor with its data in C order, mapped or made once in the cache.  Making it may take as long as
 * reading and writing all of it. */
const struct tensor *tensors_data(struct tensors *s, const char *name, struct err *e);
/* The same, checked first: dtypes, n_dims and want as in safetensors_need. */
const struct tensor *tensors_need(struct tensors *s, const char *name, unsigned dtypes, int n_dims,
				  const u64 *want, struct err *e);
/* A plain value of a torch pickle ("activation" "TopK", "activation_state_dict.k" 32) as JSON, or NULL.
 * Borrowed.  Lists are named like dictionaries: "sizes.0". */
const json_t *tensors_value(const struct tensors *s, const char *name);
/* All of them, an object from full name to value; empty for other kinds. */
const json_t *tensors_values(const struct tensors *s);
/* What safetensors files say of themselves (of shards: the index's "metadata" where it is a string); or NULL.
 */
const char *tensors_metadata(const struct tensors *s, const char *key);
/* True where the tensor's bytes are the file's own pages, false where they are, or will be, the cache's. */
bool tensors_is_mapped(const struct tensors *s, const char *name);
/* Reads every entry of a zip to its end and compares its checksum.  The other kinds hold none: 0 at once. */
int tensors_verify(const struct tensors *s, struct progress *progress, struct err *e);

#endif
