/* SPDX-License-Identifier: MIT */
/* scores.c - output and topic scores, many features a batch. */
#include "session/scores.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 64, RANKED_COLUMNS = 16 /* these bring back the whole vocabulary */ };

/* Openings that leave the next word free and say nothing of a subject. */
const char *const scores_prompts[SCORES_N_PROMPTS] = {
	"I think that the",
	"She told me about the",
	"The most important thing is the",
	"Last weekend we talked about",
	"He wrote a long letter about the",
};

struct batch {
	const struct scores_place *p;
	u32 *tokens; /* of the prompt */
	size_t n_tokens;
	u32 feature[COLUMNS];
	f32 *direction; /* [COLUMNS][d] */
	struct intervention change[COLUMNS];
	struct run runs[COLUMNS];
	struct score scores[COLUMNS];
	size_t n;
};

static int batch_init(struct batch *b, const struct scores_place *p, const char *prompt, struct err *e)
{
	*b = (struct batch){.p = p};
	if (backend_tokenize(p->backend, prompt, false, &b->tokens, NULL, &b->n_tokens, e))
		return -1;
	b->direction =
		mem_try((u64)COLUMNS * dict_info(p->dict)->d_out, sizeof *b->direction, "directions", e);
	return b->direction ? 0 : -1;
}

static void batch_clear(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->scores[i].want_logp);
	b->n = 0;
}

static void batch_release(struct batch *b)
{
	batch_clear(b);
	free(b->tokens);
	free(b->direction);
}

static void batch_add(struct batch *b, u32 feature, f64 amount, const u32 *want, size_t n_want)
{
	size_t i = b->n++;
	f32 *row = b->direction + i * dict_info(b->p->dict)->d_out;
	dict_decoder_row(b->p->dict, feature, row);
	b->feature[i] = feature;
	b->change[i] = (struct intervention){.kind = INTERVENE_ADD,
					     .hook = b->p->hook,
					     .direction = row,
					     .amount = (f32)amount,
					     .feature = NO_FEATURE,
					     .where = WHERE_REPLY};
	b->runs[i] = (struct run){.name = "",
				  .tokens = b->tokens,
				  .n_tokens = b->n_tokens,
				  .n_prompt = b->n_tokens,
				  .list = &b->change[i],
				  .n_list = 1,
				  .seed = 1,
				  .want_tokens = want,
				  .n_want = n_want};
	b->scores[i] = (struct score){0};
}

static int batch_score(struct batch *b, struct err *e)
{
	if (b->n && backend_score(b->p->backend, b->runs, b->n, b->scores, e))
		return -1;
	for (size_t i = 0; i < b->n; i++)
		if (!b->scores[i].want_logp)
			return err_set(e, ERR_FAILED, "the backend gave no probabilities");
	progress_add(b->p->progress, b->n);
	if (progress_cancelled(b->p->progress))
		return err_set(e, ERR_CANCELLED, "stopped on request");
	return 0;
}

static size_t count_ids(const u32 *ids, u32 k)
{
	size_t n = 0;
	while (n < k && ids[n] != UINT32_MAX)
		n++;
	return n;
}

/* The largest activation of any feature at a prompt's last token. */
static int largest_there(struct batch *b, f32 *out, struct err *e)
{
	u32 d = dict_info(b->p->dict)->d_in;
	f32 *x = mem_try(b->n_tokens * (u64)d, sizeof *x, "rows", e);
	struct dict_row row;
	void *arena = NULL;
	*out = 0;
	int bad = !x || backend_states(b->p->backend, b->tokens, b->n_tokens, &b->p->hook, 1, &x, e) ||
		  dict_encode(b->p->dict, NULL, x + (b->n_tokens - 1) * d, 1, &row, &arena, e);
	for (u32 i = 0; !bad && i < row.n; i++)
		*out = MAX(*out, row.act[i]);
	free(arena);
	free(x);
	return bad ? -1 : 0;
}

/* want_logp covers the whole vocabulary here. */
static f32 judge_output(const struct score *s, u32 n_vocab, const u32 *tokens, size_t n)
{
	f32 best = -INFINITY;
	for (size_t i = 0; i < n; i++)
		best = MAX(best, s->want_logp[tokens[i]]);
	u32 rank = 0;
	for (u32 t = 0; t < n_vocab; t++)
		rank += s->want_logp[t] > best;
	return (f32)(exp((f64)best) * (1 - (f64)rank / n_vocab));
}

int scores_output(const struct scores_place *p, const u32 *tokens, u32 k, f64 factor, f32 *out, struct err *e)
{
	struct batch b;
	u32 n_features = dict_info(p->dict)->n_features, n_vocab = backend_info(p->backend)->n_vocab;
	f32 there;
	if (batch_init(&b, p, SCORES_OUTPUT_PROMPT, e) || largest_there(&b, &there, e)) {
		batch_release(&b);
		return -1;
	}
	u32 *every = xcalloc(n_vocab, sizeof *every);
	for (u32 t = 0; t < n_vocab; t++)
		every[t] = t;
	progress_start(p->progress, "output scores", "features", n_features);
	int bad = 0;
	for (u32 f = 0; f < n_features && !bad; f++) {
		size_t n = count_ids(tokens + (size_t)f * k, k);
		bool known = n > 0;
		for (size_t i = 0; i < n; i++)
			known &= tokens[(size_t)f * k + i] < n_vocab;
		out[f] = NAN;
		if (known)
			batch_add(&b, f, factor * (f64)there, every, n_vocab);
		if (b.n < RANKED_COLUMNS && f + 1 < n_features)
			continue;
		bad = batch_score(&b, e);
		for (size_t i = 0; i < b.n && !bad; i++) {
			const u32 *ids = tokens + (size_t)b.feature[i] * k;
			out[b.feature[i]] = judge_output(&b.scores[i], n_vocab, ids, count_ids(ids, k));
		}
		batch_clear(&b);
	}
	free(every);
	batch_release(&b);
	return bad;
}

/* The unsteered log-probabilities of every token after a prompt. */
static int unsteered(struct batch *b, f32 **out, struct err *e)
{
	u32 n_vocab = backend_info(b->p->backend)->n_vocab;
	u32 *every = xcalloc(n_vocab, sizeof *every);
	for (u32 t = 0; t < n_vocab; t++)
		every[t] = t;
	struct run r = {.name = "baseline",
			.tokens = b->tokens,
			.n_tokens = b->n_tokens,
			.n_prompt = b->n_tokens,
			.seed = 1,
			.want_tokens = every,
			.n_want = n_vocab};
	struct score s = {0};
	int bad = backend_score(b->p->backend, &r, 1, &s, e);
	if (!bad && !s.want_logp)
		bad = err_set(e, ERR_FAILED, "the backend gave no probabilities");
	*out = bad ? NULL : s.want_logp;
	free(every);
	return bad;
}

/* Adds what each word of each feature gains after one prompt to gain [F][k]. */
static int topic_prompt(const struct scores_place *p, const char *prompt, const u32 *words, u32 k, const f32 *max,
			f64 strength, const bool *known, f32 *gain, struct err *e)
{
	struct batch b;
	f32 *base = NULL;
	u32 n_features = dict_info(p->dict)->n_features;
	int bad = batch_init(&b, p, prompt, e) || unsteered(&b, &base, e) ? -1 : 0;
	for (u32 f = 0; f < n_features && !bad; f++) {
		const u32 *w = words + (size_t)f * k;
		if (known[f])
			batch_add(&b, f, strength * (f64)max[f], w, count_ids(w, k));
		if (b.n < COLUMNS && f + 1 < n_features)
			continue;
		bad = batch_score(&b, e);
		for (size_t i = 0; i < b.n && !bad; i++)
			for (size_t j = 0; j < b.runs[i].n_want; j++)
				gain[(size_t)b.feature[i] * k + j] +=
					(f32)(exp((f64)b.scores[i].want_logp[j]) -
					      exp((f64)base[b.runs[i].want_tokens[j]]));
		batch_clear(&b);
	}
	free(base);
	batch_release(&b);
	return bad;
}

static bool is_known(const u32 *words, u32 k, f32 max, u32 n_vocab)
{
	size_t n = count_ids(words, k);
	for (size_t i = 0; i < n; i++)
		if (words[i] >= n_vocab)
			return false;
	return n >= SCORES_MIN_WORDS && max > 0;
}

/* All words but the one that gains most. */
static f32 sum_but_best(const f32 *gain, size_t n)
{
	f64 sum = 0, best = -INFINITY;
	for (size_t i = 0; i < n; i++) {
		sum += (f64)gain[i];
		best = MAX(best, (f64)gain[i]);
	}
	return (f32)((sum - best) / SCORES_N_PROMPTS);
}

int scores_topic(const struct scores_place *p, const u32 *words, u32 k, const f32 *max, f64 strength, f32 *out,
		 struct err *e)
{
	u32 n_features = dict_info(p->dict)->n_features, n_vocab = backend_info(p->backend)->n_vocab;
	bool *known = mem_try(n_features, sizeof *known, "scores", e);
	f32 *gain = mem_try((u64)n_features * k, sizeof *gain, "scores", e);
	int bad = known && gain ? 0 : -1;
	u64 n = 0;
	for (u32 f = 0; f < n_features && !bad; f++)
		n += known[f] = is_known(words + (size_t)f * k, k, max[f], n_vocab);
	progress_start(p->progress, "topic scores", "features and prompts", n * SCORES_N_PROMPTS);
	for (int i = 0; i < SCORES_N_PROMPTS && !bad; i++)
		bad = topic_prompt(p, scores_prompts[i], words, k, max, strength, known, gain, e);
	for (u32 f = 0; f < n_features && !bad; f++) {
		const u32 *w = words + (size_t)f * k;
		out[f] = known[f] ? sum_but_best(gain + (size_t)f * k, count_ids(w, k)) : NAN;
	}
	free(known);
	free(gain);
	return bad;
}
