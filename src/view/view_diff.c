/* SPDX-License-Identifier: MIT */
/* view_diff.c - the features of this dictionary beside those of another: nearest, new, split. */
#include "view/view.h"

#include "base/mem.h"
#include "base/shell.h"
#include "core/match.h"
#include "ui/list.h"
#include "view/app.h"
#include "view/list_act.h"

#include <stdlib.h>
#include <string.h>

enum order { BY_NUMBER, BY_LEAST, BY_SPLIT, N_ORDERS };
static const char *const order_names[N_ORDERS] = {"by number", "least alike first", "most split first"};
enum { PANE = 6 /* lines for what a feature became */, PANE_FROM = 16 /* rows of a body that has them */,
       WORDS_FROM = 120 /* columns of a title that says all */ };
static const f32 LEAST = 0.5f;

/* Made by the job, then the view's. */
struct matches {
	struct session *s[2];
	struct match *to[2];
	struct match_tree tree;
	struct err e;
	int bad;
};

struct diff {
	struct list list;
	struct matches *m; /* NULL while it is made */
	char *failed;      /* or why there is none */
	u32 *row;          /* feature of each row */
	enum order order;
	bool reverse;
	u32 n_mutual, n_split;
	struct app_menu_item menu[N_ORDERS];
};

static struct session *other(struct view *v)
{
	return app_other(v->app);
}

/* ---- what the two are called: by their folders, as on the top line; inside both may have one name ---- */

/* A path's last k names, slashes at its end left out. */
static struct span last_names(const char *path, size_t k)
{
	size_t end = strlen(path);
	while (end > 1 && path[end - 1] == '/')
		end--;
	size_t from = end;
	for (; from > 0; from--)
		if (path[from - 1] == '/' && from < end && !--k)
			break;
	return (struct span){(const u8 *)path + from, end - from};
}

static bool is_whole(const char *path, struct span name)
{
	return (const char *)name.p == path;
}

/* As many of the last names as it takes to tell them apart; the same folder twice is called the same. */
static void name_both(struct view *v, struct span name[2])
{
	const char *path[2] = {app_session(v->app)->atlas->folder, other(v)->atlas->folder};
	if (!strcmp(path[0], path[1])) {
		name[0] = name[1] = last_names(path[0], 1);
		return;
	}
	for (size_t k = 1;; k++) {
		for (int i = 0; i < 2; i++)
			name[i] = last_names(path[i], k);
		bool same = name[0].n == name[1].n && !memcmp(name[0].p, name[1].p, name[0].n);
		if (!same || (is_whole(path[0], name[0]) && is_whole(path[1], name[1])))
			return;
	}
}

static void release(void *context)
{
	struct matches *m = context;
	if (!m)
		return;
	match_tree_release(&m->tree);
	free(m->to[0]);
	free(m->to[1]);
	free(m);
}

static void compare(void *context, struct progress *p)
{
	struct matches *m = context;
	struct knn_rows rows[2];
	for (int i = 0; i < 2 && !m->bad; i++) {
		const struct atlas *a = m->s[i]->atlas;
		rows[i] = (struct knn_rows){dict_decoder_unit(a->dict, m->s[0]->pool, &m->e), a->n_features,
					    dict_info(a->dict)->d_out};
		m->to[i] = rows[i].p ? mem_try(a->n_features, sizeof **m->to, "the matches", &m->e) : NULL;
		m->bad = m->to[i] ? 0 : -1;
	}
	for (int i = 0; i < 2 && !m->bad; i++)
		m->bad = match_nearest(&rows[i], &rows[1 - i], m->s[0]->pool, m->to[i], p, &m->e);
	m->bad = m->bad || match_tree_init(&m->tree, rows[0].n, m->to[1], rows[1].n, LEAST, &m->e);
}

static u32 n_children(const struct matches *m, u32 id)
{
	return m->tree.first[id + 1] - m->tree.first[id];
}

static bool is_mutual(const struct matches *m, u32 id)
{
	u32 b = m->to[0][id].id;
	return b != KNN_NONE && m->to[1][b].id == id;
}

static const struct diff *sorting; /* qsort has no context; UI thread only */

static int before(const void *x, const void *y)
{
	u32 a = *(const u32 *)x, b = *(const u32 *)y;
	const struct matches *m = sorting->m;
	int way = sorting->reverse ? -1 : 1;
	if (sorting->order == BY_LEAST && m->to[0][a].cosine != m->to[0][b].cosine)
		return m->to[0][a].cosine > m->to[0][b].cosine ? way : -way;
	if (sorting->order == BY_SPLIT && n_children(m, a) != n_children(m, b))
		return n_children(m, a) < n_children(m, b) ? way : -way;
	int by_number = (a > b) - (a < b);
	return sorting->order == BY_NUMBER ? way * by_number : by_number;
}

static void sort(struct view *v)
{
	struct diff *s = view_state(v);
	if (!s->m)
		return;
	sorting = s;
	qsort(s->row, s->list.n, sizeof *s->row, before);
}

static void done(struct view *v, void *context)
{
	struct diff *s = view_state(v);
	struct matches *m = context;
	if (m->bad) {
		s->failed = xstrdup(m->e.msg);
		return;
	}
	/* moved out of the job's hands */
	s->m = xmalloc(sizeof *s->m);
	*s->m = *m;
	*m = (struct matches){0};
	u32 n = s->m->s[0]->atlas->n_features;
	s->row = xcalloc(n + (size_t)1, sizeof *s->row);
	for (u32 i = 0; i < n; i++) {
		s->row[i] = i;
		s->n_mutual += is_mutual(s->m, i);
		s->n_split += n_children(s->m, i) > 1;
	}
	list_resize(&s->list, n, v->h);
	sort(v);
}

static int open(struct view *v, const struct target *t, struct err *e)
{
	struct diff *s = view_state(v);
	(void)t;
	if (!other(v))
		return err_set(e, ERR_UNAVAILABLE, "%s", app_no_way(v->app, ACT_GO_DIFF));
	struct session *a = app_session(v->app), *b = other(v);
	u32 wa = dict_info(a->atlas->dict)->d_out, wb = dict_info(b->atlas->dict)->d_out;
	if (wa != wb) {
		struct span name[2];
		name_both(v, name);
		return err_set(e, ERR_FAILED, "'%.*s' writes rows of %u numbers and '%.*s' of %u: these cannot be compared",
			       (int)name[0].n, (const char *)name[0].p, wa, (int)name[1].n, (const char *)name[1].p, wb);
	}
	s->order = BY_SPLIT;
	struct matches *m = xcalloc(1, sizeof *m);
	m->s[0] = a;
	m->s[1] = b;
	app_job(v, &(struct app_job){.lane = LANE_POOL, .what = "comparing", .work = compare, .done = done,
				     .release = release}, m);
	return 0;
}

static void close_diff(struct view *v)
{
	struct diff *s = view_state(v);
	release(s->m);
	free(s->row);
	free(s->failed);
}

/* ---- drawing ---- */

/* "#12 label" of the other atlas. */
static void put_other(struct view *v, struct rect r, int x, int y, int max, u32 id)
{
	char number[16];
	char *label = session_label_text(other(v), id);
	int n = snprintf(number, sizeof number, "#%u ", id);
	int used = rect_put_cut(r, x, y, max, STYLE_ID, number, (size_t)n);
	rect_put_cut(r, x + used, y, max - used, STYLE_LABEL, label, strlen(label));
	free(label);
}

static void put_match(struct view *v, struct rect r, int y, u32 id)
{
	struct diff *s = view_state(v);
	const struct match *m = &s->m->to[0][id];
	u32 n = n_children(s->m, id);
	int left = (r.w - 14) / 2, x = left + 2;
	char words[16];
	view_put_feature(v, r, 1, y, left, id);
	if (m->id == KNN_NONE) {
		rect_puts(r, x, y, STYLE_DIM, "no direction");
		return;
	}
	view_format_score(words, m->cosine);
	rect_puts_right(r, x + 4, y, m->cosine >= LEAST ? STYLE_NUMBER : STYLE_DIM, words);
	if (n > 1) {
		snprintf(words, sizeof words, "%u", MIN(n, 999u));
		rect_puts_right(r, x + 8, y, STYLE_MARK, words);
	} else
		rect_puts(r, x + 7, y, STYLE_DIM, is_mutual(s->m, id) ? "=" : "~");
	put_other(v, r, x + 9, y, r.w - x - 10, m->id);
}

/* Below the list: what the feature under the cursor became. */
static void draw_pane(struct view *v, struct rect r, u32 id)
{
	struct diff *s = view_state(v);
	u32 from = s->m->tree.first[id], n = n_children(s->m, id);
	for (int x = 0; x < r.w; x++)
		rect_cp(r, x, 0, STYLE_LINE, 0x2500);
	if (!n) {
		rect_puts(r, 1, 1, STYLE_DIM, "no feature over there has this one for its nearest");
		return;
	}
	for (u32 k = 0; k < n && (int)k + 1 < r.h; k++) {
		const struct match *c = &s->m->tree.child[from + k];
		bool more = (int)k + 2 == r.h && k + 1 < n;
		if (more) {
			rect_printf(r, 1, (int)k + 1, STYLE_DIM, "and %u more; = lists them", n - k);
			break;
		}
		char words[16];
		view_format_score(words, c->cosine);
		rect_puts_right(r, 5, (int)k + 1, STYLE_NUMBER, words);
		put_other(v, r, 7, (int)k + 1, r.w - 8, c->id);
	}
}

static void draw(struct view *v, struct rect r)
{
	struct diff *s = view_state(v);
	const struct progress *p = app_job_progress(v);
	struct span name[2];
	name_both(v, name);
	if (!s->m) {
		if (s->failed)
			view_put_sentence(r, 1, 1, s->failed);
		else
			rect_printf(r, 1, 1, STYLE_DIM, "comparing all features with those of %.*s%s", (int)name[1].n,
				    (const char *)name[1].p, p ? "" : ": waiting");
		return;
	}
	bool pane = r.h >= PANE_FROM;
	int left = (r.w - 14) / 2;
	rect_put_cut(r, 1, 0, left, STYLE_HEAD, (const char *)name[0].p, name[0].n);
	rect_puts(r, left + 2, 0, STYLE_HEAD, "cosine");
	rect_put_cut(r, left + 11, 0, r.w - left - 12, STYLE_HEAD, (const char *)name[1].p, name[1].n);
	struct rect rows = rect_sub(r, 0, 1, r.w, r.h - 1 - (pane ? PANE : 0));
	list_resize(&s->list, s->list.n, rows.h);
	for (int y = 0; y < rows.h && s->list.top + (u64)y < s->list.n; y++) {
		u64 at = s->list.top + (u64)y;
		put_match(v, rows, y, s->row[at]);
		if (at == s->list.at) {
			rect_puts(rows, 0, y, STYLE_MARK, ">");
			rect_cursor_row(rows, y);
			rect_cursor(rows, 0, y);
		}
	}
	if (pane && s->list.n)
		draw_pane(v, rect_sub(r, 0, r.h - PANE, r.w, PANE), s->row[s->list.at]);
}

/* ---- keys ---- */

static bool current(struct view *v, u32 *feature)
{
	struct diff *s = view_state(v);
	if (!s->m || !s->list.n)
		return false;
	*feature = s->row[s->list.at];
	return true;
}

static void reorder(struct view *v, enum order order, bool reverse)
{
	struct diff *s = view_state(v);
	s->order = order;
	s->reverse = reverse;
	sort(v);
	list_go(&s->list, 0);
	if (s->m && order == BY_SPLIT && !s->n_split)
		app_message(v->app, "no feature is split: the order is by number");
}

static void order_chosen(struct view *v, size_t index)
{
	reorder(v, (enum order)index, false);
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct diff *s = view_state(v);
	u32 id;
	if (list_act(&s->list, a, count))
		return VIEW_HANDLED;
	switch (a) {
	case ACT_OPEN:
		if (current(v, &id))
			app_push_feature(v->app, id);
		return VIEW_HANDLED;
	case ACT_SORT:
		for (int i = 0; i < N_ORDERS; i++)
			s->menu[i] = (struct app_menu_item){(u32) "nls"[i], order_names[i]};
		app_menu(v, "order", s->menu, N_ORDERS, order_chosen);
		return VIEW_HANDLED;
	case ACT_REVERSE:
		reorder(v, s->order, !s->reverse);
		return VIEW_HANDLED;
	default:
		return VIEW_IGNORED;
	}
}

static const char *why_not(struct view *v, enum action a)
{
	struct diff *s = view_state(v);
	return !s->m && (a == ACT_OPEN || a == ACT_SORT || a == ACT_REVERSE) ? "the comparison is not done yet" : NULL;
}

static void status(struct view *v, struct buf *out)
{
	struct diff *s = view_state(v);
	int w, h;
	app_size(v->app, &w, &h);
	if (s->m && w >= WORDS_FROM)
		buf_addf(out, "%u of %u are each other's nearest, %u split", s->n_mutual, s->m->s[0]->atlas->n_features,
			 s->n_split);
	else if (s->m)
		buf_addf(out, "%u mutual, %u split", s->n_mutual, s->n_split);
}

static size_t n_rows(struct view *v)
{
	return ((struct diff *)view_state(v))->list.n;
}

static size_t row(struct view *v)
{
	return ((struct diff *)view_state(v))->list.at;
}

static void go_row(struct view *v, size_t at)
{
	list_go(&((struct diff *)view_state(v))->list, at);
}

static bool row_text(struct view *v, size_t at, struct buf *out)
{
	struct diff *s = view_state(v);
	if (!s->m || at >= s->list.n)
		return false;
	const struct match *m = &s->m->to[0][s->row[at]];
	char *label = session_label_text(app_session(v->app), s->row[at]);
	buf_addf(out, "#%u %s  %.3f", s->row[at], label, (f64)m->cosine);
	free(label);
	if (m->id != KNN_NONE) {
		label = session_label_text(other(v), m->id);
		buf_addf(out, "  #%u %s", m->id, label);
		free(label);
	}
	return true;
}

static void exact(struct view *v, struct buf *out)
{
	struct diff *s = view_state(v);
	u32 id;
	if (!current(v, &id))
		return;
	row_text(v, s->list.at, out);
	buf_addc(out, '\n');
	for (u32 c = s->m->tree.first[id]; c < s->m->tree.first[id + 1]; c++) {
		const struct match *m = &s->m->tree.child[c];
		char *label = session_label_text(other(v), m->id);
		buf_addf(out, "  %.6f  #%u %s\n", (f64)m->cosine, m->id, label);
		free(label);
	}
}

static void command(struct view *v, struct buf *out)
{
	u32 id;
	atlas_add_command(app_session(v->app)->atlas, "diff", out);
	buf_addc(out, ' ');
	shell_add_path(out, other(v)->atlas->folder);
	if (current(v, &id))
		buf_addf(out, " --of %u", id);
}

static const char *busy(struct view *v)
{
	return app_job_runs(v) ? "comparing" : NULL;
}

const struct view_class view_diff = {
	.name = "diff",
	.title = "diff",
	.size = sizeof(struct diff),
	.text_rows = true,
	.hints = {{ACT_OPEN, "open"}, {ACT_SORT, "sort"}, {ACT_SEARCH, "search"}, {ACT_EXACT, "exact"}},
	.open = open,
	.close = close_diff,
	.draw = draw,
	.act = act,
	.current = current,
	.why_not = why_not,
	.status = status,
	.n_rows = n_rows,
	.row = row,
	.go_row = go_row,
	.row_text = row_text,
	.exact = exact,
	.command = command,
	.busy = busy,
};
