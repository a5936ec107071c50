/* SPDX-License-Identifier: MIT */
/* steer_best.c - several seeds in one batch, and how likely the unsteered model finds each text.
 *
 * Runs 2 i and 2 i + 1 are baseline and steered text of seed number i.
 */
#include "backend/steer_impl.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct best {
	struct backend *b;
	const struct steer_request *q;
	struct steer_set set;
	struct intervention **lists; /* [n] a copy each, for what its own text turns on */
	struct steer_best *out;
	size_t n;
	u32 *tokens;
	u8 *flags;
	size_t n_tokens;
	steer_fn fn;
	void *context;
	size_t turning; /* the run whose text is looked at */
};

static void turned(void *context, size_t i)
{
	struct best *s = context;
	backend_update(s->b, s->turning, i, NULL, !s->set.list[i].off);
}

static bool on_token(void *context, size_t run, u32 token, const char *text, size_t n, const f32 *row)
{
	struct best *s = context;
	struct steer_best *o = &s->out[run / 2];
	int stream = (int)(run % 2);
	(void)row;
	o->tokens[stream][o->n[stream]++] = token;
	buf_add(&o->text[stream], text, n);
	if (stream) {
		s->turning = run;
		s->set.list = s->lists[run / 2];
		steer_set_text(&s->set, &o->text[1], turned, s);
	}
	return !s->fn || s->fn(s->context, stream, token, text, n, NULL);
}

static int generate(struct best *s, struct err *e)
{
	struct run *runs = xcalloc(2 * s->n, sizeof *runs);
	struct intervention *own = s->set.list;
	struct generate_options o = {.n_tokens = s->q->n_tokens, .temperature = s->q->temperature};
	for (size_t i = 0; i < 2 * s->n; i++) {
		bool steered = i % 2;
		runs[i] = (struct run){.name = steered ? "steered" : "baseline", .tokens = s->tokens, .flags = s->flags,
				       .n_tokens = s->n_tokens, .seed = s->q->seed + i / 2,
				       .list = steered ? s->lists[i / 2] : NULL, .n_list = steered ? s->q->n_specs : 0,
				       .paced = steered && s->set.follows_text};
	}
	int bad = backend_generate(s->b, runs, 2 * s->n, &o, on_token, s, e);
	s->set.list = own;
	free(runs);
	return bad;
}

/* Mean log-likelihoods, with no intervention. */
static int judge(struct best *s, struct err *e)
{
	struct run *runs = xcalloc(2 * s->n, sizeof *runs);
	struct score *scores = xcalloc(2 * s->n, sizeof *scores);
	for (size_t i = 0; i < 2 * s->n; i++) {
		struct steer_best *o = &s->out[i / 2];
		size_t n = o->n[i % 2];
		u32 *whole = xcalloc(s->n_tokens + n + 1, sizeof *whole);
		memcpy(whole, s->tokens, s->n_tokens * sizeof *whole);
		memcpy(whole + s->n_tokens, o->tokens[i % 2], n * sizeof *whole);
		runs[i] = (struct run){.name = "text", .tokens = whole, .n_tokens = s->n_tokens + n,
				       .n_prompt = s->n_tokens};
	}
	int bad = backend_score(s->b, runs, 2 * s->n, scores, e);
	for (size_t i = 0; i < 2 * s->n; i++) {
		struct steer_best *o = &s->out[i / 2];
		if (!bad)
			o->loglik[i % 2] = scores[i].n ? -scores[i].nll / (f64)scores[i].n : NAN;
		free((void *)(uintptr_t)runs[i].tokens);
	}
	free(runs);
	free(scores);
	return bad;
}

static void measure(struct steer_best *o)
{
	size_t both = MIN(o->n[0], o->n[1]), i = 0;
	while (i < both && o->tokens[0][i] == o->tokens[1][i])
		i++;
	o->first_difference = i == o->n[0] && i == o->n[1] ? -1 : (i64)i;
	for (int k = 0; k < 2; k++)
		o->repeated_4grams[k] = steer_repeated_4grams(o->tokens[k], o->n[k]);
}

/* The likelier steered text first; one without a token last; then by seed. */
static int by_likelihood(const void *a, const void *b)
{
	const struct steer_best *x = a, *y = b;
	f64 p = isnan(x->loglik[1]) ? -INFINITY : x->loglik[1], q = isnan(y->loglik[1]) ? -INFINITY : y->loglik[1];
	if (p != q)
		return p < q ? 1 : -1;
	return (x->seed > y->seed) - (x->seed < y->seed);
}

static int run(struct best *s, struct err *e)
{
	if (backend_tokenize(s->b, s->q->prompt, s->q->chat, &s->tokens, &s->flags, &s->n_tokens, e))
		return -1;
	u64 need = s->n_tokens + 2 * (u64)s->n * s->q->n_tokens;
	if (!s->n_tokens)
		return err_set(e, ERR_USAGE, "the prompt is empty");
	if (need > backend_info(s->b)->n_ctx)
		return err_set(e, ERR_USAGE, "%zu seeds of %u tokens each, steered and not, need %llu tokens of context; the "
			       "model has %u", s->n, s->q->n_tokens, (unsigned long long)need, backend_info(s->b)->n_ctx);
	if (generate(s, e) || judge(s, e))
		return -1;
	for (size_t i = 0; i < s->n; i++)
		measure(&s->out[i]);
	qsort(s->out, s->n, sizeof *s->out, by_likelihood);
	return 0;
}

int steer_best(struct backend *b, const struct atlas *a, const struct steer_request *q, size_t n, steer_fn fn,
	       void *context, struct steer_best *out, struct err *e)
{
	struct best s = {.b = b, .q = q, .n = n, .out = out, .fn = fn, .context = context};
	char warning[256];
	memset(out, 0, n * sizeof *out);
	for (size_t i = 0; i < n; i++) {
		out[i].seed = q->seed + i;
		out[i].loglik[0] = out[i].loglik[1] = NAN;
		for (int k = 0; k < 2; k++) {
			buf_init(&out[i].text[k]);
			out[i].tokens[k] = xcalloc((size_t)q->n_tokens + 1, sizeof(u32));
		}
	}
	if (!(q->temperature > 0))
		return err_set(e, ERR_USAGE, "at temperature 0 all seeds give one text: the best of several wants a temperature");
	int bad = steer_check_model(b, a, warning, sizeof warning, e) || steer_set_make(&s.set, b, a, q, e);
	s.lists = xcalloc(n, sizeof *s.lists);
	for (size_t i = 0; i < n && !bad; i++) {
		s.lists[i] = xcalloc(q->n_specs + 1, sizeof **s.lists);
		memcpy(s.lists[i], s.set.list, q->n_specs * sizeof **s.lists);
	}
	bad = bad || run(&s, e);
	for (size_t i = 0; i < n; i++)
		free(s.lists[i]);
	free(s.lists);
	free(s.tokens);
	free(s.flags);
	steer_set_release(&s.set);
	return bad ? -1 : 0;
}

void steer_best_release(struct steer_best *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < 2; k++) {
			buf_release(&b[i].text[k]);
			free(b[i].tokens[k]);
			b[i].tokens[k] = NULL;
		}
}
