/* SPDX-License-Identifier: MIT */
/* view_triage.c - the triage queue: one feature after another, one key a decision.
 *
 * Every decision is a label of the person's in the database before the next key is read: the label
 * that is shown (accept), an empty one (reject), another.  The queue itself is only an order; what
 * is decided is asked of the database, so that undo, here or elsewhere, is seen.
 */
#include "view/view_triage.h"

#include "base/bits.h"
#include "base/mem.h"
#include "view/app.h"
#include "view/list_act.h"
#include "view/view_features.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	enum order_by by;
	const char *text;
} orders[] = {
	{ORDER_DENSITY, "density"}, {ORDER_WRITES, "writes"}, {ORDER_DETECTS, "detects"},
	{ORDER_UNCERTAIN, "uncertain: the label's score, lowest first"}, {ORDER_ID, "id"},
};

static struct session *session_of(struct view *v)
{
	return app_session(v->app);
}

bool triage_current(struct view *v, u32 *feature)
{
	struct triage *s = view_state(v);
	if (!s->queue.n)
		return false;
	*feature = s->queue.ids[s->at];
	return true;
}

const struct store_context *triage_context(struct triage *s)
{
	return s->n_contexts ? &s->all[s->order[s->list.at]] : NULL;
}

/* ---- the queue ---- */

static void go(struct view *v, u32 at)
{
	struct triage *s = view_state(v);
	s->at = at;
	triage_load(v, s->queue.ids[at]);
}

static bool is_decided(struct view *v, u32 feature)
{
	char *label = note_label(session_of(v)->note, feature);
	bool decided = label != NULL;
	free(label);
	return decided;
}

static void look_again(struct view *v, u32 i)
{
	struct triage *s = view_state(v);
	bool was = s->state[i] == TRIAGE_DECIDED, is = is_decided(v, s->queue.ids[i]);
	if (was == is)
		return;
	s->state[i] = is ? TRIAGE_DECIDED : TRIAGE_OPEN;
	s->n_decided += is ? 1 : (u32)-1;
}

/* The first of [from, to) in a state, or `to`. */
static u32 first_in_state(const struct triage *s, u32 from, u32 to, enum triage_state state)
{
	const u8 *at = from < to ? memchr(s->state + from, state, to - from) : NULL;
	return at ? (u32)(at - s->state) : to;
}

/* The next that is open behind this one, round about; then those that were put off. */
static void next_open(struct view *v)
{
	struct triage *s = view_state(v);
	for (int want = TRIAGE_OPEN; want <= TRIAGE_DEFERRED; want++) {
		u32 end = s->at + (want == TRIAGE_DEFERRED), k = first_in_state(s, s->at + 1, s->queue.n, want);
		if (k == s->queue.n && (k = first_in_state(s, 0, end, want)) == end)
			continue;
		go(v, k);
		return;
	}
	go(v, s->at);
}

/* ---- making it, beside the screen ---- */

struct queue_work {
	struct order_work *order;
	struct session_people people; /* a copy */
	bool unlabelled;              /* the order's set is still to be found */
	u8 *state;                    /* out: [n] enum triage_state */
	u32 n_decided;
};

/* All that are alive and have no label of a person's. */
static u64 *unlabelled(const struct atlas *a, const struct session_people *people)
{
	size_t words = bits_words(a->n_features);
	u64 *bits = xmalloc(MAX(words, 1) * sizeof *bits);
	struct store_stats st;
	for (size_t i = 0; i < words; i++)
		bits[i] = people->hidden ? ~people->hidden[i] : UINT64_MAX;
	for (size_t i = 0; i < people->n; i++)
		bits[people->items[i].feature / 64] &= ~((u64)1 << (people->items[i].feature % 64));
	for (u32 f = 0; f < a->n_features && a->store; f++) {
		store_stats(a->store, f, &st);
		if (!(st.density > 0))
			bits[f / 64] &= ~((u64)1 << (f % 64));
	}
	return bits;
}

static void find_decided(struct queue_work *w)
{
	const struct session_people *p = &w->people;
	struct order_work *o = w->order;
	u64 *decided = xcalloc(bits_words(o->atlas->n_features) + 1, sizeof *decided);
	w->state = xcalloc(o->made.n + (size_t)1, 1);
	for (size_t i = 0; i < p->n; i++)
		bits_set(decided, p->items[i].feature);
	for (u32 i = 0; i < o->made.n; i++) {
		u32 f = o->made.ids[i];
		bool is = bits_has(decided, f) || (p->hidden && bits_has(p->hidden, f));
		w->state[i] = is ? TRIAGE_DECIDED : TRIAGE_OPEN;
		w->n_decided += is;
	}
	free(decided);
}

static void queue_run(void *context, struct progress *p)
{
	struct queue_work *w = context;
	if (w->unlabelled)
		w->order->keep = unlabelled(w->order->atlas, &w->people);
	order_run(w->order, p);
	if (!w->order->failed && !progress_cancelled(p))
		find_decided(w);
}

static void free_queue(struct view *v)
{
	struct triage *s = view_state(v);
	features_discard_order(v, &s->queue);
	app_discard(v->app, s->state, s->queue.n);
}

static void queue_done(struct view *v, void *context)
{
	struct queue_work *w = context;
	struct triage *s = view_state(v);
	if (w->order->failed) {
		app_error(v->app, &w->order->e);
		return;
	}
	if (w->unlabelled) {
		s->bits = w->order->keep;
		w->order->keep = NULL;
	}
	free_queue(v);
	s->queue = w->order->made;
	s->state = w->state;
	w->order->made = (struct order){0};
	w->state = NULL;
	s->n_decided = s->n_before = w->n_decided;
	s->at = 0;
	if (s->queue.n && s->state[0] != TRIAGE_OPEN)
		next_open(v);
	else if (s->queue.n)
		go(v, 0);
}

static void queue_free(void *context)
{
	struct queue_work *w = context;
	order_work_free(w->order);
	session_people_release(&w->people);
	free(w->state);
	free(w);
}

static void make_queue(struct view *v)
{
	struct triage *s = view_state(v);
	struct queue_work *w = xcalloc(1, sizeof *w);
	app_job_cancel(v);
	w->unlabelled = !s->bits;
	w->order = order_work_new(session_of(v)->atlas, s->by, s->reverse, s->bits, NULL);
	session_people_copy(session_of(v), &w->people);
	struct app_job job = {.lane = LANE_FREE, .what = "ordering the queue", .work = queue_run, .done = queue_done,
			      .release = queue_free};
	app_job(v, &job, w);
}

static void choose(struct view *v, const struct target *t)
{
	struct triage *s = view_state(v);
	struct app *a = v->app;
	struct buf what = BUF_INIT;
	size_t words = bits_words(session_of(v)->atlas->n_features);
	const struct features *list = view_state(app_list(a));
	const u64 *hits = list->hits_only ? app_hits(a) : NULL;
	if (t->n_ids || list->query_bits || hits)
		s->bits = xcalloc(words, sizeof *s->bits);
	for (size_t i = 0; i < t->n_ids; i++)
		bits_set(s->bits, t->ids[i]);
	if (t->n_ids) {
		buf_addf(&what, "%zu marked", t->n_ids);
	} else if (list->query_bits || hits) {
		for (size_t i = 0; i < words; i++)
			s->bits[i] = (hits ? hits[i] : UINT64_MAX) & (list->query_bits ? list->query_bits[i] : UINT64_MAX);
		buf_adds(&what, list->query ? list->query : "");
		buf_adds(&what, list->query && hits ? " " : "");
		if (hits)
			app_add_search_words(a, &what);
	} else {
		buf_adds(&what, "undecided"); /* the job finds them */
	}
	s->what = buf_take(&what);
}

static int open(struct view *v, const struct target *t, struct err *e)
{
	struct triage *s = view_state(v);
	(void)e;
	s->feature = NO_FEATURE;
	s->by = orders[app_setting_number(v->app, SET_TRIAGE)].by;
	s->width = atoi(app_setting(v->app, SET_WIDTH));
	s->began = app_now_ms();
	choose(v, t);
	make_queue(v);
	return 0;
}

static void close(struct view *v)
{
	struct triage *s = view_state(v);
	triage_forget(s);
	free_queue(v);
	free(s->bits);
	free(s->what);
}

/* ---- decisions ---- */

/* text NULL: what is shown; "": rejected. */
static bool decide(struct view *v, const char *text, const char *verb)
{
	struct triage *s = view_state(v);
	struct err e = {0};
	u32 at = s->at, f = s->queue.ids[at];
	char *shown = session_label_text(session_of(v), f);
	const char *label = text ? text : shown;
	if (!text && !shown[0]) {
		app_message(v->app, "#%u has no label to accept; e gives it one", f);
	} else if (note_set_label(session_of(v)->note, f, label, &e)) {
		app_error(v->app, &e);
	} else {
		app_undo_note(v->app, "#%u %s \"%s\"", f, verb, label[0] ? label : shown);
		look_again(v, at);
		next_open(v);
		if (s->n_decided == s->queue.n)
			app_message(v->app, s->queue.n == 1 ? "the only one is decided; u takes it back"
						      : "all %u are decided; u takes the last one back", s->queue.n);
		free(shown);
		return true;
	}
	free(shown);
	return false;
}

static bool commit_label(struct view *v, const char *text, void *context)
{
	struct triage *s = view_state(v);
	u32 f = (u32)(uintptr_t)context;
	if (!text[0]) {
		app_message(v->app, "an empty label says nothing; d rejects the one there is");
		return false;
	}
	return s->queue.n && s->queue.ids[s->at] == f ? decide(v, text, "is") : true;
}

/* Tab: the next of the names it might have. */
static void next_word(struct view *v, const char *word, struct buf *out, void *context)
{
	struct triage *s = view_state(v);
	(void)word;
	(void)out;
	(void)context;
	if (!s->n_words)
		return;
	app_prompt_set(v->app, s->words[s->word]);
	s->word = (s->word + 1) % s->n_words;
}

static void relabel(struct view *v)
{
	struct triage *s = view_state(v);
	u32 f = s->queue.ids[s->at];
	char *now = session_label_text(session_of(v), f), *label = xasprintf("label #%u: ", f);
	s->word = s->n_words > 1 && !strcmp(s->words[0], now);
	struct app_prompt p = {.label = label, .initial = now, .history = "label", .commit = commit_label,
			       .complete = next_word, .context = (void *)(uintptr_t)f};
	app_prompt(v, &p);
	free(now);
	free(label);
}

static void defer(struct view *v)
{
	struct triage *s = view_state(v);
	u32 f = s->queue.ids[s->at];
	if (s->state[s->at] == TRIAGE_OPEN)
		s->state[s->at] = TRIAGE_DEFERRED;
	next_open(v);
	app_message(v->app, s->queue.ids[s->at] == f ? "#%u is the only one left" : "#%u comes again at the end", f);
}

static void move(struct view *v, int delta)
{
	struct triage *s = view_state(v);
	i64 to = (i64)s->at + delta;
	if (to < 0 || to >= (i64)s->queue.n)
		app_message(v->app, "this is the %s of the queue", delta > 0 ? "end" : "beginning");
	else
		go(v, (u32)to);
}

/* Where a feature is in the queue. */
static bool find(struct view *v, u32 feature, u64 *row)
{
	const struct triage *s = view_state(v);
	return s->queue.ids && order_row(&s->queue, session_of(v)->atlas, feature, s->at, row);
}

/* After undo and redo the eye goes where something changed. */
static void undo(struct view *v, bool redo)
{
	u32 f = app_undo(v->app, redo);
	u64 i;
	if (find(v, f, &i)) {
		look_again(v, (u32)i);
		go(v, (u32)i);
	}
}

static bool key(struct view *v, u32 k)
{
	struct triage *s = view_state(v);
	if (k < '1' || k > '5' || !s->queue.n || note_read_only(session_of(v)->note))
		return false;
	app_rate(v->app, k);
	return true;
}

/* ---- actions ---- */

static void order_chosen(struct view *v, size_t i)
{
	struct triage *s = view_state(v);
	s->by = orders[i].by;
	s->reverse = false;
	make_queue(v);
}

static void order_menu(struct view *v)
{
	struct app_menu_item items[ARRAY_LEN(orders)];
	for (size_t i = 0; i < ARRAY_LEN(orders); i++)
		items[i] = (struct app_menu_item){(u8)orders[i].text[0], orders[i].text};
	items[2].key = 'e'; /* d is density's; as in the list */
	app_menu(v, "order of the queue", items, ARRAY_LEN(orders), order_chosen);
}

static enum act_result look(struct view *v, enum action a, int n)
{
	struct triage *s = view_state(v);
	switch (a) {
	case ACT_LEFT: s->token -= n; break;
	case ACT_RIGHT: s->token += n; break;
	case ACT_TOKEN_FIRST: s->token = INT32_MIN; break;
	case ACT_TOKEN_LAST: s->token = INT32_MAX; break;
	case ACT_WIDTH: s->width = s->width == 5 ? 16 : s->width == 16 ? 0 : 5; break;
	case ACT_VIEW_GROUP: app_next_grouping(v->app); break;
	default: return VIEW_IGNORED;
	}
	return VIEW_HANDLED;
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct triage *s = view_state(v);
	int n = count ? count : 1;
	if (list_act(&s->list, a, count)) {
		s->token = 0;
		return VIEW_HANDLED;
	}
	switch (a) {
	case ACT_ACCEPT: decide(v, NULL, "accepted"); break;
	case ACT_REJECT: decide(v, "", "rejected"); break;
	case ACT_LABEL: relabel(v); break;
	case ACT_MARK: defer(v); break;
	case ACT_NEXT_FEATURE: move(v, n); break;
	case ACT_PREVIOUS_FEATURE: move(v, -n); break;
	case ACT_UNDO: case ACT_REDO: undo(v, a == ACT_REDO); break;
	case ACT_OPEN: app_push_feature(v->app, s->queue.ids[s->at]); break;
	case ACT_SORT: order_menu(v); break;
	case ACT_REVERSE:
		s->reverse = !s->reverse;
		make_queue(v);
		break;
	case ACT_REFRESH: make_queue(v); break;
	default: return look(v, a, n);
	}
	return VIEW_HANDLED;
}

static const char *why_not(struct view *v, enum action a)
{
	struct triage *s = view_state(v);
	bool decision = a == ACT_ACCEPT || a == ACT_REJECT || a == ACT_LABEL;
	bool one = decision || a == ACT_MARK || a == ACT_OPEN || a == ACT_NEXT_FEATURE || a == ACT_PREVIOUS_FEATURE;
	bool token = a == ACT_LEFT || a == ACT_RIGHT || a == ACT_TOKEN_FIRST || a == ACT_TOKEN_LAST || a == ACT_WIDTH;
	if (one && !s->queue.n)
		return s->queue.ids ? "the queue is empty" : "the queue is being made";
	if (decision && s->feature == NO_FEATURE)
		return "it is not on the screen yet";
	if (decision && note_read_only(session_of(v)->note))
		return note_read_only(session_of(v)->note);
	if (token && !s->n_contexts)
		return "there are no contexts";
	return NULL;
}

static bool step(struct view *v, u32 from, int delta, u32 *to)
{
	struct triage *s = view_state(v);
	u64 i;
	if (!find(v, from, &i))
		return false;
	i64 k = (i64)i + delta;
	if (k < 0 || k >= (i64)s->queue.n)
		return false;
	go(v, (u32)k);
	*to = s->queue.ids[k];
	return true;
}

static void changed(struct view *v, enum view_change what)
{
	struct triage *s = view_state(v);
	if (!s->queue.n)
		return;
	if (what == CHANGE_EDIT)
		look_again(v, s->at);
	if (what == CHANGE_SETTINGS)
		triage_load(v, s->queue.ids[s->at]);
}

static bool is_narrow(struct view *v)
{
	int w, h;
	app_size(v->app, &w, &h);
	return w < 60;
}

static void crumb(struct view *v, struct buf *out)
{
	struct triage *s = view_state(v);
	const char *by = "";
	if (is_narrow(v)) {
		buf_addf(out, "triage %u/%u", s->n_decided, s->queue.n);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(orders); i++)
		if (orders[i].by == s->by)
			by = orders[i].text;
	buf_addf(out, "triage %.60s by %.*s%s", s->what, (int)strcspn(by, ":"), by, s->reverse ? ", reversed" : "");
}

static void add_time(struct buf *out, f64 seconds)
{
	int minutes = (int)(seconds / 60 + 0.5);
	if (minutes >= 60)
		buf_addf(out, "%d h %02d left", minutes / 60, minutes % 60);
	else
		buf_addf(out, "%d min left", minutes);
}

static void status(struct view *v, struct buf *out)
{
	struct triage *s = view_state(v);
	if (!s->queue.ids || is_narrow(v))
		return;
	buf_addf(out, "%u of %u", s->n_decided, s->queue.n);
	f64 seconds = (f64)(app_now_ms() - s->began) / 1e3;
	if (app_is_script(v->app) || s->n_decided < s->n_before + 5 || seconds < 20)
		return;
	f64 each = seconds / (f64)(s->n_decided - s->n_before);
	buf_addf(out, " \u00b7 %.0f/h", 3600 / each);
	if (s->queue.n > s->n_decided) {
		buf_adds(out, " \u00b7 ");
		add_time(out, each * (f64)(s->queue.n - s->n_decided));
	}
}

static void exact(struct view *v, struct buf *out)
{
	struct triage *s = view_state(v);
	const struct store_context *c = triage_context(s);
	if (!s->queue.n || s->feature == NO_FEATURE)
		return;
	if (c)
		buf_addf(out, "activation %.9g at position %llu\n", (f64)c->act, (unsigned long long)c->position);
	buf_addf(out, "density %.9g\nmax     %.9g\ndetects %.9g\noutput  %.9g\nwrites  %.9g\n", (f64)s->stats.density,
		 (f64)s->stats.max, (f64)s->scores.input, (f64)s->scores.output, (f64)s->scores.topic);
	atlas_add_command(session_of(v)->atlas, "show", out);
	buf_addf(out, " %u --json", s->feature);
}

static void click(struct view *v, int x, int y, int times)
{
	struct triage *s = view_state(v);
	(void)x;
	(void)times;
	u64 row = s->list.top + (u64)MAX(y - s->context_y, 0);
	if (y < s->context_y || y >= s->context_y + s->list.h || row >= s->list.n)
		return;
	list_go(&s->list, row);
	s->token = 0;
}

const struct view_class view_triage = {
	.name = "triage",
	.size = sizeof(struct triage),
	.hints = {{ACT_ACCEPT, "accept"}, {ACT_REJECT, "reject"}, {ACT_LABEL, "relabel"}, {ACT_MARK, "defer"},
		  {ACT_TAG, "tag"}, {ACT_UNDO, "undo"}, {ACT_NEXT_FEATURE, "skip"}, {ACT_SORT, "order"},
		  {ACT_OPEN, "page"}},
	.open = open,
	.close = close,
	.draw = triage_draw,
	.act = act,
	.key = key,
	.why_not = why_not,
	.current = triage_current,
	.step = step,
	.changed = changed,
	.crumb = crumb,
	.status = status,
	.exact = exact,
	.click = click,
};
