/* SPDX-License-Identifier: MIT */
/* suite_steer.c - features and strengths tried on some seeds, the chosen judged on others. */
#include "session/suite_steer.h"

#include "base/mem.h"
#include "session/hit.h"
#include "session/sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	N_SCREENED = 2, SCREEN_SEEDS = 5, N_STRENGTHS = 5, SECOND_SEEDS = 6, N_FIRST = 1, N_MORE = 2, N_JUDGED = 3,
	N_SECOND = 2, N_FINAL = 3, /* that go on to the next round */
	BY_KNOWING = 3, BY_WRITING = 4, FIRST_JUDGED = 21,
};
#define ENOUGH 0.9 /* of the texts: no other is tried */
#define LEAST_WORDS 0.3 /* listed words a text, without a hit in the first round */

static const f32 screened[N_SCREENED] = {1.5f, 2.0f};
static const f32 strengths[N_STRENGTHS] = {1.0f, 1.25f, 1.5f, 1.75f, 2.0f};
static const char *const choosing[N_FIRST + N_MORE] = {"What did you do last weekend?", "Tell me a story.",
						       "Describe your day."};
static const char *const judged[N_JUDGED] = {"What would you like to talk about?", "Write a short letter to a friend.",
					     "Tell me about something that happened recently."};

/* ---- candidates ---- */

static void add(u32 *list, size_t *n, u32 feature)
{
	for (size_t i = 0; i < *n; i++)
		if (list[i] == feature)
			return;
	if (*n < SUITE_CANDIDATES)
		list[(*n)++] = feature;
}

struct writer {
	u32 feature;
	size_t words; /* of the list, among its topic words */
	f32 writes;
};

static int more_words(const void *a, const void *b)
{
	const struct writer *x = a, *y = b;
	if (x->words != y->words)
		return x->words < y->words ? 1 : -1;
	if (x->writes != y->writes)
		return x->writes < y->writes ? 1 : -1;
	return (x->feature > y->feature) - (x->feature < y->feature);
}

static int writes_more(const void *a, const void *b)
{
	const struct writer *x = a, *y = b;
	/* two words of the list, or one */
	if ((x->words >= HIT_WORDS) != (y->words >= HIT_WORDS))
		return x->words < y->words ? 1 : -1;
	if (x->writes != y->writes)
		return x->writes < y->writes ? 1 : -1;
	return (x->feature > y->feature) - (x->feature < y->feature);
}

static struct writer *find_writers(struct session *s, const struct suite_concept *c, size_t *n)
{
	const struct atlas *a = s->atlas;
	struct writer *list = NULL;
	struct buf text = BUF_INIT;
	u32 tokens[64];
	*n = 0;
	for (u32 f = 0; f < a->n_features && a->vocab && a->scores; f++) {
		struct atlas_scores scores;
		buf_clear(&text);
		vocab_add_text(a->vocab, &text, tokens, atlas_topic_words(a, f, tokens, ARRAY_LEN(tokens)));
		size_t words = hit_words((const char *const *)c->words, c->n_words, text.s, text.n);
		if (!words)
			continue;
		atlas_scores(a, f, &scores);
		list = xreallocarray(list, *n + 1, sizeof *list);
		list[(*n)++] = (struct writer){f, words, isnan(scores.topic) ? 0 : scores.topic};
	}
	buf_release(&text);
	return list;
}

size_t suite_candidates(struct session *s, const struct suite_concept *c, const struct suite_result *r,
			  u32 out[SUITE_CANDIDATES])
{
	size_t n = 0, n_writers;
	for (size_t i = 0; i < MIN(r->n_top, (size_t)BY_KNOWING); i++)
		add(out, &n, r->top[i].feature);
	struct writer *w = find_writers(s, c, &n_writers);
	if (n_writers)
		qsort(w, n_writers, sizeof *w, writes_more);
	for (size_t i = 0; i < MIN(n_writers, (size_t)BY_WRITING); i++)
		add(out, &n, w[i].feature);
	if (n_writers)
		qsort(w, n_writers, sizeof *w, more_words);
	for (size_t i = 0; i < n_writers && n < SUITE_CANDIDATES; i++)
		add(out, &n, w[i].feature);
	free(w);
	return n;
}

/* ---- one sweep ---- */

struct ask {
	u32 feature;
	const f32 *strengths;
	size_t n_strengths;
	const char *const *prompts;
	size_t n_prompts;
	u64 first_seed;
	size_t n_seeds;
	u32 n_tokens;
	bool random;
	enum intervention_where where;
};

/* like: a sweep whose baselines are these, or NULL. */
static struct sweep *run(struct suite_steer *c, const struct suite_concept *concept, const struct ask *a,
			 const struct sweep *like, struct err *e)
{
	const struct steer_spec spec = {.feature = a->feature, .method = STEER_ADD, .strength = a->strengths[0],
					.times_max = true, .where = -1};
	u64 seeds[SUITE_SEEDS];
	for (u64 i = 0; i < a->n_seeds; i++)
		seeds[i] = a->first_seed + i;
	const struct sweep_request q = {.specs = &spec,
					.n_specs = 1,
					.strengths = a->strengths,
					.n_strengths = a->n_strengths,
					.seeds = seeds,
					.n_seeds = a->n_seeds,
					.prompts = a->prompts,
					.n_prompts = a->n_prompts,
					.words = (const char *const *)concept->words,
					.n_words = concept->n_words,
					.random = a->random,
					.random_seed = SWEEP_RANDOM_SEED,
					.chat = !c->plain,
					.where = a->where,
					.temperature = SUITE_TEMPERATURE,
					.n_tokens = a->n_tokens};
	struct sweep *s = sweep_new(c->s, &q, e);
	if (s && sweep_run(s, c->s, c->b, like, c->progress, NULL, NULL, e)) {
		sweep_free(s);
		return NULL;
	}
	return s;
}

/* round 0: judged */
static void tell_text(struct suite_steer *c, const struct suite_concept *concept, const struct sweep *s,
		      const struct sweep_cell *cell, u32 round)
{
	static const char *const kinds[] = {"baseline", "steered", "random"};
	if (!c->text)
		return;
	json_t *o = json_pack("{s:s, s:I, s:f, s:s, s:s, s:I, s:I, s:f, s:f, s:b}", "concept", concept->name, "feature",
			      (json_int_t)s->q.specs[0].feature, "strength", (f64)s->q.strengths[cell->strength], "kind", kinds[cell->kind],
			      "prompt", s->q.prompts[cell->prompt], "seed", (json_int_t)s->q.seeds[cell->seed], "words",
			      (json_int_t)cell->words, "repeated_4grams", cell->repeats, "excess", cell->excess, "hit",
			      cell->hit);
	if (round)
		json_object_set_new(o, "round", json_integer((json_int_t)round));
	json_object_set_new(o, "text", json_text(cell->text.s, cell->text.n));
	c->text(c->context, o);
	json_decref(o);
}

static bool has_maximum(const struct suite_steer *c, u32 feature)
{
	struct store_stats stats;
	store_stats(c->s->atlas->store, feature, &stats);
	return stats.max > 0;
}

/* What one strength did. */
static struct steer_trial summarise(const struct sweep *s, u32 feature, size_t strength, u32 round)
{
	struct steer_trial t = {.feature = feature, .strength = (f64)s->q.strengths[strength], .round = round};
	for (size_t p = 0; p < s->q.n_prompts; p++)
		for (size_t k = 0; k < s->q.n_seeds; k++) {
			const struct sweep_cell *cell = sweep_at(s, SWEEP_STEERED, p, k, strength);
			t.texts++;
			t.hits += cell->hit;
			t.words += (f64)cell->words;
			t.excess += cell->excess;
		}
	t.words /= t.texts;
	t.excess /= t.texts;
	return t;
}

/* ---- choosing ---- */

struct tried {
	struct steer_trial t; /* the second round, then the third with it */
	f64 value;            /* hits, and half the neighbouring strengths' mean: six texts are few */
};

static int by_excess(const struct tried *x, const struct tried *y)
{
	if (x->t.excess < y->t.excess || x->t.excess > y->t.excess)
		return x->t.excess > y->t.excess ? 1 : -1;
	return (x->t.strength > y->t.strength) - (x->t.strength < y->t.strength);
}

static int by_value(const void *a, const void *b)
{
	const struct tried *x = a, *y = b;
	if (x->value != y->value)
		return x->value < y->value ? 1 : -1;
	return by_excess(x, y);
}

/* Hits decide, then how well the text still reads. */
static int by_hits(const void *a, const void *b)
{
	const struct tried *x = a, *y = b;
	if (x->t.hits != y->t.hits)
		return x->t.hits < y->t.hits ? 1 : -1;
	return by_excess(x, y);
}

static void value_strengths(struct tried *x)
{
	for (int i = 0; i < N_STRENGTHS; i++) {
		f64 sum = 0;
		int n = 0;
		if (i > 0)
			sum += x[i - 1].t.hits, n++;
		if (i + 1 < N_STRENGTHS)
			sum += x[i + 1].t.hits, n++;
		x[i].value = x[i].t.hits + 0.5 * sum / n;
	}
}

/* Baselines that are made once. */
struct likes {
	struct sweep *screen, *first, *more, *judged;
};

/* Keeps s where it is the first of its kind. */
static void keep_like(struct sweep **like, struct sweep *s)
{
	if (*like)
		sweep_free(s);
	else
		*like = s;
}

/* A round of one feature: out gets a trial for each strength. */
static int try_feature(struct suite_steer *c, const struct suite_concept *concept, const struct ask *a, u32 round,
		       struct sweep **like, struct steer_trial *out, struct err *e)
{
	struct sweep *s = run(c, concept, a, *like, e);
	if (!s)
		return -1;
	for (size_t k = 0; k < a->n_strengths; k++) {
		out[k] = summarise(s, a->feature, k, round);
		steer_tables_add_trial(c->tables, concept, &out[k]);
	}
	for (size_t i = 0; i < s->n_cells; i++)
		if (s->cells[i].kind == SWEEP_STEERED)
			tell_text(c, concept, s, &s->cells[i], round);
	keep_like(like, s);
	return 0;
}

struct screening {
	u32 feature, place, hits;
	f64 words;
};

static int by_promise(const void *a, const void *b)
{
	const struct screening *x = a, *y = b;
	if (x->hits != y->hits)
		return x->hits < y->hits ? 1 : -1;
	if (x->words < y->words || x->words > y->words)
		return x->words < y->words ? 1 : -1;
	return (x->place > y->place) - (x->place < y->place);
}

static void take_up(struct screening *list, size_t *n, const struct steer_trial *t)
{
	size_t i = 0;
	while (i < *n && list[i].feature != t->feature)
		i++;
	if (i == SUITE_CANDIDATES)
		return;
	if (i == *n)
		list[(*n)++] = (struct screening){.feature = t->feature, .place = (u32)i};
	list[i].hits += t->hits;
	list[i].words += t->words / N_SCREENED;
}

/* What stands in the table of a concept's first round, made or kept, at most SUITE_CANDIDATES features. */
static void read_screening(const struct suite_steer *c, const struct suite_concept *concept, struct screening *list,
			   size_t *n, u32 *n_texts)
{
	*n = *n_texts = 0;
	for (size_t i = 0; i < c->tables->n_trials; i++) {
		const struct steer_trial *t = &c->tables->trials[i];
		/* the store may be another since */
		if (t->round != 1 || strcmp(t->concept, concept->name) || !has_maximum(c, t->feature))
			continue;
		*n_texts += t->texts;
		take_up(list, n, t);
	}
}

/* The features that go on, at most N_SECOND; orders the list. */
static size_t go_on(struct screening *list, size_t n, u32 *out)
{
	size_t n_out = 0;
	qsort(list, n, sizeof *list, by_promise);
	for (size_t i = 0; i < MIN(n, (size_t)N_SECOND); i++)
		if (list[i].hits || list[i].words >= LEAST_WORDS)
			out[n_out++] = list[i].feature;
	return n_out;
}

/* A first round of which nothing goes on is made again: its words may be others now. */
static int screen(struct suite_steer *c, const struct suite_concept *concept, const struct suite_result *r,
		  struct likes *likes, u32 *out, size_t *n_out, u32 *n_texts, struct err *e)
{
	u32 candidates[SUITE_CANDIDATES];
	struct screening list[SUITE_CANDIDATES];
	size_t n, m;
	read_screening(c, concept, list, &m, n_texts);
	*n_out = go_on(list, m, out);
	if (*n_out)
		return 0;
	steer_tables_forget_trials(c->tables, concept, 1);
	n = suite_candidates(c->s, concept, r, candidates);
	for (size_t i = 0; i < n; i++) {
		const struct ask a = {candidates[i], screened, N_SCREENED, choosing, N_FIRST, 1, SCREEN_SEEDS,
				      SUITE_SCREEN_TOKENS, false, WHERE_BOTH};
		struct steer_trial t[N_SCREENED];
		if (has_maximum(c, candidates[i]) && try_feature(c, concept, &a, 1, &likes->screen, t, e))
			return -1;
	}
	read_screening(c, concept, list, &m, n_texts);
	*n_out = go_on(list, m, out);
	return 0;
}

static int second_round(struct suite_steer *c, const struct suite_concept *concept, u32 feature, struct likes *likes,
			struct tried *out, struct err *e)
{
	const struct ask a = {feature, strengths, N_STRENGTHS, choosing, N_FIRST, 1, SECOND_SEEDS,
			      SUITE_TOKENS, false, WHERE_BOTH};
	struct steer_trial t[N_STRENGTHS];
	if (try_feature(c, concept, &a, 2, &likes->first, t, e))
		return -1;
	for (size_t k = 0; k < N_STRENGTHS; k++)
		out[k] = (struct tried){t[k], 0};
	value_strengths(out);
	return 0;
}

static int third_round(struct suite_steer *c, const struct suite_concept *concept, struct tried *x, struct likes *likes,
		       struct err *e)
{
	const f32 strength = (f32)x->t.strength;
	const struct ask a = {x->t.feature, &strength, 1, choosing + N_FIRST, N_MORE, 1, SUITE_SEEDS,
			      SUITE_TOKENS, false, WHERE_BOTH};
	struct steer_trial more, *t = &x->t;
	if (try_feature(c, concept, &a, 3, &likes->more, &more, e))
		return -1;
	t->excess = (t->excess * t->texts + more.excess * more.texts) / (t->texts + more.texts);
	t->texts += more.texts;
	t->hits += more.hits;
	return 0;
}

static int choose_one(struct suite_steer *c, size_t i, struct likes *likes, struct err *e)
{
	const struct suite_concept *concept = &c->suite->concepts[i];
	struct steer_choice x = {.feature = NO_FEATURE, .where = WHERE_BOTH};
	struct tried tried[N_SECOND * N_STRENGTHS];
	u32 second[N_SECOND];
	size_t n = 0, m = 0, finalists = 0;
	steer_tables_forget_trials(c->tables, concept, 2);
	if (screen(c, concept, &c->results[i], likes, second, &n, &x.texts, e))
		return -1;
	for (bool enough = false; m < n && !enough; m++) {
		if (second_round(c, concept, second[m], likes, tried + m * N_STRENGTHS, e))
			return -1;
		for (int k = 0; k < N_STRENGTHS; k++)
			enough |= tried[m * N_STRENGTHS + k].t.hits + 1 >= SECOND_SEEDS;
	}
	m *= N_STRENGTHS;
	for (size_t k = 0; k < m; k++)
		x.texts += tried[k].t.texts;
	qsort(tried, m, sizeof *tried, by_value);
	for (bool enough = false; finalists < MIN(m, (size_t)N_FINAL) && tried[finalists].t.hits && !enough; finalists++) {
		struct steer_trial *t = &tried[finalists].t;
		if (finalists && t->hits < 2)
			break;
		if (third_round(c, concept, &tried[finalists], likes, e))
			return -1;
		enough = (f64)t->hits >= ENOUGH * t->texts;
	}
	qsort(tried, finalists, sizeof *tried, by_hits);
	if (finalists)
		x = (struct steer_choice){.feature = tried[0].t.feature, .strength = tried[0].t.strength, .where = WHERE_BOTH,
					  .texts = tried[0].t.texts, .hits = tried[0].t.hits};
	steer_tables_set_choice(c->tables, concept, &x);
	if (steer_tables_write_choices(c->tables, e))
		return -1;
	if (c->say)
		c->say(c->context, concept, steer_tables_choice(c->tables, concept), NULL);
	return 0;
}

static int need_store(const struct suite_steer *c, struct err *e)
{
	return c->s->atlas->store ? 0 : err_set(e, ERR_UNAVAILABLE, "%s", atlas_missing(c->s->atlas, "store"));
}

static void likes_release(struct likes *l)
{
	sweep_free(l->screen);
	sweep_free(l->first);
	sweep_free(l->more);
	sweep_free(l->judged);
}

int suite_steer_choose(struct suite_steer *c, struct err *e)
{
	struct likes likes = {0};
	int bad = need_store(c, e);
	for (size_t i = 0; i < c->suite->n && !bad; i++)
		if (!steer_tables_choice(c->tables, &c->suite->concepts[i]))
			bad = choose_one(c, i, &likes, e);
	likes_release(&likes);
	return bad ? -1 : 0;
}

/* ---- judging ---- */

static void count_kind(const struct sweep *s, enum sweep_kind kind, struct steer_figure *f, u32 *hits)
{
	for (size_t k = 0; k < s->q.n_seeds; k++) {
		size_t of_seed = 0;
		for (size_t p = 0; p < s->q.n_prompts; p++) {
			const struct sweep_cell *cell = sweep_at(s, kind, p, k, 0);
			of_seed += cell->hit;
			if (kind == SWEEP_STEERED)
				f->excess += cell->excess / (f64)(s->q.n_seeds * s->q.n_prompts);
		}
		*hits += (u32)of_seed;
		if (kind == SWEEP_STEERED)
			f->seeds_hit += hit_seed(of_seed, s->q.n_prompts);
	}
}

static int judge_one(struct suite_steer *c, const struct suite_concept *concept, const struct steer_choice *x,
		     struct likes *likes, struct err *e)
{
	const f32 strength = (f32)x->strength;
	const struct ask a = {x->feature, &strength, 1, judged, N_JUDGED, FIRST_JUDGED, SUITE_SEEDS, SUITE_TOKENS, true,
			      (enum intervention_where)x->where};
	if (x->feature >= c->s->atlas->n_features)
		return err_set(e, ERR_DAMAGED, "the choice for '%s' is feature %u, and the atlas has %u", concept->name,
			       x->feature, c->s->atlas->n_features);
	struct sweep *s = run(c, concept, &a, likes->judged, e);
	if (!s)
		return -1;
	struct steer_figure f = {.feature = x->feature, .strength = x->strength, .where = x->where, .seeds = SUITE_SEEDS,
				 .texts = N_JUDGED * SUITE_SEEDS};
	count_kind(s, SWEEP_STEERED, &f, &f.hits);
	count_kind(s, SWEEP_BASELINE, &f, &f.baseline);
	count_kind(s, SWEEP_RANDOM, &f, &f.random);
	for (size_t i = 0; i < s->n_cells; i++)
		tell_text(c, concept, s, &s->cells[i], 0);
	keep_like(&likes->judged, s);
	steer_tables_set_figure(c->tables, concept, &f);
	if (steer_tables_write_figures(c->tables, e))
		return -1;
	if (c->say)
		c->say(c->context, concept, x, steer_tables_figure(c->tables, concept));
	return 0;
}

int suite_steer_judge(struct suite_steer *c, struct err *e)
{
	struct likes likes = {0};
	int bad = need_store(c, e);
	for (size_t i = 0; i < c->suite->n && !bad; i++) {
		const struct suite_concept *concept = &c->suite->concepts[i];
		const struct steer_choice *x = steer_tables_choice(c->tables, concept);
		if (x && x->feature != NO_FEATURE && !steer_tables_figure(c->tables, concept))
			bad = judge_one(c, concept, x, &likes, e);
	}
	likes_release(&likes);
	return bad ? -1 : 0;
}
