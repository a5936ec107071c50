/* SPDX-License-Identifier: MIT */
/* app_search.c - the label search, live as one types.
 *
 * The pattern is compiled at once; the scan is a job.  A newer pattern drops the older job.
 * While a pattern is bad the last good hits stay, and a caret stands under the fault.
 */
#include "view/app_private.h"

#include "base/bits.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct scan { /* everything the worker needs, its own */
	struct app *app;
	const struct atlas *atlas;
	struct pool *pool;
	char *text;
	struct search_pattern *pattern;
	struct session_people people; /* copies: the worker reads while the person may edit */
	struct search_result within; /* the hits that it refines; bits NULL: all labels are scanned */
	struct search_result result;
	struct err e;
	int failed;
	u64 generation;
	f64 ms;
};

void app_search_release(struct search_state *s)
{
	free(s->text);
	search_pattern_free(s->pattern);
	search_result_release(&s->result);
	*s = (struct search_state){0};
}

static f64 now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (f64)t.tv_sec * 1e3 + (f64)t.tv_nsec / 1e6;
}

static void scan_work(void *context, struct progress *p)
{
	struct scan *s = context;
	f64 start = now();
	const struct session_people *own = &s->people;
	const struct labels *base = s->atlas->labels;
	u32 n = s->atlas->n_features;
	if (s->within.bits)
		s->failed = search_refine(s->pattern, s->pool, base, own->items, own->n, own->hidden, n, &s->within,
					  &s->result, p, &s->e);
	else
		s->failed = search_labels(s->pattern, s->pool, base, own->items, own->n, own->hidden, n, &s->result, p,
					  &s->e);
	s->ms = now() - start;
}

static void scan_done(struct app *a, void *context)
{
	struct scan *s = context;
	if (s->generation != a->search_generation)
		return;
	if (s->failed) {
		app_error(a, &s->e);
		return;
	}
	app_search_release(&a->search);
	a->search = (struct search_state){s->text, s->pattern, s->result, s->ms, s->people.revision};
	s->text = NULL;
	s->pattern = NULL;
	s->result = (struct search_result){0};
	app_changed(a, CHANGE_HITS);
}

static void scan_release(void *context)
{
	struct scan *s = context;
	session_people_release(&s->people);
	free(s->text);
	search_pattern_free(s->pattern);
	search_result_release(&s->within);
	search_result_release(&s->result);
	free(s);
}

/* Typing forward: the hits that stand, as a copy that outlives them. */
static void take_earlier(struct scan *s, const struct search_state *before)
{
	u32 n = s->atlas->n_features;
	struct err e = {0};
	if (!before->pattern || before->people != s->people.revision ||
	    !search_refines(s->pattern, before->pattern, &before->result, s->atlas->labels) ||
	    search_result_init(&s->within, n, &e)) /* no memory: all are scanned */
		return;
	memcpy(s->within.bits, before->result.bits, bits_words(n) * sizeof *s->within.bits);
}

void app_search_set(struct app *a, const char *text)
{
	struct err e = {0};
	size_t at = 0;
	a->dirty = true;
	if (!text[0]) {
		app_jobs_drop_own(a);
		a->search_generation++;
		app_search_release(&a->search);
		app_changed(a, CHANGE_HITS);
		return;
	}
	struct search_pattern *p = search_compile(text, SEARCH_SMART, &at, &e);
	if (!p) {
		if (a->prompt.open)
			app_prompt_fault(a, at, e.msg);
		else
			app_error(a, &e);
		return;
	}
	app_jobs_drop_own(a);
	struct scan *s = xcalloc(1, sizeof *s);
	*s = (struct scan){.app = a, .atlas = a->session->atlas, .pool = a->session->pool, .pattern = p};
	s->text = xstrdup(text);
	s->generation = ++a->search_generation;
	session_people_copy(a->session, &s->people);
	take_earlier(s, &a->search);
	struct app_job job = {.lane = LANE_POOL,
			      .what = s->within.bits ? "searching the hits" : "searching",
			      .work = scan_work,
			      .release = scan_release};
	app_own_job(a, &job, scan_done, s);
}

static void change(struct view *v, const char *text, void *context)
{
	(void)context;
	app_search_set(v->app, text);
}

static bool commit(struct view *v, const char *text, void *context)
{
	(void)context;
	struct app *a = v->app;
	if (a->prompt.fault)
		return false;
	if (!text[0])
		app_search_set(a, "");
	free(a->search_before);
	a->search_before = NULL;
	return true;
}

static void restore(struct view *v, void *context)
{
	(void)context;
	struct app *a = v->app;
	char *before = a->search_before;
	a->search_before = NULL;
	app_search_set(a, before ? before : "");
	free(before);
}

/* What is typed so far is tried at once, so that a fault is told while one types. */
static void change_text(struct view *v, const char *text, void *context)
{
	struct err e = {0};
	size_t at = 0;
	(void)context;
	struct search_pattern *p = search_compile(text, SEARCH_SMART, &at, &e);
	if (!p)
		app_prompt_fault(v->app, at, e.msg);
	search_pattern_free(p);
}

static bool commit_text(struct view *v, const char *text, void *context)
{
	(void)context;
	if (v->app->prompt.fault)
		return false;
	free(v->app->text_search);
	v->app->text_search = xstrdup(text);
	app_next_hit(v->app, 1);
	return true;
}

void app_search_prompt(struct app *a)
{
	struct view *v = app_top(a);
	if (v->class->text_rows) {
		struct app_prompt p = {.label = "/", .history = "text", .commit = commit_text, .change = change_text};
		app_prompt(v, &p);
		return;
	}
	free(a->search_before);
	a->search_before = a->search.text ? xstrdup(a->search.text) : NULL;
	struct app_prompt p = {
		.label = "/", .history = "search", .commit = commit, .change = change, .cancel = restore};
	app_prompt(v, &p);
}

/* ---- n N ---- */

static void next_row(struct app *a, int direction)
{
	struct view *v = app_top(a);
	struct err e = {0};
	if (!a->text_search || !a->text_search[0]) {
		app_message(a, "nothing is searched for; / does");
		return;
	}
	struct search_pattern *p = search_compile(a->text_search, SEARCH_SMART, NULL, &e);
	if (!p) {
		app_error(a, &e);
		return;
	}
	size_t n = v->class->n_rows(v), row = v->class->row(v);
	struct buf text = BUF_INIT;
	bool found = false;
	for (size_t i = 1; i <= n && !found; i++) {
		size_t at = direction > 0 ? (row + i) % n : (row + n - i % n) % n;
		buf_clear(&text);
		found = v->class->row_text(v, at, &text) && search_match(p, text.s, text.n, NULL, NULL) > 0;
		if (found)
			v->class->go_row(v, at);
	}
	if (!found)
		app_message(a, "no line matches");
	buf_release(&text);
	search_pattern_free(p);
}

void app_next_hit(struct app *a, int direction)
{
	u32 n = a->session->atlas->n_features, at;
	if (app_top(a)->class->text_rows) {
		next_row(a, direction);
		return;
	}
	if (!a->search.result.bits || !a->search.result.n_hits) {
		app_message(a, a->search.text ? "no label matches" : "nothing is searched for; / does");
		return;
	}
	if (!app_current_feature(a, &at))
		at = 0;
	u64 to = bits_step(a->search.result.bits, n, at, direction);
	if (to < n)
		app_show_feature(a, (u32)to);
}

const u64 *app_hits(struct app *a)
{
	return a->search.result.bits;
}

u64 app_n_hits(struct app *a)
{
	return a->search.result.n_hits;
}

bool app_is_hit(struct app *a, u32 feature)
{
	const u64 *b = a->search.result.bits;
	return b && bits_has(b, feature);
}

const struct search_pattern *app_pattern(struct app *a)
{
	return a->search.pattern;
}

const char *app_search_text(struct app *a)
{
	return a->search.text;
}

void app_add_search_words(struct app *a, struct buf *out)
{
	if (a->search.text)
		buf_addf(out, "/%s", a->search.text);
}

void app_add_search_time(struct app *a, struct buf *out)
{
	if (!a->search.text)
		return;
	if (a->search.result.n_gave_up)
		buf_addf(out, " \u00b7 %llu labels gave up", (unsigned long long)a->search.result.n_gave_up);
	if (!a->script_mode)
		buf_addf(out, " \u00b7 %.1f ms", a->search.ms);
}

/* ---- the selection ---- */

bool app_is_marked(struct app *a, u32 feature)
{
	return bits_has(a->marks, feature);
}

void app_mark(struct app *a, u32 feature, bool on)
{
	if (app_is_marked(a, feature) == on)
		return;
	a->marks[feature / 64] ^= (u64)1 << (feature % 64);
	a->n_marks += on ? 1 : (size_t)-1;
	a->dirty = true;
}

void app_mark_all(struct app *a, const u64 *bits)
{
	u64 n = a->session->atlas->n_features;
	for (size_t i = 0; i < bits_words(n); i++) {
		u64 word = bits[i] & ~a->marks[i];
		if (i == n / 64)
			word &= ((u64)1 << (n % 64)) - 1;
		a->marks[i] |= word;
		a->n_marks += (size_t)__builtin_popcountll(word);
	}
	a->dirty = true;
}

size_t app_n_marked(struct app *a)
{
	return a->n_marks;
}

u64 *app_copy_marks(struct app *a)
{
	size_t bytes = bits_words(a->session->atlas->n_features) * sizeof *a->marks;
	return memcpy(xmalloc(bytes), a->marks, bytes);
}

u32 *app_marked(struct app *a, size_t *n)
{
	u64 n_features = a->session->atlas->n_features;
	u32 *list = xcalloc(a->n_marks + 1, sizeof *list);
	*n = 0;
	for (u64 f = 0; *n < a->n_marks && (f = bits_next(a->marks, n_features, f)) < n_features; f++)
		list[(*n)++] = (u32)f;
	return list;
}
