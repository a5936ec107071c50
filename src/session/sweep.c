/* SPDX-License-Identifier: MIT */
/* sweep.c - the grid of a sweep: checked, copied, laid out. */
#include "session/sweep.h"

#include "base/mem.h"
#include "session/hit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int check_strengths(const struct sweep_request *q, const struct atlas *a, struct err *e)
{
	const struct steer_spec *first = &q->specs[0];
	if (first->method == STEER_ABLATE)
		return err_set(e, ERR_USAGE, "feature %u is to be ablated, which has no strength to sweep",
			       first->feature);
	if (q->n_specs > 1 && !(fabsf(first->strength) > 0))
		return err_set(e, ERR_USAGE, "the others move with feature %u, whose strength is 0; give it another",
			       first->feature);
	for (size_t i = 0; i < q->n_strengths; i++) {
		if (!isfinite(q->strengths[i]))
			return err_set(e, ERR_USAGE, "a strength is not finite");
		if (i && !(q->strengths[i] > q->strengths[i - 1]))
			return err_set(e, ERR_USAGE, "the strengths do not ascend: %g comes after %g",
				       (f64)q->strengths[i], (f64)q->strengths[i - 1]);
	}
	for (size_t i = 0; i < q->n_specs; i++) {
		f32 c;
		if (q->specs[i].condition == STEER_IF_TEXT)
			return err_set(e, ERR_USAGE, "feature %u waits for words of the reply, which a sweep does not follow",
				       q->specs[i].feature);
		if (q->random && q->specs[i].method == STEER_PIN)
			return err_set(e, ERR_USAGE, "a random direction cannot be pinned");
		if (steer_spec_coefficient(&q->specs[i], a, &c, e))
			return -1;
	}
	return 0;
}

static int check(const struct sweep_request *q, const struct atlas *a, struct err *e)
{
	u64 n = 1;
	if (!q->n_specs || !q->n_strengths || !q->n_seeds || !q->n_prompts)
		return err_set(e, ERR_USAGE, "a sweep is of at least one %s", !q->n_specs ? "feature" : !q->n_strengths
			       ? "strength" : !q->n_seeds ? "seed" : "prompt");
	const size_t of[] = {q->n_strengths, q->n_seeds, q->n_prompts, q->random ? 2 : 1};
	for (size_t i = 0; i < ARRAY_LEN(of); i++)
		if ((n *= MIN(of[i], (size_t)SWEEP_MAX_CELLS + 1)) > SWEEP_MAX_CELLS)
			return err_set(e, ERR_USAGE, "%zu strengths, %zu seeds and %zu prompts are more than %d cells",
				       q->n_strengths, q->n_seeds, q->n_prompts, SWEEP_MAX_CELLS);
	for (size_t i = 0; i < q->n_others; i++)
		if (q->others[i] >= a->n_features)
			return err_set(e, ERR_NOT_FOUND, "there is no feature %u: the atlas has %u", q->others[i],
				       a->n_features);
	return check_strengths(q, a, e);
}

static void *copy(const void *p, size_t n, size_t size)
{
	void *out = xcalloc(n + 1, size);
	if (n)
		memcpy(out, p, n * size);
	return out;
}

static char **copy_strings(const char *const *list, size_t n)
{
	char **out = xcalloc(n + 1, sizeof *out);
	for (size_t i = 0; i < n; i++)
		out[i] = xstrdup(list[i]);
	return out;
}

static void watch(struct sweep *s, u32 feature)
{
	for (size_t i = 0; i < s->n_watched; i++)
		if (s->watched[i] == feature)
			return;
	s->watched[s->n_watched++] = feature;
}

/* The bytes of a token without the blanks around them, owned. */
static char *bare_word(const struct vocab *v, u32 token)
{
	struct span t = vocab_bytes(v, token);
	while (t.n && (t.p[0] == ' ' || t.p[0] == '\n'))
		t.p++, t.n--;
	while (t.n && (t.p[t.n - 1] == ' ' || t.p[t.n - 1] == '\n'))
		t.n--;
	return xstrndup((const char *)t.p, t.n);
}

static void add_topic_word(struct sweep *s, const struct vocab *v, u32 token)
{
	char *word = bare_word(v, token);
	bool there = !*word;
	for (size_t i = 0; i < s->n_words && !there; i++)
		there = !strcmp(s->words[i], word);
	if (there) {
		free(word);
		return;
	}
	s->words[s->n_words] = word;
	s->word_tokens[s->n_words++] = token;
}

static void set_words(struct sweep *s, const struct atlas *a, const struct sweep_request *q)
{
	enum { MOST = 64 };
	size_t most = q->n_words ? q->n_words : q->n_specs * MOST;
	s->word_tokens = xcalloc(most + 1, sizeof *s->word_tokens);
	if (q->n_words) {
		s->words = copy_strings(q->words, q->n_words);
		s->n_words = q->n_words;
		memset(s->word_tokens, 0xff, most * sizeof *s->word_tokens);
		return;
	}
	s->words = xcalloc(most + 1, sizeof *s->words);
	for (size_t i = 0; i < q->n_specs && a->vocab; i++) {
		u32 tokens[MOST];
		size_t n = atlas_topic_words(a, q->specs[i].feature, tokens, MOST);
		for (size_t k = 0; k < n; k++)
			add_topic_word(s, a->vocab, tokens[k]);
	}
}

static void lay_out(struct sweep *s)
{
	const struct sweep_request *q = &s->q;
	size_t n_base = q->n_prompts * q->n_seeds, n_grid = n_base * q->n_strengths;
	s->n_cells = n_base + n_grid * (q->random ? 2 : 1);
	s->cells = xcalloc(s->n_cells, sizeof *s->cells);
	for (size_t i = 0; i < s->n_cells; i++) {
		struct sweep_cell *c = &s->cells[i];
		size_t in_grid = i < n_base ? 0 : (i - n_base) % n_grid, pair = i < n_base ? i : in_grid % n_base;
		*c = (struct sweep_cell){.kind = i < n_base ? SWEEP_BASELINE
					       : i < n_base + n_grid ? SWEEP_STEERED : SWEEP_RANDOM,
					 .prompt = pair / q->n_seeds, .seed = pair % q->n_seeds,
					 .strength = in_grid / n_base,
					 .nll = NAN, .excess = NAN, .kl = NAN, .gain = NAN, .repeats = NAN};
		buf_init(&c->text);
		c->acts = xcalloc(s->n_watched + 1, sizeof *c->acts);
		for (size_t k = 0; k < s->n_watched; k++)
			c->acts[k] = (struct sweep_act){NAN, NAN};
	}
}

struct sweep *sweep_new(struct session *session, const struct sweep_request *q, struct err *e)
{
	if (check(q, session->atlas, e))
		return NULL;
	struct sweep *s = xcalloc(1, sizeof *s);
	s->q = *q;
	s->q.specs = copy(q->specs, q->n_specs, sizeof *q->specs);
	s->q.strengths = copy(q->strengths, q->n_strengths, sizeof *q->strengths);
	s->q.seeds = copy(q->seeds, q->n_seeds, sizeof *q->seeds);
	s->q.prompts = (const char *const *)copy_strings(q->prompts, q->n_prompts);
	s->q.others = copy(q->others, q->n_others, sizeof *q->others);
	s->q.words = NULL;
	s->q.n_words = 0;
	s->watched = xcalloc(q->n_specs + q->n_others + 1, sizeof *s->watched);
	for (size_t i = 0; i < q->n_specs; i++)
		watch(s, q->specs[i].feature);
	for (size_t i = 0; i < q->n_others; i++)
		watch(s, q->others[i]);
	set_words(s, session->atlas, q);
	s->change = xcalloc(q->n_strengths, sizeof *s->change);
	for (size_t i = 0; i < q->n_strengths; i++)
		s->change[i] = NAN;
	lay_out(s);
	return s;
}

void sweep_free(struct sweep *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_cells; i++) {
		buf_release(&s->cells[i].text);
		free(s->cells[i].tokens);
		free(s->cells[i].acts);
	}
	for (size_t i = 0; i < s->n_words; i++)
		free(s->words[i]);
	for (size_t i = 0; i < s->q.n_prompts; i++)
		free((char *)(uintptr_t)s->q.prompts[i]);
	free(s->cells);
	free(s->words);
	free(s->word_tokens);
	free(s->watched);
	free(s->change);
	free((void *)(uintptr_t)s->q.prompts);
	free((void *)(uintptr_t)s->q.specs);
	free((void *)(uintptr_t)s->q.strengths);
	free((void *)(uintptr_t)s->q.seeds);
	free((void *)(uintptr_t)s->q.others);
	free(s);
}

struct sweep_cell *sweep_at(const struct sweep *s, enum sweep_kind kind, size_t prompt, size_t seed, size_t strength)
{
	const struct sweep_request *q = &s->q;
	size_t n_base = q->n_prompts * q->n_seeds, pair = prompt * q->n_seeds + seed;
	if (prompt >= q->n_prompts || seed >= q->n_seeds || (kind == SWEEP_RANDOM && !q->random))
		return NULL;
	if (kind == SWEEP_BASELINE)
		return &s->cells[pair];
	if (strength >= q->n_strengths)
		return NULL;
	size_t before = kind == SWEEP_STEERED ? n_base : n_base + n_base * q->n_strengths;
	return &s->cells[before + strength * n_base + pair];
}

void sweep_copy_cell(struct sweep *to, const struct sweep *from, const struct sweep_cell *c)
{
	struct sweep_cell *out = &to->cells[c - from->cells], before = *out;
	*out = *c;
	out->text = before.text;
	buf_clear(&out->text);
	buf_add(&out->text, c->text.s, c->text.n);
	free(before.tokens);
	out->tokens = copy(c->tokens, c->n, sizeof *c->tokens);
	out->acts = before.acts;
	memcpy(out->acts, c->acts, to->n_watched * sizeof *c->acts);
	memcpy(to->change, from->change, to->q.n_strengths * sizeof *to->change);
	to->n_done += !before.done;
}

void sweep_specs(const struct sweep *s, size_t strength, struct steer_spec *out)
{
	const struct sweep_request *q = &s->q;
	f32 first = q->specs[0].strength;
	for (size_t i = 0; i < q->n_specs; i++) {
		out[i] = q->specs[i];
		if (out[i].method != STEER_ABLATE)
			out[i].strength = i ? q->specs[i].strength / first * q->strengths[strength]
					    : q->strengths[strength];
	}
}
