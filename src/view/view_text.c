/* SPDX-License-Identifier: MIT */
/* view_text.c - a text that is typed, and what fires on each of its tokens. */
#include "view/context.h"
#include "view/view_text.h"
#include "base/mem.h"
#include "base/shell.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct store *store_of(struct view *v)
{
	return app_session(v->app)->atlas->store;
}

void text_again(struct view *v)
{
	struct text_view *s = view_state(v);
	if (!s->text)
		return;
	char *text = xstrdup(s->text);
	text_start(v, text);
	free(text);
}

/* ---- life ---- */

/* Something to look at: the feature's strongest context. */
static void borrow_context(struct view *v, u32 feature)
{
	struct text_view *s = view_state(v);
	const struct atlas *a = app_session(v->app)->atlas;
	struct store_context c;
	if (!a->store || !a->vocab || !store_contexts(a->store, feature, &c, 1))
		return;
	struct buf b = BUF_INIT;
	context_add_text(a, &c, &b);
	s->chat = false;
	if (b.n)
		text_start(v, b.s);
	s->lent = b.n > 0;
	buf_release(&b);
}

static int open_text(struct view *v, const struct target *t, struct err *e)
{
	struct text_view *s = view_state(v);
	(void)e;
	s->anchor = s->fixed = SIZE_MAX;
	s->target = s->against = NO_TOKEN;
	s->heat = t ? t->feature : NO_FEATURE;
	s->chat = !t || !t->text; /* a text that was given has its template in it, or none */
	s->seek = t && t->feature != NO_FEATURE;
	if (t && t->text)
		text_start(v, t->text);
	else if (t && t->feature != NO_FEATURE)
		borrow_context(v, t->feature);
	return 0;
}

static void close_text(struct view *v)
{
	struct text_view *s = view_state(v);
	text_result_release(&s->r);
	text_forget_effects(s);
	free(s->effects);
	free(s->text);
	free(s->heats);
	free(s->table);
}

/* ---- acting ---- */

static bool commit(struct view *v, const char *text, void *context)
{
	struct text_view *s = view_state(v);
	(void)context;
	if (!*text) {
		app_prompt_fault(v->app, 0, "a text of at least one letter");
		return false;
	}
	if (s->lent)
		s->chat = true;
	s->lent = s->seek = false;
	text_start(v, text);
	return true;
}

static void type(struct view *v)
{
	struct text_view *s = view_state(v);
	app_prompt(v, &(struct app_prompt){.label = "text: ",
					   .initial = s->lent ? NULL : s->text, .history = "text",
					   .commit = commit});
}

static void edit(struct view *v)
{
	struct text_view *s = view_state(v);
	char *text = app_edit_text(v->app, s->text ? s->text : "");
	if (text && *text)
		text_start(v, text);
	free(text);
}

static bool is_fixed(const struct text_view *s)
{
	return s->anchor != SIZE_MAX && s->fixed != SIZE_MAX;
}

static void go_token(struct view *v, i64 to)
{
	struct text_view *s = view_state(v);
	if (!s->r.n)
		return;
	s->cursor = (size_t)MAX(0, MIN(to, (i64)s->r.n - 1));
	if (is_fixed(s)) /* nothing below hangs on the cursor */
		return;
	s->refused = s->at_head = false;
	text_rebuild(v);
}

static void go_row(struct view *v, size_t row)
{
	struct text_view *s = view_state(v);
	if (!s->n_table)
		return;
	s->at_head = false;
	s->row = MIN(row, s->n_table - 1);
	s->heat = s->table[s->row].id;
	text_heat(s, store_of(v));
}

static void move_row(struct view *v, i64 by)
{
	struct text_view *s = view_state(v);
	i64 to = (i64)s->row + by;
	go_row(v, to < 0 ? 0 : (size_t)to);
}

static void toggle_heat(struct view *v)
{
	struct text_view *s = view_state(v);
	s->heat = s->heat == NO_FEATURE && s->n_table ? s->table[s->row].id : NO_FEATURE;
	text_heat(s, store_of(v));
}

/* On this and not on that: what fires here is left out from now on. */
static void compare(struct view *v)
{
	struct text_view *s = view_state(v);
	if (s->not_to > s->not_from) {
		s->not_from = s->not_to = 0;
	} else {
		text_range(s, &s->not_from, &s->not_to);
		app_message(v->app, "what fires here is left out elsewhere; c again takes it back");
		s->anchor = SIZE_MAX;
	}
	s->at_head = false;
	text_rebuild(v);
}

static void let_go(struct view *v)
{
	struct text_view *s = view_state(v);
	s->anchor = SIZE_MAX;
	s->at_head = false;
	text_rebuild(v);
}

/* Begins a range, ends it where the cursor is, lets it go. */
static void range(struct view *v)
{
	struct text_view *s = view_state(v);
	size_t from, to;
	if (s->anchor == SIZE_MAX) {
		s->anchor = s->cursor;
		s->fixed = SIZE_MAX;
		app_message(v->app, "a range from token %zu: move, then v again", s->cursor);
	} else if (!is_fixed(s)) {
		s->fixed = s->cursor;
		text_range(s, &from, &to);
		if (to == from + 1)
			app_message(v->app, "token %zu is held; v or Esc lets go of it", from);
		else
			app_message(v->app, "tokens %zu to %zu are held; v or Esc lets go of them", from, to - 1);
	} else {
		let_go(v);
		app_message(v->app, "the range is let go");
	}
}

static void rank(struct view *v, bool reverse)
{
	struct text_view *s = view_state(v);
	if (reverse)
		s->reverse = !s->reverse;
	else
		s->rank = (s->rank + 1) % N_RANKS;
	s->refused = false;
	s->at_head = true;
	text_rebuild(v);
}

static bool current(struct view *v, u32 *feature)
{
	struct text_view *s = view_state(v);
	if (!s->n_table)
		return false;
	*feature = s->table[s->row].id;
	return true;
}

static const char *why_not(struct view *v, enum action a)
{
	struct text_view *s = view_state(v);
	switch (a) {
	case ACT_LEFT:
	case ACT_RIGHT:
	case ACT_TOKEN_FIRST:
	case ACT_TOKEN_LAST:
	case ACT_RANGE:
	case ACT_COMPARE:
	case ACT_SORT:
	case ACT_REVERSE:
		return s->r.n ? NULL : "no text yet: i types one";
	case ACT_OPEN:
	case ACT_MARK:
	case ACT_NEXT_PANE:
		return s->n_table ? NULL : "nothing fires here";
	case ACT_REFRESH:
		return s->text ? NULL : "no text yet: i types one";
	default:
		return NULL;
	}
}

static void mark(struct view *v)
{
	u32 feature;
	if (current(v, &feature)) {
		app_mark(v->app, feature, !app_is_marked(v->app, feature));
		move_row(v, 1);
	}
}

static enum act_result move(struct view *v, enum action a, int count)
{
	struct text_view *s = view_state(v);
	i64 n = MAX(count, 1), page = MAX(v->h / 2, 1);
	switch (a) {
	case ACT_LEFT:
		go_token(v, (i64)s->cursor - n);
		return VIEW_HANDLED;
	case ACT_RIGHT:
		go_token(v, (i64)s->cursor + n);
		return VIEW_HANDLED;
	case ACT_TOKEN_FIRST:
		go_token(v, 0);
		return VIEW_HANDLED;
	case ACT_TOKEN_LAST:
		go_token(v, INT32_MAX);
		return VIEW_HANDLED;
	case ACT_DOWN:
		move_row(v, n);
		return VIEW_HANDLED;
	case ACT_UP:
		move_row(v, -n);
		return VIEW_HANDLED;
	case ACT_HALF_DOWN:
	case ACT_PAGE_DOWN:
		move_row(v, page);
		return VIEW_HANDLED;
	case ACT_HALF_UP:
	case ACT_PAGE_UP:
		move_row(v, -page);
		return VIEW_HANDLED;
	case ACT_FIRST:
		go_row(v, count > 0 ? (size_t)count - 1 : 0);
		return VIEW_HANDLED;
	case ACT_LAST:
		go_row(v, SIZE_MAX);
		return VIEW_HANDLED;
	default:
		return VIEW_IGNORED;
	}
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct text_view *s = view_state(v);
	switch (a) {
	case ACT_OPEN:
		app_push_feature(v->app, s->table[s->row].id);
		return VIEW_HANDLED;
	case ACT_TYPE:
		type(v);
		return VIEW_HANDLED;
	case ACT_EDIT:
		edit(v);
		return VIEW_HANDLED;
	case ACT_SORT:
		rank(v, false);
		return VIEW_HANDLED;
	case ACT_REVERSE:
		rank(v, true);
		return VIEW_HANDLED;
	case ACT_NEXT_PANE:
	case ACT_PREVIOUS_PANE:
		toggle_heat(v);
		return VIEW_HANDLED;
	case ACT_COMPARE:
		compare(v);
		return VIEW_HANDLED;
	case ACT_RANGE:
		range(v);
		return VIEW_HANDLED;
	case ACT_MARK:
		mark(v);
		return VIEW_HANDLED;
	case ACT_CANCEL:
		if (s->anchor == SIZE_MAX)
			return VIEW_IGNORED;
		let_go(v);
		return VIEW_HANDLED;
	case ACT_OPTIONS:
		text_options(v);
		return VIEW_HANDLED;
	case ACT_REFRESH:
		text_again(v);
		return VIEW_HANDLED;
	default:
		return move(v, a, count);
	}
}

/* ---- what the app asks ---- */

static void status(struct view *v, struct buf *out)
{
	struct text_view *s = view_state(v);
	size_t masked = 0;
	for (size_t i = 0; i < s->r.n; i++)
		masked += (s->r.flags[i] & TOKEN_MASKED) != 0;
	if (s->r.n)
		buf_addf(out, "%s%zu tokens, %zu masked", s->chat ? "chat, " : "", s->r.n, masked);
}

static size_t n_rows(struct view *v)
{
	struct text_view *s = view_state(v);
	return s->n_table;
}

static size_t row(struct view *v)
{
	struct text_view *s = view_state(v);
	return s->row;
}

static bool row_text(struct view *v, size_t at, struct buf *out)
{
	struct text_view *s = view_state(v);
	struct label label;
	buf_addf(out, "%.4g #%u", (double)s->table[at].act, (unsigned)s->table[at].id);
	if (session_label(app_session(v->app), s->table[at].id, &label)) {
		buf_addc(out, ' ');
		buf_add(out, label.text.p, label.text.n);
	}
	return true;
}

static bool borrow_text(struct view *v, struct target *t)
{
	struct text_view *s = view_state(v);
	t->text = s->text;
	t->chat = s->chat;
	t->token = s->cursor;
	return s->text != NULL;
}

/* ] and [ follow the table. */
static bool step(struct view *v, u32 from, int delta, u32 *to)
{
	struct text_view *s = view_state(v);
	for (size_t i = 0; i < s->n_table; i++) {
		i64 at = (i64)i + delta;
		if (s->table[i].id != from || at < 0 || at >= (i64)s->n_table)
			continue;
		go_row(v, (size_t)at);
		*to = s->table[at].id;
		return true;
	}
	return false;
}

static void add_command(struct view *v, struct buf *out, bool json)
{
	struct text_view *s = view_state(v);
	bool effects = text_wants_effects(s);
	atlas_add_command(app_session(v->app)->atlas, effects ? "effects" : "text", out);
	buf_adds(out, s->chat ? "" : " --plain");
	if (effects)
		text_add_options(v, out);
	buf_adds(out, json ? " --json " : " ");
	shell_add_argument(out, s->text ? s->text : "");
}

static void command(struct view *v, struct buf *out)
{
	add_command(v, out, false);
}

static void exact(struct view *v, struct buf *out)
{
	struct text_view *s = view_state(v);
	if (!s->n_table)
		return;
	const struct text_row *t = &s->table[s->row];
	size_t from, to;
	text_range(s, &from, &to);
	buf_addf(out, to > from + 1 ? "#%u at most, at tokens %zu" : "#%u at token %zu", (unsigned)t->id, from);
	if (to > from + 1)
		buf_addf(out, " to %zu", to - 1);
	buf_addf(out, ": %.9g\nsum over the text: %.9g\n", (double)t->act, (double)t->sum);
	if (!isnan(t->density))
		buf_addf(out, "density: %.9g\n", (double)t->density);
	if (!isnan(t->effect))
		buf_addf(out, "effect: %.9g nats, attribution: %.9g\n", (double)t->effect, (double)t->attribution);
	add_command(v, out, true);
}

static const char *busy(struct view *v)
{
	struct text_view *s = view_state(v);
	const struct progress *p = app_job_progress(v);
	if (!p)
		return NULL;
	u64 total = atomic_load(&p->total);
	if (!s->r.n || !total)
		return s->r.n ? "measuring" : "reading";
	snprintf(s->busy, sizeof s->busy, "measuring %llu/%llu", (unsigned long long)atomic_load(&p->done),
		 (unsigned long long)total);
	return s->busy;
}

const struct view_class view_text = {
	.name = "text",
	.title = "text",
	.size = sizeof(struct text_view),
	.hints = {{ACT_TYPE, "type"}, {ACT_RIGHT, "token", ACT_LEFT}, {ACT_SORT, "rank"}, {ACT_OPEN, "open"},
		  {ACT_RANGE, "range"}, {ACT_COMPARE, "and not"}, {ACT_NEXT_PANE, "heat"},
		  {ACT_OPTIONS, "options"}, {ACT_GO_LENS, "lens"}},
	.open = open_text,
	.close = close_text,
	.draw = text_draw,
	.act = act,
	.status = status,
	.why_not = why_not,
	.current = current,
	.step = step,
	.n_rows = n_rows,
	.row = row,
	.row_text = row_text,
	.go_row = go_row,
	.exact = exact,
	.command = command,
	.text = borrow_text,
	.busy = busy,
};
