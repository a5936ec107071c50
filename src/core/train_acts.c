/* SPDX-License-Identifier: MIT */
/* train_acts.c - rows of a harvested folder as a source for training. */
#include "core/train_acts.h"

#include "base/mem.h"
#include "core/store.h"
#include "core/vec.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct train_acts {
	u32 d;
	struct acts_shard *shard;
	size_t n_shards;
	u64 *list[2], n[2]; /* shard << 40 | row in it */
	size_t page;
};

enum { SHARD_SHIFT = 40 };

static void list_shard(struct train_acts *t, size_t s)
{
	const struct acts_shard *h = &t->shard[s];
	for (u64 text = 0; text < h->n_texts; text++) {
		int list = acts_held_out(h->first_text + text);
		for (u64 i = h->text_ptr[text]; i < h->text_ptr[text + 1]; i++)
			if (!(h->flags[i] & TOKEN_MASKED))
				t->list[list][t->n[list]++] = (u64)s << SHARD_SHIFT | i;
	}
}

struct train_acts *train_acts_new(struct acts *acts, size_t hook, struct err *e)
{
	struct train_acts *t = xcalloc(1, sizeof *t);
	t->d = acts_d(acts);
	t->n_shards = acts_n_shards(acts);
	t->shard = xcalloc(t->n_shards + 1, sizeof *t->shard);
	t->page = (size_t)sysconf(_SC_PAGESIZE);
	for (int i = 0; i < 2; i++)
		if (!(t->list[i] = mem_try(acts_n_tokens(acts), sizeof(u64), "the list of rows", e)))
			goto fail;
	for (size_t s = 0; s < t->n_shards; s++) {
		if (acts_shard(acts, s, hook, &t->shard[s], e))
			goto fail;
		list_shard(t, s);
	}
	return t;
fail:
	train_acts_free(t);
	return NULL;
}

void train_acts_free(struct train_acts *t)
{
	if (!t)
		return;
	free(t->shard);
	free(t->list[0]);
	free(t->list[1]);
	free(t);
}

static const u16 *row(const struct train_acts *t, int list, u64 index)
{
	u64 at = t->list[list][index];
	return t->shard[at >> SHARD_SHIFT].rows + (at & (((u64)1 << SHARD_SHIFT) - 1)) * t->d;
}

static void rows(void *context, int list, const u64 *index, size_t n, f32 *out)
{
	struct train_acts *t = context;
	for (size_t i = 0; i < n; i++)
		vec_from_f16(out + i * t->d, row(t, list, index[i]), t->d);
}

static void want(void *context, int list, const u64 *index, size_t n)
{
	struct train_acts *t = context;
	for (size_t i = 0; i < n; i++) {
		uintptr_t at = (uintptr_t)row(t, list, index[i]), page = at & ~(uintptr_t)(t->page - 1);
		madvise((void *)page, at + t->d * sizeof(u16) - page, MADV_WILLNEED);
	}
}

void train_acts_source(struct train_acts *t, struct train_source *out)
{
	*out = (struct train_source){t, t->d, {t->n[0], t->n[1]}, rows, want};
}
