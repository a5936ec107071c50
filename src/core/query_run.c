/* SPDX-License-Identifier: MIT */
/* query_run.c - which features a query means: a bit set a term, joined word by word. */
#include "base/bits.h"
#include "base/mem.h"
#include "core/judged.h"
#include "core/map.h"
#include "core/query_tree.h"
#include "core/vocab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 65536 /* features a task, whole words of bits */, MAX_TOKENS = 64 };
/* Of texts: fewer features a task, the strongest contexts of each, and so many tokens on either side of a peak. */
enum { TEXT_CHUNK = 256, MAX_CONTEXTS = 100, AROUND = 16 };

struct run {
	const struct query_world *w;
	u32 n_features;
	size_t n_words;
	u64 n_gave_up;
	struct progress *progress;
	struct err *e;
};

static int missing(struct run *r, const char *part)
{
	const char *why = atlas_missing(r->w->atlas, part);
	return err_set(r->e, ERR_UNAVAILABLE, "%s", why ? why : "a part of the atlas is missing");
}

/* Terms over what people did. */

struct noted {
	struct run *r;
	const struct query *q;
	u64 *bits;
	f32 *values; /* of ratings and quizzes, NaN where there is none; or NULL */
};

/* Of a quiz as a person's answers left it; by detection, which comes first, else by fuzzing. */
static void see_quiz(f32 *value, const char *text)
{
	json_t *j = isnan(*value) ? json_parse(text, strlen(text), "a quiz", NULL) : NULL;
	if (j)
		*value = (f32)json_opt_f64(j, "balanced_accuracy", (f64)NAN);
	json_decref(j);
}

static void see_note(void *context, u32 feature, const char *name, const char *text, i64 when)
{
	(void)when;
	struct noted *s = context;
	if (feature >= s->r->n_features)
		return;
	switch (s->q->op) {
	case QUERY_TAG:
		if (strcmp(name, s->q->text))
			return;
		break;
	case QUERY_NOTE: {
		int m = search_match(s->q->pattern, text, strlen(text), NULL, NULL);
		s->r->n_gave_up += m < 0;
		if (m <= 0)
			return;
		break;
	}
	case QUERY_RATING:
		s->values[feature] = text[0] >= '1' && text[0] <= '5' ? (f32)(text[0] - '0') : NAN;
		return;
	case QUERY_QUIZ:
		see_quiz(&s->values[feature], text);
		return;
	default:
		break;
	}
	bits_set(s->bits, feature);
}

static int each_note(struct run *r, const struct query *q, enum note_kind kind, u64 *bits, f32 *values)
{
	struct noted s = {r, q, bits, values};
	return r->w->note ? note_each(r->w->note, kind, see_note, &s, r->e) : 0;
}

/* Terms over numbers. */

static bool in_range(const struct query *q, f64 v)
{
	return (q->low_open ? v > q->low : v >= q->low) && (q->high_open ? v < q->high : v <= q->high);
}

struct numbers {
	struct run *r;
	const struct query *q;
	u64 *bits;
	const f32 *values; /* as in noted */
	const u64 *tokens; /* bit set of tokens that match */
	u32 n_tokens;
};

static f64 number_of(const struct numbers *s, u32 feature)
{
	const struct atlas *a = s->r->w->atlas;
	struct store_stats stats;
	struct atlas_scores scores;
	switch (s->q->op) {
	case QUERY_DENSITY:
		store_stats(a->store, feature, &stats);
		return (f64)stats.density;
	case QUERY_MAX:
		store_stats(a->store, feature, &stats);
		return (f64)stats.max;
	case QUERY_CLUSTER: {
		u32 c = map_cluster(a->map, feature);
		return c == MAP_NONE ? NAN : (f64)c;
	}
	case QUERY_RATING:
		/* no rating is no number, unless one asks for it */
		return isnan(s->values[feature]) && s->q->low == 0 && s->q->high == 0 ? 0 : (f64)s->values[feature];
	case QUERY_QUIZ:
		return (f64)s->values[feature];
	case QUERY_JUDGED: {
		struct judgement j;
		f32 balanced = NAN;
		return judged_best(a->judged, feature, NULL, &j, &balanced) ? (f64)balanced : NAN;
	}
	default:
		atlas_scores(a, feature, &scores);
		return (f64)(s->q->op == QUERY_DETECTS ? scores.input
			     : s->q->op == QUERY_WRITES ? scores.topic
			     : s->q->op == QUERY_TUNED ? scores.tuned : scores.output);
	}
}

static bool has_token(const struct numbers *s, u32 feature)
{
	struct atlas_token t[MAX_TOKENS];
	int sign = s->q->op == QUERY_PROMOTES ? 1 : -1;
	size_t n = atlas_logits(s->r->w->atlas, feature, sign, t, MAX_TOKENS);
	for (size_t i = 0; i < MIN(n, (size_t)MAX_TOKENS); i++)
		if (t[i].token < s->n_tokens && bits_has(s->tokens, t[i].token))
			return true;
	return false;
}

static bool is_state(const struct numbers *s, u32 feature)
{
	struct store_stats stats;
	store_stats(s->r->w->atlas->store, feature, &stats);
	return (s->q->state == IS_DEAD) == (stats.count == 0);
}

static void number_task(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct numbers *s = context;
	u64 from = (u64)task * CHUNK, to = MIN(from + CHUNK, s->r->n_features);
	if (progress_cancelled(s->r->progress))
		return;
	for (u64 i = from; i < to; i++) {
		u32 f = (u32)i;
		bool yes = s->tokens ? has_token(s, f) : s->q->op == QUERY_IS ? is_state(s, f) : in_range(s->q, number_of(s, f));
		if (yes)
			bits_set(s->bits, f);
	}
	progress_add(s->r->progress, to - from);
}

static int scan_numbers(struct run *r, struct numbers *s)
{
	progress_start(r->progress, "filtering", "features", r->n_features);
	pool_each(r->w->pool, ((size_t)r->n_features + CHUNK - 1) / CHUNK, number_task, s);
	return progress_cancelled(r->progress) ? err_set(r->e, ERR_CANCELLED, "the search was stopped") : 0;
}

static int run_range(struct run *r, const struct query *q, u64 *bits)
{
	const struct atlas *a = r->w->atlas;
	struct numbers s = {.r = r, .q = q, .bits = bits};
	if ((q->op == QUERY_DENSITY || q->op == QUERY_MAX || q->op == QUERY_IS) && !a->store)
		return missing(r, "store");
	if (q->op >= QUERY_DETECTS && q->op <= QUERY_TUNED && !a->scores)
		return missing(r, "scores");
	if (q->op == QUERY_CLUSTER && !a->map)
		return missing(r, "map");
	if (q->op == QUERY_JUDGED && !a->judged)
		return missing(r, "evidence");
	f32 *values = NULL;
	int failed = 0;
	if (q->op == QUERY_RATING || q->op == QUERY_QUIZ) {
		s.values = values = mem_try(r->n_features, sizeof *values, "what people gave", r->e);
		for (u32 f = 0; values && f < r->n_features; f++)
			values[f] = NAN;
		failed = values ? each_note(r, q, q->op == QUERY_RATING ? NOTE_RATING : NOTE_QUIZ, bits, values) : -1;
	}
	failed = failed || scan_numbers(r, &s) ? -1 : 0;
	free(values);
	return failed;
}

static void run_id(const struct run *r, const struct query *q, u64 *bits)
{
	f64 from = q->low_open ? floor(q->low) + 1 : ceil(q->low);
	f64 to = q->high_open ? ceil(q->high) : floor(q->high) + 1;
	from = fmax(from, 0);
	to = fmin(to, r->n_features);
	if (from < to)
		bits_add(bits, (u64)from, (u64)to);
}

/* A token is matched without the blank it may begin with. */
static u64 *matching_tokens(struct run *r, const struct query *q, u32 n)
{
	u64 *bits = mem_try(n / 64 + 1, sizeof *bits, "the tokens", r->e);
	for (u32 i = 0; bits && i < n; i++) {
		struct span t = vocab_bytes(r->w->atlas->vocab, i);
		size_t skip = t.n && t.p[0] == ' ';
		int m = search_match(q->pattern, (const char *)t.p + skip, t.n - skip, NULL, NULL);
		r->n_gave_up += m < 0;
		if (m > 0)
			bits_set(bits, i);
	}
	return bits;
}

static int run_tokens(struct run *r, const struct query *q, u64 *bits)
{
	const struct atlas *a = r->w->atlas;
	if (!a->logits)
		return missing(r, "logits");
	if (!a->vocab)
		return missing(r, "vocab");
	struct numbers s = {.r = r, .q = q, .bits = bits, .n_tokens = vocab_count(a->vocab)};
	u64 *tokens = matching_tokens(r, q, s.n_tokens);
	if (!tokens)
		return -1;
	s.tokens = tokens;
	int failed = scan_numbers(r, &s);
	free(tokens);
	return failed;
}

/* Terms over texts. */

struct texts {
	struct run *r;
	const struct query *q;
	u64 *bits;
	u64 gave_up; /* features; atomic */
};

/* The tokens around a peak, within its text, as one. */
static void add_around(const struct atlas *a, u64 position, struct buf *out)
{
	u64 start, end;
	buf_clear(out);
	store_text_of(a->store, position, &start, &end);
	start = MAX(start, position > AROUND ? position - AROUND : 0);
	end = MIN(end, position + AROUND + 1);
	for (u64 i = start; i < end; i++) {
		struct span t = vocab_bytes(a->vocab, store_token(a->store, i));
		buf_add(out, t.p, t.n);
	}
}

static void text_task(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct texts *s = context;
	const struct atlas *a = s->r->w->atlas;
	struct store_context c[MAX_CONTEXTS];
	struct buf text = BUF_INIT;
	u64 from = (u64)task * TEXT_CHUNK, to = MIN(from + TEXT_CHUNK, s->r->n_features);
	for (u64 f = from; f < to && !progress_cancelled(s->r->progress); f++) {
		size_t n = MIN(store_contexts(a->store, (u32)f, c, MAX_CONTEXTS), (size_t)MAX_CONTEXTS);
		int m = 0;
		for (size_t i = 0; i < n && c[i].kind == CONTEXT_TOP && m <= 0; i++) {
			add_around(a, c[i].position, &text);
			m = search_match(s->q->pattern, text.s, text.n, NULL, NULL);
			if (m < 0)
				__atomic_fetch_add(&s->gave_up, 1, __ATOMIC_RELAXED);
		}
		if (m > 0)
			bits_set(s->bits, (u32)f);
	}
	progress_add(s->r->progress, to - from);
	buf_release(&text);
}

static int run_context(struct run *r, const struct query *q, u64 *bits)
{
	const struct atlas *a = r->w->atlas;
	if (!a->store)
		return missing(r, "store");
	if (!a->vocab)
		return missing(r, "vocab");
	struct texts s = {r, q, bits, 0};
	progress_start(r->progress, "reading contexts", "features", r->n_features);
	pool_each(r->w->pool, ((size_t)r->n_features + TEXT_CHUNK - 1) / TEXT_CHUNK, text_task, &s);
	r->n_gave_up += s.gave_up;
	return progress_cancelled(r->progress) ? err_set(r->e, ERR_CANCELLED, "the search was stopped") : 0;
}

static int run_fires(struct run *r, const struct query *q, u64 *bits)
{
	const struct query_world *w = r->w;
	if (!w->fires)
		return err_set(r->e, ERR_UNAVAILABLE,
			       "query, column %zu: fires: asks the live model, which a filter on screen cannot; the text screen "
			       "(gt) can, and 'featlas search --query'", q->at + 1);
	return w->fires(w->fires_context, q->text, bits, r->e);
}

/* Terms over labels. */

static int run_label(struct run *r, const struct query *q, u64 *bits)
{
	const struct query_world *w = r->w;
	struct search_result found = {.bits = bits};
	int failed = search_labels(q->pattern, w->pool, w->atlas->labels, w->people, w->n_people, w->hidden,
				   r->n_features, &found, r->progress, r->e);
	r->n_gave_up += found.n_gave_up;
	return failed;
}

static bool is_hidden(const struct query_world *w, u32 feature)
{
	return w->hidden && bits_has(w->hidden, feature);
}

/* Labels from a source (pattern), or by more than the index (none). */
static void run_source(struct run *r, const struct search_pattern *p, u64 *bits)
{
	const struct query_world *w = r->w;
	const struct labels *base = w->atlas->labels;
	u64 n = base ? labels_count(base) : 0;
	for (u64 i = 0; i < n; i++) {
		struct label l;
		labels_at(base, i, &l);
		bool yes = p ? search_match(p, l.source, strlen(l.source), NULL, NULL) > 0 : l.kind > LABEL_LEXICAL;
		if (yes && l.feature < r->n_features && !is_hidden(w, l.feature))
			bits_set(bits, l.feature);
	}
	for (size_t i = 0; i < w->n_people; i++) {
		const struct label *l = &w->people[i];
		if (l->feature < r->n_features && (!p || search_match(p, l->source, strlen(l->source), NULL, NULL) > 0))
			bits_set(bits, l->feature);
	}
}

static int run_near(struct run *r, const struct query *q, u64 *bits)
{
	struct atlas_neighbour near[256];
	if (q->low >= r->n_features)
		return err_set(r->e, ERR_NOT_FOUND, "query, column %zu: there is no feature %.0f: the atlas has 0 to %u",
			       q->at + 1, q->low, r->n_features - 1);
	if (!r->w->atlas->graph)
		return missing(r, "graph");
	size_t n = atlas_neighbours(r->w->atlas, (u32)q->low, near, ARRAY_LEN(near));
	for (size_t i = 0; i < MIN(n, ARRAY_LEN(near)); i++)
		if (near[i].id < r->n_features)
			bits_set(bits, near[i].id);
	return 0;
}

static int run_state(struct run *r, const struct query *q, u64 *bits)
{
	const struct query_world *w = r->w;
	const u64 *set = q->state == IS_MARKED ? w->marked : w->hidden;
	switch (q->state) {
	case IS_DEAD:
	case IS_LIVE:
		return run_range(r, q, bits);
	case IS_LABELLED:
		run_source(r, NULL, bits);
		return 0;
	case IS_REJECTED:
	case IS_MARKED:
		if (set)
			memcpy(bits, set, bits_words(r->n_features) * sizeof *bits);
		return 0;
	case IS_BOOKMARKED:
		return each_note(r, q, NOTE_BOOKMARK, bits, NULL);
	case IS_RATED:
		return each_note(r, q, NOTE_RATING, bits, NULL);
	case IS_TAGGED:
		return each_note(r, q, NOTE_TAG, bits, NULL);
	case IS_NOTED:
		return each_note(r, q, NOTE_NOTE, bits, NULL);
	}
	return 0;
}

static int run_term(struct run *r, const struct query *q, u64 *bits)
{
	switch (q->op) {
	case QUERY_LABEL:
		return run_label(r, q, bits);
	case QUERY_PROMOTES:
	case QUERY_SUPPRESSES:
		return run_tokens(r, q, bits);
	case QUERY_SOURCE:
		run_source(r, q->pattern, bits);
		return 0;
	case QUERY_NOTE:
		return each_note(r, q, NOTE_NOTE, bits, NULL);
	case QUERY_TAG:
		return each_note(r, q, NOTE_TAG, bits, NULL);
	case QUERY_CONTEXT:
		return run_context(r, q, bits);
	case QUERY_FIRES:
		return run_fires(r, q, bits);
	case QUERY_NEAR:
		return run_near(r, q, bits);
	case QUERY_IS:
		return run_state(r, q, bits);
	case QUERY_ID:
		run_id(r, q, bits);
		return 0;
	default:
		return run_range(r, q, bits);
	}
}

/* Joins. */

static u64 *run_node(struct run *r, const struct query *q);

static void invert(const struct run *r, u64 *bits)
{
	for (size_t i = 0; i < r->n_words; i++)
		bits[i] = ~bits[i];
	bits[r->n_features / 64] &= ((u64)1 << (r->n_features % 64)) - 1;
}

static u64 *run_join(struct run *r, const struct query *q)
{
	u64 *a = run_node(r, q->a);
	if (!a || q->op == QUERY_NOT) {
		if (a)
			invert(r, a);
		return a;
	}
	u64 *b = run_node(r, q->b);
	for (size_t i = 0; b && i < r->n_words; i++)
		a[i] = q->op == QUERY_AND ? a[i] & b[i] : a[i] | b[i];
	if (!b) {
		free(a);
		return NULL;
	}
	free(b);
	return a;
}

static u64 *run_node(struct run *r, const struct query *q)
{
	if (q->op <= QUERY_NOT)
		return run_join(r, q);
	u64 *bits = mem_try(r->n_words, sizeof *bits, "the hits", r->e);
	if (bits && run_term(r, q, bits)) {
		free(bits);
		return NULL;
	}
	return bits;
}

int query_run(const struct query *q, const struct query_world *w, struct search_result *out, struct progress *progress,
	      struct err *e)
{
	struct run r = {.w = w, .n_features = w->atlas->n_features, .progress = progress, .e = e};
	r.n_words = r.n_features / 64 + 1;
	u64 *bits = run_node(&r, q);
	if (!bits)
		return -1;
	search_result_release(out);
	out->bits = bits;
	out->n_hits = bits_count(bits, r.n_features);
	out->n_gave_up = r.n_gave_up;
	out->complete = true;
	return 0;
}
