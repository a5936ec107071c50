/* SPDX-License-Identifier: MIT */
/* parts_scores.c - scores of every feature, kept as they come so that a stopped run goes on. */
#include "session/parts.h"

#include "base/mem.h"
#include "base/sha256.h"
#include "core/topic.h"
#include "session/scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { KEEP_SECONDS = 30, N_STATE = 2 * SCORES_N_FACTORS + 4 };

struct scoring {
	struct parts *p;
	struct topic_base *base;
	f32 *input, *topic, *max; /* [F] */
	u32 *words;               /* [F][TOPIC_WORDS] */
	u32 *promoted;            /* [F][PARTS_TOKENS] */
	struct scores_job job;
	char *part, *key; /* the file of a run that is not finished, and what was asked for there */
	time_t kept;
};

/* A store of examples has other base rates and fewer contexts: words of the whole one are better. */
static void words_of(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct scoring *s = context;
	const struct atlas *a = s->p->atlas;
	u32 f = (u32)task, *to = s->words + task * TOPIC_WORDS, *promoted = s->promoted + task * PARTS_TOKENS;
	struct topic_word w[TOPIC_WORDS];
	struct atlas_token t[PARTS_TOKENS];
	struct atlas_scores scores;
	struct store_stats stats;
	size_t n_promoted = MIN(atlas_logits(a, f, 1, t, PARTS_TOKENS), (size_t)PARTS_TOKENS), n;
	for (size_t i = 0; i < PARTS_TOKENS; i++)
		promoted[i] = i < n_promoted ? t[i].token : UINT32_MAX;
	if (s->base) {
		n = topic_words(s->base, f, w, NULL);
		for (size_t i = 0; i < n; i++)
			to[i] = w[i].token;
		s->input[f] = topic_input_score(a->store, f, promoted, n_promoted);
	} else {
		n = atlas_topic_words(a, f, to, TOPIC_WORDS);
		atlas_scores(a, f, &scores);
		s->input[f] = scores.input;
	}
	for (; n < TOPIC_WORDS; n++)
		to[n] = UINT32_MAX;
	store_stats(a->store, f, &stats);
	s->max[f] = stats.max;
	s->topic[f] = NAN;
	progress_add(s->p->progress, 1);
}

/* ---- a run that is not finished ---- */

static char *make_key(const struct scoring *s)
{
	u64 f = s->p->atlas->n_features;
	char words[65], promoted[65], max[65];
	sha256_bytes(s->words, f * TOPIC_WORDS * sizeof *s->words, words);
	sha256_bytes(s->promoted, f * PARTS_TOKENS * sizeof *s->promoted, promoted);
	sha256_bytes(s->max, f * sizeof *s->max, max);
	return xasprintf("scores 1 %s %s %s %.17g %.17g %s %s %s", s->p->atlas->uuid,
			 backend_info(s->p->backend)->sha256, s->p->atlas->hook, s->job.factor, s->job.strength, words,
			 promoted, max);
}

static int write_part(struct scoring *s, struct err *e)
{
	struct scores_job *j = &s->job;
	u64 f = s->p->atlas->n_features;
	f64 state[N_STATE] = {j->stage, j->next, j->n_sample, j->best_factor};
	memcpy(state + 4, j->mean, sizeof j->mean);
	memcpy(state + 4 + SCORES_N_FACTORS, j->median, sizeof j->median);
	const struct tensor_out t[] = {
		{"state", DTYPE_F64, 1, {N_STATE}, state},
		{"gain", DTYPE_F32, 2, {f, TOPIC_WORDS}, j->gain},
		{"output", DTYPE_F32, 1, {f}, j->output},
		{"tuned", DTYPE_F32, 1, {f}, j->tuned},
	};
	const char *meta[] = {"key", s->key, NULL};
	return safetensors_write_file(s->part, t, ARRAY_LEN(t), meta, e);
}

static int keep(void *context, struct err *e)
{
	struct scoring *s = context;
	time_t now = time(NULL);
	if (now - s->kept < KEEP_SECONDS)
		return 0;
	s->kept = now;
	return write_part(s, e);
}

static void copy_f32(const struct tensor *t, f32 *out)
{
	tensor_get_f32(t, 0, t->n, out);
}

/* Whether there was one of the same. */
static bool take_up(struct scoring *s)
{
	struct scores_job *j = &s->job;
	u64 f[] = {s->p->atlas->n_features, TOPIC_WORDS};
	f64 state[N_STATE];
	const struct tensor *at, *gain, *output, *tuned;
	struct safetensors *file = safetensors_open(s->part, NULL);
	const char *key = file ? safetensors_metadata(file, "key") : NULL;
	bool same = key && !strcmp(key, s->key) &&
		    (at = safetensors_need(file, "state", 1u << DTYPE_F64, 1, (u64[]){N_STATE}, NULL)) &&
		    (gain = safetensors_need(file, "gain", 1u << DTYPE_F32, 2, f, NULL)) &&
		    (output = safetensors_need(file, "output", 1u << DTYPE_F32, 1, f, NULL)) &&
		    (tuned = safetensors_need(file, "tuned", 1u << DTYPE_F32, 1, f, NULL));
	if (same)
		memcpy(state, at->data.p, sizeof state);
	same = same && state[0] >= 0 && state[0] < SCORES_DONE && state[1] >= 0 && state[1] <= (f64)f[0] &&
	       state[2] >= 0 && state[2] <= SCORES_SAMPLE && isfinite(state[3]);
	if (same) {
		j->stage = (u32)state[0];
		j->next = (u32)state[1];
		j->n_sample = (u32)state[2];
		j->best_factor = state[3];
		memcpy(j->mean, state + 4, sizeof j->mean);
		memcpy(j->median, state + 4 + SCORES_N_FACTORS, sizeof j->median);
		copy_f32(gain, j->gain);
		copy_f32(output, j->output);
		copy_f32(tuned, j->tuned);
	}
	safetensors_free(file);
	return same;
}

/* ---- the part ---- */

static int score_model(struct scoring *s, struct parts_scored *out, struct err *e)
{
	struct parts *p = s->p;
	if (!p->backend)
		return 0;
	s->job.place = (struct scores_place){p->backend, p->atlas->dict, p->atlas->hook, p->progress};
	s->job.words = s->words;
	s->job.n_words = TOPIC_WORDS;
	s->job.promoted = p->atlas->logits ? s->promoted : NULL;
	s->job.n_promoted = PARTS_TOKENS;
	s->job.max = s->max;
	s->job.keep = keep;
	s->job.context = s;
	s->key = make_key(s);
	s->kept = time(NULL);
	out->resumed = take_up(s);
	if (scores_run(&s->job, e)) {
		if (s->job.stage || s->job.next)
			write_part(s, NULL); /* whatever ended it, the model among others */
		return -1;
	}
	scores_topic(&s->job, s->topic);
	return 0;
}

static int write_scores(const struct scoring *s, struct err *e)
{
	u64 f = s->p->atlas->n_features;
	const struct tensor_out t[] = {
		{"input_score", DTYPE_F32, 1, {f}, s->input},
		{"output_score", DTYPE_F32, 1, {f}, s->job.output},
		{"output_score_tuned", DTYPE_F32, 1, {f}, s->job.tuned},
		{"topic_score", DTYPE_F32, 1, {f}, s->topic},
		{"topic_word", DTYPE_U32, 2, {f, TOPIC_WORDS}, s->words},
	};
	const char *meta[] = {"uuid", atlas_json_uuid(s->p->json), "build_id", atlas_json_build_id(s->p->json), NULL};
	char *path = xasprintf("%s/scores.safetensors", s->p->atlas->folder);
	int bad = safetensors_write_file(path, t, ARRAY_LEN(t), meta, e);
	free(path);
	return bad;
}

static json_t *details_json(const struct scores_job *j)
{
	json_t *prompts = json_array();
	for (int i = 0; i < SCORES_N_PROMPTS; i++)
		json_array_append_new(prompts, json_string(scores_prompts[i]));
	json_t *o = json_pack("{s:f, s:s, s:f, s:o}", "output_factor", j->factor, "output_prompt", SCORES_OUTPUT_PROMPT,
			      "topic_strength", j->strength, "topic_prompts", prompts);
	if (!j->n_sample)
		return o;
	json_t *factors = json_array();
	for (int i = 0; i < SCORES_N_FACTORS; i++)
		json_array_append_new(factors, json_pack("{s:f, s:f, s:f}", "factor", scores_factors[i], "mean",
							 j->mean[i], "median", j->median[i]));
	json_object_update_new(o, json_pack("{s:f, s:I, s:o}", "tuned_factor", j->best_factor, "tuned_sample",
					    (json_int_t)j->n_sample, "tuned_tried", factors));
	return o;
}

static void report(const struct scoring *s, struct parts_scored *out)
{
	for (u32 f = 0; f < s->p->atlas->n_features; f++) {
		out->n_input += !isnan(s->input[f]);
		out->n_output += !isnan(s->job.output[f]);
		out->n_topic += !isnan(s->topic[f]);
	}
	memcpy(out->mean, s->job.mean, sizeof out->mean);
	memcpy(out->median, s->job.median, sizeof out->median);
	out->n_sample = s->job.n_sample;
	out->best_factor = s->job.best_factor;
}

static int allocate(struct scoring *s, struct err *e)
{
	const struct atlas *a = s->p->atlas;
	u64 f = a->n_features;
	bool keep_words = !store_is_full(a->store) && a->scores;
	if ((!keep_words && !(s->base = topic_base_new(a->store, a->vocab, e))) ||
	    !(s->input = mem_try(f, sizeof *s->input, "scores", e)) ||
	    !(s->topic = mem_try(f, sizeof *s->topic, "scores", e)) ||
	    !(s->max = mem_try(f, sizeof *s->max, "scores", e)) ||
	    !(s->words = mem_try(f * TOPIC_WORDS, sizeof *s->words, "scores", e)) ||
	    !(s->promoted = mem_try(f * PARTS_TOKENS, sizeof *s->promoted, "scores", e)) ||
	    !(s->job.gain = mem_try(f * TOPIC_WORDS, sizeof *s->job.gain, "scores", e)) ||
	    !(s->job.output = mem_try(f, sizeof *s->job.output, "scores", e)) ||
	    !(s->job.tuned = mem_try(f, sizeof *s->job.tuned, "scores", e)))
		return -1;
	for (u64 i = 0; i < f; i++)
		s->job.output[i] = s->job.tuned[i] = NAN;
	return 0;
}

int parts_scores(struct parts *p, f64 factor, f64 strength, struct parts_scored *out, struct err *e)
{
	const char *lacks = !p->atlas->store ? "store" : !p->atlas->vocab ? "vocab" : NULL;
	*out = (struct parts_scored){.best_factor = NAN};
	if (lacks)
		return err_set(e, ERR_UNAVAILABLE, "%s", atlas_missing(p->atlas, lacks));
	struct scoring s = {.p = p, .job = {.factor = factor, .strength = strength, .best_factor = factor}};
	s.part = xasprintf("%s/scores.part.safetensors", p->atlas->folder);
	int bad = allocate(&s, e);
	if (!bad) {
		progress_start(p->progress, "topic words", "features", p->atlas->n_features);
		pool_each(p->pool, p->atlas->n_features, words_of, &s);
		bad = score_model(&s, out, e) || write_scores(&s, e) ||
		      atlas_note_part(p->json, p->atlas->folder, "scores", "scores.safetensors", "scores",
				      details_json(&s.job), e);
	}
	if (!bad) {
		unlink(s.part);
		report(&s, out);
	}
	topic_base_free(s.base);
	free(s.input);
	free(s.topic);
	free(s.max);
	free(s.words);
	free(s.promoted);
	free(s.job.gain);
	free(s.job.output);
	free(s.job.tuned);
	free(s.part);
	free(s.key);
	return bad ? -1 : 0;
}
