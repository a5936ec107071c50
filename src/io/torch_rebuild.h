/* SPDX-License-Identifier: MIT */
/* torch_rebuild.h - what the calls in a torch pickle stand for; nothing is ever called. */
#ifndef FEATLAS_TORCH_REBUILD_H
#define FEATLAS_TORCH_REBUILD_H

#include "base/json.h"
#include "io/pickle.h"
#include "io/tensors_impl.h"

/* For pickle_parse: the calls that torch.save makes for tensors and plain values. */
extern const char *const torch_calls[];

/* Where the storages lie: "FOLDER/data/KEY" in the zip. */
struct torch_file {
	struct tensors *s;
	const char *folder;
	const char *what; /* "'x.pt': data.pkl" */
};

/* 1 and item (all but its name) if v is a call that rebuilds a tensor, checked against the storage's entry; 0
 * if it is something else; -1 if it lies. */
int torch_tensor(const struct torch_file *f, const struct pickle_value *v, struct tensors_item *item,
		 struct err *e);
/* A number, text, numpy scalar, size or the name of a global as JSON, a new reference; NULL for anything
 * else. */
json_t *torch_plain(const struct pickle_value *v);
/* What a call stands for where it only wraps: the items of an OrderedDict, the tuple in a Size, the tensor in
 * a Parameter.  v itself if it wraps nothing. */
const struct pickle_value *torch_unwrap(const struct pickle_value *v);

#endif
