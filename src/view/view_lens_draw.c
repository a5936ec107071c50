/* SPDX-License-Identifier: MIT */
/* view_lens_draw.c - layers down, what each would say across. */
#include "view/view_lens.h"
#include "base/mem.h"
#include "ui/plot.h"
#include "ui/words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ".767", "2.1e-5". */
static void format_chance(char out[16], f32 logp)
{
	f64 p = exp((f64)logp);
	if (p >= 0.9995)
		strcpy(out, "1");
	else if (p >= 0.0005) {
		char text[16];
		snprintf(text, sizeof text, "%.3f", p);
		strcpy(out, text + 1);
	} else
		view_format_density(out, (f32)p);
}

static int draw_words(struct view *v, struct rect r)
{
	struct lens_view *s = view_state(v);
	struct view_tokens t = {.tokens = s->t->rows.tokens,
				.flags = s->t->flags,
				.n = s->t->rows.n,
				.peak = -1,
				.cursor = (int)s->cursor};
	int most = MAX(r.h / 4, 2), at = 0;
	struct rect pane = rect_sub(r, 1, 0, r.w - 2, most);
	int rows = view_wrap_tokens(v, pane, 0, 0, pane.w, most, &t, s->skip, &at);
	int skip = at < s->skip ? at : at >= s->skip + most ? at + 1 - most : s->skip;
	skip = MIN(skip, MAX(rows - most, 0));
	if (skip != s->skip) {
		s->skip = skip;
		rect_fill(pane, 0, 0, pane.w, most, STYLE_NORMAL, ' ');
		view_wrap_tokens(v, pane, 0, 0, pane.w, most, &t, s->skip, &at);
	}
	return MIN(rows, most);
}

static void draw_heading(struct view *v, struct rect r, int y)
{
	struct lens_view *s = view_state(v);
	const struct atlas *a = app_session(v->app)->atlas;
	const struct lens *x = lens_here(s);
	struct buf b = BUF_INIT;
	buf_adds(&b, "after ");
	next_add_token(a, &b, s->t->rows.tokens[s->cursor]);
	buf_addf(&b, " (%zu)", s->cursor);
	if (x) {
		u32 settled = lens_settled(x);
		char p[16];
		format_chance(p, x->target_logp[x->n_layers - 1]);
		buf_adds(&b, "  target ");
		next_add_token(a, &b, x->target);
		buf_addf(&b, " %s", p);
		if (settled < x->n_layers)
			buf_addf(&b, ", likeliest from layer %u on", settled);
	} else
		buf_adds(&b, app_job_runs(v) ? "  \xe2\x80\xa6" : "  not looked at: R does");
	rect_put_cut(r, 1, y, r.w - 2, STYLE_NORMAL, b.s, b.n);
	buf_release(&b);
}

static void draw_tokens(struct view *v, struct rect r, int x, int y, const struct lens *l, u32 layer)
{
	struct lens_view *s = view_state(v);
	const struct atlas *a = app_session(v->app)->atlas;
	struct buf b = BUF_INIT;
	for (u32 i = 0; i < l->k && (!s->most || (int)i < s->most); i++) {
		u32 token = l->token[layer * l->k + i];
		char p[16];
		if (token == NO_TOKEN)
			break;
		buf_clear(&b);
		next_add_token(a, &b, token);
		format_chance(p, l->logp[layer * l->k + i]);
		int w = text_width(b.s, b.n), need = w + 1 + (int)strlen(p);
		if (x + need > r.w - 1) {
			if (!i)
				rect_put_cut(r, x, y, r.w - 1 - x, STYLE_NORMAL, b.s, b.n);
			else
				rect_puts(r, r.w - 1, y, STYLE_DIM, ">");
			break;
		}
		/* the target among what a layer would say */
		x += rect_put(r, x, y, -1, token == l->target ? STYLE_HIT : STYLE_NORMAL, b.s, b.n) + 1;
		x += rect_puts(r, x, y, STYLE_NUMBER, p) + 2;
	}
	buf_release(&b);
}

static void draw_layer(struct view *v, struct rect r, int y, const struct lens *l, u32 layer)
{
	struct lens_view *s = view_state(v);
	char text[16], p[16];
	bool own = layer == app_session(v->app)->atlas->layer;
	snprintf(text, sizeof text, "%u", layer);
	rect_puts(r, 0, y, STYLE_MARK, layer == s->layers.at ? ">" : " ");
	rect_puts_right(r, 5, y, STYLE_ID, text);
	rect_puts(r, 5, y, STYLE_MARK, own ? "*" : " ");
	if (l) {
		snprintf(text, sizeof text, "%u", l->rank[layer]);
		format_chance(p, l->target_logp[layer]);
		rect_puts_right(r, 13, y, l->rank[layer] == 1 ? STYLE_HIT : STYLE_NUMBER, text);
		rect_puts_right(r, 21, y, STYLE_NUMBER, p);
		int x = 23;
		if (r.w >= 60) {
			plot_bar(r, x, y, 8, STYLE_BAR, exp((f64)l->target_logp[layer]));
			x += 10;
		}
		draw_tokens(v, r, x, y, l, layer);
	} else
		rect_puts(r, 12, y, STYLE_DIM, app_job_runs(v) ? "\xe2\x80\xa6" : "-");
	if (layer == s->layers.at) {
		rect_cursor_row(r, y);
		rect_cursor(r, 0, y);
	}
}

static void draw_layers(struct view *v, struct rect r)
{
	struct lens_view *s = view_state(v);
	const struct lens *l = lens_here(s);
	rect_puts_right(r, 6, 0, STYLE_HEAD, "layer");
	rect_puts_right(r, 13, 0, STYLE_HEAD, "rank");
	rect_puts_right(r, 21, 0, STYLE_HEAD, "p");
	rect_puts(r, r.w >= 60 ? 33 : 23, 0, STYLE_HEAD, r.w >= 60 ? "what it would say next" : "says next");
	list_resize(&s->layers, s->t->rows.n_layers, MAX(r.h - 1, 1));
	for (int y = 0; y < r.h - 1 && s->layers.top + (u64)y < s->layers.n; y++)
		draw_layer(v, r, y + 1, l, (u32)s->layers.top + (u32)y);
}

void lens_draw(struct view *v, struct rect r)
{
	struct lens_view *s = view_state(v);
	if (!s->t || !s->t->rows.n) {
		if (s->t)
			rect_put_cut(r, 1, 0, r.w - 2, STYLE_NORMAL, s->t->text, strlen(s->t->text));
		if (s->trouble[0])
			words_sentence(r, 1, s->t ? 2 : 1, STYLE_ERROR, s->trouble);
		else if (app_job_runs(v))
			rect_puts(r, 1, 2, STYLE_DIM, "\xe2\x80\xa6");
		else
			words_sentence(
			    r, 1, 1, STYLE_DIM,
			    "i types a text; what each layer of the model would say next is shown here");
		return;
	}
	int y = draw_words(v, r) + (r.h >= 14 ? 1 : 0);
	draw_heading(v, r, y);
	draw_layers(v, rect_sub(r, 0, y + 1, r.w, r.h - y - 1));
}
