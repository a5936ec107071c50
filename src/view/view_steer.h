/* SPDX-License-Identifier: MIT */
/* view_steer.h - what the files of the steering screen share. */
#ifndef FEATLAS_VIEW_STEER_H
#define FEATLAS_VIEW_STEER_H

#include "backend/steer.h"
#include "session/dose.h"
#include "view/app.h"

#include <pthread.h>

enum { STEER_ROWS = 8 };

/* What a run is made of. */
struct steer_ask {
	struct steer_spec row[STEER_ROWS];
	size_t n_rows;
	char *prompt; /* owned */
	bool chat;
	u64 seed;
	f32 temperature;
	u32 n_tokens;
	enum intervention_where where;
};

struct steer_token {
	size_t end;             /* bytes of the text up to and with this token */
	f32 act[STEER_ROWS];    /* f of the rows' features; NaN where not known */
};
struct steer_stream {
	struct buf text;
	struct steer_token *token;
	size_t n, cap;
};

/* Two streams as they come.  The job writes and the screen reads, both under the lock; it is
 * freed when both have let go (UI thread). */
struct steer_live {
	pthread_mutex_t lock;
	struct steer_stream stream[2]; /* baseline, steered */
	u32 feature[STEER_ROWS];       /* whose act stands in the tokens */
	size_t n_features;
	u32 n_tokens;                  /* asked for */
	char hash[65];                 /* of what was asked, or "" */
	char model[128];               /* that wrote it, or "" */
	f64 change;                    /* its mean size over the residual norm; NaN: not known */
	bool over, replayed;
	f64 seconds;                   /* it took; 0 in scripts */
	int refs;
};

struct steer_view {
	struct steer_ask ask;
	size_t row;             /* under the cursor */
	char typed[12];         /* a strength being typed */
	size_t n_typed;
	struct steer_spec before; /* what it replaces, for Esc */
	struct steer_live *live; /* what is shown, or NULL */
	struct {
		u32 feature;
		f32 units, now; /* the strength before, and what the last s made of it */
	} cycle;         /* of s through the methods */
	char trouble[512];
	bool diff, rerun;
	json_t *past;            /* array of recorded runs, each hash once, oldest first; never NULL */
	bool loading;            /* those that labels.db keeps are still being read */
	bool stale;              /* one was kept since that began */
	size_t past_at, past_top;
	bool in_list;            /* the cursor is in the list of runs */
	int bar_x, bar_y;        /* the line between the streams; bar_x 0: not on the screen */
	int left_wish;           /* columns left of it, as dragged; 0: half */
	json_t *best;            /* runs of the last several seeds, the likeliest first; or NULL */
	int scroll, scroll_end;  /* lines of the streams above the pane, and how many there can be */
};

/* The strength that counts as 1 on the slider: the maximum where it is known, else about a tenth
 * of the residual norm; of scale: 1. */
f32 steer_unit(struct view *v, const struct steer_spec *row);

/* ---- the screen itself (view_steer.c, view_steer_options.c) ---- */
/* A row as it is added: in the middle of the working range that was measured, in quarters, else at 1.25 units. */
struct steer_spec steer_new_row(struct view *v, u32 feature, enum intervention_where where);
/* What a sweep has measured of a row, in units: NaN where nothing is kept. */
struct dose_range steer_range(struct view *v, const struct steer_spec *row, enum intervention_where where);
bool steer_is_minus(const struct steer_view *s); /* a "-" was typed, and no digit yet */
/* Rows, prompt or options have changed: runs again where that is switched on. */
void steer_changed(struct view *v);
void steer_options(struct view *v); /* a menu */
/* The coefficient of a row; NaN where its maximum is not known. */
f32 steer_coefficient(struct view *v, const struct steer_spec *row);
struct steer_request steer_request(const struct steer_ask *ask); /* borrows from ask */

/* ---- recorded runs (view_steer_past.c) ---- */
struct steer_live *steer_live_new(struct view *v, const struct steer_ask *ask);
void steer_live_drop(struct steer_live *l); /* NULL is fine */
/* act: [STEER_ROWS], or NULL. */
void steer_live_add(struct steer_live *l, int stream, const char *text, size_t n, const f32 *act);
void steer_load_past(struct view *v); /* runs.jsonl of the atlas at once, labels.db as a job */
/* Shows a recorded run as if it came now, and sets rows, prompt and options from it. */
void steer_play(struct view *v, const json_t *run);
void steer_take_ask(struct view *v, const json_t *run);
/* Rows, prompt and options as a line without blanks, and back. */
void steer_keep_ask(struct view *v, struct buf *out);
void steer_take_up(struct view *v, const char *line);
/* The run with this hash, from this screen, the atlas or labels.db: a new reference, or NULL. */
json_t *steer_find_past(struct view *v, const struct steer_ask *ask);
/* Puts a finished run into the list, in the place of one of its hash; _keep: and into labels.db. */
void steer_add_past(struct view *v, json_t *run);
void steer_keep(struct view *v, const struct steer_ask *ask, const struct steer_live *l);
json_t *steer_run_json(struct view *v, const struct steer_ask *ask, const struct steer_live *l);

/* ---- live runs (view_steer_run.c) ---- */
/* Starts what s->ask says; unless anew, a recorded run of the same hash is played instead. */
void steer_run(struct view *v, bool anew);

/* ---- the best of several seeds (view_steer_best.c) ---- */
void steer_ask_best(struct view *v); /* how many, then runs them and lists them */
void steer_show_best(struct view *v); /* the list again */

/* ---- drawing (view_steer_draw.c) ---- */
void steer_draw(struct view *v, struct rect r);

#endif
