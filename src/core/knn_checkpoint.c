/* SPDX-License-Identifier: MIT */
/* knn_checkpoint.c - a comparison of all rows that was stopped: what is final, and the candidates. */
#include "core/knn_impl.h"

#include "base/mem.h"
#include "core/rows.h"
#include "io/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Lists are written behind their lengths in one tensor. */
static int add_lists(struct safetensors_writer *w, const struct knn_state *s, struct err *e)
{
	int bad = 0;
	for (size_t i = s->done; !bad && i < s->rows->n; i++)
		bad = safetensors_writer_add(w, s->list[i].key, s->list[i].n * sizeof(u64), e);
	return bad;
}

int knn_checkpoint_write(const struct knn_state *s, const struct knn_checkpoint *c, struct err *e)
{
	size_t left = s->rows->n - s->done, all = 0;
	struct safetensors_writer *w = safetensors_writer_new(c->path, e);
	u32 *count = mem_try(left, sizeof *count, "a checkpoint", e);
	int bad = w && count ? 0 : -1;
	for (size_t i = 0; count && i < left; i++)
		all += count[i] = s->list[s->done + i].n;
	if (!bad) {
		safetensors_writer_meta(w, "identity", c->identity);
		safetensors_writer_declare(w, "key", DTYPE_U64, 1, (u64[]){all});
		safetensors_writer_declare(w, "count", DTYPE_U32, 1, (u64[]){left});
		safetensors_writer_declare(w, "least", DTYPE_F32, 1, (u64[]){left});
		safetensors_writer_declare(w, "id", DTYPE_U32, 2, (u64[]){s->done, s->k});
		safetensors_writer_declare(w, "score", DTYPE_F32, 2, (u64[]){s->done, s->k});
		bad = safetensors_writer_begin(w, e) || add_lists(w, s, e) ||
		      safetensors_writer_add(w, count, left * sizeof *count, e) ||
		      safetensors_writer_add(w, s->least + s->done, left * sizeof *s->least, e) ||
		      safetensors_writer_add(w, s->id, s->done * s->k * sizeof *s->id, e) ||
		      safetensors_writer_add(w, s->score, s->done * s->k * sizeof *s->score, e);
	}
	free(count);
	if (!bad)
		return safetensors_writer_commit(w, e);
	safetensors_writer_abandon(w);
	return -1;
}

struct saved {
	struct safetensors *file;
	const struct tensor *key, *count, *least, *id, *score;
	size_t done;
};

static int find(struct saved *v, const struct knn_state *s, struct err *e)
{
	u64 any[] = {TENSOR_ANY};
	if (!(v->id = safetensors_need(v->file, "id", 1u << DTYPE_U32, 2, (u64[]){TENSOR_ANY, s->k}, e)))
		return -1;
	u64 done = v->id->shape[0], left[] = {s->rows->n - done};
	if (done > s->rows->n)
		return err_set(e, ERR_DAMAGED, "'%s' has more rows than there are", safetensors_path(v->file));
	v->done = (size_t)done;
	return (v->score = safetensors_need(v->file, "score", 1u << DTYPE_F32, 2, v->id->shape, e)) &&
			       (v->count = safetensors_need(v->file, "count", 1u << DTYPE_U32, 1, left, e)) &&
			       (v->least = safetensors_need(v->file, "least", 1u << DTYPE_F32, 1, left, e)) &&
			       (v->key = safetensors_need(v->file, "key", 1u << DTYPE_U64, 1, any, e))
		       ? 0
		       : -1;
}

/* A list takes the keys as they are; the bounds were of the same rows. */
static int fill_list(struct knn_list *l, const struct saved *v, u64 from, u32 n, size_t rows, struct err *e)
{
	if (n > l->cap) {
		if (!(l->key = mem_try(n, sizeof(u64), "candidates", e)))
			return -1;
		l->cap = n;
		l->grown = true;
	}
	for (u32 i = 0; i < n; i++) {
		l->key[i] = tensor_u64(v->key, from + i);
		if (knn_key_id(l->key[i]) >= rows)
			return err_set(e, ERR_DAMAGED, "'%s' names a row that is not there",
				       safetensors_path(v->file));
	}
	l->n = n;
	return 0;
}

static int fill(struct knn_state *s, const struct saved *v, struct err *e)
{
	u64 at = 0;
	for (size_t i = 0; i < s->rows->n - v->done; i++) {
		u32 n = (u32)tensor_u64(v->count, i);
		f32 least = tensor_f32(v->least, i);
		if (n > v->key->n - at || isnan(least))
			return err_set(e, ERR_DAMAGED, "'%s' has fewer candidates than it says",
				       safetensors_path(v->file));
		if (fill_list(&s->list[v->done + i], v, at, n, s->rows->n, e))
			return -1;
		s->least[v->done + i] = least;
		at += n;
	}
	for (u64 i = 0; i < v->done * s->k; i++) {
		s->id[i] = (u32)tensor_u64(v->id, i);
		s->score[i] = tensor_f32(v->score, i);
	}
	s->done = v->done;
	return 1;
}

int knn_checkpoint_read(struct knn_state *s, const struct knn_checkpoint *c, struct err *e)
{
	if (access(c->path, F_OK))
		return 0;
	struct saved v = {.file = safetensors_open(c->path, e)};
	if (!v.file)
		return -1;
	const char *identity = safetensors_metadata(v.file, "identity");
	int r = -1;
	if (!identity || strcmp(identity, c->identity))
		err_set(e, ERR_FAILED, "'%s' is of another comparison; remove it to start anew", c->path);
	else if (!find(&v, s, e))
		r = fill(s, &v, e);
	safetensors_free(v.file);
	return r;
}
