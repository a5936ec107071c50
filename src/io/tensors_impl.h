/* SPDX-License-Identifier: MIT */
/* tensors_impl.h - what tensors.c and the readers of its kinds share; included by nobody else. */
#ifndef FEATLAS_TENSORS_IMPL_H
#define FEATLAS_TENSORS_IMPL_H

#include "base/mapfile.h"
#include "io/tensors.h"
#include "io/zip.h"

#include <pthread.h>

struct tensors_item {
	struct tensor t;	      /* owns its name; data once it is in place */
	bool mapped;		      /* from the file's own pages */
	bool ready;		      /* data is in place */
	bool c_order;		      /* strides are those of C */
	size_t entry;		      /* of the zip */
	u64 offset;		      /* bytes of the entry before the first element */
	u64 strides[TENSOR_MAX_DIMS]; /* in elements */
	struct safetensors *made;     /* in the cache: C order */
};

struct tensors {
	enum tensors_kind kind;
	char *path;
	struct mapfile *map;	     /* npz, torch */
	struct zip *zip;	     /* npz, torch */
	struct safetensors **blobs;  /* an entry each: its contents in the cache, or NULL */
	struct safetensors **shards; /* safetensors: the one */
	size_t n_shards;
	struct tensors_item *items;
	size_t n, cap;
	json_t *index;	      /* name to place in items */
	json_t *values;	      /* torch */
	json_t *metadata;     /* shards */
	pthread_mutex_t lock; /* blobs, and of items made, ready, t.data */
};

/* Appends a copy of item, its name too.  A name that is there is refused. */
int tensors_add(struct tensors *s, const struct tensors_item *item, struct err *e);

int tensors_open_shards(struct tensors *s, struct err *e);
int tensors_open_npz(struct tensors *s, struct err *e);
int tensors_open_torch(struct tensors *s, size_t data_pkl, struct err *e);
/* The strides of C, and whether these are they: a dimension of one element may have any. */
void tensors_c_strides(const struct tensor *t, u64 *strides);
bool tensors_is_c_order(const struct tensor *t, const u64 *strides);
/* After offset and strides are checked against the entry: marks what lies mapped in C order as ready. */
void tensors_place(struct tensors *s, struct tensors_item *item);
/* Puts the data of an item of a zip in place; with the lock held. */
int tensors_fetch(struct tensors *s, struct tensors_item *item, struct err *e);

#endif
