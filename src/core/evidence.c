/* SPDX-License-Identifier: MIT */
/* evidence.c - questions made of a store's contexts, and answers counted. */
#include "core/evidence.h"

#include "base/mem.h"
#include "core/rand.h"
#include "core/vocab.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_CONTEXTS = 1024, BEFORE = 15 /* tokens of a window before the peak */, TRIES = 64 /* for each question */ };

bool evidence_is_shown(u32 feature, u64 position)
{
	return rand_u64(feature, position) & 1;
}

bool evidence_is_complete(const struct store *s, u32 feature)
{
	struct store_stats st;
	u64 at[1024], n = 0, got;
	if (store_is_full(s))
		return true;
	if (store_is_imported(s))
		return false;
	store_stats(s, feature, &st);
	while (n < st.count && (got = store_postings(s, feature, n, at, ARRAY_LEN(at))))
		n += got;
	return n >= st.count;
}

struct maker {
	const struct atlas *a;
	const struct evidence_ask *ask;
	u32 feature;
	u64 seed;
	f32 max;
	bool complete;
	struct evidence_question *out;
	size_t n;
};

/* 32 tokens around a peak, within its text. */
static struct evidence_question window(const struct store *s, u64 peak)
{
	u64 start, end;
	store_text_of(s, peak, &start, &end);
	u64 from = MAX(start, peak > BEFORE ? peak - BEFORE : 0), to = MIN(end, peak + EVIDENCE_TOKENS - BEFORE);
	return (struct evidence_question){.from = from, .n = (u32)(to > from ? to - from : 0)};
}

static bool same_tokens(const struct store *s, const struct evidence_question *x, const struct evidence_question *y)
{
	for (u32 i = 0; i < MIN(x->n, y->n); i++)
		if (store_token(s, x->from + i) != store_token(s, y->from + i))
			return false;
	return x->n == y->n;
}

/* One that overlaps another, or reads the same, would be asked twice. */
static bool is_new(const struct maker *m, const struct evidence_question *q)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct evidence_question *x = &m->out[i];
		if ((q->from < x->from + x->n && x->from < q->from + q->n) || same_tokens(m->a->store, q, x))
			return false;
	}
	return q->n > 0;
}

/* Tokens where it fires by so much of the most in the window; 0: at all. */
static u64 firing(const struct store *s, u32 feature, const struct evidence_question *q, f32 share)
{
	f32 act[EVIDENCE_TOKENS], most = 0;
	u64 bits = 0;
	store_activations(s, feature, q->from, q->from + q->n, act);
	for (u32 i = 0; i < q->n; i++)
		most = MAX(most, act[i]);
	for (u32 i = 0; i < q->n; i++)
		if (act[i] > 0 && act[i] >= share * most)
			bits |= (u64)1 << i;
	return bits;
}

/* ---- where it fires ---- */

struct candidate {
	u64 position, draw;
	f32 act;
	u8 level;
};

static int by_level(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	if (x->level != y->level)
		return x->level < y->level ? 1 : -1;
	if (x->draw != y->draw)
		return x->draw < y->draw ? -1 : 1;
	return (x->position > y->position) - (x->position < y->position);
}

static size_t find_candidates(const struct maker *m, struct candidate *out)
{
	struct store_context *c = xcalloc(MOST_CONTEXTS, sizeof *c);
	size_t n = MIN(store_contexts(m->a->store, m->feature, c, MOST_CONTEXTS), (size_t)MOST_CONTEXTS), kept = 0;
	for (size_t i = 0; i < n; i++) {
		if (!(c[i].act > 0) || evidence_is_shown(m->feature, c[i].position))
			continue;
		f32 level = m->max > 0 ? c[i].act / m->max * EVIDENCE_LEVELS : 0;
		out[kept++] = (struct candidate){
			.position = c[i].position,
			.act = c[i].act,
			.draw = rand_u64(m->seed, c[i].position),
			.level = (u8)(level >= EVIDENCE_LEVELS - 1 ? EVIDENCE_LEVELS - 1 : level),
		};
	}
	free(c);
	qsort(out, kept, sizeof *out, by_level);
	return kept;
}

/* One of each level by turns, the highest first. */
static void ask_firing(struct maker *m)
{
	struct candidate *c = xcalloc(MOST_CONTEXTS, sizeof *c);
	size_t n = find_candidates(m, c), next[EVIDENCE_LEVELS], end[EVIDENCE_LEVELS];
	for (int l = EVIDENCE_LEVELS - 1, at = 0; l >= 0; l--) {
		next[l] = (size_t)at;
		while ((size_t)at < n && c[at].level == l)
			at++;
		end[l] = (size_t)at;
	}
	for (bool more = true; more && m->n < m->ask->n_fires;) {
		more = false;
		for (int l = EVIDENCE_LEVELS - 1; l >= 0 && m->n < m->ask->n_fires; l--) {
			if (next[l] == end[l])
				continue;
			more = true;
			const struct candidate *x = &c[next[l]++];
			struct evidence_question q = window(m->a->store, x->position);
			if (!is_new(m, &q))
				continue;
			q.of = m->feature;
			q.source = EVIDENCE_FIRES;
			q.act = x->act;
			q.level = x->level;
			q.known = true;
			q.marks = firing(m->a->store, m->feature, &q, EVIDENCE_MARKED) | (u64)1 << (x->position - q.from);
			m->out[m->n++] = q;
		}
	}
	free(c);
}

/* ---- where it does not ---- */

static u64 unmasked(const struct store *s, const struct evidence_question *q)
{
	u64 bits = 0;
	for (u32 i = 0; i < q->n; i++)
		if (!(store_token_flags(s, q->from + i) & TOKEN_MASKED))
			bits |= (u64)1 << i;
	return bits;
}

static bool ask_silent(struct maker *m, u32 of, u64 peak, enum evidence_source source, size_t n_firing, u64 draw)
{
	const struct store *s = m->a->store;
	struct evidence_question q = window(s, peak);
	if (!is_new(m, &q) || firing(s, m->feature, &q, 0))
		return false;
	q.of = of;
	q.source = source;
	q.known = m->complete;
	q.marks = source == EVIDENCE_NEIGHBOUR ? firing(s, of, &q, EVIDENCE_MARKED) : m->out[draw % n_firing].marks;
	q.marks &= unmasked(s, &q);
	if (!q.marks)
		q.marks = (u64)1 << (peak - q.from);
	m->out[m->n++] = q;
	return true;
}

/* The strongest contexts are where a feature shows what it is. */
static size_t strongest(const struct store *s, u32 feature, struct store_context *c, size_t cap)
{
	size_t n = MIN(store_contexts(s, feature, c, cap), cap), kept = 0;
	while (kept < n && c[kept].kind == CONTEXT_TOP && c[kept].act > 0)
		kept++;
	return kept;
}

/* The neighbours by turns, each by its own order of contexts. */
static void ask_neighbours(struct maker *m, u32 want, size_t n_firing)
{
	enum { CAP = 64 };
	struct atlas_neighbour near[EVIDENCE_NEAR];
	size_t n = atlas_neighbours(m->a, m->feature, near, EVIDENCE_NEAR), got = 0;
	struct store_context *c = xcalloc(EVIDENCE_NEAR * CAP, sizeof *c);
	size_t n_contexts[EVIDENCE_NEAR], round = 0;
	n = MIN(n, (size_t)EVIDENCE_NEAR);
	for (size_t i = 0; i < n; i++)
		n_contexts[i] = strongest(m->a->store, near[i].id, c + i * CAP, CAP);
	for (bool more = true; more && got < want; round++) {
		more = false;
		for (size_t i = 0; i < n && got < want; i++) {
			if (round >= n_contexts[i])
				continue;
			more = true;
			u64 at = rand_permute(m->seed + i, round, n_contexts[i]);
			u64 draw = rand_u64(m->seed ^ 0x9e4, round * EVIDENCE_NEAR + i);
			got += ask_silent(m, near[i].id, c[i * CAP + at].position, EVIDENCE_NEIGHBOUR, n_firing, draw);
		}
	}
	free(c);
}

/* Where silence is assumed, near features are those that make the assumption wrong. */
static bool is_too_near(const struct maker *m, u32 f, const struct atlas_neighbour *near, size_t n)
{
	for (size_t i = 0; i < n && !m->complete; i++)
		if (near[i].id == f)
			return true;
	return f == m->feature;
}

static void ask_others(struct maker *m, u32 want, size_t n_firing)
{
	struct store_context c[64];
	struct atlas_neighbour near[64];
	size_t n_near = MIN(atlas_neighbours(m->a, m->feature, near, ARRAY_LEN(near)), ARRAY_LEN(near));
	u64 tries = (u64)want * TRIES;
	for (u64 i = 0, got = 0; i < tries && got < want; i++) {
		u32 f = (u32)(rand_u64(m->seed ^ 0x07e5, 2 * i) % m->a->n_features);
		size_t n = is_too_near(m, f, near, n_near) ? 0 : strongest(m->a->store, f, c, ARRAY_LEN(c));
		if (!n)
			continue;
		u64 draw = rand_u64(m->seed ^ 0x07e5, 2 * i + 1);
		got += ask_silent(m, f, c[draw % n].position, EVIDENCE_OTHER, n_firing, draw >> 16);
	}
}

static void shuffle(struct maker *m)
{
	struct evidence_question *copy = xcalloc(m->n + 1, sizeof *copy);
	memcpy(copy, m->out, m->n * sizeof *copy);
	for (size_t i = 0; i < m->n; i++)
		m->out[rand_permute(m->seed, i, m->n)] = copy[i];
	free(copy);
}

i64 evidence_make(const struct atlas *a, u32 feature, const struct evidence_ask *ask,
		  struct evidence_question out[EVIDENCE_MOST], struct err *e)
{
	struct maker m = {.a = a, .ask = ask, .feature = feature, .seed = ask->seed * 0x100000001b3u ^ feature, .out = out};
	const char *lacks = !a->store ? "store" : !a->vocab ? "vocab" : NULL;
	struct store_stats st;
	if (lacks)
		return err_set(e, ERR_UNAVAILABLE, "%s", atlas_missing(a, lacks));
	if ((u64)ask->n_fires + ask->n_other + ask->n_near > EVIDENCE_MOST)
		return err_set(e, ERR_USAGE, "at most %d texts are asked at once", EVIDENCE_MOST);
	store_stats(a->store, feature, &st);
	m.max = st.max;
	m.complete = evidence_is_complete(a->store, feature);
	ask_firing(&m);
	size_t n_firing = m.n;
	if (n_firing < 2)
		return err_set(e, ERR_FAILED, "#%u has too few contexts to ask about", feature);
	if (m.complete)
		ask_neighbours(&m, ask->n_near, n_firing);
	ask_others(&m, ask->n_other + ask->n_near - (u32)(m.n - n_firing), n_firing);
	if (m.n - n_firing < 2)
		return err_set(e, ERR_FAILED, "there are too few contexts in which #%u is silent", feature);
	for (size_t i = 0; i < m.n && !ask->fuzzing; i++)
		out[i].marks = 0;
	shuffle(&m);
	return (i64)m.n;
}

void evidence_add_text(const struct atlas *a, const struct evidence_question *q, const char *open, const char *close,
		       struct buf *out, struct buf *marked)
{
	u32 run[EVIDENCE_TOKENS];
	for (u32 i = 0; i < q->n;) {
		bool mark = q->marks >> i & 1;
		u32 n = 0;
		for (; i < q->n && (q->marks >> i & 1) == mark; i++)
			if (!(store_token_flags(a->store, q->from + i) & TOKEN_SPECIAL))
				run[n++] = store_token(a->store, q->from + i);
		if (mark && open)
			buf_adds(out, open);
		size_t before = out->n;
		vocab_add_text(a->vocab, out, run, n);
		if (mark && close)
			buf_adds(out, close);
		for (size_t k = before; marked && k < out->n; k++)
			buf_addc(marked, (char)mark);
	}
}
