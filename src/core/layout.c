/* SPDX-License-Identifier: MIT */
/* layout.c - a neighbourhood graph into integer cells: radial start, springs, free cells. */
#include "core/layout.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Inside, a unit is one row high and two columns wide: about square on a terminal. */
struct point {
	f64 x, y;
};

struct plan {
	const struct graph *g;
	size_t n;
	i32 width, height;
	i32 label[GRAPH_MAX_NODES]; /* cells */
	f64 leaves[GRAPH_MAX_NODES]; /* of the subtree, for the share of the circle */
	f64 from[GRAPH_MAX_NODES], to[GRAPH_MAX_NODES]; /* sector, in turns */
	struct point at[GRAPH_MAX_NODES];
	u32 max_hop;
};

/* The direction of a turn in [0, 1), from the diamond |x| + |y| = 1 made a circle: uneven by
 * a few degrees, and exact on every machine. */
static struct point direction(f64 turn)
{
	f64 t = (turn - floor(turn)) * 4.0;
	f64 part = t - floor(t);
	struct point p;
	switch ((int)t) {
	case 0:
		p = (struct point){part, part - 1.0};
		break;
	case 1:
		p = (struct point){1.0 - part, part};
		break;
	case 2:
		p = (struct point){-part, 1.0 - part};
		break;
	default:
		p = (struct point){part - 1.0, -part};
		break;
	}
	f64 len = sqrt(p.x * p.x + p.y * p.y);
	return (struct point){p.x / len, p.y / len};
}

static f64 edge_weight(const struct graph *g, u32 a, u32 b)
{
	for (u32 i = 0; i < graph_n_edges(g); i++) {
		const struct graph_edge *e = graph_edge(g, i);
		if ((e->a == a && e->b == b) || (e->a == b && e->b == a))
			return (f64)e->weight;
	}
	return 0.0;
}

/* Children of a node, the nearest first and then always the one most like the last. */
static size_t children(const struct plan *p, u32 node, u32 *out)
{
	u32 pool[GRAPH_MAX_NODES];
	size_t n = 0, done = 0;
	for (u32 i = 0; i < p->n; i++)
		if (graph_node(p->g, i)->parent == node)
			pool[n++] = i;
	while (done < n) {
		u32 last = done ? out[done - 1] : 0;
		size_t best = done;
		for (size_t k = done + 1; done && k < n; k++)
			if (edge_weight(p->g, last, pool[k]) > edge_weight(p->g, last, pool[best]))
				best = k;
		u32 chosen = pool[best];
		memmove(&pool[done + 1], &pool[done], (best - done) * sizeof *pool);
		pool[done] = chosen;
		out[done++] = chosen;
	}
	return n;
}

static void count_leaves(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		p->leaves[i] = 0;
	/* a child always stands after its parent */
	for (size_t i = p->n; i-- > 0;) {
		const struct graph_node *nd = graph_node(p->g, (u32)i);
		p->leaves[i] = MAX(p->leaves[i], 1.0);
		p->max_hop = MAX(p->max_hop, nd->hop);
		if (nd->parent != GRAPH_NONE)
			p->leaves[nd->parent] += p->leaves[i];
	}
}

static void start_radially(struct plan *p)
{
	struct point mid = {p->width / 4.0, p->height / 2.0};
	count_leaves(p);
	p->at[0] = mid;
	p->from[0] = -0.125;
	p->to[0] = 0.875;
	for (u32 i = 0; i < p->n; i++) {
		u32 child[GRAPH_MAX_NODES];
		size_t n = children(p, i, child);
		f64 sum = 0, at = p->from[i];
		for (size_t k = 0; k < n; k++)
			sum += p->leaves[child[k]];
		for (size_t k = 0; k < n; k++) {
			u32 c = child[k];
			p->from[c] = at;
			at += (p->to[i] - p->from[i]) * p->leaves[c] / sum;
			p->to[c] = at;
			struct point d = direction((p->from[c] + p->to[c]) / 2.0);
			f64 r = (graph_node(p->g, c)->hop - 0.25) / (p->max_hop - 0.15);
			p->at[c] = (struct point){mid.x + d.x * r * mid.x, mid.y + d.y * r * mid.y};
		}
	}
}

static void keep_inside(struct plan *p, size_t i)
{
	f64 half = MIN(p->label[i] / 4.0, p->width / 4.0);
	p->at[i].x = MIN(MAX(p->at[i].x, half), p->width / 2.0 - half);
	p->at[i].y = MIN(MAX(p->at[i].y, 0.5), MAX(p->height - 0.5, 0.5));
}

/* The gap between two boxes: 0 where they touch or overlap in both directions. */
static struct point gap(const struct plan *p, size_t a, size_t b)
{
	f64 dx = p->at[a].x - p->at[b].x, dy = p->at[a].y - p->at[b].y;
	f64 wx = (p->label[a] + p->label[b]) / 4.0;
	f64 gx = MAX(fabs(dx) - wx, 0.0), gy = MAX(fabs(dy) - 1.0, 0.0);
	return (struct point){dx < 0 ? -gx : gx, dy < 0 ? -gy : gy};
}

static void push_apart(const struct plan *p, f64 ideal, struct point *force)
{
	for (size_t a = 0; a < p->n; a++)
		for (size_t b = a + 1; b < p->n; b++) {
			struct point d = gap(p, a, b);
			f64 len2 = d.x * d.x + d.y * d.y + 0.25;
			f64 ux = p->at[a].x - p->at[b].x, uy = p->at[a].y - p->at[b].y;
			f64 u = sqrt(ux * ux + uy * uy) + 1e-6;
			/* labels are wide and low: up and down is the cheap way out */
			f64 f = ideal * ideal / len2 / u;
			force[a].x += 0.4 * f * ux, force[a].y += f * uy;
			force[b].x -= 0.4 * f * ux, force[b].y -= f * uy;
		}
}

static void pull_together(const struct plan *p, f64 ideal, struct point *force)
{
	for (u32 i = 0; i < graph_n_edges(p->g); i++) {
		const struct graph_edge *e = graph_edge(p->g, i);
		struct point d = gap(p, e->a, e->b);
		f64 len = sqrt(d.x * d.x + d.y * d.y);
		f64 f = (e->tree ? 1.0 : 0.3) * (0.5 + (f64)MAX(e->weight, 0.0f)) * len / ideal / 4.0;
		force[e->a].x -= f * d.x, force[e->a].y -= f * d.y;
		force[e->b].x += f * d.x, force[e->b].y += f * d.y;
	}
}

static void relax(struct plan *p)
{
	enum { ROUNDS = 80 };
	f64 ideal = sqrt(p->width / 2.0 * p->height / (f64)p->n);
	for (int round = 0; round < ROUNDS && p->n > 1; round++) {
		struct point force[GRAPH_MAX_NODES] = {{0, 0}};
		f64 heat = ideal / 4.0 * (ROUNDS - round) / ROUNDS;
		push_apart(p, ideal, force);
		pull_together(p, ideal, force);
		for (size_t i = 1; i < p->n; i++) {
			f64 len = sqrt(force[i].x * force[i].x + force[i].y * force[i].y) + 1e-9;
			f64 step = MIN(len, heat) / len;
			p->at[i].x += force[i].x * step;
			p->at[i].y += force[i].y * step;
			keep_inside(p, i);
		}
	}
}

/* Which cells are taken, with a column of air to each side of a box. */
struct field {
	i32 width, height;
	u8 *taken; /* [height][width] */
};

static i32 taken_in(const struct field *f, i32 x0, i32 x1, i32 y)
{
	i32 n = 0;
	if (y < 0 || y >= f->height)
		return 0;
	for (i32 x = MAX(x0, 0); x < MIN(x1, f->width); x++)
		n += f->taken[y * f->width + x];
	return n;
}

/* What stands right above or below costs half a row's worth a cell, up to three rows'. */
static f64 crowding(const struct field *f, i32 x, i32 w, i32 y)
{
	i32 n = taken_in(f, x, x + w, y - 1) + taken_in(f, x, x + w, y + 1);
	return n ? MIN(9.0, 2.0 + 0.25 * n) : 0.0;
}

static bool best_place(const struct field *f, struct point want, i32 w, struct layout_box *out)
{
	f64 best = INFINITY;
	for (i32 y = 0; y < f->height; y++) {
		f64 dy = y + 0.5 - want.y;
		if (dy * dy >= best)
			continue;
		for (i32 x = 0; x + w <= f->width; x++) {
			f64 dx = (x + w / 2.0) / 2.0 - want.x;
			f64 cost = dx * dx + dy * dy;
			if (cost >= best || taken_in(f, x - 1, x + w + 1, y))
				continue;
			cost += crowding(f, x, w, y);
			if (cost < best) {
				best = cost;
				*out = (struct layout_box){x, y, w};
			}
		}
	}
	return best < INFINITY;
}

static void take(struct field *f, const struct layout_box *b)
{
	memset(&f->taken[b->y * f->width + b->x], 1, (size_t)b->w);
}

static i32 rank_of(const struct graph *g, u32 i)
{
	const struct graph_node *nd = graph_node(g, i);
	return (i32)(i == 0 ? 0 : (nd->pinned || nd->on_path) ? 1 + i : 1000 * nd->hop + i);
}

static void order_of(const struct graph *g, u32 *order, size_t n)
{
	for (u32 i = 0; i < n; i++) {
		size_t k = i;
		for (; k > 0 && rank_of(g, order[k - 1]) > rank_of(g, i); k--)
			order[k] = order[k - 1];
		order[k] = i;
	}
}

static void place(const struct plan *p, u8 *taken, struct layout_box *out)
{
	struct field f = {p->width, p->height, taken};
	u32 order[GRAPH_MAX_NODES];
	memset(taken, 0, (size_t)p->width * (size_t)p->height);
	order_of(p->g, order, p->n);
	for (size_t k = 0; k < p->n; k++) {
		u32 i = order[k];
		out[i] = (struct layout_box){0, 0, 0};
		bool ok = best_place(&f, p->at[i], p->label[i], &out[i]);
		for (i32 w = p->label[i] - 4; !ok && w >= LAYOUT_MIN_WIDTH; w -= 4)
			ok = best_place(&f, p->at[i], w, &out[i]);
		if (ok)
			take(&f, &out[i]);
	}
}

static bool all_wide(const struct plan *p, const struct layout_box *out)
{
	for (size_t i = 0; i < p->n; i++)
		if (out[i].w < p->label[i])
			return false;
	return true;
}

void layout_graph(const struct graph *g, const i32 *label_width, i32 width, i32 height,
		  struct layout_box *out)
{
	size_t n = graph_n_nodes(g);
	memset(out, 0, n * sizeof *out);
	if (width < 1 || height < 1)
		return;
	u8 *taken = xmalloc((size_t)width * (size_t)height);
	/* The widest labels for which all find room without being narrowed one by one. */
	for (i32 cap = MIN(MAX(36, width / 4), width);; cap = cap * 4 / 5) {
		struct plan p = {.g = g, .n = n, .width = width, .height = height};
		bool last = cap * 4 / 5 < 10;
		i64 cells = 0;
		for (size_t i = 0; i < n; i++) {
			p.label[i] = MAX(MIN(label_width[i], i ? cap : MIN(width, cap + 8)), 1);
			cells += p.label[i];
		}
		if (cells > (i64)width * height && !last)
			continue; /* not even laid end to end */
		start_radially(&p);
		relax(&p);
		place(&p, taken, out);
		if (all_wide(&p, out) || last)
			break;
	}
	free(taken);
}
