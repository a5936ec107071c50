/* SPDX-License-Identifier: MIT */
/* view_runs.c - the steering runs that were kept: a list, the text of one, two side by side. */
#include "session/runs.h"
#include "base/mem.h"
#include "base/wordlist.h"
#include "ui/words.h"
#include "view/app.h"
#include "view/list_act.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct runs_view {
	struct list list;
	struct runs runs;
	bool *marked;  /* [runs.n] */
	size_t n_marked;
	bool loaded;
	bool compared; /* the pane shows two runs */
	size_t a, b;   /* which */
	char trouble[512];
};

/* Read on a thread of its own, with a door of its own to labels.db. */
struct load_job {
	struct atlas *atlas;
	struct runs runs;
	struct err err;
};

static void load_work(void *context, struct progress *p)
{
	struct load_job *j = context;
	(void)p;
	struct note *note = note_open(j->atlas->notes, j->atlas->uuid, &j->err);
	if (note)
		runs_load(note, j->atlas, &j->runs, &j->err);
	note_free(note);
}

static void drop(struct runs_view *s)
{
	runs_release(&s->runs);
	free(s->marked);
	s->marked = NULL;
	s->n_marked = 0;
	s->compared = false;
}

static void load_done(struct view *v, void *context)
{
	struct runs_view *s = view_state(v);
	struct load_job *j = context;
	s->loaded = true;
	snprintf(s->trouble, sizeof s->trouble, "%s", j->err.msg);
	drop(s);
	s->runs = j->runs;
	j->runs = (struct runs){0};
	s->marked = xcalloc(s->runs.n + 1, sizeof *s->marked);
}

static void load_release(void *context)
{
	struct load_job *j = context;
	runs_release(&j->runs);
	free(j);
}

static void load(struct view *v)
{
	struct load_job *j = xcalloc(1, sizeof *j);
	j->atlas = app_session(v->app)->atlas;
	app_job(v, &(struct app_job){.lane = LANE_FREE, .what = "reading runs", .work = load_work, .done = load_done,
				     .release = load_release}, j);
}

static int open(struct view *v, const struct target *t, struct err *e)
{
	(void)t, (void)e;
	load(v);
	return 0;
}

static void close(struct view *v)
{
	drop(view_state(v));
}

static const json_t *run_at(const struct runs_view *s, u64 row)
{
	return row < s->runs.n ? s->runs.items[row].run : NULL;
}

/* ---- drawing ---- */

static void date_words(struct view *v, i64 when, char out[16])
{
	struct tm t;
	time_t seconds = (time_t)when;
	snprintf(out, 16, "%s", when > 0 ? "kept" : "atlas");
	if (when > 0 && !app_is_script(v->app) && localtime_r(&seconds, &t))
		strftime(out, 16, "%m-%d %H:%M", &t);
}

static void draw_row(struct view *v, struct rect r, int y, size_t i)
{
	struct runs_view *s = view_state(v);
	const json_t *run = run_at(s, i);
	struct buf features = BUF_INIT, words = BUF_INIT;
	char date[16];
	int x = 2, w = r.w >= 72 ? 24 : r.w / 2 - 2;
	runs_add_features(run, &features);
	runs_add_words(run, "prompt", &words);
	date_words(v, s->runs.items[i].when, date);
	rect_puts(r, 0, y, STYLE_MARK, i == s->list.at ? ">" : " ");
	rect_puts(r, 1, y, STYLE_MARK, s->marked[i] ? "*" : " ");
	if (r.w >= 60) {
		rect_put_cut(r, x, y, 11, STYLE_DIM, date, strlen(date));
		x += 12;
	}
	rect_put_cut(r, x, y, w, STYLE_NUMBER, features.s, features.n);
	x += w + 1;
	if (r.w >= 72) {
		rect_put_cut(r, x, y, 20, STYLE_NORMAL, words.s, words.n);
		x += 21;
		buf_clear(&words);
	} else {
		buf_adds(&words, ": ");
	}
	runs_add_words(run, "steered", &words);
	rect_put_cut(r, x, y, r.w - x - 1, STYLE_DIM, words.s, words.n);
	buf_release(&features);
	buf_release(&words);
}

/* A text in a column, the words that `other` has not marked. */
static void draw_text(struct rect r, const char *head, const char *text, const char *other)
{
	size_t n = strlen(text), skip = strspn(text, " \n");
	u8 *style = xcalloc(n + 1, 1);
	if (other) {
		bool *changed = xcalloc(n + 1, sizeof *changed);
		words_diff(other, strlen(other), text, n, changed);
		for (size_t i = 0; i < n; i++)
			style[i] = changed[i] ? STYLE_CHANGED : STYLE_NORMAL;
		free(changed);
	}
	struct words w = {text + skip, n - skip, style + skip, STYLE_NORMAL, NULL};
	rect_put_cut(r, 0, 0, r.w, STYLE_HEAD, head, strlen(head));
	words_draw(&w, rect_sub(r, 0, 1, r.w, r.h - 1), 0);
	free(style);
}

/* Two texts, a line between them, from row y of r on. */
static void draw_two(struct rect r, int y, const char *const head[2], const char *const text[2], bool marked)
{
	int left = (r.w - 3) / 2, h = r.h - y;
	if (h < 2)
		return;
	draw_text(rect_sub(r, 1, y, left - 1, h), head[0], text[0], marked ? text[1] : NULL);
	draw_text(rect_sub(r, left + 3, y, r.w - left - 4, h), head[1], text[1], marked ? text[0] : NULL);
	for (int i = y; i < r.h; i++)
		rect_cp(r, left + 1, i, STYLE_LINE, 0x2502);
}

static void draw_compared(const struct runs_view *s, struct rect r)
{
	const json_t *a = run_at(s, s->a), *b = run_at(s, s->b);
	struct buf ways = BUF_INIT;
	char heads[2][32];
	int y = 0;
	runs_add_differences(a, b, &ways);
	for (char *line = ways.s, *end; y < MAX(r.h / 2, 1) && (end = strchr(line, '\n')); line = end + 1)
		rect_put_cut(r, 1, y++, r.w - 2, STYLE_DIM, line, (size_t)(end - line));
	for (int i = 0; i < 2; i++) {
		const char *hash = runs_text(i ? b : a, "hash");
		snprintf(heads[i], sizeof heads[i], "steered  %.8s", *hash ? hash : "(atlas)");
	}
	draw_two(r, y, (const char *[]){heads[0], heads[1]}, (const char *[]){runs_text(a, "steered"), runs_text(b, "steered")},
		 true);
	buf_release(&ways);
}

static void draw_pane(const struct runs_view *s, struct rect r)
{
	const json_t *run = run_at(s, s->list.at);
	struct buf line = BUF_INIT;
	if (s->compared) {
		draw_compared(s, r);
		return;
	}
	buf_addf(&line, "%.8s%sseed %llu, T %g, %llu tokens, on the %s, %s", runs_text(run, "hash"), *runs_text(run, "hash") ? "  " : "",
		 (unsigned long long)json_opt_u64(run, "seed", 1), json_opt_f64(run, "temperature", 0),
		 (unsigned long long)json_opt_u64(run, "n", 60), runs_where(run),
		 json_opt_bool(run, "chat", true) ? "chat" : "plain");
	rect_put_cut(r, 1, 0, r.w - 2, STYLE_DIM, line.s, line.n);
	draw_two(r, 1, (const char *[]){"baseline", "steered"},
		 (const char *[]){runs_text(run, "baseline"), runs_text(run, "steered")}, false);
	buf_release(&line);
}

static void draw(struct view *v, struct rect r)
{
	struct runs_view *s = view_state(v);
	int pane = r.h >= 12 ? r.h / 2 : 0, h = r.h - pane - (pane > 0);
	if (s->compared && !pane)
		pane = r.h, h = 0;
	list_resize(&s->list, s->runs.n, MAX(h, 1));
	if (s->trouble[0])
		words_sentence(r, 1, 0, STYLE_ERROR, s->trouble);
	else if (!s->loaded)
		rect_puts(r, 1, 0, STYLE_DIM, "\u2026");
	else if (!s->runs.n)
		view_put_sentence(r, 1, 0, "no run was kept yet: gs steers, and so does 'featlas steer'");
	if (!s->runs.n)
		return;
	for (int y = 0; y < h && s->list.top + (u64)y < s->list.n; y++) {
		draw_row(v, r, y, s->list.top + (u64)y);
		if (s->list.top + (u64)y == s->list.at) {
			rect_cursor_row(r, y);
			rect_cursor(r, 0, y);
		}
	}
	if (pane)
		draw_pane(s, rect_sub(r, 0, r.h - pane, r.w, pane));
}

/* ---- acting ---- */

static void toggle_mark(struct runs_view *s)
{
	size_t i = s->list.at;
	s->marked[i] = !s->marked[i];
	s->n_marked += s->marked[i] ? 1 : -(size_t)1;
	list_move(&s->list, 1);
}

/* The two that are marked, or the marked one and the one under the cursor. */
static bool choose_two(struct runs_view *s)
{
	size_t two[2] = {0, 0}, n = 0;
	for (size_t i = 0; i < s->runs.n && n < 2; i++)
		if (s->marked[i])
			two[n++] = i;
	if (n == 1 && two[0] != s->list.at)
		two[n++] = s->list.at;
	s->a = two[0];
	s->b = two[1];
	return n == 2;
}

static void compare(struct view *v)
{
	struct runs_view *s = view_state(v);
	if (s->compared)
		s->compared = false;
	else if (choose_two(s))
		s->compared = true;
	else
		app_message(v->app, "Space marks a run to compare with the one under the cursor");
}

static size_t savings(struct view *v, const struct app_menu_item **items)
{
	static const struct app_menu_item one[] = {{'r', "this run, as JSON"}}, marked[] = {{'r', "the marked runs, as JSON lines"}};
	const struct runs_view *s = view_state(v);
	*items = s->n_marked ? marked : one;
	return s->runs.n ? 1 : 0;
}

static void save(struct view *v, size_t which)
{
	struct runs_view *s = view_state(v);
	(void)which;
	struct buf out = BUF_INIT;
	/* oldest first, as a file that grows */
	for (size_t i = s->runs.n; i-- > 0;)
		if (s->n_marked ? s->marked[i] : i == s->list.at) {
			json_add_line(&out, s->runs.items[i].run);
			buf_addc(&out, '\n');
		}
	app_save(v->app, "runs", "jsonl", &out);
	buf_release(&out);
}

static const char *why_not(struct view *v, enum action a)
{
	const struct runs_view *s = view_state(v);
	switch (a) {
	case ACT_OPEN:
	case ACT_COMPARE:
	case ACT_COPY:
	case ACT_MARK:
		return s->runs.n ? NULL : "no run was kept yet";
	default:
		return NULL;
	}
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct runs_view *s = view_state(v);
	const json_t *run = run_at(s, s->list.at);
	if (list_act(&s->list, a, count))
		return VIEW_HANDLED;
	switch (a) {
	case ACT_OPEN:
		app_push(v->app, &view_steer, &(struct target){.feature = NO_FEATURE, .run = run});
		return VIEW_HANDLED;
	case ACT_MARK:
		toggle_mark(s);
		return VIEW_HANDLED;
	case ACT_COMPARE:
		compare(v);
		return VIEW_HANDLED;
	case ACT_CANCEL:
		if (!s->compared)
			return VIEW_IGNORED;
		s->compared = false;
		return VIEW_HANDLED;
	case ACT_COPY:
		app_copy(v->app, runs_text(run, "steered"));
		return VIEW_HANDLED;
	case ACT_REFRESH:
		load(v);
		return VIEW_HANDLED;
	default:
		return VIEW_IGNORED;
	}
}

/* ---- what the app asks ---- */

static void status(struct view *v, struct buf *out)
{
	const struct runs_view *s = view_state(v);
	if (!s->runs.n)
		return;
	buf_addf(out, "%zu run%s", s->runs.n, s->runs.n == 1 ? "" : "s");
	if (s->n_marked)
		buf_addf(out, " \u00b7 %zu marked", s->n_marked);
}

static bool current(struct view *v, u32 *feature)
{
	const struct runs_view *s = view_state(v);
	const json_t *run = run_at(s, s->list.at);
	u64 id = json_opt_u64(json_array_get(json_object_get(run, "features"), 0), "id", NO_FEATURE);
	*feature = (u32)id;
	return run && id < NO_FEATURE;
}

static size_t n_rows(struct view *v)
{
	return ((struct runs_view *)view_state(v))->runs.n;
}

static bool row_text(struct view *v, size_t row, struct buf *out)
{
	static const char *const keys[] = {"prompt", "steered", "baseline", "hash"};
	const json_t *run = run_at(view_state(v), row);
	if (!run)
		return false;
	runs_add_features(run, out);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		buf_addc(out, ' ');
		runs_add_words(run, keys[i], out);
	}
	return true;
}

static void go_row(struct view *v, size_t row)
{
	list_go(&((struct runs_view *)view_state(v))->list, row);
}

static size_t row(struct view *v)
{
	return ((struct runs_view *)view_state(v))->list.at;
}

static void command(struct view *v, struct buf *out)
{
	const struct runs_view *s = view_state(v);
	atlas_add_command(app_session(v->app)->atlas, "runs", out);
	const char *one = s->runs.n ? runs_text(run_at(s, s->compared ? s->a : s->list.at), "hash") : "";
	const char *two = s->compared ? runs_text(run_at(s, s->b), "hash") : "";
	if (*one)
		buf_addf(out, " %.16s", one);
	if (*one && *two)
		buf_addf(out, " --diff %.16s", two);
}

static void exact(struct view *v, struct buf *out)
{
	const struct runs_view *s = view_state(v);
	const json_t *run = run_at(s, s->list.at), *f;
	size_t i;
	if (!run)
		return;
	buf_addf(out, "%s\n", runs_text(run, "hash"));
	json_array_foreach(json_object_get(run, "features"), i, f)
		buf_addf(out, "#%llu: coefficient %.9g\n", (unsigned long long)json_opt_u64(f, "id", 0),
			 json_opt_f64(f, "coefficient", 0));
	command(v, out);
}

static const char *busy(struct view *v)
{
	return app_job_runs(v) ? "reading runs" : NULL;
}

static bool tick(struct view *v)
{
	(void)v;
	return true;
}

static void click(struct view *v, int x, int y, int times)
{
	struct runs_view *s = view_state(v);
	(void)x;
	if (y >= s->list.h || s->list.top + (u64)y >= s->list.n)
		return;
	list_go(&s->list, s->list.top + (u64)y);
	if (times == 2)
		act(v, ACT_OPEN, 0);
}

const struct view_class view_runs = {
	.name = "runs",
	.title = "runs",
	.size = sizeof(struct runs_view),
	.text_rows = true,
	.hints = {{ACT_OPEN, "replay"}, {ACT_MARK, "mark"}, {ACT_COMPARE, "compare"}, {ACT_EXPORT, "save"},
		  {ACT_SEARCH, "search"}, {ACT_REFRESH, "refresh"}},
	.open = open,
	.close = close,
	.draw = draw,
	.act = act,
	.why_not = why_not,
	.status = status,
	.current = current,
	.tick = tick,
	.n_rows = n_rows,
	.row_text = row_text,
	.go_row = go_row,
	.row = row,
	.exact = exact,
	.command = command,
	.savings = savings,
	.save = save,
	.click = click,
	.busy = busy,
};
