/* SPDX-License-Identifier: MIT */
/* train_select.c - which features are active on the rows of a batch. */
#include "core/train_select.h"

#include "base/mem.h"
#include "core/topk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int selection_init(struct selection *s, size_t most_rows, struct err *e)
{
	static const char what[] = "the active features of a batch";
	*s = (struct selection){.most_rows = most_rows};
	s->at = mem_try(most_rows + 1, sizeof *s->at, what, e);
	s->n = mem_try(most_rows, sizeof *s->n, what, e);
	return s->at && s->n ? 0 : -1;
}

void selection_release(struct selection *s)
{
	encoder_out_release(&s->out);
	free(s->at);
	free(s->n);
	free(s->dz);
	free(s->key);
	*s = (struct selection){0};
}

static int room(struct selection *s, struct err *e)
{
	if (s->out.n <= s->cap_dz)
		return 0;
	free(s->dz);
	s->cap_dz = s->out.n + s->out.n / 4;
	s->dz = mem_try(s->cap_dz, sizeof *s->dz, "the active features of a batch", e);
	if (!s->dz)
		s->cap_dz = 0;
	return s->dz ? 0 : -1;
}

int select_rows(struct selection *s, const struct encoder *c, struct pool *pool, const f32 *x, size_t n,
		const struct encoder_cut *cut, struct err *e)
{
	encoder_out_release(&s->out);
	if (encoder_run(c, NULL, pool, x, n, cut, &s->out, e) || room(s, e))
		return -1;
	s->n_rows = n;
	s->at[0] = 0;
	for (size_t i = 0; i < n; i++) {
		s->n[i] = s->out.row_n[i];
		s->at[i + 1] = s->at[i] + s->n[i];
	}
	return 0;
}

/* Values are positive, so their bits are in their order. */
static u64 key_of(const struct selection *s, size_t i)
{
	u32 bits;
	memcpy(&bits, &s->out.act[i], sizeof bits);
	return (u64)bits << 32 | (u32)~i;
}

static int find_cut(struct selection *s, size_t total, u64 *cut, struct err *e)
{
	*cut = 0;
	if (s->out.n <= total)
		return 0;
	if (s->out.n > s->cap_key) {
		free(s->key);
		s->cap_key = s->out.n + s->out.n / 4;
		s->key = mem_try(s->cap_key, sizeof *s->key, "the selection of the largest", e);
		if (!s->key) {
			s->cap_key = 0;
			return -1;
		}
	}
	for (size_t i = 0; i < s->out.n; i++)
		s->key[i] = key_of(s, i);
	topk_keys(s->key, s->out.n, total);
	*cut = UINT64_MAX;
	for (size_t i = 0; i < total; i++)
		*cut = MIN(*cut, s->key[i]);
	return 0;
}

static f32 keep_from(struct selection *s, u64 cut)
{
	size_t kept = 0;
	f32 least = INFINITY;
	for (size_t row = 0, i = 0; row < s->n_rows; row++) {
		size_t end = s->at[row + 1], first = kept;
		for (; i < end; i++) {
			if (key_of(s, i) < cut)
				continue;
			s->out.id[kept] = s->out.id[i];
			s->out.act[kept] = s->out.act[i];
			least = fminf(least, s->out.act[kept++]);
		}
		s->n[row] = (u32)(kept - first);
		s->at[row + 1] = kept;
	}
	s->out.n = kept;
	return kept ? least : 0;
}

int select_batch(struct selection *s, const struct encoder *c, struct pool *pool, const f32 *x, size_t n, size_t total,
		 f32 guess, f32 *least, struct err *e)
{
	u64 cut;
	for (f32 from = guess > 0 ? guess : 0;; from = from > guess / 16 ? from / 2 : 0) {
		struct encoder_cut above = {.least = from};
		if (select_rows(s, c, pool, x, n, &above, e))
			return -1;
		if (s->out.n >= total || !(from > 0))
			break;
	}
	if (find_cut(s, total, &cut, e))
		return -1;
	*least = keep_from(s, cut);
	return 0;
}

struct splitting {
	struct selection *s;
	const f32 *threshold;
};

static void split_row(void *context, size_t row, unsigned thread)
{
	(void)thread;
	struct splitting *p = context;
	struct selection *s = p->s;
	size_t first = s->at[row], n = first;
	for (size_t i = first; i < s->at[row + 1]; i++) {
		u32 f = s->out.id[i];
		f32 a = s->out.act[i];
		if (!(a > p->threshold[f]))
			continue;
		s->out.id[i] = s->out.id[n];
		s->out.act[i] = s->out.act[n];
		s->out.id[n] = f;
		s->out.act[n++] = a;
	}
	s->n[row] = (u32)(n - first);
}

void select_above(struct selection *s, struct pool *pool, const f32 *threshold)
{
	struct splitting p = {s, threshold};
	pool_each(pool, s->n_rows, split_row, &p);
}
