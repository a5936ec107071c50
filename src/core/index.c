/* SPDX-License-Identifier: MIT */
/* index.c - encoding all tokens and sorting what fires by feature. */
#include "core/index.h"

#include "base/half.h"
#include "base/mem.h"
#include "core/ranks.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 1024 };

const struct index_options index_defaults = {20, 5, 5, 5, 20, 1, 1ull << 30, 0, "", ""};

struct fired {
	u32 id;
	f32 act;
};

struct builder {
	const struct index_options *o;
	struct dict *dict;
	struct acts *acts;
	size_t hook;
	struct pool *pool;
	struct progress *progress;
	struct index_image *m;
	FILE *spill; /* for each kept token that fires: u32 position, u32 n, n of struct fired */
	/* a batch of rows */
	f32 *x;        /* [BATCH][d] */
	u32 at[BATCH]; /* their positions */
	size_t n_batch;
	u64 batch; /* its number: the rank of that number, modulo all, encodes it */
	struct buf message; /* a batch of another rank */
	/* a range of features, sorted */
	u32 first, end;
	u64 *start; /* [end - first + 1] into the two below */
	u32 *pos;
	f32 *act;
	struct store_context *contexts; /* [end - first][cap] */
	size_t *n_contexts;
	size_t cap;
	const struct index_postings *postings; /* NULL: from the spill */
};

static int spill_row(struct builder *b, u32 pos, const struct dict_row *r, struct err *e)
{
	if (!r->n)
		return 0;
	u32 head[2] = {pos, r->n};
	bool ok = fwrite(head, sizeof head, 1, b->spill) == 1;
	for (u32 k = 0; ok && k < r->n; k++) {
		struct fired f = {r->id[k], r->act[k]};
		b->m->count[f.id]++;
		ok = fwrite(&f, sizeof f, 1, b->spill) == 1;
	}
	return ok ? 0 : err_os(e, "cannot write a scratch file");
}

/* What a rank found in a batch, for rank 0: of each row u32 n, then n of struct fired. */
static int send_rows(struct builder *b, const struct dict_row *rows, size_t n, struct err *e)
{
	buf_clear(&b->message);
	for (size_t i = 0; i < n; i++) {
		buf_add(&b->message, &rows[i].n, sizeof rows[i].n);
		for (u32 k = 0; k < rows[i].n; k++) {
			struct fired f = {rows[i].id[k], rows[i].act[k]};
			buf_add(&b->message, &f, sizeof f);
		}
	}
	return ranks_send(b->message.s, b->message.n, e);
}

static int spill_message(struct builder *b, unsigned from, size_t n, struct err *e)
{
	if (ranks_receive(from, &b->message, e))
		return -1;
	const char *s = b->message.s, *end = s + b->message.n;
	for (size_t i = 0; i < n; i++) {
		u32 head[2] = {b->at[i], 0};
		if ((size_t)(end - s) < sizeof head[1])
			return err_set(e, ERR_FAILED, "rank %u sent less than its rows", from);
		memcpy(&head[1], s, sizeof head[1]);
		s += sizeof head[1];
		if ((size_t)(end - s) / sizeof(struct fired) < head[1])
			return err_set(e, ERR_FAILED, "rank %u sent less than its rows", from);
		for (u32 k = 0; k < head[1]; k++) {
			struct fired f;
			memcpy(&f, s + k * sizeof f, sizeof f);
			if (f.id >= b->m->n_features)
				return err_set(e, ERR_FAILED, "rank %u sent feature %u", from, f.id);
			b->m->count[f.id]++;
		}
		if (head[1] && (fwrite(head, sizeof head, 1, b->spill) != 1 ||
				fwrite(s, sizeof(struct fired), head[1], b->spill) != head[1]))
			return err_os(e, "cannot write a scratch file");
		s += head[1] * sizeof(struct fired);
	}
	return 0;
}

static int encode_batch(struct builder *b, struct err *e)
{
	struct dict_row rows[BATCH];
	void *arena = NULL;
	size_t n = b->n_batch;
	unsigned whose = (unsigned)(b->batch % ranks_n());
	b->n_batch = 0;
	if (!n)
		return 0;
	b->batch++;
	if (whose != ranks_me())
		return ranks_me() ? 0 : spill_message(b, whose, n, e);
	if (dict_encode(b->dict, b->pool, b->x, n, rows, &arena, e))
		return -1;
	int bad = 0;
	if (ranks_me())
		bad = send_rows(b, rows, n, e);
	for (size_t i = 0; i < n && !bad && !ranks_me(); i++)
		bad = spill_row(b, b->at[i], &rows[i], e);
	free(arena);
	return bad;
}

static int encode_shard(struct builder *b, size_t shard, struct err *e)
{
	struct acts_shard s;
	u32 d = acts_d(b->acts);
	if (acts_shard(b->acts, shard, b->hook, &s, e))
		return -1;
	memcpy(b->m->tokens + s.first, s.tokens, s.n * sizeof *s.tokens);
	memcpy(b->m->flags + s.first, s.flags, s.n);
	for (u64 i = 0; i < s.n_texts; i++)
		b->m->text_ptr[s.first_text + i + 1] = s.first + s.text_ptr[i + 1];
	for (u64 i = 0; i < s.n; i++) {
		progress_add(b->progress, 1);
		if (s.flags[i] & TOKEN_MASKED)
			continue;
		f32 *to = b->x + b->n_batch * d;
		for (u32 k = 0; k < d; k++)
			to[k] = f16_to_f32(s.rows[i * d + k]);
		b->at[b->n_batch++] = (u32)(s.first + i);
		b->m->n_kept++;
		if (b->n_batch == BATCH && encode_batch(b, e))
			return -1;
		if (progress_cancelled(b->progress))
			return err_set(e, ERR_CANCELLED, "stopped on request; nothing was written");
	}
	return 0;
}

static int encode_all(struct builder *b, struct err *e)
{
	progress_start(b->progress, "encoding", "tokens", b->m->n_tokens);
	for (size_t i = 0; i < acts_n_shards(b->acts); i++)
		if (encode_shard(b, i, e))
			return -1;
	if (encode_batch(b, e))
		return -1;
	return fflush(b->spill) ? err_os(e, "cannot write a scratch file") : 0;
}

/* The features from first on whose activations fit the memory; at least one. */
static void next_range(struct builder *b)
{
	u64 n = 0, room = MAX(b->o->memory / (sizeof *b->pos + sizeof *b->act), 1);
	for (b->end = b->first; b->end < b->m->n_features; b->end++) {
		u64 more = b->m->count[b->end];
		if (b->end > b->first && (n + more > room || b->end - b->first >= 1 << 16))
			break;
		n += more;
	}
}

static int read_spill(struct builder *b, u64 *cursor, struct err *e)
{
	u32 head[2];
	struct fired *f = NULL;
	size_t cap = 0;
	rewind(b->spill);
	int bad = 0;
	while (!bad && fread(head, sizeof head, 1, b->spill) == 1) {
		if (head[1] > cap)
			f = xreallocarray(f, cap = head[1], sizeof *f);
		if (fread(f, sizeof *f, head[1], b->spill) != head[1]) {
			bad = err_os(e, "cannot read a scratch file");
			break;
		}
		for (u32 k = 0; k < head[1]; k++)
			if (f[k].id >= b->first && f[k].id < b->end) {
				u64 at = cursor[f[k].id - b->first]++;
				b->pos[at] = head[0];
				b->act[at] = f[k].act;
			}
	}
	if (!bad && ferror(b->spill))
		bad = err_os(e, "cannot read a scratch file");
	free(f);
	return bad;
}

static void do_feature(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct builder *b = context;
	struct index_image *m = b->m;
	u32 f = b->first + (u32)task;
	u64 from = b->start[task], n = b->start[task + 1] - from;
	const f32 *act = b->act + from;
	f64 sum = 0;
	f32 max = 0;
	for (u64 i = 0; i < n; i++) {
		sum += (f64)act[i];
		max = MAX(max, act[i]);
	}
	m->max[f] = max;
	m->mean[f] = n ? (f32)(sum / (f64)n) : 0;
	m->density[f] = m->n_kept ? (f32)((f64)n / (f64)m->n_kept) : 0;
	m->scale[f] = index_scale(max);
	index_histogram(act, n, max, m->n_bins, m->hist_edge + (size_t)f * (m->n_bins + 1),
			m->hist_count + (size_t)f * m->n_bins);
	b->n_contexts[task] =
		index_choose(m, b->o, f, b->pos + from, act, n, max, b->contexts + task * b->cap);
	progress_add(b->progress, 1);
}

static int keep_range(struct builder *b, struct err *e)
{
	for (u32 f = b->first; f < b->end; f++) {
		u32 i = f - b->first;
		u64 from = b->start[i];
		index_image_contexts(b->m, f, b->contexts + i * b->cap, b->n_contexts[i]);
		if (index_image_activations(b->m, f, b->pos + from, b->act + from, b->start[i + 1] - from, e))
			return -1;
	}
	return 0;
}

static int fill_range(struct builder *b, u64 *cursor, struct err *e)
{
	const struct index_postings *p = b->postings;
	return p ? p->fill(p->context, b->first, b->end, cursor, b->pos, b->act, e) : read_spill(b, cursor, e);
}

static int do_range(struct builder *b, struct err *e)
{
	u32 n = b->end - b->first;
	u64 *cursor = mem_try(n, sizeof *cursor, "sorting", e);
	b->start = mem_try(n + 1ull, sizeof *b->start, "sorting", e);
	int bad = -1;
	if (!cursor || !b->start)
		goto out;
	for (u32 i = 0; i < n; i++) {
		cursor[i] = b->start[i];
		b->start[i + 1] = b->start[i] + b->m->count[b->first + i];
	}
	b->cap = index_contexts_cap(b->o);
	if ((b->pos = mem_try(b->start[n] + 1, sizeof *b->pos, "sorting", e)) &&
	    (b->act = mem_try(b->start[n] + 1, sizeof *b->act, "sorting", e)) &&
	    (b->contexts = mem_try(n * b->cap + 1, sizeof *b->contexts, "contexts", e)) &&
	    (b->n_contexts = mem_try(n, sizeof *b->n_contexts, "contexts", e)) && !fill_range(b, cursor, e)) {
		pool_each(b->pool, n, do_feature, b);
		bad = keep_range(b, e);
	}
out:
	free(cursor);
	free(b->start);
	free(b->pos);
	free(b->act);
	free(b->contexts);
	free(b->n_contexts);
	b->start = NULL, b->pos = NULL, b->act = NULL, b->contexts = NULL, b->n_contexts = NULL;
	return bad;
}

static int sort_all(struct builder *b, struct err *e)
{
	progress_start(b->progress, "sorting", "features", b->m->n_features);
	for (b->first = 0; b->first < b->m->n_features; b->first = b->end) {
		next_range(b);
		if (do_range(b, e))
			return -1;
		if (progress_cancelled(b->progress))
			return err_set(e, ERR_CANCELLED, "stopped on request; nothing was written");
	}
	return 0;
}

static int check(const struct dict *d, const struct acts *a, size_t hook, struct err *e)
{
	const struct dict_info *info = dict_info(d);
	if (acts_n_tokens(a) >= UINT32_MAX)
		return err_set(e, ERR_FAILED,
			       "'%s' has more tokens than a segment holds; index it in parts, with --append",
			       acts_folder(a));
	if (acts_d(a) != info->d_in)
		return err_set(e, ERR_FAILED, "'%s' has rows of %u, the dictionary reads %u", acts_folder(a),
			       acts_d(a), info->d_in);
	if (*info->hook_name && strcmp(info->hook_name, acts_hook(a, hook)))
		return err_set(e, ERR_FAILED, "the dictionary reads '%s', not '%s'", info->hook_name,
			       acts_hook(a, hook));
	return 0;
}

static void report_on(const struct index_image *m, struct index_report *r)
{
	*r = (struct index_report){m->n_tokens, m->n_kept, m->feature_ptr[m->n_features],
				   m->ctx_ptr[m->n_features], 0};
	for (u32 f = 0; f < m->n_features; f++)
		r->n_dead += !m->count[f];
}

int index_build(struct dict *d, struct acts *a, size_t hook, const char *path, const struct index_options *o,
		struct pool *pool, struct progress *progress, struct index_report *report, struct err *e)
{
	if (check(d, a, hook, e))
		return -1;
	struct builder b = {.o = o, .dict = d, .acts = a, .hook = hook, .pool = pool, .progress = progress,
			    .message = BUF_INIT};
	const char *slash = strrchr(path, '/');
	char *folder = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
	b.m = index_image_new(dict_info(d)->n_features, o->n_bins, acts_n_tokens(a), acts_n_texts(a), folder,
			      e);
	int bad = -1;
	if (b.m && (b.x = mem_try(BATCH * (u64)acts_d(a), sizeof *b.x, "rows", e)) &&
	    (b.spill = index_scratch(folder, e)) && !encode_all(&b, e)) {
		b.m->n_indexed = b.m->n_tokens;
		/* the other ranks are done: what they found is with rank 0 */
		bad = ranks_me() ? 0 : sort_all(&b, e) || index_image_write(b.m, path, true, o->uuid, o->build_id,
									   o->first_token, e)
			? -1
			: 0;
	}
	buf_release(&b.message);
	if (!bad && report && !ranks_me())
		report_on(b.m, report);
	if (b.spill)
		fclose(b.spill);
	index_image_free(b.m);
	free(b.x);
	free(folder);
	return bad;
}

int index_sort(struct index_image *m, const struct index_postings *p, const char *path, bool full,
	       const struct index_options *o, struct pool *pool, struct progress *progress, struct index_report *report,
	       struct err *e)
{
	struct builder b = {.o = o, .pool = pool, .progress = progress, .m = m, .postings = p};
	if (p->count(p->context, m->count, e) || sort_all(&b, e))
		return -1;
	m->n_indexed = m->n_tokens;
	if (report)
		report_on(m, report);
	return index_image_write(m, path, full, o->uuid, o->build_id, o->first_token, e);
}
