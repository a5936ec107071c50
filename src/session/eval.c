/* SPDX-License-Identifier: MIT */
/* eval.c - reconstruction and cross-entropy of a dictionary on held-out text. */
#include "session/eval.h"

#include "base/half.h"
#include "base/mem.h"
#include "core/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 512 };

struct held {
	struct acts_shard shard;
	u64 from, n; /* in the shard */
};

/* Calls fn for each held-out text; it returns 0 to go on, 1 to stop, -1 for an error. */
static int each_held(struct acts *a, size_t hook, int (*fn)(void *, const struct held *, struct err *),
		     void *context, struct err *e)
{
	for (size_t i = 0; i < acts_n_shards(a); i++) {
		struct held h;
		if (acts_shard(a, i, hook, &h.shard, e))
			return -1;
		for (u64 t = 0; t < h.shard.n_texts; t++) {
			h.from = h.shard.text_ptr[t];
			h.n = h.shard.text_ptr[t + 1] - h.from;
			if (!acts_held_out(h.shard.first_text + t))
				continue;
			int rc = fn(context, &h, e);
			if (rc)
				return rc < 0 ? -1 : 0;
		}
	}
	return 0;
}

struct rows_job {
	struct dict *dict;
	struct pool *pool;
	struct progress *progress;
	u32 d;
	struct eval_result *r;
	f64 *sum; /* [d] */
	f64 square, error, active;
	u8 *fires;  /* [F] */
	f32 *x, *y; /* [BATCH][d] */
	size_t n;
};

static int encode_rows(struct rows_job *j, struct err *e)
{
	struct dict_row rows[BATCH];
	void *arena = NULL;
	if (!j->n)
		return 0;
	if (dict_encode(j->dict, j->pool, j->x, j->n, rows, &arena, e) ||
	    dict_decode(j->dict, rows, j->n, j->x, j->y, e)) {
		free(arena);
		return -1;
	}
	for (size_t i = 0; i < j->n; i++) {
		j->active += rows[i].n;
		for (u32 k = 0; k < rows[i].n; k++)
			j->fires[rows[i].id[k]] = 1;
		for (u32 k = 0; k < j->d; k++) {
			f64 x = (f64)j->x[i * j->d + k], gap = (f64)j->y[i * j->d + k] - x;
			j->sum[k] += x;
			j->square += x * x;
			j->error += gap * gap;
		}
	}
	free(arena);
	j->r->n_rows += j->n;
	progress_add(j->progress, j->n);
	j->n = 0;
	return progress_cancelled(j->progress) ? err_set(e, ERR_CANCELLED, "stopped on request") : 0;
}

static int add_text(void *context, const struct held *h, struct err *e)
{
	struct rows_job *j = context;
	j->r->n_texts_held_out++;
	for (u64 i = h->from; i < h->from + h->n; i++) {
		if (h->shard.flags[i] & TOKEN_MASKED)
			continue;
		for (u32 k = 0; k < j->d; k++)
			j->x[j->n * j->d + k] = f16_to_f32(h->shard.rows[i * j->d + k]);
		if (++j->n == BATCH && encode_rows(j, e))
			return -1;
	}
	return 0;
}

static int finish_rows(struct rows_job *j, f32 *mean, const char *folder, struct err *e)
{
	struct eval_result *r = j->r;
	f64 n = (f64)r->n_rows, variance = j->square;
	if (!r->n_rows)
		return err_set(e, ERR_FAILED, "'%s' has no held-out text; it is too small", folder);
	for (u32 k = 0; k < j->d; k++) {
		mean[k] = (f32)(j->sum[k] / n);
		variance -= j->sum[k] * j->sum[k] / n;
	}
	r->fvu = j->error / variance;
	r->l0 = j->active / n;
	for (u32 f = 0; f < dict_info(j->dict)->n_features; f++)
		r->n_silent += !j->fires[f];
	return 0;
}

int eval_rows(struct dict *d, struct acts *a, size_t hook, struct pool *pool, struct progress *progress,
	      f32 *mean, struct eval_result *r, struct err *e)
{
	const struct dict_info *info = dict_info(d);
	*r = (struct eval_result){0};
	if (info->d_in != acts_d(a) || info->d_out != acts_d(a))
		return err_set(e, ERR_FAILED, "'%s' has rows of %u, the dictionary reads %u and writes %u",
			       acts_folder(a), acts_d(a), info->d_in, info->d_out);
	struct rows_job j = {.dict = d, .pool = pool, .progress = progress, .d = acts_d(a), .r = r};
	int bad = -1;
	progress_start(progress, "encoding held-out rows", "rows", 0);
	if ((j.sum = mem_try(j.d, sizeof *j.sum, "rows", e)) &&
	    (j.fires = mem_try(info->n_features, 1, "rows", e)) &&
	    (j.x = mem_try((u64)BATCH * j.d, sizeof *j.x, "rows", e)) &&
	    (j.y = mem_try((u64)BATCH * j.d, sizeof *j.y, "rows", e)) &&
	    !each_held(a, hook, add_text, &j, e) && !encode_rows(&j, e))
		bad = finish_rows(&j, mean, acts_folder(a), e);
	free(j.sum);
	free(j.fires);
	free(j.x);
	free(j.y);
	return bad;
}

enum { CLEAN, SELF, SPLICED, MEAN, ZERO, N_RUNS };

struct model_job {
	struct dict *dict;
	struct backend *backend;
	struct pool *pool;
	struct progress *progress;
	const char *hook;
	u32 d;
	const f32 *mean;
	u64 max_texts;
	struct eval_result *r;
	f64 nll[N_RUNS];
};

static size_t prompt_length(const struct held *h)
{
	size_t n = 0;
	while (n < h->n && h->shard.flags[h->from + n] & TOKEN_PROMPT)
		n++;
	return n;
}

/* rows: N_RUNS - 1 blocks of [n][d], what each run puts in place of the rows; NaN leaves a row. */
static int fill_rows(struct model_job *j, const struct held *h, f32 **rows, struct err *e)
{
	size_t n = (size_t)h->n;
	struct dict_row *active = xcalloc(n, sizeof *active);
	void *arena = NULL;
	const u32 *tokens = h->shard.tokens + h->from;
	int bad = backend_states(j->backend, tokens, n, &j->hook, 1, &rows[SELF], e) ||
		  dict_encode(j->dict, j->pool, rows[SELF], n, active, &arena, e) ||
		  dict_decode(j->dict, active, n, rows[SELF], rows[SPLICED], e);
	free(arena);
	free(active);
	if (bad)
		return -1;
	for (size_t i = 0; i < n; i++) {
		memcpy(rows[MEAN] + i * j->d, j->mean, j->d * sizeof(f32));
		memset(rows[ZERO] + i * j->d, 0, j->d * sizeof(f32));
		for (int r = SELF; r < N_RUNS; r++)
			if (h->shard.flags[h->from + i] & TOKEN_MASKED)
				rows[r][i * j->d] = NAN;
	}
	return 0;
}

static int score_runs(struct model_job *j, const struct held *h, size_t n_prompt, f32 *const *rows,
		      struct err *e)
{
	static const char *const names[N_RUNS] = {"clean", "self", "spliced", "mean", "zero"};
	struct intervention change[N_RUNS];
	struct run runs[N_RUNS];
	struct score s[N_RUNS] = {0};
	size_t n = (size_t)h->n;
	for (int i = 0; i < N_RUNS; i++) {
		change[i] = (struct intervention){.kind = INTERVENE_REPLACE,
						  .hook = j->hook,
						  .rows = i ? rows[i] : NULL,
						  .n_rows = n,
						  .feature = NO_FEATURE,
						  .where = WHERE_BOTH};
		runs[i] = (struct run){.name = names[i],
				       .tokens = h->shard.tokens + h->from,
				       .flags = h->shard.flags + h->from,
				       .n_tokens = n,
				       .n_prompt = n_prompt,
				       .list = &change[i],
				       .n_list = i != CLEAN,
				       .seed = 1};
	}
	if (backend_score(j->backend, runs, N_RUNS, s, e))
		return -1;
	for (int i = 0; i < N_RUNS; i++)
		j->nll[i] += s[i].nll;
	j->r->n_targets += s[CLEAN].n;
	j->r->n_texts++;
	return 0;
}

static int splice_text(void *context, const struct held *h, struct err *e)
{
	struct model_job *j = context;
	size_t n_prompt = MAX(prompt_length(h), 1u);
	if (n_prompt >= h->n || h->n > backend_info(j->backend)->n_ctx)
		return 0;
	for (u64 i = n_prompt; i < h->n; i++)
		if (h->shard.flags[h->from + i] & TOKEN_MASKED)
			return 0;
	f32 *all = mem_try((N_RUNS - 1) * h->n * j->d, sizeof *all, "rows", e), *rows[N_RUNS] = {NULL};
	if (!all)
		return -1;
	for (int i = SELF; i < N_RUNS; i++)
		rows[i] = all + (size_t)(i - SELF) * h->n * j->d;
	int bad = fill_rows(j, h, rows, e) || score_runs(j, h, n_prompt, rows, e);
	free(all);
	progress_add(j->progress, 1);
	if (!bad && progress_cancelled(j->progress))
		bad = err_set(e, ERR_CANCELLED, "stopped on request");
	return bad ? -1 : j->r->n_texts >= j->max_texts;
}

int eval_model(struct dict *d, struct acts *a, size_t hook, struct backend *b, struct pool *pool,
	       struct progress *progress, const f32 *mean, u64 max_texts, struct eval_result *r,
	       struct err *e)
{
	struct model_job j = {.dict = d,
			      .backend = b,
			      .pool = pool,
			      .progress = progress,
			      .hook = acts_hook(a, hook),
			      .d = acts_d(a),
			      .mean = mean,
			      .max_texts = max_texts,
			      .r = r};
	if (backend_info(b)->d_model != j.d)
		return err_set(e, ERR_FAILED, "the model's rows have %u numbers, those of '%s' %u",
			       backend_info(b)->d_model, acts_folder(a), j.d);
	progress_start(progress, "splicing", "texts", MIN(max_texts, r->n_texts_held_out));
	if (each_held(a, hook, splice_text, &j, e))
		return -1;
	if (!r->n_targets)
		return err_set(e, ERR_FAILED, "no held-out text of '%s' has a reply to judge",
			       acts_folder(a));
	f64 n = (f64)r->n_targets;
	r->ce_clean = j.nll[CLEAN] / n;
	r->ce_self = j.nll[SELF] / n;
	r->ce_spliced = j.nll[SPLICED] / n;
	r->ce_mean = j.nll[MEAN] / n;
	r->ce_zero = j.nll[ZERO] / n;
	r->recovered = (r->ce_mean - r->ce_spliced) / (r->ce_mean - r->ce_clean);
	r->recovered_zero = (r->ce_zero - r->ce_spliced) / (r->ce_zero - r->ce_clean);
	return 0;
}
