/* SPDX-License-Identifier: MIT */
/* view_triage_load.c - what a decision needs: contexts of all strengths, neighbours, a text that is
 * almost one, names it might have. */
#include "view/view_triage.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void triage_forget(struct triage *s)
{
	for (size_t i = 0; i < s->n_words; i++)
		free(s->words[i]);
	s->n_words = s->word = 0;
	s->feature = NO_FEATURE;
}

static void add_word(struct triage *s, char *text /* taken */)
{
	bool old = !text[0] || s->n_words == TRIAGE_WORDS;
	for (size_t i = 0; i < s->n_words && !old; i++)
		old = !strcmp(s->words[i], text);
	if (old)
		free(text);
	else
		s->words[s->n_words++] = text;
}

static void add_label(void *context, const struct label *l)
{
	struct buf b = BUF_INIT;
	utf8_add_safe(&b, (const char *)l->text.p, l->text.n);
	add_word(context, buf_take(&b));
}

static char *token_words(struct view *v, const u32 *tokens, size_t n)
{
	struct buf b = BUF_INIT;
	for (size_t i = 0; i < n; i++) {
		struct buf token = BUF_INIT;
		session_add_token(app_session(v->app), &token, tokens[i]);
		buf_addf(&b, "%s%s", i ? ", " : "", token.s + strspn(token.s, " "));
		buf_release(&token);
	}
	return buf_take(&b);
}

static void find_words(struct view *v, struct triage *s)
{
	const struct atlas *a = app_session(v->app)->atlas;
	struct atlas_token promoted[3];
	u32 topic[3], tokens[3];
	session_each_label(app_session(v->app), s->feature, add_label, s);
	size_t n = atlas_topic_words(a, s->feature, topic, ARRAY_LEN(topic));
	if (n)
		add_word(s, token_words(v, topic, MIN(n, ARRAY_LEN(topic))));
	n = MIN(atlas_logits(a, s->feature, 1, promoted, ARRAY_LEN(promoted)), ARRAY_LEN(promoted));
	for (size_t i = 0; i < n; i++)
		tokens[i] = promoted[i].token;
	if (n)
		add_word(s, token_words(v, tokens, n));
	for (size_t i = 0; i < s->n_near; i++)
		add_word(s, session_label_text(app_session(v->app), s->near[i].id));
}

/* Where a neighbour is strongest and this one silent: what the label must not say. */
static void find_not(const struct atlas *a, struct triage *s)
{
	struct store_context c[8];
	s->not_of = NO_FEATURE;
	for (size_t i = 0; i < s->n_near; i++) {
		size_t n = MIN(store_contexts(a->store, s->near[i].id, c, ARRAY_LEN(c)), ARRAY_LEN(c));
		for (size_t k = 0; k < n; k++) {
			f32 f;
			store_activations(a->store, s->feature, c[k].position, c[k].position + 1, &f);
			if (f > 0)
				continue;
			s->not_of = s->near[i].id;
			s->not = c[k];
			return;
		}
	}
}

/* Of h rows one is random, a quarter stands for the intervals, the others are the strongest; what
 * has no room follows below. */
void triage_mix(struct triage *s, int h)
{
	size_t rows = (size_t)MAX(h, 1), room[] = {0, rows / 4, rows > 3}, out = 0;
	bool taken[TRIAGE_CONTEXTS] = {false};
	if (s->mixed_h == h)
		return;
	s->mixed_h = h;
	for (size_t kind = 1; kind < 3; kind++) {
		size_t n = 0;
		for (size_t i = 0; i < s->n_contexts; i++)
			n += s->all[i].kind == kind;
		room[kind] = s->n_contexts <= rows ? n : MIN(room[kind], n);
	}
	room[0] = rows - MIN(rows, room[1] + room[2]);
	for (int round = 0; round < 2; round++)
		for (size_t kind = 0; kind < 3; kind++) {
			size_t got = 0;
			for (size_t i = 0; i < s->n_contexts; i++) {
				if (s->all[i].kind != kind || taken[i] || (!round && got == room[kind]))
					continue;
				taken[i] = true;
				s->order[out++] = (u8)i;
				got++;
			}
		}
}

static void find_contexts(struct view *v, struct triage *s)
{
	const struct store *st = app_session(v->app)->atlas->store;
	int how = app_setting_number(v->app, SET_GROUP);
	size_t n = MIN(store_contexts(st, s->feature, s->all, TRIAGE_CONTEXTS), (size_t)TRIAGE_CONTEXTS), top = 0;
	memset(s->alike, 0, sizeof s->alike);
	s->mixed_h = -1;
	s->n_contexts = n;
	if (how == 2)
		return;
	while (top < n && s->all[top].kind == CONTEXT_TOP)
		top++;
	size_t kept = contexts_fold(st, s->all, top, s->alike, how == 1);
	memmove(s->all + kept, s->all + top, (n - top) * sizeof s->all[0]);
	s->n_contexts = kept + (n - top);
}

/* Everything that is read below; fills in the neighbours. */
static bool is_there(struct view *v, struct triage *s, u32 feature)
{
	unsigned fold = app_setting_number(v->app, SET_FOLD) ? ATLAS_DECODER : 0;
	s->n_near = 0;
	if (!app_has(v->app, feature,
		     ATLAS_LABELS | ATLAS_NUMBERS | ATLAS_LOGITS | ATLAS_NEIGHBOURS | ATLAS_CONTEXTS | fold))
		return false;
	s->n_near = atlas_neighbours(app_session(v->app)->atlas, feature, s->near, TRIAGE_NEAR);
	bool all = true;
	for (size_t i = 0; i < s->n_near; i++)
		all &= app_has(v->app, s->near[i].id, ATLAS_LABELS | ATLAS_BEST);
	return all;
}

void triage_load(struct view *v, u32 feature)
{
	struct triage *s = view_state(v);
	const struct atlas *a = app_session(v->app)->atlas;
	triage_forget(s);
	s->n_contexts = 0;
	s->token = 0;
	s->list.at = s->list.top = 0;
	list_resize(&s->list, 0, s->list.h);
	if (!is_there(v, s, feature))
		return;
	s->feature = feature;
	s->fold = view_fold(v, feature);
	s->stats = (struct store_stats){NAN, NAN, NAN, 0};
	s->not_of = NO_FEATURE;
	atlas_scores(a, feature, &s->scores);
	if (a->store) {
		store_stats(a->store, feature, &s->stats);
		find_contexts(v, s);
		find_not(a, s);
	}
	find_words(v, s);
	list_resize(&s->list, s->n_contexts, s->list.h);
}
