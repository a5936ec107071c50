/* SPDX-License-Identifier: MIT */
/* app.h - the terminal program, and what it does for its views.
 *
 * One thread owns everything here.  Work that may take longer than a few milliseconds is a
 * job; its result comes back on the UI thread, and only if the view that wanted it is still
 * there and has not asked anew.
 */
#ifndef FEATLAS_APP_H
#define FEATLAS_APP_H

#include "base/progress.h"
#include "view/settings.h"
#include "view/view.h"

struct app;

struct app_options {
	const char *atlas;      /* folder */
	struct dict_options dict; /* what the person says of it, where it is a dictionary alone */
	const char *other;      /* a second one, to compare with, or NULL */
	const char *backend;    /* spec, or NULL */
	const char *script;     /* key script, or NULL: a terminal */
	int w, h;               /* of the screen of a script; 0: 80 x 24 */
	const char *theme;      /* a theme's name, or NULL: as configured */
	bool ascii;
	const char *config;     /* the configuration's path; "": none; NULL: the usual one, none for scripts */
	bool resume;            /* begin where the last session on the atlas ended */
	bool tour;
	const char *record;     /* a file for the keys, as a key script, or NULL */
};
/* Runs until it is left: 0, or -1 and why it could not start. */
int app_run(const struct app_options *o, struct err *e);

struct session *app_session(struct app *a);
struct session *app_other(struct app *a); /* of the second atlas, or NULL */

/* ---- the stack of screens ---- */
/* Opens a view on top.  A failure to open is a message.  t may be NULL. */
void app_push(struct app *a, const struct view_class *c, const struct target *t);
/* The view that an action goes to, or NULL. */
const struct view_class *app_view_of(enum action action);
/* Why that view cannot be opened on these atlases, or NULL. */
const char *app_no_way(struct app *a, enum action action);
/* The page of a feature. */
void app_push_feature(struct app *a, u32 feature);
void app_back(struct app *a);
/* From a feature to the next (delta 1) or the one before (-1) in the nearest list at or below the top, whose
 * cursor follows; false at its end, with a message. */
bool app_step(struct app *a, u32 from, int delta, u32 *to);
/* The feature that the top view points at, else the one last looked at; false if none yet. */
bool app_current_feature(struct app *a, u32 *feature);
bool app_is_top(const struct view *v); /* is it the one that is shown */
struct view *app_list(struct app *a); /* the list of features, which is below all others */
void app_size(const struct app *a, int *w, int *h);

/* ---- words to the person ---- */
/* The line above the footer, kept in the log (gl).  Formatted text may be hostile. */
void app_message(struct app *a, const char *fmt, ...) FORMAT_PRINTF(2, 3);
void app_error(struct app *a, const struct err *e); /* the same, in the colour of errors */
/* After an edit that note has made: shows "WHAT   u undo" and tells all views. */
void app_undo_note(struct app *a, const char *fmt, ...) FORMAT_PRINTF(2, 3);
/* Takes the newest edit back, or makes it again, and says so: whose it was, NO_FEATURE if of several or none. */
u32 app_undo(struct app *a, bool redo);
void app_rate(struct app *a, u32 key); /* the feature under the cursor, by a digit */
/* Lines in a pop-up: j and k read on where there are more than it can hold, any other key closes it. */
void app_popup(struct app *a, const char *title, const char *lines);

/* ---- jobs ---- */
enum app_lane { /* jobs of one lane run one after another, in the order they came */
	LANE_FREE,    /* runs at once, on a thread of its own; must not use the session's pool */
	LANE_POOL,    /* uses session->pool */
	LANE_BACKEND, /* uses session->backend; may use nothing else that has a lane */
	N_LANES,
};
struct app_job {
	enum app_lane lane;
	const char *what;  /* static: "generating"; NULL: too small to be listed */
	/* On a thread of its own.  Polls progress_cancelled; may call app_wake. */
	void (*work)(void *context, struct progress *p);
	/* On the UI thread, when work has returned and the view is still there and the job was not
	 * cancelled.  NULL: nothing to do. */
	void (*done)(struct view *v, void *context);
	/* On the UI thread, always, last: frees context.  NULL: nothing to free. */
	void (*release)(void *context);
	bool stays;        /* app_job_cancel leaves it alone */
};
/* Starts or queues it; context is the job's from now on.  Returns its number. */
u64 app_job(struct view *v, const struct app_job *job, void *context);
/* Cancels this view's jobs: done is not called for them.  For LANE_BACKEND the request that
 * runs is cancelled too. */
void app_job_cancel(struct view *v);
bool app_job_runs(const struct view *v); /* one that is listed */
/* free(), beside the screen where it may take longer than a thread does to start. */
void app_discard(struct app *a, void *block, size_t bytes);
/* The progress of the view's newest listed job that is not over, or NULL; for drawing. */
const struct progress *app_job_progress(const struct view *v);
/* Any thread: something to show has changed; the top view's tick follows soon (5 a second). */
void app_wake(struct app *a);

/* Before something of a feature is read and drawn that may have to come from a disk (atlas_there, its parts):
 * false if it is not in memory.  Then it is being read, a frame follows when it is there, and this one is drawn
 * without.  In a script, which waits anyway, true. */
bool app_has(struct app *a, u32 feature, unsigned parts);
struct app_wanted {
	u32 feature;
	unsigned parts;
};
/* For jobs: reads what is not in memory, all together.  p may be NULL. */
void app_read(const struct atlas *a, const struct app_wanted *list, size_t n, struct progress *p);

/* ---- prompts and menus ---- */
struct app_prompt {
	const char *label;    /* "prompt: " */
	const char *initial;  /* or NULL */
	const char *history;  /* name of its history: "steer", or NULL */
	/* Enter; text is borrowed.  Return false to stay in the prompt (after an app_message). */
	bool (*commit)(struct view *v, const char *text, void *context);
	/* Each change; *column (-1) may be set to put a caret under it.  Or NULL. */
	void (*change)(struct view *v, const char *text, void *context);
	void (*cancel)(struct view *v, void *context); /* Esc, ^C; or NULL */
	/* Tab: appends what the word before the cursor may become, each with a newline, before which a
	 * tab and what it means may stand.  Or NULL. */
	void (*complete)(struct view *v, const char *word, struct buf *out, void *context);
	void *context;        /* borrowed; must live until commit or cancel */
};
/* A line editor in the message line.  The view stays visible and is redrawn as it changes. */
void app_prompt(struct view *v, const struct app_prompt *p);
void app_prompt_set(struct app *a, const char *text); /* what stands in it */
/* A caret under byte `at` of the prompt's text with a sentence: what is wrong there. */
void app_prompt_fault(struct app *a, size_t at, const char *sentence);
/* A number between limits as the prompt's text; of any other text it says what is wrong, and is false. */
bool app_prompt_number(struct app *a, const char *text, f64 least, f64 most, f64 *out);

struct app_menu_item {
	u32 key;          /* a letter that chooses it */
	const char *text;
};
/* A pop-up; chosen(v, index) follows.  items are copied. */
void app_menu(struct view *v, const char *title, const struct app_menu_item *items, size_t n,
	      void (*chosen)(struct view *v, size_t index));

void app_menu_at(struct view *v, size_t index); /* the cursor of the menu that was opened */

/* ---- search hits and the selection, the same on every screen ---- */
/* The hits of the label search that stands: a bit a feature, or NULL when there is no search. */
const u64 *app_hits(struct app *a);
u64 app_n_hits(struct app *a);
bool app_is_hit(struct app *a, u32 feature);
/* The compiled pattern, to underline where it matches; NULL when none stands. */
const struct search_pattern *app_pattern(struct app *a);

/* "/pattern" of the search that stands or is typed, and " . 0.4 ms" how long it took. */
void app_add_search_words(struct app *a, struct buf *out);
void app_add_search_time(struct app *a, struct buf *out);
/* The pattern, or NULL when none stands. */
const char *app_search_text(struct app *a);

bool app_is_marked(struct app *a, u32 feature);
void app_mark(struct app *a, u32 feature, bool on);
void app_mark_all(struct app *a, const u64 *bits); /* adds a set */
size_t app_n_marked(struct app *a);
/* The selection in the order of ids: owned. */
u32 *app_marked(struct app *a, size_t *n);
u64 *app_copy_marks(struct app *a); /* the same as a set of bits, owned */

/* ---- options (view/settings.def) ---- */
const char *app_setting(const struct app *a, enum setting which);
int app_setting_number(const struct app *a, enum setting which);
/* Sets it for this session and tells all views (CHANGE_SETTINGS): -1 and why if it cannot be. */
int app_set(struct app *a, enum setting which, const char *value, struct err *e);
void app_next_grouping(struct app *a); /* zg: which contexts are shown, and says so */

/* ---- small things ---- */
void app_copy(struct app *a, const char *text); /* to the clipboard, where that is switched on */
/* Ends the terminal, runs $VISUAL or $EDITOR on the text, comes back: the new text (owned), or
 * NULL when it was left unchanged or failed (with a message). */
char *app_edit_text(struct app *a, const char *text);
/* Saves the text under a fresh name in the working directory, and says so. */
bool app_save(struct app *a, const char *stem, const char *extension, const struct buf *text);
i64 app_now_ms(void); /* of a clock that nobody sets */
bool app_is_ascii(struct app *a);
bool app_is_script(struct app *a); /* no clock-dependent drawing then */
/* Words for a key of an action in the top view's context ("gs"), or "" if unbound. */
const char *app_key_words(struct app *a, enum action action);

#endif
