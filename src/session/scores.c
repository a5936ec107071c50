/* SPDX-License-Identifier: MIT */
/* scores.c - output and topic scores, many features a batch. */
#include "session/scores.h"

#include "base/mem.h"
#include "core/rand.h"

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

const f64 scores_factors[SCORES_N_FACTORS] = {1, 2, 3, 5, 10, 20, 40, 80};

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

/* The whole vocabulary, as tokens that are wanted. */
static u32 *every_token(const struct scores_place *p)
{
	u32 n = backend_info(p->backend)->n_vocab;
	u32 *every = xcalloc(n, sizeof *every);
	for (u32 t = 0; t < n; t++)
		every[t] = t;
	return every;
}

/* The unsteered log-probabilities of every token after a prompt. */
static int unsteered(struct batch *b, f32 **out, struct err *e)
{
	u32 n_vocab = backend_info(b->p->backend)->n_vocab;
	u32 *every = every_token(b->p);
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

static bool all_known(const u32 *ids, size_t n, u32 n_vocab)
{
	for (size_t i = 0; i < n; i++)
		if (ids[i] >= n_vocab)
			return false;
	return n > 0;
}

/* After a batch: the features before next have been scored. */
static int keep(struct scores_job *j, u32 next, struct err *e)
{
	progress_add(j->place.progress, next - j->next);
	j->next = next;
	if (j->keep && j->keep(j->context, e))
		return -1;
	return progress_cancelled(j->place.progress) ? err_set(e, ERR_CANCELLED, "stopped on request") : 0;
}

/* ---- output scores ---- */

/* What an output score is measured with: the prompt, its largest activation, all tokens. */
struct output {
	struct batch b;
	f32 there;
	u32 *every;
};

static int output_init(struct output *o, const struct scores_place *p, struct err *e)
{
	*o = (struct output){.there = 0};
	if (batch_init(&o->b, p, SCORES_OUTPUT_PROMPT, e) || largest_there(&o->b, &o->there, e)) {
		batch_release(&o->b);
		return -1;
	}
	o->every = every_token(p);
	return 0;
}

static void output_release(struct output *o)
{
	batch_release(&o->b);
	free(o->every);
}

/* Scores what is in the batch: out by feature. */
static int output_batch(struct output *o, const struct scores_job *j, f32 *out, struct err *e)
{
	u32 n_vocab = backend_info(j->place.backend)->n_vocab;
	if (batch_score(&o->b, e))
		return -1;
	for (size_t i = 0; i < o->b.n; i++) {
		u32 f = o->b.feature[i];
		const u32 *ids = j->promoted + (size_t)f * j->n_promoted;
		out[f] = judge_output(&o->b.scores[i], n_vocab, ids, count_ids(ids, j->n_promoted));
	}
	batch_clear(&o->b);
	return 0;
}

static bool has_promoted(const struct scores_job *j, u32 f)
{
	const u32 *ids = j->promoted + (size_t)f * j->n_promoted;
	return all_known(ids, count_ids(ids, j->n_promoted), backend_info(j->place.backend)->n_vocab);
}

static int output_stage(struct scores_job *j, f64 factor, f32 *out, struct err *e)
{
	struct output o;
	u32 n_features = dict_info(j->place.dict)->n_features, n_vocab = backend_info(j->place.backend)->n_vocab;
	if (output_init(&o, &j->place, e))
		return -1;
	progress_start(j->place.progress, j->stage == SCORES_OUTPUT ? "output scores" : "output scores, other factor",
		       "features", n_features);
	progress_add(j->place.progress, j->next);
	int bad = 0;
	for (u32 f = j->next; f < n_features && !bad; f++) {
		if (has_promoted(j, f))
			batch_add(&o.b, f, factor * (f64)o.there, o.every, n_vocab);
		if (o.b.n < RANKED_COLUMNS && f + 1 < n_features)
			continue;
		bad = output_batch(&o, j, out, e) || keep(j, f + 1, e);
	}
	output_release(&o);
	return bad ? -1 : 0;
}

static int by_size(const void *a, const void *b)
{
	f32 x = *(const f32 *)a, y = *(const f32 *)b;
	return (x > y) - (x < y);
}

/* Features drawn by a fixed permutation that have tokens to promote. */
static u32 draw_sample(const struct scores_job *j, u32 out[SCORES_SAMPLE])
{
	u32 n_features = dict_info(j->place.dict)->n_features, n = 0;
	for (u32 i = 0; i < n_features && n < SCORES_SAMPLE; i++) {
		u32 f = (u32)rand_permute(1, i, n_features);
		if (has_promoted(j, f))
			out[n++] = f;
	}
	return n;
}

static int try_factor(struct scores_job *j, struct output *o, int which, const u32 *sample, f32 *out, struct err *e)
{
	u32 n_vocab = backend_info(j->place.backend)->n_vocab;
	f32 score[SCORES_SAMPLE];
	f64 sum = 0;
	for (u32 i = 0; i < j->n_sample; i++) {
		batch_add(&o->b, sample[i], scores_factors[which] * (f64)o->there, o->every, n_vocab);
		if ((o->b.n == RANKED_COLUMNS || i + 1 == j->n_sample) && output_batch(o, j, out, e))
			return -1;
		progress_add(j->place.progress, 1);
	}
	for (u32 i = 0; i < j->n_sample; i++)
		sum += (f64)(score[i] = out[sample[i]]);
	qsort(score, j->n_sample, sizeof *score, by_size);
	j->mean[which] = sum / j->n_sample;
	j->median[which] = ((f64)score[(j->n_sample - 1) / 2] + (f64)score[j->n_sample / 2]) / 2;
	return 0;
}

int scores_choose_factor(const f64 mean[SCORES_N_FACTORS])
{
	f64 most = 0;
	for (int i = 0; i < SCORES_N_FACTORS; i++)
		most = MAX(most, mean[i]);
	int i = 0;
	while (i < SCORES_N_FACTORS - 1 && !(mean[i] >= 0.9 * most))
		i++;
	return i;
}

static int search_stage(struct scores_job *j, struct err *e)
{
	struct output o;
	u32 sample[SCORES_SAMPLE], n_features = dict_info(j->place.dict)->n_features;
	j->best_factor = j->factor;
	j->n_sample = draw_sample(j, sample);
	if (!j->n_sample)
		return keep(j, n_features, e);
	f32 *out = mem_try(n_features, sizeof *out, "scores", e);
	int bad = !out || output_init(&o, &j->place, e);
	if (!bad) {
		progress_start(j->place.progress, "looking for the factor", "features and factors",
			       (u64)j->n_sample * SCORES_N_FACTORS);
		for (int i = 0; i < SCORES_N_FACTORS && !bad; i++)
			bad = try_factor(j, &o, i, sample, out, e);
		output_release(&o);
	}
	free(out);
	if (!bad)
		j->best_factor = scores_factors[scores_choose_factor(j->mean)];
	return bad ? -1 : keep(j, n_features, e);
}

static int tuned_stage(struct scores_job *j, struct err *e)
{
	u32 n_features = dict_info(j->place.dict)->n_features;
	if (j->best_factor != j->factor)
		return output_stage(j, j->best_factor, j->tuned, e);
	memcpy(j->tuned, j->output, n_features * sizeof *j->tuned);
	return keep(j, n_features, e);
}

/* ---- topic scores ---- */

static bool has_words(const struct scores_job *j, u32 f)
{
	const u32 *w = j->words + (size_t)f * j->n_words;
	size_t n = count_ids(w, j->n_words);
	return n >= SCORES_MIN_WORDS && j->max[f] > 0 && all_known(w, n, backend_info(j->place.backend)->n_vocab);
}

/* Adds what each word of each feature gains after one prompt. */
static int topic_batch(struct scores_job *j, struct batch *b, const f32 *base, struct err *e)
{
	if (batch_score(b, e))
		return -1;
	for (size_t i = 0; i < b->n; i++)
		for (size_t w = 0; w < b->runs[i].n_want; w++)
			j->gain[(size_t)b->feature[i] * j->n_words + w] +=
				(f32)(exp((f64)b->scores[i].want_logp[w]) - exp((f64)base[b->runs[i].want_tokens[w]]));
	batch_clear(b);
	return 0;
}

static int topic_stage(struct scores_job *j, struct err *e)
{
	static const char *const what[SCORES_N_PROMPTS] = {"topic scores, prompt 1 of 5", "topic scores, prompt 2 of 5",
							   "topic scores, prompt 3 of 5", "topic scores, prompt 4 of 5",
							   "topic scores, prompt 5 of 5"};
	struct batch b;
	f32 *base = NULL;
	u32 n_features = dict_info(j->place.dict)->n_features;
	int bad = batch_init(&b, &j->place, scores_prompts[j->stage - SCORES_TOPIC], e) || unsteered(&b, &base, e);
	progress_start(j->place.progress, what[j->stage - SCORES_TOPIC], "features", n_features);
	progress_add(j->place.progress, j->next);
	for (u32 f = j->next; f < n_features && !bad; f++) {
		const u32 *w = j->words + (size_t)f * j->n_words;
		if (has_words(j, f))
			batch_add(&b, f, j->strength * (f64)j->max[f], w, count_ids(w, j->n_words));
		if (b.n < COLUMNS && f + 1 < n_features)
			continue;
		bad = topic_batch(j, &b, base, e) || keep(j, f + 1, e);
	}
	free(base);
	batch_release(&b);
	return bad ? -1 : 0;
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

void scores_topic(const struct scores_job *j, f32 *out)
{
	for (u32 f = 0; f < dict_info(j->place.dict)->n_features; f++)
		out[f] = has_words(j, f) ? sum_but_best(j->gain + (size_t)f * j->n_words,
							count_ids(j->words + (size_t)f * j->n_words, j->n_words))
					 : NAN;
}

int scores_run(struct scores_job *j, struct err *e)
{
	for (; j->stage < SCORES_DONE; j->stage++, j->next = 0) {
		int bad = 0;
		if (j->stage < SCORES_SEARCH)
			bad = topic_stage(j, e);
		else if (!j->promoted)
			continue;
		else if (j->stage == SCORES_SEARCH)
			bad = search_stage(j, e);
		else
			bad = j->stage == SCORES_OUTPUT ? output_stage(j, j->factor, j->output, e) : tuned_stage(j, e);
		if (bad)
			return -1;
	}
	return 0;
}
