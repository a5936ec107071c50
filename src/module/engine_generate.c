/* SPDX-License-Identifier: MIT */
/* engine_generate.c - several runs continued side by side, one column each a step. */
#include "module/engine.h"

#include "base/mem.h"
#include "module/sampler.h"

#include <stdlib.h>
#include <string.h>

/* A run's sequence in the model's memory has the run's number. */
struct live {
	struct sampler sampler;
	u32 token;     /* the last one, not decoded yet */
	u32 position;  /* its */
	u32 n;         /* generated */
	bool on;
	bool touched;  /* an intervention changes the prompt before its last token */
	size_t column; /* of the last decode */
};

static bool same_prompt(const struct run *a, const struct run *b)
{
	return a->n_tokens == b->n_tokens && !memcmp(a->tokens, b->tokens, a->n_tokens * sizeof *a->tokens);
}

/* The earlier run whose memory of prompt[:-1] serves run r too, or r itself. */
static size_t sharer(const struct engine_pass *p, const struct live *live, size_t r)
{
	for (size_t q = 0; q < r && !live[r].touched; q++)
		if (!live[q].touched && same_prompt(&p->runs[q], &p->runs[r]))
			return q;
	return r;
}

static int check_room(const struct engine_pass *p, const struct live *live, const struct generate_options *o,
		      struct err *e)
{
	u64 need = 0;
	for (size_t r = 0; r < p->n_runs; r++)
		need += (sharer(p, live, r) == r ? p->runs[r].n_tokens - 1 : 0) + (u64)o->n_tokens;
	if (p->n_runs > p->g->info->n_seq)
		return err_set(e, ERR_USAGE, "%zu runs at once: %u are possible", p->n_runs, p->g->info->n_seq);
	if (need > p->g->info->n_ctx)
		return err_set(e, ERR_USAGE, "the runs need %llu tokens of context, the model has %u",
			       (unsigned long long)need, p->g->info->n_ctx);
	return 0;
}

/* Decodes or shares each prompt but for its last token. */
static int decode_prompts(struct engine_pass *p, const struct live *live, struct err *e)
{
	for (size_t r = 0; r < p->n_runs; r++) {
		const struct run *run = &p->runs[r];
		size_t from = sharer(p, live, r);
		if (from != r) {
			lm_share(p->g->lm, (u32)from, (u32)r);
			continue;
		}
		/* a watched last layer has rows only where logits are wanted */
		u32 most = live[r].touched ? p->g->info->n_logits : p->g->info->n_columns;
		for (size_t i = 0; i + 1 < run->n_tokens; i++) {
			engine_pass_add(p, r, (u32)i, run->tokens[i], (u32)r, false);
			if ((p->n == most || i + 2 == run->n_tokens) && engine_pass_decode(p, live[r].touched, e))
				return -1;
		}
	}
	return 0;
}

static int step(struct engine_pass *p, struct live *live, struct err *e)
{
	for (size_t r = 0; r < p->n_runs; r++)
		if (live[r].on) {
			live[r].column = p->n;
			engine_pass_add(p, r, live[r].position, live[r].token, (u32)r, true);
		}
	return engine_pass_decode(p, true, e);
}

/* Draws a run's next token and sends it. */
static void advance(struct engine_pass *p, struct live *l, size_t run, struct module_request *request, u32 most)
{
	struct lm *lm = p->g->lm;
	u32 token = sampler_next(&l->sampler, lm_logits(lm, l->column), p->g->info->n_vocab);
	if (lm_is_end(lm, token)) {
		module_end(request, run);
		l->on = false;
	} else {
		module_token(request, run, token, p->rows ? p->rows + l->column * p->g->info->d_model : NULL);
		l->token = token;
		l->position++;
		l->on = ++l->n < most;
	}
	if (!l->on)
		lm_forget(lm, (u32)run, 0);
}

static int generate(struct engine_pass *p, struct live *live, struct module_request *request,
		    const struct generate_options *o, struct err *e)
{
	if (check_room(p, live, o, e) || decode_prompts(p, live, e))
		return -1;
	for (size_t on = p->n_runs; on;) {
		module_step(request);
		if (step(p, live, e))
			return -1;
		on = 0;
		for (size_t r = 0; r < p->n_runs; r++) {
			if (live[r].on)
				advance(p, &live[r], r, request, o->n_tokens);
			on += live[r].on;
		}
	}
	return 0;
}

int engine_generate(struct engine *g, struct module_request *r, const struct run *runs, size_t n_runs,
		    const struct generate_options *o, struct err *e)
{
	struct engine_pass p;
	if (!o->n_tokens || !n_runs)
		return 0;
	if (engine_pass_init(&p, g, r, runs, n_runs, o->rows_hook, e))
		return -1;
	p.generate = true;
	struct live *live = xcalloc(n_runs, sizeof *live);
	for (size_t i = 0; i < n_runs; i++) {
		sampler_init(&live[i].sampler, runs[i].seed, o->temperature, o->top_k, o->top_p);
		live[i].token = runs[i].tokens[runs[i].n_tokens - 1];
		live[i].position = (u32)runs[i].n_tokens - 1;
		live[i].on = true;
		live[i].touched = engine_first_touched(&p, i) < runs[i].n_tokens - 1;
	}
	lm_clear(g->lm);
	int rc = generate(&p, live, r, o, e);
	lm_clear(g->lm);
	free(live);
	engine_pass_release(&p);
	return rc;
}
