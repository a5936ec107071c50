/* SPDX-License-Identifier: MIT */
/* view_quiz.c - a label on trial: ten contexts without heat, and the person says which belong to it.
 *
 * The answers are in the database before the next key is read; only then is the truth shown.
 */
#include "view/app.h"

#include "base/mem.h"
#include "session/quiz.h"
#include "view/list_act.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct quiz_view {
	struct quiz *q;
	u8 answer[EVIDENCE_MOST];
	bool done, kept; /* answered; and what was answered is in the database */
	struct evidence_score score;
	struct list list;
	int list_y;
};

static struct session *session_of(struct view *v)
{
	return app_session(v->app);
}

static int ask(struct view *v, u32 feature, bool fuzzing, u64 seed, struct err *e)
{
	struct quiz_view *s = view_state(v);
	struct quiz *q = quiz_new(session_of(v), feature, fuzzing, seed, e);
	if (!q)
		return -1;
	quiz_free(s->q);
	s->q = q;
	s->done = s->kept = false;
	memset(s->answer, EVIDENCE_NO, sizeof s->answer);
	s->list = (struct list){.h = s->list.h};
	list_resize(&s->list, q->n, s->list.h);
	return 0;
}

static int open(struct view *v, const struct target *t, struct err *e)
{
	if (t->feature == NO_FEATURE)
		return err_set(e, ERR_NOT_FOUND, "no feature is under the cursor");
	return ask(v, t->feature, false, 1, e);
}

static void close(struct view *v)
{
	quiz_free(((struct quiz_view *)view_state(v))->q);
}

/* ---- drawing ---- */

static struct view_tokens tokens_of(struct view *v, const struct evidence_question *q, u32 *token, u8 *flags, f32 *act)
{
	struct quiz_view *s = view_state(v);
	const struct store *store = session_of(v)->atlas->store;
	struct store_stats st;
	struct view_tokens t = {.tokens = token, .flags = flags, .n = q->n, .peak = -1, .cursor = -1, .max = 1};
	for (u32 i = 0; i < q->n; i++) {
		token[i] = store_token(store, q->from + i);
		flags[i] = store_token_flags(store, q->from + i);
		act[i] = (f32)(q->marks >> i & 1);
	}
	if (s->done && !s->q->ask.fuzzing) {
		store_stats(store, s->q->feature, &st);
		store_activations(store, s->q->feature, q->from, q->from + q->n, act);
		t.max = st.max;
	}
	t.acts = s->done || s->q->ask.fuzzing ? act : NULL;
	return t;
}

static const char *truth(const struct evidence_question *q)
{
	return q->source == EVIDENCE_FIRES ? "fires" : q->source == EVIDENCE_NEIGHBOUR ? "near" : "other";
}

static void draw_question(struct view *v, struct rect r, int y, size_t i)
{
	struct quiz_view *s = view_state(v);
	const struct evidence_question *q = &s->q->question[i];
	u32 token[EVIDENCE_TOKENS];
	u8 flags[EVIDENCE_TOKENS];
	f32 act[EVIDENCE_TOKENS];
	struct view_tokens t = tokens_of(v, q, token, flags, act);
	int x = 4;
	if (s->answer[i] == EVIDENCE_YES)
		rect_puts(r, 2, y, STYLE_MARK, "*");
	if (s->done) {
		bool right = (s->answer[i] == EVIDENCE_YES) == (q->source == EVIDENCE_FIRES);
		rect_puts(r, x, y, right ? STYLE_DIM : STYLE_ERROR, truth(q));
		if (!right)
			rect_puts(r, x + 5, y, STYLE_ERROR, "!");
		x += 7;
	}
	view_put_tokens(v, r, x, y, r.w - 1 - x, &t, view_first_token(v, &t, (int)(q->n / 2), r.w - 1 - x));
	if (i == s->list.at) {
		rect_puts(r, 0, y, STYLE_MARK, ">");
		rect_cursor(r, 0, y);
	}
}

static void add_truth(struct view *v, const struct evidence_question *q, struct buf *b)
{
	char value[16];
	if (q->source == EVIDENCE_FIRES) {
		view_format_value(value, q->act);
		buf_addf(b, "fires by %s, level %d of %d", value, q->level + 1, EVIDENCE_LEVELS);
		return;
	}
	char *label = session_label_text(session_of(v), q->of);
	buf_addf(b, "%s; of %s#%u %s", q->known ? "silent" : "assumed silent",
		 q->source == EVIDENCE_NEIGHBOUR ? "the neighbour " : "", q->of, label);
	free(label);
}

/* The whole text under the cursor. */
static void draw_pane(struct view *v, struct rect r)
{
	struct quiz_view *s = view_state(v);
	const struct evidence_question *q = &s->q->question[s->list.at];
	u32 token[EVIDENCE_TOKENS];
	u8 flags[EVIDENCE_TOKENS];
	f32 act[EVIDENCE_TOKENS];
	struct view_tokens t = tokens_of(v, q, token, flags, act);
	int line = r.h > 3;
	for (int x = 0; line && x < r.w; x++)
		rect_cp(r, x, 0, STYLE_LINE, 0x2500);
	if (s->done) {
		struct buf b = BUF_INIT;
		add_truth(v, q, &b);
		rect_put_cut(r, 1, line, r.w - 2, STYLE_NUMBER, b.s, b.n);
		buf_release(&b);
		line++;
	}
	view_wrap_tokens(v, r, 1, line, r.w - 2, r.h - line, &t, 0, NULL);
}

static void draw_head(struct view *v, struct rect r)
{
	struct quiz_view *s = view_state(v);
	struct buf b = BUF_INIT;
	if (s->done) {
		struct evidence_figures f;
		char value[16];
		evidence_figures(&s->score, &f);
		view_format_score(value, f.balanced);
		buf_addf(&b, r.w < 60 ? "balanced %s" : "balanced accuracy %s%s", value, s->kept ? "" : ", not kept");
	} else {
		u32 n = 0;
		for (size_t i = 0; i < s->q->n; i++)
			n += s->answer[i] == EVIDENCE_YES;
		if (r.w < 60)
			buf_addf(&b, "%u marked", n);
		else
			buf_addf(&b, "%s  %u marked", s->q->ask.fuzzing ? "which are marked where it stands?" : "which belong?", n);
	}
	int end = rect_puts_right(r, r.w - 1, 0, s->done ? STYLE_PROMPT : STYLE_DIM, b.s) - 2;
	buf_clear(&b);
	buf_addf(&b, "#%u ", s->q->feature);
	int x = 1 + rect_puts(r, 1, 0, STYLE_ID, b.s);
	rect_put_cut(r, x, 0, MAX(end - x, 0), STYLE_LABEL_PERSON, s->q->label, strlen(s->q->label));
	buf_release(&b);
}

static void draw(struct view *v, struct rect r)
{
	struct quiz_view *s = view_state(v);
	int pane = r.h >= 18 ? 7 : r.h >= 12 ? 4 : 3;
	draw_head(v, r);
	s->list_y = 1 + (r.h >= 19);
	struct rect rows = rect_sub(r, 0, s->list_y, r.w, r.h - s->list_y - pane);
	list_resize(&s->list, s->q->n, rows.h);
	for (int y = 0; y < rows.h && s->list.top + (u64)y < s->list.n; y++)
		draw_question(v, rows, y, (size_t)s->list.top + (size_t)y);
	draw_pane(v, rect_sub(r, 0, r.h - pane, r.w, pane));
}

/* ---- acting ---- */

static void toggle(struct view *v)
{
	struct quiz_view *s = view_state(v);
	u8 *a = &s->answer[s->list.at];
	*a = *a == EVIDENCE_YES ? EVIDENCE_NO : EVIDENCE_YES;
	list_move(&s->list, 1);
}

static void again(struct view *v, u32 feature, bool fuzzing, u64 seed)
{
	struct err e = {0};
	if (ask(v, feature, fuzzing, seed, &e))
		app_error(v->app, &e);
}

static void answer(struct view *v)
{
	struct quiz_view *s = view_state(v);
	struct err e = {0};
	struct evidence_figures f;
	if (s->done) {
		again(v, s->q->feature, s->q->ask.fuzzing, s->q->ask.seed + 1);
		return;
	}
	if (quiz_keep(session_of(v), s->q, s->answer, &s->score, &e)) {
		app_error(v->app, &e);
		return;
	}
	s->done = s->kept = true;
	list_go(&s->list, 0);
	evidence_figures(&s->score, &f);
	app_undo_note(v->app, "%u of %u that fire, %u of %u that do not%s", s->score.fires[1], s->score.fires[0],
		      s->score.silent[1], s->score.silent[0], s->score.n_assumed ? " (assumed)" : "");
}

/* ] and [: the same about the next feature of the list below. */
static void step(struct view *v, int delta)
{
	struct quiz_view *s = view_state(v);
	u32 to;
	if (app_step(v->app, s->q->feature, delta, &to))
		again(v, to, s->q->ask.fuzzing, 1);
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct quiz_view *s = view_state(v);
	if (list_act(&s->list, a, count))
		return VIEW_HANDLED;
	switch (a) {
	case ACT_MARK: toggle(v); break;
	case ACT_OPEN: answer(v); break;
	case ACT_SORT: again(v, s->q->feature, !s->q->ask.fuzzing, s->q->ask.seed); break;
	case ACT_REFRESH: again(v, s->q->feature, s->q->ask.fuzzing, s->q->ask.seed + 1); break;
	case ACT_NEXT_FEATURE: step(v, count ? count : 1); break;
	case ACT_PREVIOUS_FEATURE: step(v, count ? -count : -1); break;
	default: return VIEW_IGNORED;
	}
	return VIEW_HANDLED;
}

static const char *why_not(struct view *v, enum action a)
{
	struct quiz_view *s = view_state(v);
	if (a == ACT_MARK && s->done)
		return "this is answered: Enter asks about other contexts";
	if (a == ACT_OPEN && !s->done)
		return note_read_only(session_of(v)->note);
	return NULL;
}

/* Undone, or the label rewritten before it was judged. */
static void changed(struct view *v, enum view_change what)
{
	struct quiz_view *s = view_state(v);
	struct evidence_figures f;
	f32 balanced = NAN;
	if (what != CHANGE_EDIT)
		return;
	evidence_figures(&s->score, &f);
	s->kept = s->done && quiz_kept(session_of(v), s->q->feature, quiz_method(s->q), &balanced, NULL) &&
		  fabsf(balanced - f.balanced) < 1e-6f;
	if (s->done)
		return;
	char *label = session_label_text(session_of(v), s->q->feature);
	if (*label) {
		char *old = s->q->label;
		s->q->label = label;
		label = old;
	}
	free(label);
}

static bool current(struct view *v, u32 *feature)
{
	*feature = ((struct quiz_view *)view_state(v))->q->feature;
	return true;
}

static void crumb(struct view *v, struct buf *out)
{
	struct quiz_view *s = view_state(v);
	buf_addf(out, "#%u \xe2\x80\xba quiz%s", s->q->feature, s->q->ask.fuzzing ? " of places" : "");
}

static void command(struct view *v, struct buf *out)
{
	struct quiz_view *s = view_state(v);
	atlas_add_command(session_of(v)->atlas, "quiz", out);
	buf_addf(out, " %u", s->q->feature);
	if (s->q->ask.fuzzing)
		buf_adds(out, " --method fuzzing");
	if (s->q->ask.seed != 1)
		buf_addf(out, " --seed %llu", (unsigned long long)s->q->ask.seed);
}

static void exact(struct view *v, struct buf *out)
{
	struct quiz_view *s = view_state(v);
	if (s->done) {
		struct evidence_figures f;
		evidence_figures(&s->score, &f);
		buf_addf(out, "balanced accuracy %.9g\naccuracy          %.9g\nF1                %.9g\n", (f64)f.balanced,
			 (f64)f.accuracy, (f64)f.f1);
		buf_addf(out, "silence assumed   in %u of %u\nneighbours        %u of %u right\n", s->score.n_assumed,
			 s->score.silent[0], s->score.near[1], s->score.near[0]);
	} else
		buf_adds(out, "what is true is shown when it has been answered\n");
	command(v, out);
}

static void click(struct view *v, int x, int y, int times)
{
	struct quiz_view *s = view_state(v);
	u64 row = s->list.top + (u64)MAX(y - s->list_y, 0);
	(void)x;
	if (y < s->list_y || y >= s->list_y + s->list.h || row >= s->list.n)
		return;
	list_go(&s->list, row);
	if (times == 2 && !s->done)
		toggle(v);
}

const struct view_class view_quiz = {
	.name = "quiz",
	.size = sizeof(struct quiz_view),
	.hints = {{ACT_MARK, "belongs"}, {ACT_OPEN, "answer"}, {ACT_SORT, "places"}, {ACT_NEXT_FEATURE, "next"},
		  {ACT_UNDO, "undo"}, {ACT_REFRESH, "others"}},
	.open = open,
	.close = close,
	.draw = draw,
	.act = act,
	.why_not = why_not,
	.current = current,
	.changed = changed,
	.crumb = crumb,
	.exact = exact,
	.command = command,
	.click = click,
};
