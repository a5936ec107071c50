/* SPDX-License-Identifier: MIT */
/* engine_score.c - how likely texts are under runs, and how far runs are from the first.
 *
 * What all runs have in common before any of them is touched is decoded once, as sequence 0,
 * and shared; it is kept for the next request that begins the same.  The rest goes in groups
 * of as many runs as memory holds, the first run in each, by windows of positions: many runs
 * that differ at their last token only become one decode of a column each.
 *
 * Invariants: a column at position t judges token t + 1; the first run's scores of a window are
 * known before any other run's are judged.
 */
#include "module/engine.h"

#include "base/mem.h"
#include "module/logprob.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct scoring {
	struct engine_pass p;
	struct score *out;
	bool *alike;     /* [n_runs] same tokens and prompt as the first: KL means something */
	size_t shared;   /* positions decoded once */
	f32 *base;       /* [window][n_vocab] of the first run, row i: position from + i */
	f64 *base_norm;  /* [window] */
	size_t from, window;
	bool again;      /* the first run is in this group only as a base */
};

static bool judges(const struct run *r, size_t position)
{
	return position + 1 < r->n_tokens && position + 1 >= r->n_prompt;
}

static bool wants(const struct run *r, size_t position)
{
	return judges(r, position) || (position + 1 == r->n_tokens && r->n_want);
}

/* How many positions can be decoded once for all runs; each run keeps its last for itself. */
static size_t common(const struct engine_pass *p)
{
	size_t n = SIZE_MAX;
	for (size_t r = 0; r < p->n_runs; r++) {
		const struct run *a = &p->runs[0], *b = &p->runs[r];
		size_t same = 0, most = MIN(a->n_tokens, b->n_tokens) - 1;
		while (same < most && a->tokens[same] == b->tokens[same])
			same++;
		n = MIN(n, MIN(same, engine_first_touched(p, r)));
	}
	return n;
}

static void judge(struct scoring *s, size_t run, size_t position, const f32 *scores, f64 norm)
{
	const struct run *r = &s->p.runs[run];
	struct score *o = &s->out[run];
	if (judges(r, position)) {
		o->nll += norm - (f64)scores[r->tokens[position + 1]];
		o->n++;
	}
	if (position + 1 < r->n_tokens || !r->n_want)
		return;
	for (size_t i = 0; i < r->n_want; i++)
		o->want_logp[i] = (f32)((f64)scores[r->want_tokens[i]] - norm);
}

/* The shared part: each column counts for every run that judges it, with no distance to the first. */
static int decode_shared(struct scoring *s, struct err *e)
{
	struct engine_pass *p = &s->p;
	for (size_t at = 0, first = 0; at < s->shared; at++) {
		bool wanted = false;
		for (size_t r = 0; r < p->n_runs; r++)
			wanted |= wants(&p->runs[r], at);
		engine_pass_add(p, 0, (u32)at, p->runs[0].tokens[at], 0, wanted);
		if (p->n < p->g->info->n_logits && at + 1 < s->shared)
			continue;
		size_t n = p->n;
		if (engine_pass_decode(p, false, e))
			return -1;
		for (size_t i = 0; i < n; i++) {
			if (!p->columns[i].logits)
				continue;
			const f32 *scores = lm_logits(p->g->lm, i);
			f64 norm = logprob_norm(scores, p->g->info->n_vocab);
			for (size_t r = 0; r < p->n_runs; r++)
				judge(s, r, first + i, scores, norm);
		}
		first = at + 1;
	}
	return 0;
}

static bool keeps_shared(const struct scoring *s)
{
	const struct engine *g = s->p.g;
	return g->n_kept && g->n_kept == s->shared && g->kept_at == lm_n_cleared(g->lm) &&
	       !memcmp(g->kept, s->p.runs[0].tokens, s->shared * sizeof *g->kept);
}

static int share(struct scoring *s, struct err *e)
{
	struct engine *g = s->p.g;
	bool judged = false;
	for (size_t r = 0; r < s->p.n_runs; r++)
		for (size_t at = 0; at < s->shared && !judged; at++)
			judged = wants(&s->p.runs[r], at);
	if (!judged && keeps_shared(s))
		return 0;
	lm_clear(g->lm);
	g->kept_at = lm_n_cleared(g->lm);
	g->n_kept = 0;
	if (decode_shared(s, e))
		return -1;
	g->kept = xreallocarray(g->kept, s->shared + 1, sizeof *g->kept);
	memcpy(g->kept, s->p.runs[0].tokens, s->shared * sizeof *g->kept);
	g->n_kept = s->shared;
	return 0;
}

static void judge_column(struct scoring *s, const struct engine_slot *slot, const f32 *scores)
{
	u32 n_vocab = s->p.g->info->n_vocab;
	size_t row = slot->position - s->from;
	f64 norm = logprob_norm(scores, n_vocab);
	if (!slot->run) {
		memcpy(s->base + row * n_vocab, scores, n_vocab * sizeof *scores);
		s->base_norm[row] = norm;
		if (s->again)
			return;
	} else if (s->alike[slot->run] && judges(&s->p.runs[slot->run], slot->position)) {
		s->out[slot->run].kl +=
			logprob_kl(s->base + row * n_vocab, s->base_norm[row], scores, norm, n_vocab);
	}
	judge(s, slot->run, slot->position, scores, norm);
}

static int decode_columns(struct scoring *s, struct err *e)
{
	struct engine_pass *p = &s->p;
	size_t n = p->n;
	if (engine_pass_decode(p, true, e))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (p->columns[i].logits)
			judge_column(s, &p->slots[i], lm_logits(p->g->lm, i));
	return 0;
}

/* The window's positions of a group's runs, packed into as few decodes as logits allow. */
static int decode_window(struct scoring *s, const size_t *group, size_t n_group, struct err *e)
{
	struct engine_pass *p = &s->p;
	for (size_t i = 0; i < n_group; i++) {
		const struct run *r = &p->runs[group[i]];
		size_t end = MIN(s->from + s->window, r->n_tokens);
		if (s->from >= end)
			continue;
		if (p->n + (end - s->from) > p->g->info->n_logits && decode_columns(s, e))
			return -1;
		for (size_t at = s->from; at < end; at++)
			engine_pass_add(p, group[i], (u32)at, r->tokens[at], (u32)i + 1, wants(r, at));
	}
	return p->n ? decode_columns(s, e) : 0;
}

static int score_group(struct scoring *s, const size_t *group, size_t n_group, struct err *e)
{
	size_t longest = 0;
	for (size_t i = 0; i < n_group; i++) {
		lm_forget(s->p.g->lm, (u32)i + 1, 0);
		lm_share(s->p.g->lm, 0, (u32)i + 1);
		longest = MAX(longest, s->p.runs[group[i]].n_tokens);
	}
	for (s->from = s->shared; s->from < longest; s->from += s->window)
		if (decode_window(s, group, n_group, e))
			return -1;
	for (size_t i = 0; i < n_group; i++)
		lm_forget(s->p.g->lm, (u32)i + 1, 0);
	return 0;
}

/* Fills group with the first run and as many from *next on as memory holds. */
static size_t next_group(const struct scoring *s, size_t *group, size_t *next)
{
	const struct engine_pass *p = &s->p;
	size_t n = 0, room = p->g->info->n_ctx - s->shared;
	size_t first = p->runs[0].n_tokens - s->shared;
	group[n++] = 0;
	room -= MIN(room, first);
	if (!*next)
		*next = 1;
	for (; *next < p->n_runs && n + 1 < p->g->info->n_seq; ++*next) {
		size_t need = p->runs[*next].n_tokens - s->shared;
		if (need > room)
			break;
		room -= need;
		group[n++] = *next;
	}
	return n;
}

static int score_all(struct scoring *s, struct module_request *r, struct err *e)
{
	struct engine_pass *p = &s->p;
	size_t *group = xcalloc(p->g->info->n_seq, sizeof *group);
	int rc = share(s, e);
	for (size_t next = 0; !rc && next < p->n_runs;) {
		size_t before = next, n = next_group(s, group, &next);
		if (before && n == 1) {
			rc = err_set(e, ERR_USAGE, "run %zu and the first need more than the context of %u tokens", next,
				     p->g->info->n_ctx);
			break;
		}
		s->again = before > 0;
		rc = score_group(s, group, n, e);
		module_progress(r, "runs", next, p->n_runs);
	}
	free(group);
	return rc;
}

static void finish(struct scoring *s)
{
	for (size_t r = 0; r < s->p.n_runs; r++) {
		struct score *o = &s->out[r];
		o->kl = r && s->alike[r] && o->n ? o->kl / (f64)o->n : NAN;
	}
}

static int prepare(struct scoring *s, struct err *e)
{
	const struct engine_pass *p = &s->p;
	const struct lm_info *info = p->g->info;
	size_t longest = 0;
	s->alike = xcalloc(p->n_runs, sizeof *s->alike);
	for (size_t r = 0; r < p->n_runs; r++) {
		const struct run *a = &p->runs[0], *b = &p->runs[r];
		s->out[r] = (struct score){0};
		s->alike[r] = a->n_tokens == b->n_tokens && a->n_prompt == b->n_prompt &&
			      !memcmp(a->tokens, b->tokens, a->n_tokens * sizeof *a->tokens);
		if (b->n_tokens > info->n_ctx)
			return err_set(e, ERR_USAGE, "a text of %zu tokens: the model's context is %u", b->n_tokens,
				       info->n_ctx);
		if (b->n_want)
			s->out[r].want_logp = xcalloc(b->n_want, sizeof(f32));
		longest = MAX(longest, b->n_tokens);
	}
	s->shared = common(p);
	s->window = MIN(longest - s->shared, (size_t)info->n_logits);
	s->base = mem_try(s->window * info->n_vocab, sizeof *s->base, "the first run's scores", e);
	s->base_norm = xcalloc(s->window, sizeof *s->base_norm);
	return s->base ? 0 : -1;
}

int engine_score(struct engine *g, struct module_request *r, const struct run *runs, size_t n_runs,
		 struct score *out, struct err *e)
{
	struct scoring s = {.out = out};
	if (!n_runs)
		return 0;
	if (engine_pass_init(&s.p, g, r, runs, n_runs, NULL, e))
		return -1;
	int rc = prepare(&s, e);
	if (!rc)
		rc = score_all(&s, r, e);
	if (!rc)
		finish(&s);
	else {
		lm_clear(g->lm);
		for (size_t i = 0; i < n_runs; i++) {
			free(out[i].want_logp);
			out[i].want_logp = NULL;
		}
	}
	free(s.alike);
	free(s.base);
	free(s.base_norm);
	engine_pass_release(&s.p);
	return rc;
}
