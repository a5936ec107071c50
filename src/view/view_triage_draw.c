/* SPDX-License-Identifier: MIT */
/* view_triage_draw.c - the feature at hand: its label, what it promotes, contexts of all strengths,
 * what is near, what it is not, names it might have. */
#include "ui/plot.h"
#include "view/view_triage.h"

#include <stdlib.h>
#include <string.h>

static void put_score(struct buf *b, const char *name, f32 x)
{
	char value[16];
	view_format_score(value, x);
	buf_addf(b, "%s%s %s", b->n ? "  " : "", name, value);
}

static void draw_head(struct view *v, struct rect r)
{
	struct triage *s = view_state(v);
	struct session *session = app_session(v->app);
	struct buf b = BUF_INIT;
	struct label l;
	char value[16];
	int x = r.w - 1, rating = note_rating(session->note, s->feature);
	char *tags = note_tags(session->note, s->feature);
	if (r.w >= 72) {
		view_format_density(value, s->stats.density);
		buf_addf(&b, "density %s", value);
	}
	put_score(&b, "detects", s->scores.input);
	put_score(&b, "writes", s->scores.topic);
	if (r.w >= 56)
		x = rect_puts_right(r, x, 0, STYLE_NUMBER, b.s) - 2;
	if (rating) {
		x -= rating;
		plot_stars(r, x, 0, rating);
		x--;
	}
	if (tags)
		x = rect_puts_right(r, x, 0, STYLE_TAG, tags) - 1;
	free(tags);
	const char *state = s->state[s->at] == TRIAGE_DEFERRED ? "put off "
			    : session_is_rejected(session, s->feature) ? "rejected "
			    : !session_label(session, s->feature, &l) ? ""
			    : l.kind == LABEL_PERSON		      ? "yours: "
			    : l.kind == LABEL_LEXICAL		      ? "auto: "
								      : "";
	int at = 1;
	buf_clear(&b);
	buf_addf(&b, "#%u", s->feature);
	at += rect_puts(r, at, 0, STYLE_ID, b.s) + 1;
	at += rect_puts(r, at, 0, STYLE_DIM, state);
	view_put_label(v, r, at, 0, MAX(x - at, 0), s->feature);
	buf_release(&b);
}

static void draw_near(struct view *v, struct rect r, int y)
{
	struct triage *s = view_state(v);
	int x = 1 + rect_puts(r, 1, y, STYLE_DIM, "near "), w = (r.w - x - 1) / (int)MAX(s->n_near, 1u);
	for (size_t i = 0; i < s->n_near; i++) {
		char score[16];
		int at = x + (int)i * w;
		view_format_score(score, s->near[i].score);
		at += rect_puts(r, at, y, STYLE_NUMBER, score) + 1;
		view_put_feature(v, r, at, y, x + (int)(i + 1) * w - at - 2, s->near[i].id);
	}
	if (!s->n_near)
		rect_puts(r, x, y, STYLE_DIM, "-");
}

/* A text where a neighbour is at its strongest and this feature silent. */
static void draw_not(struct view *v, struct rect r, int y)
{
	struct triage *s = view_state(v);
	int x = 1 + rect_puts(r, 1, y, STYLE_DIM, "not  ");
	if (s->not_of == NO_FEATURE) {
		rect_puts(r, x, y, STYLE_DIM, "-");
		return;
	}
	struct context_look look = {.feature = s->not_of, .max = s->not.act, .fold = 1, .width = s->width};
	const struct context_line *l = context_load(app_session(v->app)->atlas, &look, &s->not, NULL);
	struct view_tokens t = l->view;
	t.acts = NULL;
	struct buf b = BUF_INIT;
	buf_addf(&b, "#%u", s->not_of);
	int end = rect_puts_right(r, r.w - 1, y, STYLE_ID, b.s) - 1;
	buf_release(&b);
	view_put_tokens(v, r, x, y, end - x, &t, view_first_token(v, &t, t.peak, end - x));
}

static void draw_words(struct view *v, struct rect r, int y)
{
	struct triage *s = view_state(v);
	char *note = note_note(app_session(v->app)->note, s->feature);
	struct buf b = BUF_INIT;
	if (note)
		buf_addf(&b, "note: %s", note);
	free(note);
	for (size_t i = 1; i < s->n_words && !b.n; i++)
		for (; i < s->n_words; i++)
			buf_addf(&b, "%s%s", b.n ? " \u00b7 " : "", s->words[i]);
	int x = 1 + rect_puts(r, 1, y, STYLE_DIM, "also ");
	rect_put_cut(r, x, y, r.w - x - 1, STYLE_DIM, b.n ? b.s : "-", b.n ? b.n : 1);
	buf_release(&b);
}

static void draw_contexts(struct view *v, struct rect r)
{
	struct triage *s = view_state(v);
	const struct atlas *a = app_session(v->app)->atlas;
	struct context_look look = {
		.feature = s->feature, .max = s->stats.max, .fold = s->fold, .width = s->width};
	look.calm = true;
	triage_mix(s, r.h);
	list_resize(&s->list, s->n_contexts, r.h);
	if (!s->n_contexts && r.h > 0)
		view_put_sentence(r, 1, 0,
				  a->store ? "it never fires on the indexed text" : atlas_missing(a, "store"));
	for (int y = 0; y < r.h && s->list.top + (u64)y < s->list.n; y++) {
		u64 row = s->list.top + (u64)y;
		u8 i = s->order[row];
		context_draw(v, r, y, &look, &s->all[i], row == s->list.at ? &s->token : NULL, s->alike[i]);
		if (s->all[i].kind == CONTEXT_RANDOM)
			rect_puts(r, row == s->list.at, y, STYLE_DIM, "r");
	}
}

void triage_draw(struct view *v, struct rect r)
{
	struct triage *s = view_state(v);
	if (!s->queue.ids) {
		rect_puts(r, 1, 1, STYLE_DIM, "\u2026");
		return;
	}
	if (!s->queue.n) {
		view_put_sentence(r, 1, 1,
				  "nothing to decide: every live feature here has a label of yours; a query (&), a "
				  "search (/) or marks (Space) in the list, then gq, makes another queue");
		return;
	}
	if (s->feature == NO_FEATURE)
		triage_load(v, s->queue.ids[s->at]);
	if (s->feature == NO_FEATURE) {
		rect_printf(r, 1, 0, STYLE_ID, "#%u", s->queue.ids[s->at]);
		return;
	}
	int foot = r.h >= 16 ? 5 : r.h >= 11 ? 4 : r.h >= 9 ? 2 : 1;
	draw_head(v, r);
	s->context_y = 1 + view_put_promoted(v, r, 1, s->feature);
	draw_contexts(v, rect_sub(r, 0, s->context_y, r.w, r.h - s->context_y - foot));
	int y = r.h - foot;
	const struct store_context *c = triage_context(s);
	struct context_look look = {
		.feature = s->feature, .max = s->stats.max, .fold = s->fold, .width = s->width};
	y += foot == 5;
	if (foot >= 4) {
		draw_near(v, r, y++);
		draw_not(v, r, y++);
	}
	if (foot >= 2)
		draw_words(v, r, y++);
	if (c)
		context_draw_token(v, r, y, &look, c, &s->token);
}
