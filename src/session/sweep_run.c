/* SPDX-License-Identifier: MIT */
/* sweep_run.c - a sweep through the live model: batches of cells generated, scored and read.
 *
 * A batch is as many cells as one request to generate holds.  Its cells are finished together: one request
 * scores all their replies, one for each prompt and seed among them gives the distance from the
 * baseline, one for each cell reads the activations.
 */
#include "session/sweep.h"

#include "base/mem.h"
#include "core/rand.h"
#include "session/hit.h"
#include "session/reading.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Limits of featlas-backend(7), and the sequences that featlas-llama keeps. */
enum { MAX_RUNS = 64, MAX_INTERVENTIONS = 1024, MAX_ARRAYS = 4096 };

struct prompt {
	u32 *tokens;
	u8 *flags;
	size_t n;
};

struct running {
	struct sweep *s;
	struct session *session;
	struct backend *b;
	const struct sweep *like;
	struct progress *progress;
	sweep_fn fn;
	void *context;
	struct prompt *prompts;
	struct steer_list first;    /* of the first strength: vectors and kinds */
	f32 *random;                /* [n_specs][d] */
	struct intervention *lists; /* [steered, random][n_strengths][n_specs] */
	u32 *want;                  /* first tokens of the listed words */
	size_t n_want, max_runs;
	struct sweep_cell *batch[MAX_RUNS];
	size_t n;
};

/* ---- what is the same for all cells ---- */

static int tokenize_prompts(struct running *r, struct err *e)
{
	const struct sweep_request *q = &r->s->q;
	r->prompts = xcalloc(q->n_prompts, sizeof *r->prompts);
	for (size_t i = 0; i < q->n_prompts; i++) {
		struct prompt *p = &r->prompts[i];
		if (backend_tokenize(r->b, q->prompts[i], q->chat, &p->tokens, &p->flags, &p->n, e))
			return -1;
		if (!p->n)
			return err_set(e, ERR_USAGE, "a prompt is empty");
	}
	return 0;
}

/* A word is looked for as it stands within a sentence, after a blank. */
static int first_token(struct running *r, const char *word, u32 *out, struct err *e)
{
	u32 *tokens, bos = backend_info(r->b)->bos;
	size_t n;
	char *spaced = xasprintf(" %s", word);
	int bad = backend_tokenize(r->b, spaced, false, &tokens, NULL, &n, e);
	free(spaced);
	if (bad)
		return -1;
	size_t at = n && tokens[0] == bos;
	*out = at < n ? tokens[at] : UINT32_MAX;
	free(tokens);
	return 0;
}

static int find_words(struct running *r, struct err *e)
{
	struct sweep *s = r->s;
	u32 n_vocab = backend_info(r->b)->n_vocab;
	r->want = xcalloc(s->n_words + 1, sizeof *r->want);
	for (size_t i = 0; i < s->n_words && s->q.measures & SWEEP_DISTANCE; i++) {
		u32 *t = &s->word_tokens[i];
		bool twice = false;
		if (*t == UINT32_MAX && first_token(r, s->words[i], t, e))
			return -1;
		for (size_t k = 0; k < r->n_want && !twice; k++)
			twice = r->want[k] == *t;
		if (!twice && *t < n_vocab)
			r->want[r->n_want++] = *t;
	}
	return 0;
}

static void randomize(struct running *r)
{
	size_t d = r->session->atlas->d_model;
	r->random = xcalloc(r->s->q.n_specs * d, sizeof *r->random);
	for (size_t i = 0; i < r->s->q.n_specs; i++) {
		const f32 *direction = r->first.list[i].direction;
		f32 *v = r->random + i * d;
		f64 want = 0, have = 0;
		for (size_t k = 0; k < d; k++) {
			v[k] = (f32)rand_normal(r->s->q.random_seed + r->s->q.specs[i].feature, k);
			want += (f64)direction[k] * (f64)direction[k];
			have += (f64)v[k] * (f64)v[k];
		}
		for (size_t k = 0; k < d; k++)
			v[k] *= (f32)sqrt(want) / (f32)sqrt(have);
	}
}

/* As steer_change_over_norm; of other methods, and of what waits for something, it is not known beforehand. */
static f64 change(const struct running *r, const struct intervention *list)
{
	size_t n = r->s->q.n_specs;
	for (size_t i = 0; i < n; i++)
		if (list[i].kind != INTERVENE_ADD || r->s->q.specs[i].condition)
			return NAN;
	return steer_change_over_norm(list, n, r->session->atlas);
}

static struct intervention *list_of(const struct running *r, enum sweep_kind kind, size_t strength)
{
	const struct sweep_request *q = &r->s->q;
	return r->lists + ((kind == SWEEP_RANDOM ? q->n_strengths : 0) + strength) * q->n_specs;
}

static int make_lists(struct running *r, struct err *e)
{
	const struct sweep_request *q = &r->s->q;
	struct steer_spec *specs = xcalloc(q->n_specs, sizeof *specs);
	sweep_specs(r->s, 0, specs);
	int bad = steer_list_make(r->b, r->session->atlas, specs, q->n_specs, q->where, &r->first, e);
	if (!bad && q->random)
		randomize(r);
	r->lists = xcalloc(2 * q->n_strengths * q->n_specs, sizeof *r->lists);
	for (size_t k = 0; k < q->n_strengths && !bad; k++) {
		struct intervention *list = list_of(r, SWEEP_STEERED, k), *other = list_of(r, SWEEP_RANDOM, k);
		sweep_specs(r->s, k, specs);
		for (size_t i = 0; i < q->n_specs && !bad; i++) {
			list[i] = r->first.list[i];
			bad = steer_list_amount(&specs[i], r->session->atlas, &list[i], e) ||
			      run_check_amount(&list[i], list[i].amount, r->session->atlas->d_model, e);
			other[i] = list[i];
			if (r->random)
				other[i].direction = r->random + i * r->session->atlas->d_model;
		}
		r->s->change[k] = bad ? NAN : change(r, list);
	}
	free(specs);
	return bad;
}

/* ---- batches ---- */

static bool touches_prompt(const struct running *r, const struct sweep_cell *c)
{
	const struct intervention *list = list_of(r, c->kind, c->strength);
	for (size_t i = 0; i < r->s->q.n_specs && c->kind != SWEEP_BASELINE; i++)
		if (list[i].where != WHERE_REPLY)
			return true;
	return false;
}

/* The tokens of context that a cell adds to the batch. */
static u64 room_of(const struct running *r, const struct sweep_cell *c)
{
	bool shared = false;
	for (size_t i = 0; i < r->n && !shared; i++)
		shared = r->batch[i]->prompt == c->prompt && !touches_prompt(r, r->batch[i]);
	bool own = !shared || touches_prompt(r, c);
	return (own ? r->prompts[c->prompt].n : 0) + (u64)r->s->q.n_tokens;
}

/* Takes cells that are not done from *at on. */
static void fill(struct running *r, size_t *at)
{
	u64 room = backend_info(r->b)->n_ctx, used = 0;
	r->n = 0;
	for (; *at < r->s->n_cells && r->n < r->max_runs; ++*at) {
		struct sweep_cell *c = &r->s->cells[*at];
		if (c->done)
			continue;
		if (r->n && (c->kind == SWEEP_BASELINE) != (r->batch[0]->kind == SWEEP_BASELINE))
			return; /* what a cell is measured against is there before it */
		u64 need = room_of(r, c);
		if (r->n && used + need > room)
			return;
		used += need;
		r->batch[r->n++] = c;
	}
}

static bool keep(void *context, size_t run, u32 token, const char *text, size_t n, const f32 *row)
{
	struct running *r = context;
	struct sweep_cell *c = r->batch[run];
	(void)row;
	if (c->n < r->s->q.n_tokens)
		c->tokens[c->n++] = token;
	buf_add(&c->text, text, n);
	progress_add(r->progress, 1);
	return !progress_cancelled(r->progress);
}

static int generate(struct running *r, struct err *e)
{
	const struct sweep_request *q = &r->s->q;
	struct run *runs = xcalloc(r->n, sizeof *runs);
	for (size_t i = 0; i < r->n; i++) {
		struct sweep_cell *c = r->batch[i];
		const struct prompt *p = &r->prompts[c->prompt];
		runs[i] = (struct run){.tokens = p->tokens, .flags = p->flags, .n_tokens = p->n,
				       .seed = q->seeds[c->seed]};
		if (c->kind != SWEEP_BASELINE) {
			runs[i].list = list_of(r, c->kind, c->strength);
			runs[i].n_list = q->n_specs;
		}
		buf_clear(&c->text);
		c->n = 0;
		c->nll = NAN;
		free(c->tokens);
		c->tokens = xcalloc((size_t)q->n_tokens + 1, sizeof *c->tokens);
	}
	struct generate_options o = {.n_tokens = q->n_tokens, .temperature = q->temperature};
	int bad = backend_generate(r->b, runs, r->n, &o, keep, r, e);
	free(runs);
	return bad;
}

/* Prompt and reply, owned; flags may be NULL. */
static u32 *whole(const struct running *r, const struct sweep_cell *c, u8 **flags)
{
	const struct prompt *p = &r->prompts[c->prompt];
	const struct vocab *v = r->session->atlas->vocab;
	u32 *tokens = xcalloc(p->n + c->n, sizeof *tokens);
	memcpy(tokens, p->tokens, p->n * sizeof *tokens);
	if (c->n)
		memcpy(tokens + p->n, c->tokens, c->n * sizeof *tokens);
	if (!flags)
		return tokens;
	*flags = xcalloc(p->n + c->n, 1);
	memcpy(*flags, p->flags, p->n);
	for (size_t i = 0; i < c->n && v; i++)
		(*flags)[p->n + i] = vocab_is_special(v, c->tokens[i]) ? TOKEN_SPECIAL : 0;
	return tokens;
}

static int score_replies(struct running *r, struct err *e)
{
	struct run runs[MAX_RUNS] = {0};
	struct score scores[MAX_RUNS] = {0};
	struct sweep_cell *of[MAX_RUNS];
	size_t n = 0;
	for (size_t i = 0; i < r->n; i++) {
		struct sweep_cell *c = r->batch[i];
		size_t n_prompt = r->prompts[c->prompt].n;
		c->nll = 0;
		if (!c->n)
			continue;
		of[n] = c;
		runs[n++] = (struct run){.tokens = whole(r, c, NULL), .n_tokens = n_prompt + c->n,
					 .n_prompt = n_prompt};
	}
	int bad = n ? backend_score(r->b, runs, n, scores, e) : 0;
	for (size_t i = 0; i < n; i++) {
		if (!bad && scores[i].n)
			of[i]->nll = scores[i].nll / (f64)scores[i].n;
		free((void *)(uintptr_t)runs[i].tokens);
	}
	return bad;
}

/* ---- the distance from the baseline ---- */

static f64 mean_gain(const struct score *s, const struct score *base, size_t n)
{
	f64 sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (f64)s->want_logp[i] - (f64)base->want_logp[i];
	return n ? sum / (f64)n : NAN;
}

/* Cells of one prompt and seed. */
static int score_distance(struct running *r, struct sweep_cell **cells, size_t n, struct err *e)
{
	struct run runs[MAX_RUNS + 1];
	struct score scores[MAX_RUNS + 1] = {0};
	const struct sweep_cell *base = sweep_at(r->s, SWEEP_BASELINE, cells[0]->prompt, cells[0]->seed, 0);
	size_t n_prompt = r->prompts[base->prompt].n;
	u8 *flags;
	u32 *tokens = whole(r, base, &flags);
	for (size_t i = 0; i <= n; i++) {
		runs[i] = (struct run){.tokens = tokens, .flags = flags, .n_tokens = n_prompt + base->n,
				       .n_prompt = n_prompt, .want_tokens = r->want,
				       .n_want = r->n_want};
		if (i) {
			runs[i].list = list_of(r, cells[i - 1]->kind, cells[i - 1]->strength);
			runs[i].n_list = r->s->q.n_specs;
		}
	}
	int bad = backend_score(r->b, runs, n + 1, scores, e);
	for (size_t i = 1; i <= n && !bad; i++) {
		cells[i - 1]->kl = scores[i].kl;
		cells[i - 1]->gain = mean_gain(&scores[i], &scores[0], r->n_want);
	}
	for (size_t i = 0; i <= n; i++)
		free(scores[i].want_logp);
	free(tokens);
	free(flags);
	return bad;
}

/* Those of the batch from i on that are compared with the same baseline as cell i, and are not yet. */
static size_t take_group(const struct running *r, size_t i, bool *taken, struct sweep_cell **group)
{
	size_t n = 0;
	for (size_t k = i; k < r->n; k++)
		if (!taken[k] && r->batch[k]->prompt == r->batch[i]->prompt && r->batch[k]->seed == r->batch[i]->seed) {
			taken[k] = true;
			group[n++] = r->batch[k];
		}
	return n;
}

static int measure_distance(struct running *r, struct err *e)
{
	bool taken[MAX_RUNS] = {0};
	struct sweep_cell *group[MAX_RUNS];
	for (size_t i = 0; i < r->n; i++) {
		struct sweep_cell *c = r->batch[i];
		if (progress_cancelled(r->progress))
			return err_set(e, ERR_CANCELLED, "stopped on request");
		if (c->kind == SWEEP_BASELINE) {
			c->kl = 0;
			c->gain = r->n_want ? 0 : NAN;
			continue;
		}
		size_t n = take_group(r, i, taken, group);
		if (n && score_distance(r, group, n, e))
			return -1;
	}
	return 0;
}

/* ---- activations ---- */

static f32 act_of(const struct dict_row *row, u32 feature)
{
	for (u32 i = 0; i < row->n; i++)
		if (row->id[i] == feature)
			return row->act[i];
	return 0;
}

static int read_acts(struct running *r, struct sweep_cell *c, struct err *e)
{
	size_t n_prompt = r->prompts[c->prompt].n, n = n_prompt + c->n;
	struct reading t;
	u8 *flags;
	u32 *tokens = whole(r, c, &flags);
	int bad = reading_of_tokens(r->session, r->b, tokens, flags, n, n_prompt, &t, e);
	free(tokens);
	free(flags);
	if (bad)
		return -1;
	for (size_t k = 0; k < r->s->n_watched; k++) {
		f64 sum = 0;
		f32 max = 0;
		size_t counted = 0;
		for (size_t i = n_prompt; i < n; i++) {
			if (t.flags[i] & TOKEN_MASKED)
				continue;
			f32 f = act_of(&t.rows[i], r->s->watched[k]);
			sum += (f64)f;
			max = MAX(max, f);
			counted++;
		}
		c->acts[k] = (struct sweep_act){counted ? (f32)(sum / (f64)counted) : 0, max};
	}
	reading_release(&t);
	return 0;
}

static int measure_acts(struct running *r, struct err *e)
{
	for (size_t i = 0; i < r->n; i++) {
		if (progress_cancelled(r->progress))
			return err_set(e, ERR_CANCELLED, "stopped on request");
		if (read_acts(r, r->batch[i], e))
			return -1;
	}
	return 0;
}

/* ---- the whole ---- */

static int finish(struct running *r, struct err *e)
{
	struct sweep *s = r->s;
	bool go = true;
	for (size_t i = 0; i < r->n; i++) {
		struct sweep_cell *c = r->batch[i];
		f64 base = sweep_at(s, SWEEP_BASELINE, c->prompt, c->seed, 0)->nll;
		c->excess = c->nll - base;
		c->repeats = steer_repeated_4grams(c->tokens, c->n);
		c->words = hit_words((const char *const *)s->words, s->n_words, c->text.s, c->text.n);
		c->hit = hit_is(c->words, c->repeats, c->nll, base);
		c->done = true;
		s->n_done++;
		go = (!r->fn || r->fn(r->context, s, c)) && go;
	}
	return go && !progress_cancelled(r->progress) ? 0 : err_set(e, ERR_CANCELLED, "stopped on request");
}

/* Baselines of another sweep. */
static int take_baselines(struct running *r, struct err *e)
{
	const struct sweep_request *q = &r->s->q, *o = &r->like->q;
	bool same = q->n_prompts == o->n_prompts && q->n_seeds == o->n_seeds && q->chat == o->chat &&
		    q->n_tokens == o->n_tokens && q->temperature <= o->temperature && q->temperature >= o->temperature;
	for (size_t i = 0; same && i < q->n_prompts; i++)
		same = !strcmp(q->prompts[i], o->prompts[i]);
	for (size_t i = 0; same && i < q->n_seeds; i++)
		same = q->seeds[i] == o->seeds[i];
	if (!same)
		return err_set(e, ERR_USAGE, "the baselines are of another sweep than this one");
	for (size_t i = 0; i < q->n_prompts * q->n_seeds; i++) {
		struct sweep_cell *c = &r->s->cells[i], *from = &r->like->cells[i];
		if (c->done || !from->done)
			continue;
		buf_clear(&c->text);
		buf_add(&c->text, from->text.s, from->text.n);
		free(c->tokens);
		c->tokens = xcalloc((size_t)q->n_tokens + 1, sizeof *c->tokens);
		memcpy(c->tokens, from->tokens, from->n * sizeof *c->tokens);
		c->n = from->n;
		c->nll = from->nll;
	}
	return 0;
}

static int run_batch(struct running *r, struct err *e)
{
	bool taken = r->like && r->batch[0]->kind == SWEEP_BASELINE;
	for (size_t i = 0; i < r->n && taken; i++)
		taken = !isnan(r->batch[i]->nll);
	if (!taken && (generate(r, e) || score_replies(r, e)))
		return -1;
	if (r->s->q.measures & SWEEP_DISTANCE && measure_distance(r, e))
		return -1;
	if (r->s->q.measures & SWEEP_ACTS && measure_acts(r, e))
		return -1;
	return finish(r, e);
}

static int run_all(struct running *r, struct err *e)
{
	const struct sweep_request *q = &r->s->q;
	size_t left = 0;
	if (tokenize_prompts(r, e) || find_words(r, e) || make_lists(r, e) || (r->like && take_baselines(r, e)))
		return -1;
	size_t per_run = 3 + 3 * q->n_specs;
	r->max_runs = MIN(MIN((size_t)MAX_RUNS, MAX_INTERVENTIONS / q->n_specs), MAX_ARRAYS / per_run - 1);
	if (q->max_runs)
		r->max_runs = MIN(r->max_runs, q->max_runs);
	for (size_t i = 0; i < r->s->n_cells; i++)
		left += !r->s->cells[i].done;
	progress_start(r->progress, "sweeping", "tokens", (u64)left * q->n_tokens);
	for (size_t at = 0; at < r->s->n_cells;) {
		fill(r, &at);
		if (r->n && run_batch(r, e))
			return -1;
	}
	return 0;
}

int sweep_run(struct sweep *s, struct session *session, struct backend *b, const struct sweep *like,
	      struct progress *p, sweep_fn fn, void *context, struct err *e)
{
	struct running r = {.s = s, .session = session, .b = b, .like = like, .progress = p, .fn = fn,
			    .context = context};
	int bad = run_all(&r, e);
	for (size_t i = 0; i < s->q.n_prompts && r.prompts; i++) {
		free(r.prompts[i].tokens);
		free(r.prompts[i].flags);
	}
	free(r.prompts);
	steer_list_release(&r.first);
	free(r.random);
	free(r.lists);
	free(r.want);
	return bad ? -1 : 0;
}
