/* SPDX-License-Identifier: MIT */
/* view_find_draw.c - texts of a concept and others side by side, what was found below. */
#include "view/view_find.h"

#include <string.h>

static void draw_pane(struct view *v, struct rect r, int pane)
{
	static const char *const names[FIND_PANES] = {"texts of the concept", "other texts"};
	struct find_view *s = view_state(v);
	bool here = (int)s->focus == pane;
	struct buf b = BUF_INIT;
	buf_addf(&b, r.w < 30 && !pane ? "%.5s  %zu" : "%s  %zu", names[pane], s->c.count[pane]);
	rect_put_cut(r, 1, 0, r.w - 1, here ? STYLE_PROMPT : STYLE_DIM, b.s, b.n);
	buf_release(&b);
	list_resize(&s->texts[pane], s->c.count[pane], r.h - 1);
	if (!s->c.count[pane])
		rect_puts(r, 2, 1, STYLE_DIM, here ? "a adds one" : "-");
	for (int y = 1; y < r.h && s->texts[pane].top + (u64)y - 1 < s->texts[pane].n; y++) {
		u64 row = s->texts[pane].top + (u64)y - 1;
		const struct concept_text *t = &s->c.text[find_text_at(s, pane, row)];
		rect_put_cut(r, 2, y, r.w - 2, t->read ? STYLE_NORMAL : STYLE_DIM, t->text, strlen(t->text));
		if (here && row == s->texts[pane].at) {
			rect_puts(r, 0, y, STYLE_MARK, ">");
			rect_cursor(r, 0, y);
		}
	}
}

static void add_verdict(struct view *v, struct buf *b)
{
	struct find_view *s = view_state(v);
	const struct progress *p = app_job_progress(v);
	const struct find_held_out *h = &s->r.held_out;
	char value[16];
	if (*s->trouble) {
		buf_adds(b, s->trouble);
	} else if (p) {
		buf_addf(b, "reading %llu of %llu texts\xe2\x80\xa6", (unsigned long long)atomic_load(&p->done),
			 (unsigned long long)atomic_load(&p->total));
	} else if (!s->ranked) {
		buf_adds(b, v->w < 60 ? "texts of both kinds are wanted"
				      : "texts of both kinds are wanted: a adds one, Tab goes to the other side");
	} else {
		view_format_score(value, h->auroc);
		buf_addf(b, "%lld %s; ", (long long)s->r.n_features,
			 s->strict ? "fire on all of these, none of those" : "fire");
		buf_addf(b, v->w < 60 ? "held out %s" : "held out AUROC %s", value);
		if (h->times)
			buf_addf(b, v->w < 60 ? ", #%u" : ", #%u in %u of %u folds", h->chosen, h->times, h->folds);
	}
}

static void draw_found(struct view *v, struct rect r, int y, u64 row)
{
	struct find_view *s = view_state(v);
	const struct find_score *x = &s->r.best[row];
	char value[16];
	int at = 8;
	view_format_score(value, x->auroc);
	rect_puts_right(r, 7, y, STYLE_NUMBER, value);
	if (r.w >= 60) {
		struct buf b = BUF_INIT;
		view_format_value(value, x->mean_difference);
		rect_puts_right(r, 16, y, STYLE_NUMBER, value);
		buf_addf(&b, "%u %u", x->n_positive, x->n_negative);
		rect_puts_right(r, 25, y, STYLE_NUMBER, b.s);
		buf_release(&b);
		at = 27;
	}
	if (app_is_marked(v->app, x->feature))
		rect_puts(r, 1, y, STYLE_MARK, "*");
	view_put_feature(v, r, at, y, r.w - at - 1, x->feature);
	if (row == s->ranking.at && s->focus == ON_RANKING) {
		rect_puts(r, 0, y, STYLE_MARK, ">");
		rect_cursor_row(r, y);
		rect_cursor(r, 0, y);
	}
}

void find_draw(struct view *v, struct rect r)
{
	struct find_view *s = view_state(v);
	int most = (int)MIN(MAX(s->c.count[0], s->c.count[1]), 100u), half = r.w / 2;
	int h = 1 + MAX(MIN(most, r.h / 3), 1);
	draw_pane(v, rect_sub(r, 0, 0, half - 1, h), 0);
	draw_pane(v, rect_sub(r, half, 0, r.w - half, h), 1);
	for (int y = 0; y < h; y++)
		rect_cp(r, half - 1, y, STYLE_LINE, 0x2502);
	struct buf b = BUF_INIT;
	add_verdict(v, &b);
	int y = h + (r.h >= 14);
	rect_put_cut(r, 1, y, r.w - 2, *s->trouble ? STYLE_ERROR : STYLE_DIM, b.s, b.n);
	buf_release(&b);
	y++;
	if (r.w >= 60 && s->ranked && r.h >= 14) {
		rect_puts(r, 2, y, STYLE_HEAD, "AUROC");
		rect_puts_right(r, 16, y, STYLE_HEAD, "differ");
		rect_puts_right(r, 25, y, STYLE_HEAD, "fires");
		rect_puts(r, 27, y++, STYLE_HEAD, "feature");
	}
	s->ranking_y = y;
	struct rect rows = rect_sub(r, 0, y, r.w, r.h - y);
	list_resize(&s->ranking, s->ranked ? s->r.n : 0, rows.h);
	for (int k = 0; k < rows.h && s->ranking.top + (u64)k < s->ranking.n; k++)
		draw_found(v, rows, k, s->ranking.top + (u64)k);
}
