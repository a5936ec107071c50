/* SPDX-License-Identifier: MIT */
/* view_feature.c - the page of a feature: labels, numbers, promoted tokens, contexts with the
 * heat of each token, neighbours.
 *
 * Below the header stand sections (top, interval and random contexts, neighbours), each a
 * small list of its own; the cursor runs through them all.
 */
#include "view/list_act.h"
#include "view/view_feature.h"

#include "base/mem.h"
#include "core/judged.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct atlas *feature_atlas(struct view *v)
{
	return app_session(v->app)->atlas;
}

struct section *feature_section(struct feature *s)
{
	return &s->sections[s->at];
}

/* ---- opening ---- */

static size_t n_texts(const struct store *st, const struct store_context *c, size_t n)
{
	size_t kept = 0;
	u64 seen[MAX_CONTEXTS], from, to;
	for (size_t i = 0; i < n; i++) {
		u64 text = store_text_of(st, c[i].position, &from, &to);
		bool old = false;
		for (size_t k = 0; k < kept && !old; k++)
			old = seen[k] == text;
		if (!old)
			seen[kept++] = text;
	}
	return kept;
}

/* Contexts into their sections, those that are alike together unless that is switched off. */
static void split_contexts(struct view *v)
{
	struct feature *s = view_state(v);
	const struct store *st = feature_atlas(v)->store;
	int how = app_setting_number(v->app, SET_GROUP);
	memcpy(s->contexts, s->all, s->n_contexts * sizeof s->all[0]);
	memset(s->alike, 0, sizeof s->alike);
	for (size_t i = 0; i < SECTION_NEIGHBOURS; i++)
		s->sections[i].n = 0;
	for (size_t i = 0; i < s->n_contexts; i++) {
		struct section *x = &s->sections[s->contexts[i].kind];
		if (!x->n++)
			x->first = i;
	}
	for (size_t i = 0; i < SECTION_NEIGHBOURS; i++) {
		struct section *x = &s->sections[i];
		x->n_all = x->n;
		x->n_texts = x->n ? n_texts(st, s->contexts + x->first, x->n) : 0;
		if (how < 2 && x->n)
			x->n = contexts_fold(st, s->contexts + x->first, x->n, s->alike + x->first,
					     how == 1 && i == SECTION_TOP);
	}
	s->sections[SECTION_NEIGHBOURS].n = s->sections[SECTION_NEIGHBOURS].n_all = s->n_neighbours;
	for (size_t i = 0; i < SECTIONS; i++)
		list_resize(&s->sections[i].list, s->sections[i].n, s->sections[i].list.h);
	while (s->at + 1 < SECTIONS && !feature_section(s)->n)
		s->at++;
}

static void changed(struct view *v, enum view_change what)
{
	struct feature *s = view_state(v);
	if (what != CHANGE_SETTINGS || !s->loaded)
		return;
	split_contexts(v);
	s->fold = view_fold(v, s->id);
}

struct context_look feature_look(const struct feature *s)
{
	return (struct context_look){.feature = s->id, .max = s->stats.max, .fold = s->fold, .width = s->width};
}

bool feature_load(struct view *v)
{
	struct feature *s = view_state(v);
	const struct atlas *a = feature_atlas(v);
	unsigned fold = app_setting_number(v->app, SET_FOLD) ? ATLAS_DECODER : 0;
	if (s->loaded)
		return true;
	if (!app_has(v->app, s->id,
		     ATLAS_LABELS | ATLAS_NUMBERS | ATLAS_LOGITS | ATLAS_NEIGHBOURS | ATLAS_CONTEXTS | fold))
		return false;
	s->loaded = true;
	if (a->store) {
		store_stats(a->store, s->id, &s->stats);
		s->n_contexts =
			MIN(store_contexts(a->store, s->id, s->all, MAX_CONTEXTS), (size_t)MAX_CONTEXTS);
	}
	s->fold = view_fold(v, s->id);
	atlas_scores(a, s->id, &s->scores);
	s->n_neighbours = atlas_neighbours(a, s->id, s->neighbours, VIEW_NEIGHBOURS);
	split_contexts(v);
	return true;
}

static int open(struct view *v, const struct target *t, struct err *e)
{
	struct feature *s = view_state(v);
	if (t->feature >= feature_atlas(v)->n_features)
		return err_set(e, ERR_NOT_FOUND, "there is no feature #%u", t->feature);
	s->id = t->feature;
	s->width = atoi(app_setting(v->app, SET_WIDTH)); /* "all": 0 */
	s->stats = (struct store_stats){NAN, NAN, NAN, 0};
	s->scores = (struct atlas_scores){NAN, NAN, NAN, NAN};
	s->fold = 1;
	feature_load(v);
	return 0;
}

static bool on_neighbour(struct feature *s)
{
	return s->at == SECTION_NEIGHBOURS && feature_section(s)->n;
}

const struct store_context *feature_context(struct feature *s)
{
	if (s->at == SECTION_NEIGHBOURS || !feature_section(s)->n)
		return NULL;
	return &s->contexts[feature_section(s)->first + feature_section(s)->list.at];
}

/* The page is about its feature; its neighbours are only pointed at by Enter. */
static bool current(struct view *v, u32 *feature)
{
	*feature = ((struct feature *)view_state(v))->id;
	return true;
}

/* ---- actions ---- */

static void next_section(struct feature *s, int direction)
{
	for (int k = 1; k <= SECTIONS; k++) {
		size_t i = (s->at + (size_t)(direction > 0 ? k : SECTIONS - k)) % SECTIONS;
		if (s->sections[i].n) {
			s->at = i;
			break;
		}
	}
	s->token = 0;
}

/* The cursor runs on into the next section. */
static bool move(struct feature *s, enum action a, int count)
{
	struct list *l = &feature_section(s)->list;
	int n = count ? count : 1;
	if (a != ACT_DOWN && a != ACT_UP) {
		s->token = a == ACT_FIRST || a == ACT_LAST ? 0 : s->token;
		return list_act(l, a, count);
	}
	for (; n > 0; n--) {
		size_t before = s->at;
		l = &feature_section(s)->list;
		if (a == ACT_DOWN && l->at + 1 < l->n)
			list_move(l, 1);
		else if (a == ACT_UP && l->at > 0)
			list_move(l, -1);
		else {
			next_section(s, a == ACT_DOWN ? 1 : -1);
			if (a == ACT_DOWN ? s->at <= before : s->at >= before)
				s->at = before; /* the ends do not wrap */
			else
				list_go(&feature_section(s)->list, a == ACT_DOWN ? 0 : UINT64_MAX / 2);
		}
		s->token = 0;
	}
	return true;
}

static void open_text(struct view *v, const struct store_context *c)
{
	const struct atlas *a = feature_atlas(v);
	struct feature *s = view_state(v);
	struct buf b = BUF_INIT;
	context_add_text(a, c, &b);
	struct target t = {.feature = s->id, .text = b.s};
	const struct view_class *text = app_view_of(ACT_GO_TEXT);
	if (text)
		app_push(v->app, text, &t);
	buf_release(&b);
}

static void enter(struct view *v)
{
	struct feature *s = view_state(v);
	const struct store_context *c = feature_context(s);
	if (on_neighbour(s))
		app_push_feature(v->app, s->neighbours[feature_section(s)->list.at].id);
	else if (c)
		open_text(v, c);
}

static void move_token(struct feature *s, i64 delta)
{
	s->token += delta;
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct feature *s = view_state(v);
	int n = count ? count : 1;
	if (move(s, a, count))
		return VIEW_HANDLED;
	switch (a) {
	case ACT_LEFT: move_token(s, -n); break;
	case ACT_RIGHT: move_token(s, n); break;
	case ACT_TOKEN_FIRST: s->token = INT32_MIN; break;
	case ACT_TOKEN_LAST: s->token = INT32_MAX; break;
	case ACT_NEXT_PANE: next_section(s, 1); break;
	case ACT_PREVIOUS_PANE: next_section(s, -1); break;
	case ACT_WIDTH: s->width = s->width == 5 ? 16 : s->width == 16 ? 0 : 5; break;
	case ACT_VIEW_GROUP:
		app_next_grouping(v->app);
		break;
	case ACT_MORE: s->big = true; break;
	case ACT_LESS: s->big = false; break;
	case ACT_OPEN: enter(v); break;
	default: return VIEW_IGNORED;
	}
	return VIEW_HANDLED;
}

static const char *why_not(struct view *v, enum action a)
{
	struct feature *s = view_state(v);
	bool token = a == ACT_LEFT || a == ACT_RIGHT || a == ACT_TOKEN_FIRST || a == ACT_TOKEN_LAST;
	if (token && !feature_context(s))
		return "the cursor is not on a context";
	if ((a == ACT_WIDTH || a == ACT_VIEW_GROUP) && !s->n_contexts)
		return "there are no contexts";
	return NULL;
}

static void crumb(struct view *v, struct buf *out)
{
	buf_addf(out, "#%u", ((struct feature *)view_state(v))->id);
}

/* What machines made of its labels. */
static void add_judged(struct view *v, struct buf *out)
{
	struct feature *s = view_state(v);
	const struct judged *j = feature_atlas(v)->judged;
	u64 first = 0, n = j ? judged_of(j, s->id, &first) : 0;
	for (u64 i = first; i < first + n; i++) {
		struct judgement x;
		struct evidence_figures f;
		judged_at(j, i, &x);
		evidence_figures(&x.score, &f);
		buf_addf(out, "%.20s%s%.40s %.9g: %u of %u, silent %u of %u: \"%.*s\"\n", x.method.name,
			 *x.method.model ? " by " : "", x.method.model, (f64)f.balanced, x.score.fires[1], x.score.fires[0],
			 x.score.silent[1], x.score.silent[0], (int)MIN(x.label.n, 200), (const char *)x.label.p);
	}
}

static void exact(struct view *v, struct buf *out)
{
	struct feature *s = view_state(v);
	if (!feature_load(v))
		return;
	const struct store_context *c = feature_context(s);
	if (on_neighbour(s)) {
		const struct atlas_neighbour *n = &s->neighbours[feature_section(s)->list.at];
		buf_addf(out, "cosine of #%u and #%u: %.9g\n", s->id, n->id, (f64)n->score);
		atlas_add_command(feature_atlas(v), "near", out);
		buf_addf(out, " %u --json", s->id);
		return;
	}
	if (c) {
		struct context_look look = feature_look(s);
		const struct context_line *line = context_load(feature_atlas(v), &look, c, &s->token);
		u64 position = line->from + (u64)line->view.cursor;
		buf_addf(out, "position %llu\nactivation ", (unsigned long long)position);
		view_add_value(v, out, s->id, line->acts[line->view.cursor]);
		buf_adds(out, "\n");
	}
	buf_addf(out, "density %.9g  (%llu tokens)\nmax     ", (f64)s->stats.density, (unsigned long long)s->stats.count);
	view_add_value(v, out, s->id, s->stats.max);
	buf_adds(out, "\nmean    ");
	view_add_value(v, out, s->id, s->stats.mean);
	buf_adds(out, "\n");
	add_judged(v, out);
	view_add_scores(v, out, s->id);
}

static void command(struct view *v, struct buf *out)
{
	atlas_add_command(feature_atlas(v), "show", out);
	buf_addf(out, " %u", ((struct feature *)view_state(v))->id);
}

static void click(struct view *v, int x, int y, int times)
{
	struct feature *s = view_state(v);
	(void)x;
	for (size_t i = 0; i < SECTIONS; i++) {
		struct list *l = &s->sections[i].list;
		if (l->h <= 0 || y < s->row_y[i] || y >= s->row_y[i] + l->h)
			continue;
		s->at = i;
		s->token = 0;
		list_go(l, l->top + (u64)(y - s->row_y[i]));
		if (times == 2)
			enter(v);
	}
}

const struct view_class view_feature = {
	.name = "feature",
	.title = NULL,
	.size = sizeof(struct feature),
	.hints = {{ACT_OPEN, "open"}, {ACT_RIGHT, "token", ACT_LEFT}, {ACT_NEXT_FEATURE, "feature", ACT_PREVIOUS_FEATURE}, {ACT_LABEL, "label"},
		  {ACT_GO_GRAPH, "graph"}, {ACT_GO_STEER, "steer"}, {ACT_WIDTH, "width"}, {ACT_TAG, "tag"},
		  {ACT_RATE, "rate"}},
	.open = open,
	.draw = feature_draw,
	.act = act,
	.crumb = crumb,
	.changed = changed,
	.why_not = why_not,
	.current = current,
	.exact = exact,
	.command = command,
	.click = click,
};
