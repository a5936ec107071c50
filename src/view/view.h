/* SPDX-License-Identifier: MIT */
/* view.h - what a screen is.
 *
 * One view, one file view_NAME.c, one `const struct view_class view_NAME`.  The app owns the
 * stack of views, the title line, the message line and the footer; a view draws the rows
 * between them from its state alone and answers actions.  All hooks run on the UI thread and
 * must return at once: work goes to app_job (view/app.h).  Hooks marked "or NULL" may be.
 */
#ifndef FEATLAS_VIEW_H
#define FEATLAS_VIEW_H

#include "base/err.h"
#include "session/session.h"
#include "ui/cell.h"

enum action {
	ACT_NONE,
#define ACTION(id, name, group, contexts, keys, help) ACT_##id,
#define BIND(id, contexts, keys)
#define MEANS(id, contexts, help)
#include "view/actions.def"
#undef ACTION
#undef BIND
#undef MEANS
	N_ACTIONS,
};

enum act_result {
	VIEW_IGNORED, /* not mine: the app's own meaning of the action, if it has one */
	VIEW_HANDLED,
	VIEW_CLOSE,   /* handled, and the view is to be closed */
};

enum view_change { CHANGE_HITS, CHANGE_EDIT, CHANGE_MARKS, CHANGE_SETTINGS };

#define NO_FEATURE UINT32_MAX

struct steer_ask; /* view/view_steer.h */
struct app_menu_item; /* view/app.h */

/* What a view is opened on.  All borrowed for the call of open. */
struct target {
	u32 feature;     /* or NO_FEATURE */
	const u32 *ids;  /* the selection */
	size_t n_ids;
	const char *text; /* for the text, lens and steer views, or NULL */
	bool chat;        /* text goes into the chat template; lens */
	size_t token;     /* of the text, to begin at; lens */
	const json_t *run; /* for the steer view: a recorded run to show, or NULL */
	const struct steer_ask *steer; /* for the steer and sweep views: rows and options, or NULL */
};

struct app;
struct view;

struct view_hint { /* a key worth showing in the footer, with a word for it */
	enum action action;
	const char *word;
	enum action back; /* the other way, whose key stands before: "h l token"; or ACT_NONE */
};

enum { VIEW_MAX_HINTS = 10, VIEW_NEIGHBOURS = 64 /* of a feature, that are counted */ };

struct view_class {
	const char *name;  /* "features": the context of its keys */
	const char *title; /* "steer": behind the atlas's name in line 1; NULL: crumb says it */
	size_t size;       /* of the private state: view_state(v), zeroed before open */
	bool text_rows;    /* / n N search the text of its rows, not labels */
	struct view_hint hints[VIEW_MAX_HINTS]; /* most important first; ends with ACT_NONE */

	int (*open)(struct view *v, const struct target *t, struct err *e);
	void (*close)(struct view *v); /* or NULL; the view's jobs are cancelled before, and have ended */
	/* State to cells.  r is the body, blanked.  Put the hardware cursor on the selected row
	 * (rect_cursor).  h may be as small as 7, w 40. */
	void (*draw)(struct view *v, struct rect r);
	/* count is 0 when none was typed. */
	enum act_result (*act)(struct view *v, enum action a, int count);

	/* --- the rest may be NULL --- */
	/* Line 1 behind the atlas's name: "#1295", "text". */
	void (*crumb)(struct view *v, struct buf *out);
	/* Line 1, in the middle: "2 of 14 hits", "38 tokens, BOS left out". */
	void (*status)(struct view *v, struct buf *out);
	/* A key before the key map sees it: true if taken.  For text fields and typed numbers;
	 * KEY_CTRL_C and KEY_ESCAPE should be left alone unless a field is open. */
	bool (*key)(struct view *v, u32 key);
	/* Why an action does nothing here and now: a sentence, or NULL if it can.  Asked before
	 * act; help and palette show it too. */
	const char *(*why_not)(struct view *v, enum action a);
	/* The feature under the cursor; false if there is none.  Labels, tags, ratings, `g` go
	 * by it. */
	bool (*current)(struct view *v, u32 *feature);
	/* The feature delta places after `from` in this view's order: ] and [. */
	bool (*step)(struct view *v, u32 from, int delta, u32 *to);
	/* Called about five times a second at most while a job of the view runs or after app_wake;
	 * returns true if something shown has changed. */
	bool (*tick)(struct view *v);
	/* Something outside changed: search hits, an edit, the selection. */
	void (*changed)(struct view *v, enum view_change what);
	/* The text that is looked at, for the lens; false if there is none.  Borrowed. */
	bool (*text)(struct view *v, struct target *t);
	/* Lines for n N, saving and copying: how many, and the text of one. */
	size_t (*n_rows)(struct view *v);
	bool (*row_text)(struct view *v, size_t row, struct buf *out);
	void (*go_row)(struct view *v, size_t row);
	size_t (*row)(struct view *v); /* the row under the cursor */
	/* `=`: lines with the exact numbers behind what is under the cursor. */
	void (*exact)(struct view *v, struct buf *out);
	/* `x`: what it can save now, beside what every screen can: a static list, and its length; and doing it. */
	size_t (*savings)(struct view *v, const struct app_menu_item **items);
	void (*save)(struct view *v, size_t i);
	/* `Y`: the command line that prints what this screen shows. */
	void (*command)(struct view *v, struct buf *out);
	/* A click in the body, 1 or 2 times; wheel comes as ACT_DOWN and ACT_UP with count 3. */
	void (*click)(struct view *v, int x, int y, int times);
	/* The left button went down at (x, y) of the body: true if what follows is a drag, which
	 * then comes here with began false until the button is let go.  Asked before click. */
	bool (*drag)(struct view *v, int x, int y, bool began);
	/* The wheel over (x, y) of the body, steps > 0 up: true if it means more than moving. */
	bool (*wheel)(struct view *v, int x, int y, int steps);
	/* Where it stands beside its feature, for the next session: one line, or nothing; and back again.  The line may
	 * be anything. */
	void (*keep)(struct view *v, struct buf *out);
	void (*take_up)(struct view *v, const char *line);
	/* What keeps it busy ("generating 31/60"), NULL if idle. */
	const char *(*busy)(struct view *v);
};

struct view {
	const struct view_class *class;
	struct app *app;
	int w, h; /* of the body at the last draw */
	u64 id;   /* unique in this run of the program */
	bool unseen; /* the model has ended its work for it while another screen was shown */
	max_align_t state[]; /* the private state */
};

static inline void *view_state(struct view *v)
{
	return v->state;
}

#define VIEW(name, action) extern const struct view_class view_##name;
#include "view/views.def"
#undef VIEW

/* ---- drawing that several views share (view.c) ---- */

/* "#1295 label" with search hits underlined; the label cut with '>'.  Returns columns used. */
int view_put_feature(struct view *v, struct rect r, int x, int y, int max, u32 feature);
/* The label alone. */
int view_put_label(struct view *v, struct rect r, int x, int y, int max, u32 feature);
/* A number in at most five columns: "2.9e-2", "7.31", ".62"; NaN is "-". */
void view_format_density(char out[16], f32 x);
void view_format_value(char out[16], f32 x);
void view_format_score(char out[16], f32 x);
void view_format_signed(char out[16], f32 x); /* "+.280", "-1.35": six columns */
/* For commands: " --NAME TEXT" of a token, nothing if it has no text. */
void view_add_token_option(struct view *v, struct buf *out, const char *name, u32 token);

/* What values of a feature are multiplied by as they are shown: 1, or its decoder row's norm or one
 * over that, where the person wants the other convention (zn).  Reads d numbers. */
f32 view_fold(struct view *v, u32 feature);
/* For =: a value as the store has it, with what it is in the other convention; a feature's scores and command. */
void view_add_value(struct view *v, struct buf *out, u32 feature, f32 x);
void view_add_scores(struct view *v, struct buf *out, u32 feature);

/* A sentence on a row of its own, for what is missing: wrapped, pale. Returns the rows used. */
int view_put_sentence(struct rect r, int x, int y, const char *sentence);
/* "Promotes" lists: tokens with their values, as many as fit in max columns. */
int view_put_logits(struct view *v, struct rect r, int x, int y, int max, const struct atlas_token *t,
		    size_t n);
/* What a feature promotes and, beside it where there is room, suppresses: one row; or why that is not
 * known, wrapped.  Returns the rows. */
int view_put_promoted(struct view *v, struct rect r, int y, u32 feature);

/* Tokens of one line with heat.  acts may be NULL (no heat).  peak and cursor are indexes into
 * tokens, or -1.  The line starts with tokens[first].  Returns columns used. */
struct view_tokens {
	const u32 *tokens;
	const f32 *acts;  /* f of each */
	const u8 *flags;  /* enum token_flag, or NULL: masked tokens are drawn pale */
	size_t n;
	f32 max;          /* heat is act / max */
	int peak, cursor;
};
int view_put_tokens(struct view *v, struct rect r, int x, int y, int max, const struct view_tokens *t,
		    size_t first);
/* The token to begin with so that the anchor (peak or cursor) stands within max columns. */
size_t view_first_token(struct view *v, const struct view_tokens *t, int anchor, int max);
/* The same over several lines, wrapped at token borders: returns the rows used; *cursor_y (or
 * NULL) gets the row of the cursor token. */
int view_wrap_tokens(struct view *v, struct rect r, int x, int y, int w, int h, const struct view_tokens *t,
		     int skip_rows, int *cursor_y);

#endif
