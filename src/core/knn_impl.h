/* SPDX-License-Identifier: MIT */
/* knn_impl.h - lists of candidates that grow with what is near; for knn*.c only. */
#ifndef FEATLAS_KNN_IMPL_H
#define FEATLAS_KNN_IMPL_H

#include "core/knn.h"

/* Best first as u64: larger scores above, then lower ids. */
u64 knn_key(f32 score, u32 id);
static inline u32 knn_key_id(u64 key)
{
	return ~(u32)key;
}
f32 knn_key_score(u64 key);
/* The best k of n keys to id and score; returns how many there are. */
size_t knn_take_best(u64 *key, size_t n, size_t k, u32 *id, f32 *score);
/* How far a fast product of two kept rows, or of a vector and a row, may be from the true one. */
f32 knn_slack(const struct rows *rows, f32 x_length, f32 x_off);

/* What may be among the k best. */
struct knn_list {
	u64 *key;
	u32 n, cap;
	bool grown; /* key is its own allocation */
};

struct knn_bound {
	size_t k;
	f32 slack;
};

void knn_list_release(struct knn_list *l);
/* Adds what is at least *least, and raises *least when the list is full. */
int knn_list_add(struct knn_list *l, const struct knn_bound *b, f32 *least, u64 key);
/* Leaves what may be among the k best of all that was added; raises *least to match. */
void knn_list_narrow(struct knn_list *l, const struct knn_bound *b, f32 *least);

/* The state of a graph at hand, for checkpoints. */
struct knn_state {
	const struct rows *rows;
	size_t k, done;	       /* rows [0, done) are final in id and score */
	u32 *id;	       /* [n][k] */
	f32 *score;	       /* [n][k] */
	struct knn_list *list; /* [n] of the other rows */
	f32 *least;	       /* [n] */
};
int knn_checkpoint_write(const struct knn_state *s, const struct knn_checkpoint *c, struct err *e);
/* 1 if there was one and it was taken up, 0 if there is none. */
int knn_checkpoint_read(struct knn_state *s, const struct knn_checkpoint *c, struct err *e);

#endif
