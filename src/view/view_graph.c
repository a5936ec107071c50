/* SPDX-License-Identifier: MIT */
/* view_graph.c - the neighbourhood of a feature, drawn; walk, expand, path. */
#include "view/view_graph.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
	STEP = 4, PATH_CAP = 24,
	PATH_LIMIT = 4000, PATH_LIMIT_EXACT = 200 /* features that a search for a path may visit */
};

static struct atlas *atlas_of(struct view *v)
{
	return app_session(v->app)->atlas;
}

/* ---- life ---- */

static void forget_path(struct graph_view *s)
{
	graph_show_path(s->graph, NULL, 0);
	s->note[0] = 0;
}

static int open_graph(struct view *v, const struct target *t, struct err *e)
{
	struct graph_view *s = view_state(v);
	u32 feature = t ? t->feature : NO_FEATURE;
	if (feature == NO_FEATURE && !app_current_feature(v->app, &feature))
		feature = 0;
	s->selected = NO_FEATURE;
	return graph_begin(v, feature, e);
}

static void close_graph(struct view *v)
{
	struct graph_view *s = view_state(v);
	graph_free(s->graph);
	free(s->known);
}

static u32 id_of(const struct graph_view *s, u32 node)
{
	return graph_node(s->graph, node)->id;
}

static bool current(struct view *v, u32 *feature)
{
	struct graph_view *s = view_state(v);
	*feature = id_of(s, s->current);
	return true;
}

/* ---- walking ---- */

static size_t list_row(const struct graph_view *s)
{
	size_t row = 0;
	while (s->order[row] != s->current)
		row++;
	return row;
}

/* Why it is not walked on: no way is silent. */
static void say_no_way(struct view *v, enum layout_direction d)
{
	static const char *const drawn[] = {[LAYOUT_LEFT] = "no node lies on the left",
					    [LAYOUT_RIGHT] = "no node lies on the right",
					    [LAYOUT_UP] = "no node lies above",
					    [LAYOUT_DOWN] = "no node lies below"};
	static const char *const listed[] = {[LAYOUT_LEFT] = "this is the centre: no node brought it",
					     [LAYOUT_RIGHT] = "this node has brought no other",
					     [LAYOUT_UP] = "that is the first of the list",
					     [LAYOUT_DOWN] = "that is the last of the list"};
	const struct graph_view *s = view_state(v);
	app_message(v->app, "%s", (s->as_list ? listed : drawn)[d]);
}

static void walk_list(struct graph_view *s, enum layout_direction d)
{
	const struct graph_node *nd = graph_node(s->graph, s->current);
	size_t row = list_row(s), n = graph_n_nodes(s->graph);
	if (d == LAYOUT_DOWN && row + 1 < n)
		s->current = s->order[row + 1];
	else if (d == LAYOUT_UP && row > 0)
		s->current = s->order[row - 1];
	else if (d == LAYOUT_LEFT && nd->parent != GRAPH_NONE)
		s->current = nd->parent;
	else if (d == LAYOUT_RIGHT && row + 1 < n &&
		 graph_node(s->graph, s->order[row + 1])->parent == s->current)
		s->current = s->order[row + 1];
}

static void walk(struct view *v, enum layout_direction d, int count)
{
	struct graph_view *s = view_state(v);
	u32 from = s->current;
	for (int i = 0; i < MAX(count, 1); i++) {
		if (s->as_list)
			walk_list(s, d);
		else if (s->laid_w && s->walk[s->current][d] != GRAPH_NONE)
			s->current = s->walk[s->current][d];
	}
	if (s->current == from)
		say_no_way(v, d);
}

/* ---- growing ---- */

static void collapse(struct view *v)
{
	struct graph_view *s = view_state(v);
	u32 feature = id_of(s, s->current);
	forget_path(s);
	if (!graph_collapse(s->graph, s->current))
		app_message(v->app, "#%u has brought no other node", (unsigned)feature);
	graph_changed(s, feature);
}

static void mark(struct view *v)
{
	struct graph_view *s = view_state(v);
	u32 feature = id_of(s, s->current);
	bool on = !app_is_marked(v->app, feature);
	app_mark(v->app, feature, on);
	graph_pin(s->graph, s->current, on);
	s->selected = on ? feature : NO_FEATURE;
}

/* ---- the path, looked for beside the screen ---- */

struct path_job {
	const struct atlas *atlas;
	struct graph_source source;
	u32 from, to;
	u32 path[PATH_CAP];
	size_t n;
};

static void look_for_path(struct path_job *j)
{
	size_t limit = graph_is_exact(&j->source) ? PATH_LIMIT_EXACT : PATH_LIMIT;
	j->n = graph_path(&j->source, j->from, j->to, limit, j->path, PATH_CAP);
	if (j->n)
		return;
	/* lists are not mutual: the way back may exist */
	j->n = graph_path(&j->source, j->to, j->from, limit, j->path, PATH_CAP);
	for (size_t i = 0; i < j->n / 2; i++) {
		u32 id = j->path[i];
		j->path[i] = j->path[j->n - 1 - i];
		j->path[j->n - 1 - i] = id;
	}
}

static void path_work(void *context, struct progress *p)
{
	struct path_job *j = context;
	(void)p;
	look_for_path(j);
	for (size_t i = 0; i < j->n; i++)
		app_read(j->atlas, &(struct app_wanted){j->path[i], ATLAS_LABELS | ATLAS_NEIGHBOURS}, 1, NULL);
}

static void path_done(struct view *v, void *context)
{
	struct graph_view *s = view_state(v);
	struct path_job *j = context;
	u32 feature = id_of(s, s->current);
	if (!j->n || graph_find(s->graph, j->path[0]) == GRAPH_NONE) {
		app_message(v->app, "no path from #%u to #%u is near enough to be found", (unsigned)j->to,
			    (unsigned)j->from);
		return;
	}
	size_t shown = graph_show_path(s->graph, j->path, j->n);
	snprintf(s->note, sizeof s->note, "path of %zu", j->n);
	if (shown < j->n)
		app_message(v->app, "%zu of the %zu features on the path find room", shown, j->n);
	graph_changed(s, feature);
}

/* From the node that stands here to the selected: the first is shown for certain. */
static void find_path(struct view *v)
{
	struct graph_view *s = view_state(v);
	struct path_job *j = xcalloc(1, sizeof *j);
	j->source = s->source;
	j->atlas = atlas_of(v);
	j->from = id_of(s, s->current);
	j->to = s->selected;
	app_job_cancel(v);
	app_job(v, &(struct app_job){.lane = LANE_FREE, .what = "path", .work = path_work, .done = path_done,
				     .release = free}, j);
}

/* The node chosen here last, else the first of the selection made elsewhere. */
static u32 path_start(struct view *v)
{
	struct graph_view *s = view_state(v);
	if (s->selected == NO_FEATURE) {
		size_t n;
		u32 *ids = app_marked(v->app, &n);
		if (n)
			s->selected = ids[0];
		free(ids);
	}
	return s->selected;
}

static const char *why_not(struct view *v, enum action a)
{
	struct graph_view *s = view_state(v);
	switch (a) {
	case ACT_PATH:
		if (path_start(v) == NO_FEATURE)
			return "a path needs a start: mark a node with Space, walk on, then P";
		if (path_start(v) == id_of(s, s->current))
			return "this is the marked node: walk to another, then P";
		return NULL;
	case ACT_SORT:
		if (atlas_missing(atlas_of(v), "store"))
			return atlas_missing(atlas_of(v), "store");
		return "neighbours by decoder only: this atlas holds no counts of co-activation";
	case ACT_PAN_LEFT:
	case ACT_PAN_DOWN:
	case ACT_PAN_UP:
	case ACT_PAN_RIGHT:
	case ACT_HALF_DOWN:
	case ACT_HALF_UP:
	case ACT_PAGE_DOWN:
	case ACT_PAGE_UP:
		return "the whole neighbourhood is on the screen; + expands it, . centres";
	default:
		return NULL;
	}
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct graph_view *s = view_state(v);
	switch (a) {
	case ACT_LEFT:
		walk(v, LAYOUT_LEFT, count);
		return VIEW_HANDLED;
	case ACT_RIGHT:
		walk(v, LAYOUT_RIGHT, count);
		return VIEW_HANDLED;
	case ACT_DOWN:
		walk(v, LAYOUT_DOWN, count);
		return VIEW_HANDLED;
	case ACT_UP:
		walk(v, LAYOUT_UP, count);
		return VIEW_HANDLED;
	case ACT_FIRST:
		s->current = 0;
		return VIEW_HANDLED;
	case ACT_LAST:
		s->current = s->order[graph_n_nodes(s->graph) - 1];
		return VIEW_HANDLED;
	case ACT_OPEN:
		app_push_feature(v->app, id_of(s, s->current));
		return VIEW_HANDLED;
	case ACT_MORE:
		graph_want(v, GRAPH_EXPAND, id_of(s, s->current), count > 0 ? (size_t)count : STEP);
		return VIEW_HANDLED;
	case ACT_LESS:
		collapse(v);
		return VIEW_HANDLED;
	case ACT_CENTRE:
		graph_want(v, GRAPH_CENTRE, id_of(s, s->current), 0);
		return VIEW_HANDLED;
	case ACT_FIT:
		s->laid_w = 0;
		return VIEW_HANDLED;
	case ACT_PATH:
		find_path(v);
		return VIEW_HANDLED;
	case ACT_MARK:
		mark(v);
		return VIEW_HANDLED;
	case ACT_VIEW_LIST:
		s->as_list = !s->as_list;
		return VIEW_HANDLED;
	default:
		return VIEW_IGNORED;
	}
}

/* ---- what the app asks ---- */

static void crumb(struct view *v, struct buf *out)
{
	struct graph_view *s = view_state(v);
	buf_addf(out, "#%u \xe2\x80\xba neighbourhood", (unsigned)id_of(s, 0));
}

void graph_add_status(struct view *v, struct buf *out)
{
	struct graph_view *s = view_state(v);
	size_t n = graph_n_nodes(s->graph), placed = 0;
	u32 hops = 0;
	if (n == 1 && s->want == GRAPH_CENTRE) { /* the first frame: what comes is not known yet */
		buf_adds(out, "reading neighbours");
		return;
	}
	for (u32 i = 0; i < n; i++) {
		hops = MAX(hops, graph_node(s->graph, i)->hop);
		placed += s->box[i].w > 0;
	}
	buf_addf(out, "by decoder, %u hop%s", (unsigned)hops, hops == 1 ? "" : "s");
	if (s->as_list || placed == n || !s->laid_w)
		buf_addf(out, ", %zu node%s", n, n == 1 ? "" : "s");
	else
		buf_addf(out, ", %zu of %zu nodes", placed, n);
	if (s->note[0])
		buf_addf(out, ", %s", s->note);
}

static void status(struct view *v, struct buf *out)
{
	graph_add_status(v, out);
}

static size_t n_rows(struct view *v)
{
	struct graph_view *s = view_state(v);
	return graph_n_nodes(s->graph);
}

static bool row_text(struct view *v, size_t row, struct buf *out)
{
	struct graph_view *s = view_state(v);
	struct label label;
	u32 id = id_of(s, s->order[row]);
	buf_addf(out, "#%u", (unsigned)id);
	if (session_label(app_session(v->app), id, &label)) {
		buf_addc(out, ' ');
		buf_add(out, label.text.p, label.text.n);
	}
	return true;
}

static void go_row(struct view *v, size_t row)
{
	struct graph_view *s = view_state(v);
	s->current = s->order[row];
}

static size_t row(struct view *v)
{
	return list_row(view_state(v));
}

static void add_command(struct view *v, u32 id, struct buf *out)
{
	atlas_add_command(atlas_of(v), "near", out);
	buf_addf(out, " %u -k %d", (unsigned)id, GRAPH_LIST);
}

static void exact(struct view *v, struct buf *out)
{
	struct graph_view *s = view_state(v);
	const struct graph_node *nd = graph_node(s->graph, s->current);
	u32 centre = id_of(s, 0);
	buf_addf(out, "cosine of #%u and the centre #%u: %.9g\n", (unsigned)nd->id, (unsigned)centre,
		 (double)graph_cosine(v, nd->id, centre));
	if (nd->parent != GRAPH_NONE)
		buf_addf(out, "edge to #%u: %.9g\n", (unsigned)id_of(s, nd->parent), (double)nd->score);
	add_command(v, nd->id, out);
	buf_adds(out, " --json");
}

static void command(struct view *v, struct buf *out)
{
	struct graph_view *s = view_state(v);
	add_command(v, id_of(s, s->current), out);
}

/* ] and [ follow the list. */
static bool step(struct view *v, u32 from, int delta, u32 *to)
{
	struct graph_view *s = view_state(v);
	u32 node = graph_find(s->graph, from);
	if (node == GRAPH_NONE)
		return false;
	s->current = node;
	i64 at = (i64)list_row(s) + delta;
	if (at < 0 || at >= (i64)graph_n_nodes(s->graph))
		return false;
	s->current = s->order[at];
	*to = id_of(s, s->current);
	return true;
}

static void click(struct view *v, int x, int y, int times)
{
	struct graph_view *s = view_state(v);
	for (u32 i = 0; i < graph_n_nodes(s->graph) && !s->as_list; i++)
		if (s->box[i].w && s->box[i].y == y && x >= s->box[i].x && x < s->box[i].x + s->box[i].w) {
			s->current = i;
			if (times > 1)
				act(v, ACT_OPEN, 0);
		}
	if (s->as_list && y >= 0 && s->top + (size_t)y < graph_n_nodes(s->graph))
		s->current = s->order[s->top + (size_t)y];
}

static void draw(struct view *v, struct rect r)
{
	struct graph_view *s = view_state(v);
	int pane = graph_pane_rows(r.h);
	graph_go_on(v);
	struct rect body = rect_sub(r, 0, 0, r.w, r.h - pane);
	if (s->as_list)
		graph_draw_list(v, body);
	else
		graph_draw(v, body);
	graph_draw_pane(v, rect_sub(r, 0, r.h - pane, r.w, pane));
}

const struct view_class view_graph = {
	.name = "graph",
	.size = sizeof(struct graph_view),
	.hints = {{ACT_OPEN, "open"}, {ACT_MORE, "expand"}, {ACT_LESS, "collapse"}, {ACT_CENTRE, "centre"},
		  {ACT_MARK, "mark"}, {ACT_PATH, "path"}, {ACT_VIEW_LIST, "as list"}},
	.open = open_graph,
	.close = close_graph,
	.draw = draw,
	.act = act,
	.crumb = crumb,
	.status = status,
	.why_not = why_not,
	.current = current,
	.step = step,
	.n_rows = n_rows,
	.row_text = row_text,
	.go_row = go_row,
	.row = row,
	.exact = exact,
	.command = command,
	.savings = graph_savings,
	.save = graph_save,
	.click = click,
};
