/* SPDX-License-Identifier: MIT */
/* view_graph_export.c - the neighbourhood as DOT, JSON or SVG. */
#include "view/view_graph.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

static void label_of(struct view *v, struct buf *out, u32 feature)
{
	struct label label;
	buf_addf(out, "#%u", (unsigned)feature);
	if (!session_label(app_session(v->app), feature, &label))
		return;
	buf_addc(out, ' ');
	utf8_add_safe(out, (const char *)label.text.p, label.text.n);
}

static void add_dot_text(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_addc(out, '\\');
		buf_addc(out, *s);
	}
}

static void add_dot(struct view *v, struct buf *out)
{
	struct graph_view *s = view_state(v);
	buf_adds(out, "graph neighbourhood {\n\tnode [shape=box];\n");
	for (u32 i = 0; i < graph_n_nodes(s->graph); i++) {
		struct buf text = BUF_INIT;
		u32 id = graph_node(s->graph, i)->id;
		label_of(v, &text, id);
		buf_addf(out, "\tf%u [label=\"", (unsigned)id);
		add_dot_text(out, text.s);
		buf_addf(out, "\"%s];\n", i ? "" : ", penwidth=2");
		buf_release(&text);
	}
	for (u32 i = 0; i < graph_n_edges(s->graph); i++) {
		const struct graph_edge *e = graph_edge(s->graph, i);
		buf_addf(out, "\tf%u -- f%u [weight=%.6g, label=\"%.2f\"%s];\n",
			 (unsigned)graph_node(s->graph, e->a)->id, (unsigned)graph_node(s->graph, e->b)->id,
			 (double)e->weight, (double)e->weight, e->tree ? "" : ", style=dotted");
	}
	buf_adds(out, "}\n");
}

static json_t *node_json(struct view *v, const struct graph_node *nd)
{
	struct label label;
	bool has = session_label(app_session(v->app), nd->id, &label);
	json_t *text = has ? json_text((const char *)label.text.p, label.text.n) : json_null();
	return json_pack("{s:i, s:o, s:i, s:b}", "id", (int)nd->id, "label", text, "hop",
			 (int)nd->hop, "pinned", (int)nd->pinned);
}

static json_t *edge_json(const struct graph *g, const struct graph_edge *e)
{
	return json_pack("{s:i, s:i, s:o, s:b}", "a", (int)graph_node(g, e->a)->id, "b",
			 (int)graph_node(g, e->b)->id, "cosine", json_f32(e->weight), "tree", (int)e->tree);
}

static void add_json(struct view *v, struct buf *out)
{
	struct graph_view *s = view_state(v);
	json_t *nodes = json_array(), *edges = json_array();
	for (u32 i = 0; i < graph_n_nodes(s->graph); i++)
		json_array_append_new(nodes, node_json(v, graph_node(s->graph, i)));
	for (u32 i = 0; i < graph_n_edges(s->graph); i++)
		json_array_append_new(edges, edge_json(s->graph, graph_edge(s->graph, i)));
	json_t *j = json_pack("{s:i, s:s, s:o, s:o}", "centre", (int)graph_node(s->graph, 0)->id, "metric",
			      "cosine", "nodes", nodes, "edges", edges);
	json_add_line(out, j);
	buf_addc(out, '\n');
	json_decref(j);
}

static void add_xml_text(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '<')
			buf_adds(out, "&lt;");
		else if (*s == '&')
			buf_adds(out, "&amp;");
		else
			buf_addc(out, *s);
	}
}

/* Ten by twenty a cell, as it stands on the screen. */
static void add_svg_node(struct view *v, struct buf *out, u32 i)
{
	struct graph_view *s = view_state(v);
	const struct layout_box *b = &s->box[i];
	struct buf text = BUF_INIT;
	label_of(v, &text, graph_node(s->graph, i)->id);
	text.s[text_clip(text.s, text.n, b->w, NULL)] = 0;
	buf_addf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"18\" rx=\"4\" fill=\"%s\" ", 10 * b->x,
		 20 * b->y + 1, 10 * b->w, i ? "#fff" : "#ffe9a8");
	buf_addf(out, "stroke=\"#555\"/>\n<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" ",
		 10 * b->x + 5 * b->w, 20 * b->y + 15);
	buf_addf(out, "textLength=\"%d\" lengthAdjust=\"spacingAndGlyphs\">", 10 * b->w - 8);
	add_xml_text(out, text.s);
	buf_adds(out, "</text>\n");
	buf_release(&text);
}

static void add_svg_edge(struct graph_view *s, struct buf *out, const struct graph_edge *e)
{
	const struct layout_box *a = &s->box[e->a], *b = &s->box[e->b];
	if (!a->w || !b->w)
		return;
	buf_addf(out, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"#888\"%s/>\n",
		 10 * a->x + 5 * a->w, 20 * a->y + 10, 10 * b->x + 5 * b->w, 20 * b->y + 10,
		 e->tree ? "" : " stroke-dasharray=\"2 4\"");
}

static void add_svg(struct view *v, struct buf *out)
{
	struct graph_view *s = view_state(v);
	buf_addf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" ", 10 * s->laid_w,
		 20 * s->laid_h);
	buf_adds(out, "font-family=\"sans-serif\" font-size=\"13\">\n");
	for (u32 i = 0; i < graph_n_edges(s->graph); i++)
		add_svg_edge(s, out, graph_edge(s->graph, i));
	for (u32 i = 0; i < graph_n_nodes(s->graph); i++)
		if (s->box[i].w)
			add_svg_node(v, out, i);
	buf_adds(out, "</svg>\n");
}

size_t graph_savings(struct view *v, const struct app_menu_item **items)
{
	static const struct app_menu_item list[] = {
		{'d', "the neighbourhood as DOT, for graphviz"},
		{'o', "the neighbourhood as JSON"},
		{'v', "the neighbourhood as SVG"},
	};
	(void)v;
	*items = list;
	return ARRAY_LEN(list);
}

void graph_save(struct view *v, size_t index)
{
	static const struct {
		const char *extension;
		void (*add)(struct view *v, struct buf *out);
	} kinds[] = {{"dot", add_dot}, {"json", add_json}, {"svg", add_svg}};
	struct graph_view *s = view_state(v);
	struct buf out = BUF_INIT;
	char stem[32];
	snprintf(stem, sizeof stem, "neighbours-%u", (unsigned)graph_node(s->graph, 0)->id);
	kinds[index].add(v, &out);
	app_save(v->app, stem, kinds[index].extension, &out);
	buf_release(&out);
}
