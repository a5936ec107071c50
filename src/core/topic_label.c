/* SPDX-License-Identifier: MIT */
/* topic_label.c - the automatic label of a feature, from its own words. */
#include "core/topic.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "core/topic_base.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_WORDS = 128,
	WORD_BYTES = 48,
	SHOWN = 3,
	REACH = 6 /* tokens of a word on either side of the peak */
};

/* A word as it is shown, in lower case where it is ASCII; marks are not words. */
struct word {
	char s[WORD_BYTES + 1];
	size_t n;
	bool is_word;
	f32 score;
	u32 peaks; /* contexts it peaks in */
};

struct words {
	struct word list[MAX_WORDS];
	size_t n;
};

static bool has_letter(const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		i32 cp;
		i += utf8_next(s + i, n - i, &cp);
		if (topic_is_letter(cp))
			return true;
	}
	return false;
}

static bool starts_with_letter(struct span s)
{
	i32 cp = 0;
	if (s.n)
		utf8_next((const char *)s.p, s.n, &cp);
	return s.n && (topic_is_letter(cp) || cp == 0xfffd);
}

static bool ends_with_letter(struct span s)
{
	/* the last byte of a letter outside ASCII is a continuation; near enough */
	return s.n && (s.p[s.n - 1] >= 0x80 || topic_is_letter(s.p[s.n - 1]));
}

/* Trims spaces, makes safe, cuts to WORD_BYTES at a character. */
static void set_word(struct word *w, const char *s, size_t n)
{
	struct buf b = BUF_INIT;
	size_t from = 0;
	*w = (struct word){.n = 0};
	while (from < n && s[from] == ' ')
		from++;
	while (n > from && s[n - 1] == ' ')
		n--;
	if (from == n)
		buf_adds(&b, "\xe2\x90\xa3"); /* U+2423, open box */
	utf8_add_safe(&b, s + from, n - from);
	while (w->n < b.n) {
		i32 cp;
		size_t step = utf8_next(b.s + w->n, b.n - w->n, &cp);
		if (w->n + step > WORD_BYTES)
			break;
		memcpy(w->s + w->n, b.s + w->n, step);
		w->n += step;
	}
	w->is_word = has_letter(s + from, n - from);
	for (size_t i = 0; i < w->n; i++)
		if (w->s[i] >= 'A' && w->s[i] <= 'Z')
			w->s[i] = (char)(w->s[i] - 'A' + 'a');
	buf_release(&b);
}

/* The whole word that the token at a position is a part of. */
static void word_at(const struct topic_base *b, u64 position, struct word *out)
{
	u64 start, end, from = position, to = position + 1;
	store_text_of(b->store, position, &start, &end);
	struct span at = vocab_bytes(b->vocab, store_token(b->store, position));
	while (from > start && position - from < REACH && starts_with_letter(at)) {
		struct span before = vocab_bytes(b->vocab, store_token(b->store, from - 1));
		if (!ends_with_letter(before) || store_token_flags(b->store, from - 1) & TOKEN_MASKED)
			break;
		from--;
		at = before;
	}
	at = vocab_bytes(b->vocab, store_token(b->store, position));
	while (to < end && to - position < REACH && ends_with_letter(at)) {
		struct span after = vocab_bytes(b->vocab, store_token(b->store, to));
		if (!starts_with_letter(after) || store_token_flags(b->store, to) & TOKEN_MASKED)
			break;
		at = after;
		to++;
	}
	u32 ids[2 * REACH + 2];
	size_t n = 0;
	for (u64 i = from; i < to; i++)
		ids[n++] = store_token(b->store, i);
	struct buf s = BUF_INIT;
	vocab_add_text(b->vocab, &s, ids, n);
	set_word(out, s.s, s.n);
	buf_release(&s);
}

static bool same(const struct word *a, const struct word *b)
{
	return a->n == b->n && !memcmp(a->s, b->s, a->n);
}

bool topic_are_kin(const char *a, size_t n_a, const char *b, size_t n_b)
{
	size_t n = MIN(n_a, n_b), more = MAX(n_a, n_b) - n;
	if (n >= 3 && more <= 3 && !memcmp(a, b, n))
		return true;
	return n >= 6 && !memcmp(a, b, n - 2) && more <= 3;
}

static bool kin(const struct word *a, const struct word *b)
{
	return topic_are_kin(a->s, a->n, b->s, b->n);
}

static struct word *count_word(struct words *all, const struct word *w, f32 score)
{
	for (size_t i = 0; i < all->n; i++)
		if (same(&all->list[i], w)) {
			all->list[i].score += score;
			return &all->list[i];
		}
	if (all->n == MAX_WORDS)
		return NULL;
	all->list[all->n] = *w;
	all->list[all->n].score = score;
	return &all->list[all->n++];
}

/* Words that say little of a subject, in the languages that models write most of. */
bool topic_is_function_word(const char *word)
{
	static const char list[] =
		" a about after again all also although am an and another any are as at be became because "
		"become been "
		"before being but by can could did didn do does doesn don done during each either else even "
		"ever every few "
		"for from had has have he her here him his how however i if in into is isn it its itself "
		"just ll like many "
		"may me might more most much must my neither no nor not of off on once one only or other our "
		"out over own "
		"per quite rather re s same shall she should since so some such than that the their them "
		"then there these "
		"they this those though through thus to too under until up upon us ve very was wasn we were "
		"what when where "
		"whether which while who whom whose why will with within without won would yet you your "
		"au aux avec ce ces dans de des du elle en est et il ils je la le les leur lui mais ne nous "
		"ou par pas plus pour "
		"qu que qui sa se ses son sont sur un une vous al como con del el ella esta este la las lo "
		"los m\303\241s no nos "
		"para pero por se su sus y das dem den der die ein eine einer es ich im ist mit nicht sich "
		"sie und von zu ";
	char key[WORD_BYTES + 3];
	int n = snprintf(key, sizeof key, " %s ", word);
	return n < (int)sizeof key && strstr(list, key);
}

static bool is_function_word(const struct word *w)
{
	return !w->is_word || w->n < 2 || strchr(w->s, '\'') || strstr(w->s, "\342\200\231") ||
	       topic_is_function_word(w->s);
}

/* What peaks: a content word counts in full, a mark or a function word hardly. */
static size_t count_peaks(const struct topic_base *b, u32 feature, struct words *content, struct words *marks)
{
	struct store_context c[TOPIC_CONTEXTS];
	size_t n = topic_contexts(b->store, feature, c);
	for (size_t i = 0; i < n; i++) {
		struct word w;
		word_at(b, c[i].position, &w);
		bool mark = is_function_word(&w);
		struct word *to = count_word(mark ? marks : content, &w, 1);
		if (to)
			to->peaks++;
	}
	return n;
}

static void count_topics(const struct topic_base *b, u32 feature, struct words *content)
{
	struct topic_word t[TOPIC_WORDS];
	size_t n_contexts, n = topic_words(b, feature, t, &n_contexts);
	for (size_t i = 0; i < n; i++) {
		struct word w;
		struct span s = vocab_bytes(b->vocab, t[i].token);
		set_word(&w, (const char *)s.p, s.n);
		if (!is_function_word(&w) && t[i].score > 0)
			count_word(content, &w, 0.6f * (f32)t[i].k * t[i].score / t[0].score);
	}
}

static void count_promoted(const struct topic_base *b, const u32 *promoted, size_t n, struct words *content,
			   f32 weight)
{
	for (size_t i = 0; i < MIN(n, 10u); i++) {
		struct word w;
		struct span s = vocab_bytes(b->vocab, promoted[i]);
		set_word(&w, (const char *)s.p, s.n);
		if (w.n >= 3 && !is_function_word(&w))
			count_word(content, &w, weight * (1 - 0.05f * (f32)i));
	}
}

static int by_score(const void *a, const void *b)
{
	const struct word *x = a, *y = b;
	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	int c = memcmp(x->s, y->s, MIN(x->n, y->n));
	return c ? c : (x->n > y->n) - (x->n < y->n);
}

static void add_quoted(struct buf *out, const struct word *w)
{
	buf_adds(out, "\xe2\x80\x9c");
	buf_add(out, w->s, w->n);
	buf_adds(out, "\xe2\x80\x9d");
}

/* Up to three of the best words, none kin to another, none far below the first. */
static size_t add_best(struct buf *out, const struct words *all, f32 least, size_t most)
{
	const struct word *shown[SHOWN];
	size_t n = 0;
	for (size_t i = 0; i < all->n && n < most; i++) {
		const struct word *w = &all->list[i];
		bool skip = w->score < least || w->score < 0.12f * all->list[0].score;
		for (size_t k = 0; k < n && !skip; k++)
			skip = kin(shown[k], w);
		if (skip)
			continue;
		if (n)
			buf_adds(out, " / ");
		buf_add(out, w->s, w->n);
		shown[n++] = w;
	}
	return n;
}

bool topic_label(const struct topic_base *b, u32 feature, const u32 *promoted, size_t n_promoted,
		 struct buf *out, f32 *score)
{
	struct words *content = xcalloc(2, sizeof *content), *marks = content + 1;
	size_t n = count_peaks(b, feature, content, marks);
	if (!n) {
		free(content);
		return false;
	}
	u32 n_mark = 0;
	for (size_t i = 0; i < marks->n; i++)
		n_mark += marks->list[i].peaks;
	count_topics(b, feature, content);
	count_promoted(b, promoted, n_promoted, content, 0.8f);
	qsort(content->list, content->n, sizeof *content->list, by_score);
	qsort(marks->list, marks->n, sizeof *marks->list, by_score);
	bool mark_leads = 2 * n_mark > n;
	size_t before = out->n;
	if (mark_leads) {
		add_quoted(out, &marks->list[0]);
		if (marks->n > 1 && 3 * marks->list[1].peaks >= n)
			buf_adds(out, " "), add_quoted(out, &marks->list[1]);
	}
	size_t colon = out->n;
	if (mark_leads)
		buf_adds(out, " \xc2\xb7 ");
	/* a promoted token alone says little beside a mark */
	size_t shown = add_best(out, content, mark_leads ? 1.2f : 0, mark_leads ? 2 : SHOWN);
	if (!shown && mark_leads)
		buf_remove(out, colon, out->n - colon);
	if (out->n == before)
		add_quoted(out, &marks->list[0]);
	u32 covered = mark_leads ? marks->list[0].peaks : 0;
	for (size_t i = 0; !mark_leads && i < MIN(content->n, (size_t)SHOWN); i++)
		covered += content->list[i].peaks;
	*score = (f32)covered / (f32)n;
	free(content);
	return true;
}
