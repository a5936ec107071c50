/* SPDX-License-Identifier: MIT */
/* app_edit.c - what a person writes: labels, notes, tags, ratings, bookmarks, undo. */
#include "view/app_private.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void app_undo_note(struct app *a, const char *fmt, ...)
{
	struct buf b = BUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&b, fmt, ap);
	va_end(ap);
	app_message(a, note_has_changed(a->session->note) ? "%s   u undo" : "%s: as it was before", b.s);
	buf_release(&b);
	app_changed(a, CHANGE_EDIT);
}

static bool no_edits(struct app *a)
{
	const char *why = note_read_only(a->session->note);
	if (why)
		app_message(a, "read only: %s", why);
	return why != NULL;
}

static bool need_feature(struct app *a, u32 *f)
{
	if (app_current_feature(a, f))
		return true;
	app_message(a, "no feature is under the cursor");
	return false;
}

/* ---- labels ---- */

enum line_means { MEANS_LABEL, MEANS_REJECTED, MEANS_OWN_AWAY, MEANS_NOTHING };

/* Of a label's line: an empty one takes a person's label away, and rejects one that is not. */
static int keep_line(struct app *a, u32 f, const char *line, enum line_means *means, struct err *e)
{
	struct label shown;
	char *own = note_label(a->session->note, f);
	*means = line[strspn(line, " \t")]		 ? MEANS_LABEL
		 : own && own[0]			 ? MEANS_OWN_AWAY
		 : session_label(a->session, f, &shown) ? MEANS_REJECTED
							 : MEANS_NOTHING;
	free(own);
	if (*means == MEANS_NOTHING)
		return 0;
	return note_set_label(a->session->note, f, *means == MEANS_OWN_AWAY ? NULL : line, e);
}

static bool commit_label(struct view *v, const char *text, void *context)
{
	struct app *a = v->app;
	u32 f = (u32)(uintptr_t)context;
	struct err e = {0};
	enum line_means means;
	if (keep_line(a, f, text, &means, &e)) {
		app_error(a, &e);
		return false;
	}
	if (means == MEANS_NOTHING)
		app_message(a, "#%u has no label to take away", f);
	else
		app_undo_note(a, means == MEANS_LABEL	   ? "#%u is \"%s\""
				 : means == MEANS_REJECTED ? "rejected the label of #%u"
							   : "took your label of #%u away",
			      f, text);
	return true;
}

static void edit_label(struct app *a)
{
	u32 f;
	if (no_edits(a) || !need_feature(a, &f))
		return;
	char *now = session_label_text(a->session, f), *label = xasprintf("label #%u: ", f);
	struct app_prompt p = {.label = label, .initial = now, .history = "label", .commit = commit_label,
			       .context = (void *)(uintptr_t)f};
	app_prompt(app_top(a), &p);
	free(now);
	free(label);
}

static void edit_in_editor(struct app *a)
{
	u32 f;
	struct err e = {0};
	if (no_edits(a) || !need_feature(a, &f))
		return;
	char *label = session_label_text(a->session, f), *note = note_note(a->session->note, f);
	char *text = xasprintf("%s\n\n%s\n", label, note ? note : "");
	char *got = app_edit_text(a, text);
	if (got) {
		char *end = strchr(got, '\n'), *rest = end ? end + strspn(end, "\n") : got + strlen(got);
		if (end)
			*end = 0;
		enum line_means means;
		bool bad = strcmp(got, label) && keep_line(a, f, got, &means, &e);
		if (bad || note_set_note(a->session->note, f, rest, &e))
			app_error(a, &e);
		else
			app_undo_note(a, "label and note of #%u are kept", f);
	}
	free(got);
	free(text);
	free(note);
	free(label);
}

static void accept_label(struct app *a, bool yes)
{
	u32 f;
	struct err e = {0};
	if (no_edits(a) || !need_feature(a, &f))
		return;
	char *text = session_label_text(a->session, f);
	if (!text[0])
		app_message(a, "#%u has no label to %s", f, yes ? "accept" : "reject");
	else if (note_set_label(a->session->note, f, yes ? text : "", &e))
		app_error(a, &e);
	else
		app_undo_note(a, yes ? "accepted \"%s\"" : "rejected \"%s\"", text);
	free(text);
}

/* ---- tags, ratings ---- */

static bool commit_tag(struct view *v, const char *tag, void *context)
{
	(void)context;
	struct app *a = v->app;
	struct err e = {0};
	size_t n = 1;
	bool now = false;
	if (!tag[0])
		return true;
	u32 one, *list = app_n_marked(a) ? app_marked(a, &n) : &one;
	if (list == &one && !need_feature(a, &one))
		return true;
	bool bad = note_toggle_tag(a->session->note, list, n, tag, &now, &e) != 0;
	if (bad)
		app_error(a, &e);
	else if (n == 1)
		app_undo_note(a, now ? "tagged #%u %s" : "took the tag of #%u: %s", list[0], tag);
	else
		app_undo_note(a, now ? "tagged %zu features %s" : "took the tag of %zu features: %s", n, tag);
	if (list != &one)
		free(list);
	return !bad;
}

struct tag_list {
	struct buf *out;
	const char *word;
};

static void add_tag(void *context, u32 feature, const char *name, const char *text, i64 when)
{
	struct tag_list *l = context;
	(void)feature;
	(void)text;
	(void)when;
	char *line = xasprintf("%s\n", name);
	if (!strncmp(name, l->word, strlen(l->word)) && !strstr(l->out->s, line))
		buf_adds(l->out, line);
	free(line);
}

static void complete_tag(struct view *v, const char *word, struct buf *out, void *context)
{
	struct tag_list l = {.out = out, .word = word};
	(void)context;
	note_each(v->app->session->note, NOTE_TAG, add_tag, &l, NULL);
}

static void ask_tag(struct app *a)
{
	u32 f;
	if (no_edits(a) || (!app_n_marked(a) && !need_feature(a, &f)))
		return;
	struct app_prompt p = {.label = "tag: ", .history = "tag", .commit = commit_tag, .complete = complete_tag};
	app_prompt(app_top(a), &p);
}

void app_rate(struct app *a, u32 key)
{
	u32 f;
	struct err e = {0};
	if (!need_feature(a, &f))
		return;
	if (key < '0' || key > '5')
		app_message(a, "a rating is 1 to 5, or 0 for none");
	else if (note_set_rating(a->session->note, f, (int)(key - '0'), &e))
		app_error(a, &e);
	else
		app_undo_note(a, key == '0' ? "took the rating of #%u away" : "rated #%u %c", f, (int)key);
}

/* ---- bookmarks ---- */

static bool is_letter(u32 k)
{
	return (k >= 'a' && k <= 'z') || (k >= 'A' && k <= 'Z') || (k >= '0' && k <= '9');
}

static void set_bookmark(struct app *a, u32 key)
{
	u32 f, had;
	struct err e = {0};
	if (!need_feature(a, &f))
		return;
	bool off = is_letter(key) && note_bookmark(a->session->note, (char)key, &had) && had == f;
	if (!is_letter(key))
		app_message(a, "a bookmark is a letter or a digit");
	else if (note_set_bookmark(a->session->note, (char)key, off ? NO_FEATURE : f, &e))
		app_error(a, &e);
	else
		app_undo_note(a, off ? "took the bookmark %c of #%u away" : "bookmark %c is #%u", (int)key, f);
}

static void go_bookmark(struct app *a, u32 key)
{
	u32 f;
	if (key == '\'' && a->jump_from != NO_FEATURE)
		app_push_feature(a, a->jump_from);
	else if (key == '\'')
		app_message(a, "there is no place to go back to yet");
	else if (is_letter(key) && note_bookmark(a->session->note, (char)key, &f) &&
		 f < a->session->atlas->n_features)
		app_push_feature(a, f);
	else
		app_message(a, "there is no such bookmark; m and a letter sets one");
}

void app_edit_pending(struct app *a, u32 key)
{
	if (a->pending == PENDING_RATE)
		app_rate(a, key);
	else if (a->pending == PENDING_BOOKMARK)
		set_bookmark(a, key);
	else if (a->pending == PENDING_GO_BOOKMARK)
		go_bookmark(a, key);
}

static void wait_for(struct app *a, enum pending what, const char *words)
{
	if (what != PENDING_GO_BOOKMARK && no_edits(a))
		return;
	app_message(a, "%s", words);
	a->pending = what;
}

u32 app_undo(struct app *a, bool redo)
{
	char *said = NULL;
	u32 feature = NO_FEATURE;
	struct err e = {0};
	if (no_edits(a))
		return NO_FEATURE;
	if ((redo ? note_redo : note_undo)(a->session->note, &said, &feature, &e))
		app_error(a, &e);
	else
		app_message(a, redo ? "%s   u undo" : "%s   ^R makes it again",
			    said ? said : redo ? "made it again" : "took it back");
	free(said);
	app_changed(a, CHANGE_EDIT);
	return feature;
}

/* ---- marks ---- */

static void mark_one(struct app *a)
{
	u32 f;
	if (!need_feature(a, &f))
		return;
	app_mark(a, f, !app_is_marked(a, f));
	app_changed(a, CHANGE_MARKS);
}

static void unmark(struct app *a)
{
	memset(a->marks, 0, (a->session->atlas->n_features + (size_t)63) / 64 * sizeof *a->marks);
	a->n_marks = 0;
	app_message(a, "nothing is marked any more");
	app_changed(a, CHANGE_MARKS);
}

static void mark_hits(struct app *a)
{
	size_t before = app_n_marked(a);
	const u64 *hits = a->search.result.bits;
	if (hits)
		app_mark_all(a, hits);
	if (before && before == app_n_marked(a)) {
		unmark(a);
		return;
	}
	if (!hits) {
		app_message(a, "nothing is searched for; / does");
		return;
	}
	app_message(a, "%zu features are marked", app_n_marked(a));
	app_changed(a, CHANGE_MARKS);
}

bool app_edit_act(struct app *a, enum action action, int count)
{
	(void)count;
	switch (action) {
	case ACT_LABEL: edit_label(a); break;
	case ACT_EDIT: edit_in_editor(a); break;
	case ACT_ACCEPT: accept_label(a, true); break;
	case ACT_REJECT: accept_label(a, false); break;
	case ACT_TAG: ask_tag(a); break;
	case ACT_RATE: wait_for(a, PENDING_RATE, "rating: 1 to 5, 0 for none"); break;
	case ACT_BOOKMARK: wait_for(a, PENDING_BOOKMARK, "bookmark: a letter; the one it has takes it away"); break;
	case ACT_GO_BOOKMARK:
		wait_for(a, PENDING_GO_BOOKMARK, "go to bookmark: a letter, or ' for where you were");
		break;
	case ACT_UNDO: app_undo(a, false); break;
	case ACT_REDO: app_undo(a, true); break;
	case ACT_MARK: mark_one(a); break;
	case ACT_MARK_HITS: mark_hits(a); break;
	case ACT_UNMARK: unmark(a); break;
	default: return false;
	}
	return true;
}
