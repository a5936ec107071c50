/* SPDX-License-Identifier: MIT */
/* context.c - contexts on a line, and which of them are alike. */
#include "view/context.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct context_line line; /* too large for a stack, used by one thread */

const struct context_line *context_load(const struct atlas *a, const struct context_look *l,
					const struct store_context *c, i64 *token)
{
	const struct store *st = a->store;
	u64 from, to;
	u64 width = l->width ? (u64)l->width : CONTEXT_LINE_MAX / 2 - 1;
	store_text_of(st, c->position, &from, &to);
	from = c->position - from > width ? c->position - width : from;
	to = to - c->position > width + 1 ? c->position + width + 1 : to;
	line.from = from;
	line.n = (size_t)(to - from);
	for (size_t i = 0; i < line.n; i++) {
		line.tokens[i] = store_token(st, from + i);
		line.flags[i] = store_token_flags(st, from + i);
	}
	store_activations(st, l->feature, from, to, line.acts);
	int peak = (int)(c->position - from);
	line.view = (struct view_tokens){.tokens = line.tokens,
					 .acts = line.acts,
					 .flags = line.flags,
					 .n = line.n,
					 .max = l->max,
					 .peak = peak,
					 .cursor = -1};
	if (token) {
		i64 at = (i64)peak + *token;
		at = at < 0 ? 0 : at >= (i64)line.n ? (i64)line.n - 1 : at;
		*token = at - peak;
		line.view.cursor = (int)at;
	}
	return &line;
}

void context_draw(struct view *v, struct rect r, int y, const struct context_look *l,
		  const struct store_context *c, i64 *token, u32 alike)
{
	char value[16], more[24] = "";
	int end = r.w - 1;
	context_load(app_session(v->app)->atlas, l, c, token);
	view_format_value(value, c->act * l->fold);
	rect_puts_right(r, 6, y, STYLE_NUMBER, value);
	if (alike) {
		snprintf(more, sizeof more, "%u alike", alike + 1);
		end = rect_puts_right(r, end, y, STYLE_DIM, more) - 1;
	}
	bool here = token != NULL;
	if (l->calm && !here)
		line.view.acts = NULL;
	int anchor = here && line.view.cursor != line.view.peak ? line.view.cursor : line.view.peak;
	if (line.view.cursor == line.view.peak)
		line.view.cursor = -1;
	view_put_tokens(v, r, 8, y, end - 8, &line.view, view_first_token(v, &line.view, anchor, end - 8));
	if (here) {
		rect_puts(r, 0, y, STYLE_MARK, ">");
		rect_cursor(r, 0, y);
	}
}

void context_draw_token(struct view *v, struct rect r, int y, const struct context_look *l,
			const struct store_context *c, i64 *token)
{
	struct session *session = app_session(v->app);
	struct buf b = BUF_INIT;
	context_load(session->atlas, l, c, token);
	size_t at = (size_t)line.view.cursor;
	u64 position = line.from + at, from, to;
	char value[16];
	/* the store keeps a peak as f32, what is around it as f16 */
	view_format_value(value, (position == c->position ? c->act : line.acts[at]) * l->fold);
	u64 text = store_text_of(session->atlas->store, position, &from, &to);
	buf_addc(&b, '"');
	session_add_token(session, &b, line.tokens[at]);
	buf_addf(&b, "\" %s \u00b7 token %llu of text %llu", line.acts[at] > 0 ? value : "silent",
		 (unsigned long long)(position - from), (unsigned long long)text);
	if (line.flags[at] & TOKEN_MASKED)
		buf_addf(&b, " \u00b7 not counted (%s)", line.flags[at] & TOKEN_FIRST	? "first"
							 : line.flags[at] & TOKEN_SPECIAL ? "special"
											  : "sink");
	else if (line.flags[at] & TOKEN_PROMPT)
		buf_adds(&b, " \u00b7 prompt");
	rect_put_cut(r, 1, y, r.w - 2, STYLE_NUMBER, b.s, b.n);
	buf_release(&b);
}

void context_add_text(const struct atlas *a, const struct store_context *c, struct buf *out)
{
	u64 from, to;
	size_t n = 0;
	store_text_of(a->store, c->position, &from, &to);
	to = MIN(to, from + CONTEXT_LINE_MAX);
	u32 *tokens = xcalloc((size_t)(to - from), sizeof *tokens);
	for (u64 i = from; i < to; i++)
		if (!(store_token_flags(a->store, i) & TOKEN_SPECIAL))
			tokens[n++] = store_token(a->store, i);
	if (a->vocab)
		vocab_add_text(a->vocab, out, tokens, n);
	free(tokens);
}

/* ---- alike ---- */

struct window {
	u32 tokens[2 * CONTEXT_ALIKE + 1];
	size_t n, peak;
};

static void window_of(const struct store *s, u64 position, struct window *w)
{
	u64 from, to;
	store_text_of(s, position, &from, &to);
	if (position - from > CONTEXT_ALIKE)
		from = position - CONTEXT_ALIKE;
	to = MIN(to, position + CONTEXT_ALIKE + 1);
	w->n = (size_t)(to - from);
	w->peak = (size_t)(position - from);
	for (size_t i = 0; i < w->n; i++)
		w->tokens[i] = store_token(s, from + i);
}

static bool same_window(const struct store *s, u64 a, u64 b)
{
	struct window x, y;
	window_of(s, a, &x);
	window_of(s, b, &y);
	return x.n == y.n && x.peak == y.peak && !memcmp(x.tokens, y.tokens, x.n * sizeof x.tokens[0]);
}

/* Moves item `from` to `to` <= from, the ones between up by one. */
static void move(struct store_context *c, u32 *alike, size_t from, size_t to)
{
	struct store_context kept = c[from];
	u32 n = alike[from];
	memmove(c + to + 1, c + to, (from - to) * sizeof *c);
	memmove(alike + to + 1, alike + to, (from - to) * sizeof *alike);
	c[to] = kept;
	alike[to] = n;
}

size_t contexts_fold(const struct store *s, struct store_context *c, size_t n, u32 *alike, bool grouped)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;
		while (k < kept && !same_window(s, c[k].position, c[i].position))
			k++;
		if (k < kept) {
			alike[k]++;
			continue;
		}
		c[kept] = c[i];
		alike[kept++] = 0;
	}
	for (size_t i = 1; grouped && i < kept; i++) {
		u32 token = store_token(s, c[i].position);
		size_t k = i;
		while (k > 0 && store_token(s, c[k - 1].position) != token)
			k--;
		if (k > 0 && k < i)
			move(c, alike, i, k);
	}
	return kept;
}
