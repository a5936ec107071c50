/* SPDX-License-Identifier: MIT */
/* steer.c - baseline and steered run as one request, and how they differ. */
#include "backend/steer_impl.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Everything a request needs, from its start to its end. */
struct steering {
	struct backend *b;
	const struct atlas *a;
	const struct steer_request *q;
	struct steer_set set;
	u32 *tokens;
	u8 *flags;
	size_t n_tokens;
	struct run runs[2];

	struct steer_result *out;
	steer_fn fn;
	void *context;
	f64 change_sum; /* of |change| over the positions seen */
	u64 n_changes;
	f32 *work;      /* for run_apply */
};

/* The size of what the interventions at the atlas' hook do to a row of the reply. */
static void add_change(struct steering *s, const f32 *row)
{
	u32 d = s->a->d_model;
	f32 *x = s->work + d + s->set.encoder.n;
	f64 square = 0;
	memcpy(x, row, d * sizeof *x);
	/* every token's row stands at or after the last prompt token */
	run_apply(&s->runs[1], s->a->hook, s->set.encoder.w ? &s->set.encoder : NULL, s->n_tokens,
		  s->n_tokens - 1 + s->out->n[1], d, x, s->work);
	for (u32 k = 0; k < d; k++)
		square += ((f64)x[k] - (f64)row[k]) * ((f64)x[k] - (f64)row[k]);
	s->change_sum += sqrt(square);
	s->n_changes++;
}

static void turned(void *context, size_t i)
{
	struct steering *s = context;
	backend_update(s->b, 1, i, NULL, !s->set.list[i].off);
}

static bool on_token(void *context, size_t run, u32 token, const char *text, size_t n, const f32 *row)
{
	struct steering *s = context;
	if (run > 1)
		return true;
	if (run == 1 && s->set.varies && row)
		add_change(s, row);
	s->out->tokens[run][s->out->n[run]++] = token;
	buf_add(&s->out->text[run], text, n);
	if (run == 1)
		steer_set_text(&s->set, &s->out->text[1], turned, s);
	return !s->fn || s->fn(s->context, (int)run, token, text, n, s->q->want_rows ? row : NULL);
}

f64 steer_repeated_4grams(const u32 *tokens, size_t n)
{
	size_t repeated = 0;
	if (n < 4)
		return 0;
	for (size_t i = 1; i + 4 <= n; i++)
		for (size_t j = 0; j < i; j++)
			if (!memcmp(tokens + i, tokens + j, 4 * sizeof *tokens)) {
				repeated++;
				break;
			}
	return (f64)repeated / (f64)(n - 3);
}

f64 steer_change_over_norm(const struct intervention *list, size_t n, const struct atlas *a)
{
	f64 square = 0;
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].hook, a->hook))
			return NAN;
	for (u32 k = 0; k < a->d_model; k++) {
		f64 sum = 0;
		for (size_t i = 0; i < n; i++)
			if (list[i].where != WHERE_PROMPT)
				sum += (f64)list[i].amount * (f64)list[i].direction[k];
		square += sum * sum;
	}
	return a->norm_median > 0 ? sqrt(square) / (f64)a->norm_median : NAN;
}

static void compare(struct steering *s)
{
	struct steer_result *r = s->out;
	size_t both = MIN(r->n[0], r->n[1]), i = 0;
	while (i < both && r->tokens[0][i] == r->tokens[1][i])
		i++;
	r->first_difference = i == r->n[0] && i == r->n[1] ? -1 : (i64)i;
	for (int k = 0; k < 2; k++)
		r->repeated_4grams[k] = steer_repeated_4grams(r->tokens[k], r->n[k]);
	if (!s->set.varies)
		r->change_over_norm = steer_change_over_norm(s->set.list, s->q->n_specs, s->a);
	else if (s->n_changes && s->a->norm_median > 0)
		r->change_over_norm = s->change_sum / (f64)s->n_changes / (f64)s->a->norm_median;
	else
		r->change_over_norm = NAN;
}

static int run_both(struct steering *s, struct err *e)
{
	static const char *const names[] = {"baseline", "steered"};
	const struct steer_request *q = s->q;
	for (int i = 0; i < 2; i++) {
		s->out->tokens[i] = xcalloc((size_t)q->n_tokens + 1, sizeof(u32));
		s->runs[i] = (struct run){.name = names[i],
					  .tokens = s->tokens,
					  .flags = s->flags,
					  .n_tokens = s->n_tokens,
					  .seed = q->seed};
	}
	s->runs[1].list = s->set.list;
	s->runs[1].n_list = q->n_specs;
	s->runs[1].paced = s->set.follows_text;
	s->work = xcalloc(2 * (size_t)s->a->d_model + s->set.encoder.n, sizeof *s->work);
	struct generate_options o = {.n_tokens = q->n_tokens, .temperature = q->temperature,
				     .rows_hook = q->want_rows || s->set.varies ? s->a->hook : NULL};
	return backend_generate(s->b, s->runs, 2, &o, on_token, s, e);
}

int steer_generate(struct backend *b, const struct atlas *a, const struct steer_request *q, steer_fn fn,
		   void *context, struct steer_result *out, struct err *e)
{
	struct steering s = {.b = b, .a = a, .q = q, .out = out, .fn = fn, .context = context};
	char warning[256];
	memset(out, 0, sizeof *out);
	buf_init(&out->text[0]);
	buf_init(&out->text[1]);
	out->first_difference = -1;
	out->change_over_norm = NAN;
	int bad = steer_check_model(b, a, warning, sizeof warning, e) || steer_set_make(&s.set, b, a, q, e) ||
		  backend_tokenize(b, q->prompt, q->chat, &s.tokens, &s.flags, &s.n_tokens, e);
	if (!bad && !s.n_tokens)
		bad = err_set(e, ERR_USAGE, "the prompt is empty");
	if (!bad) {
		bad = run_both(&s, e);
		compare(&s);
	}
	steer_set_release(&s.set);
	free(s.tokens);
	free(s.flags);
	free(s.work);
	return bad ? -1 : 0;
}

void steer_result_release(struct steer_result *r)
{
	for (int i = 0; i < 2; i++) {
		buf_release(&r->text[i]);
		free(r->tokens[i]);
		r->tokens[i] = NULL;
	}
}
