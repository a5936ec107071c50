/* SPDX-License-Identifier: MIT */
/* view_graph_draw.c - the neighbourhood in cells: lines, labels, the list, the pane below. */
#include "view/view_graph.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SCORE_WIDTH = 4 /* " .31" */ };

f32 graph_cosine(struct view *v, u32 a, u32 b)
{
	struct dict *d = app_session(v->app)->atlas->dict;
	size_t n = dict_info(d)->d_out;
	f32 *x = xmalloc(n * sizeof *x), *y = xmalloc(n * sizeof *y);
	f64 xx = 0, yy = 0, xy = 0;
	dict_decoder_row(d, a, x);
	dict_decoder_row(d, b, y);
	for (size_t i = 0; i < n; i++) {
		xx += (f64)x[i] * (f64)x[i];
		yy += (f64)y[i] * (f64)y[i];
		xy += (f64)x[i] * (f64)y[i];
	}
	free(x);
	free(y);
	return xx > 0 && yy > 0 ? (f32)(xy / sqrt(xx * yy)) : NAN;
}

/* The mark, "#12 label", and the score of the edge that brought it. */
i32 graph_label_width(struct view *v, u32 node)
{
	struct graph_view *s = view_state(v);
	struct label label;
	char id[16];
	u32 feature = graph_node(s->graph, node)->id;
	i32 w = 1 + snprintf(id, sizeof id, "#%u", (unsigned)feature);
	if (session_label(app_session(v->app), feature, &label))
		w += 1 + text_width((const char *)label.text.p, label.text.n);
	return w + (node ? SCORE_WIDTH : 1);
}

static void lay_out(struct view *v, int w, int h)
{
	struct graph_view *s = view_state(v);
	i32 width[GRAPH_MAX_NODES];
	if (s->laid_w == w && s->laid_h == h)
		return;
	size_t n = graph_n_nodes(s->graph);
	for (u32 i = 0; i < n; i++)
		width[i] = graph_label_width(v, i);
	layout_graph(s->graph, width, w, h, s->box);
	layout_walk(s->box, n, s->walk);
	s->laid_w = w;
	s->laid_h = h;
	if (!s->box[s->current].w)
		s->current = 0;
}

/* ---- edges: dots of braille, two by four in a cell; line characters in ASCII ---- */

struct strokes {
	int w, h;
	u8 *dots;  /* [h][w] braille pattern, or in ASCII the character */
	u8 *style; /* [h][w] */
	bool ascii;
};

static void dot(struct strokes *k, int x, int y, enum style style, char c)
{
	static const u8 bit[4][2] = {{1, 8}, {2, 16}, {4, 32}, {64, 128}};
	int cx = k->ascii ? x : x / 2, cy = k->ascii ? y : y / 4;
	if (x < 0 || y < 0 || cx >= k->w || cy >= k->h)
		return;
	size_t at = (size_t)cy * (size_t)k->w + (size_t)cx;
	k->dots[at] = k->ascii ? (u8)c : k->dots[at] | bit[y % 4][x % 2];
	k->style[at] = (u8)style;
}

/* Bresenham's line between the middles of two boxes. */
static void stroke(struct strokes *k, const struct layout_box *a, const struct layout_box *b,
		   enum style style)
{
	int sx = k->ascii ? 1 : 2, sy = k->ascii ? 1 : 4;
	int x0 = (2 * a->x + a->w) * sx / 2, x1 = (2 * b->x + b->w) * sx / 2;
	int y0 = a->y * sy + sy / 2, y1 = b->y * sy + sy / 2;
	char slant = (x0 < x1) == (y0 < y1) ? '\\' : '/', c = slant;
	int dx = abs(x1 - x0), dy = -abs(y1 - y0), err = dx + dy;
	for (;;) {
		dot(k, x0, y0, style, c);
		if (x0 == x1 && y0 == y1)
			return;
		int twice = 2 * err;
		bool across = twice >= dy, down = twice <= dx;
		if (across) {
			err += dy;
			x0 += x0 < x1 ? 1 : -1;
		}
		if (down) {
			err += dx;
			y0 += y0 < y1 ? 1 : -1;
		}
		c = across && down ? slant : across ? '-' : '|';
	}
}

static bool on_path(const struct graph_view *s, const struct graph_edge *e)
{
	return e->tree && graph_node(s->graph, e->a)->on_path && graph_node(s->graph, e->b)->on_path;
}

/* The tree is always drawn; likeness beside it only for the node one stands on. */
static int edge_rank(const struct graph_view *s, const struct graph_edge *e)
{
	if (!s->box[e->a].w || !s->box[e->b].w)
		return 0;
	bool here = e->a == s->current || e->b == s->current;
	return on_path(s, e) ? 3 : here ? 2 : e->tree ? 1 : 0;
}

static void draw_edges(struct view *v, struct rect r)
{
	static const enum style styles[] = {STYLE_NORMAL, STYLE_EDGE, STYLE_NODE, STYLE_CHANGED};
	struct graph_view *s = view_state(v);
	size_t n = (size_t)r.w * (size_t)r.h;
	struct strokes k = {r.w, r.h, xcalloc(n, 1), xcalloc(n, 1), app_is_ascii(v->app)};
	for (int rank = 1; rank <= 3; rank++)
		for (u32 i = 0; i < graph_n_edges(s->graph); i++) {
			const struct graph_edge *e = graph_edge(s->graph, i);
			if (edge_rank(s, e) == rank)
				stroke(&k, &s->box[e->a], &s->box[e->b], styles[rank]);
		}
	for (int y = 0; y < r.h; y++)
		for (int x = 0; x < r.w; x++) {
			size_t at = (size_t)y * (size_t)r.w + (size_t)x;
			if (k.dots[at])
				rect_cp(r, x, y, k.style[at], k.ascii ? k.dots[at] : 0x2800u + k.dots[at]);
		}
	free(k.dots);
	free(k.style);
}

/* ---- labels ---- */

static char mark_of(struct view *v, u32 node)
{
	struct graph_view *s = view_state(v);
	const struct graph_node *nd = graph_node(s->graph, node);
	if (node == s->current)
		return '>';
	if (app_is_marked(v->app, nd->id))
		return '*';
	return nd->on_path ? '=' : ' ';
}

static void draw_node(struct view *v, struct rect r, u32 node)
{
	struct graph_view *s = view_state(v);
	const struct layout_box *b = &s->box[node];
	const struct graph_node *nd = graph_node(s->graph, node);
	char mark[2] = {mark_of(v, node), 0}, score[16];
	struct rect box = rect_sub(r, b->x, b->y, b->w, 1);
	rect_fill(box, 0, 0, b->w, 1, STYLE_NORMAL, ' ');
	bool with_score = node && b->w >= 14;
	int room = b->w - 1 - (with_score ? SCORE_WIDTH : !node);
	int used = view_put_feature(v, box, 1, 0, room, nd->id);
	if (with_score) {
		view_format_score(score, nd->score);
		rect_printf(box, 1 + used, 0, STYLE_NUMBER, " %s", score);
	}
	if (!node) {
		rect_restyle(box, 0, 0, b->w, STYLE_NODE_ROOT);
		rect_cp(box, 0, 0, STYLE_NODE_ROOT, 0x2590);
		rect_cp(box, MIN(1 + used, b->w - 1), 0, STYLE_NODE_ROOT, 0x258c);
	}
	if (mark[0] != ' ')
		rect_puts(box, 0, 0, STYLE_MARK, mark);
	if (node == s->current) {
		rect_attr(box, 0, 0, b->w, ATTR_REVERSE);
		rect_cursor(box, 0, 0);
	}
}

void graph_draw(struct view *v, struct rect r)
{
	struct graph_view *s = view_state(v);
	lay_out(v, r.w, r.h);
	draw_edges(v, r);
	for (u32 i = 0; i < graph_n_nodes(s->graph); i++)
		if (s->box[i].w)
			draw_node(v, r, i);
}

/* ---- the same as a list ---- */

static void order_below(struct graph_view *s, u32 node, size_t *n)
{
	s->order[(*n)++] = node;
	for (u32 i = 0; i < graph_n_nodes(s->graph); i++)
		if (graph_node(s->graph, i)->parent == node)
			order_below(s, i, n);
}

void graph_order(struct graph_view *s)
{
	size_t n = 0;
	order_below(s, 0, &n);
}

static void draw_list_row(struct view *v, struct rect r, int y, u32 node)
{
	struct graph_view *s = view_state(v);
	const struct graph_node *nd = graph_node(s->graph, node);
	char score[16] = "";
	rect_puts(r, 0, y, STYLE_MARK, node == s->current ? ">" : " ");
	rect_puts(r, 1, y, STYLE_MARK, app_is_marked(v->app, nd->id) ? "*" : nd->on_path ? "=" : " ");
	if (node)
		view_format_score(score, nd->score);
	rect_printf(r, 3, y, STYLE_NUMBER, "%4s", score);
	int x = 9 + 2 * (int)nd->hop, tail = nd->n_hidden ? 5 : 0;
	view_put_feature(v, r, x, y, MAX(r.w - x - tail, 1), nd->id);
	if (nd->n_hidden)
		rect_printf(r, r.w - 4, y, STYLE_DIM, "%+4d", (int)nd->n_hidden);
	if (node == s->current) {
		rect_cursor_row(r, y);
		rect_cursor(r, 0, y);
	}
}

void graph_draw_list(struct view *v, struct rect r)
{
	struct graph_view *s = view_state(v);
	size_t n = graph_n_nodes(s->graph), at = 0, h = (size_t)MAX(r.h, 1);
	while (s->order[at] != s->current)
		at++;
	s->top = at < s->top ? at : at >= s->top + h ? at + 1 - h : s->top;
	s->top = MIN(s->top, n > h ? n - h : 0);
	for (size_t y = 0; y < h && s->top + y < n; y++)
		draw_list_row(v, r, (int)y, s->order[s->top + y]);
}

/* ---- the pane: the node in full, its best context ---- */

int graph_pane_rows(int h)
{
	return h >= 16 ? 3 : h >= 9 ? 2 : 1;
}

static void draw_context(struct view *v, struct rect r, int y, u32 feature)
{
	struct session *ss = app_session(v->app);
	struct store *st = ss->atlas->store;
	struct store_context c;
	if (!app_has(v->app, feature, ATLAS_BEST))
		return;
	if (!st || !store_contexts(st, feature, &c, 1)) {
		const char *why = ss->atlas->store ? "no context fires it" : atlas_missing(ss->atlas, "store");
		rect_put(r, 2, y, -1, STYLE_DIM, why, strcspn(why, ";"));
		return;
	}
	enum { BEFORE = 24, TOKENS = 88 };
	u64 start, end;
	store_text_of(st, c.position, &start, &end);
	u64 from = MAX(start, c.position > BEFORE ? c.position - BEFORE : 0), to = MIN(end, from + TOKENS);
	u32 tokens[TOKENS];
	f32 acts[TOKENS];
	u8 flags[TOKENS];
	for (u64 i = from; i < to; i++) {
		tokens[i - from] = store_token(st, i);
		flags[i - from] = store_token_flags(st, i);
	}
	store_activations(st, feature, from, to, acts);
	char value[16];
	view_format_value(value, c.act);
	rect_printf(r, 1, y, STYLE_NUMBER, "%5s", value);
	struct view_tokens t = {.tokens = tokens, .acts = acts, .flags = flags, .n = to - from, .max = c.act,
				.peak = (int)(c.position - from), .cursor = -1};
	view_put_tokens(v, r, 8, y, r.w - 8, &t, view_first_token(v, &t, t.peak, r.w - 8));
}

/* "24 of 32 nearest, 14 hidden": a drawing asks for fewer than the atlas may hold. */
static void add_numbers(struct view *v, struct buf *out, const struct graph_node *nd, bool narrow)
{
	const struct atlas *a = app_session(v->app)->atlas;
	struct atlas_neighbour list[VIEW_NEIGHBOURS];
	size_t stored = app_has(v->app, nd->id, ATLAS_NEIGHBOURS) ? atlas_neighbours(a, nd->id, list, VIEW_NEIGHBOURS) : 0;
	buf_addf(out, "  %u", (unsigned)nd->n_listed);
	if (stored > nd->n_listed && !narrow)
		buf_addf(out, " of %zu", stored);
	buf_addf(out, narrow ? ", %u hidden" : " nearest, %u hidden", (unsigned)nd->n_hidden);
}

void graph_draw_pane(struct view *v, struct rect r)
{
	struct graph_view *s = view_state(v);
	const struct graph_node *nd = graph_node(s->graph, s->current);
	u32 centre = graph_node(s->graph, 0)->id;
	struct buf tail = BUF_INIT;
	int y = r.h >= 3 ? 1 : 0;
	if (y && r.w < 120) { /* else line 1 has room for it */
		graph_add_status(v, &tail);
		rect_puts_right(r, r.w - 1, 0, STYLE_DIM, tail.s);
		buf_clear(&tail);
	}
	if (s->current) {
		char cosine[16] = "\u2026";
		if (app_has(v->app, nd->id, ATLAS_DECODER) & app_has(v->app, centre, ATLAS_DECODER))
			view_format_score(cosine, graph_cosine(v, nd->id, centre));
		buf_addf(&tail, "  %s to #%u", cosine, (unsigned)centre);
	}
	if (nd->n_listed || s->want == GRAPH_NOTHING)
		add_numbers(v, &tail, nd, r.w < 60);
	int w = text_width(tail.s, tail.n);
	int used = view_put_feature(v, r, 1, y, MAX(r.w - 1 - w, r.w / 2), nd->id);
	rect_put(r, 1 + used, y, -1, STYLE_DIM, tail.s, tail.n);
	buf_release(&tail);
	if (r.h > y + 1)
		draw_context(v, r, y + 1, nd->id);
}
