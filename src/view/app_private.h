/* SPDX-License-Identifier: MIT */
/* app_private.h - the app's own state, shared by the app_*.c files only. */
#ifndef FEATLAS_APP_PRIVATE_H
#define FEATLAS_APP_PRIVATE_H

#include "base/pages.h"
#include "base/pool.h"
#include "ui/key.h"
#include "ui/prompt.h"
#include "ui/script.h"
#include "ui/term.h"
#include "view/app.h"

#include <stdio.h>

enum { APP_MIN_W = 40, APP_MIN_H = 10, APP_STACK_MAX = 100, TICK_MS = 200 };

struct job_item {
	struct view *view; /* NULL: the app's own, or cancelled */
	struct app *app;
	struct app_job spec;
	void (*done_app)(struct app *a, void *context);
	void *context;
	struct progress progress;
	struct job *job;   /* NULL: queued */
	u64 number;
	bool dropped;      /* done is not to be called */
	struct job_item *next;
};

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_DONE, JOB_STOPPED };

struct job_record { /* what gj lists */
	u64 number, view_id; /* 0: the app's own */
	const char *what;    /* static */
	char screen[64];
	enum job_state state;
	i64 began, ended;    /* ms; 0: not yet */
	u64 done, total;     /* at the end */
	const char *unit;    /* of them; static, or NULL */
};
enum { MAX_RECORDS = 200 };

struct search_state { /* the label search that stands */
	char *text;
	struct search_pattern *pattern;
	struct search_result result; /* bits NULL: none */
	f64 ms;
	u64 people; /* revision of the labels that people wrote */
};

enum pending { /* what the next key means */
	PENDING_NONE, PENDING_BOOKMARK, PENDING_GO_BOOKMARK, PENDING_RATE, PENDING_QUIT,
};

struct named_history {
	char *name;
	struct history h;
};

struct app {
	struct session *session;
	const struct app_options *options;
	struct session *other;
	struct grid grid;
	struct keymap keymap;
	bool quit, dirty, script_mode, ascii;
	bool dragging;
	int body_y;          /* the row that the body begins in */
	struct settings settings;
	char *config;        /* path, or NULL */
	char **contexts;     /* of the user's bindings */
	size_t n_contexts;
	struct script *script;
	enum theme theme;
	int wish;            /* enum theme, or -1: by the terminal */

	struct view *stack[APP_STACK_MAX];
	size_t n_stack, at; /* at < n_stack */
	u64 next_id;
	u32 last_feature, jump_from; /* NO_FEATURE */

	struct key_seq typed;
	int count;
	i64 typed_at; /* ms */
	enum pending pending;
	u32 last_key;

	struct buf message;
	bool message_bad;
	char **log;
	size_t n_log;

	char *popup_title, *popup_lines; /* lines NULL: none */
	int popup_top, popup_below;      /* the first row shown, and how many are not */

	struct {
		bool open;
		struct app_prompt spec;
		char *label, *fault;
		size_t fault_at;
		struct buf found; /* what Tab found, a line each: word, tab, what it means; empty: no box of it */
		struct prompt p;
		struct view *view;
	} prompt;
	struct named_history *histories;
	size_t n_histories;

	struct {
		bool open;
		struct view *view;
		char *title;
		struct app_menu_item *items;
		size_t n, at;
		void (*chosen)(struct view *v, size_t index);
	} menu;

	struct job_item *jobs;
	struct job **leaving;    /* [n_leaving] their work is over, their threads are not yet */
	size_t n_leaving;
	bool lane_busy[N_LANES];
	struct job_record records[MAX_RECORDS];
	size_t n_records;
	u64 next_job;
	int wake_read, wake_write;
	atomic_bool woken;
	i64 tick_at;

	struct {
		struct pages seen;                /* by this frame */
		struct app_wanted *items, *had;   /* what this frame lacks; what was read last */
		size_t n, n_had;
		bool running;
	} reads;

	struct search_state search;
	u64 search_generation;
	char *search_before;      /* to restore on Esc */
	char *text_search;        /* of views with text_rows */

	u64 *marks;               /* a bit a feature */
	size_t n_marks;
	u32 range_from;           /* v, or NO_FEATURE */

	struct {
		bool on, did[N_ACTIONS];
		size_t at;
	} tour;
	FILE *record;             /* keys go here, or NULL */

	u64 random;
	char words[32], why[160]; /* of app_key_words, of app_why_not */
};

struct view *app_top(struct app *a);
void app_changed(struct app *a, enum view_change what);
/* Runs an action on the top view, else the app's own meaning of it. */
void app_act(struct app *a, enum action action, int count);
const struct action_info *app_action_info(enum action action);
/* What an action does in a context, which is a view's name. */
const char *app_action_help(enum action action, const char *context);
/* Is it there, or does it mean something of its own, in few contexts only, of which this is one? */
bool app_action_is_own(enum action action, const char *context);
/* Why an action does nothing on a view now: a sentence good until the next call, or NULL. */
const char *app_why_not(struct app *a, struct view *v, enum action action);

struct action_info {
	const char *id, *name, *group, *contexts, *help;
};

/* app_keys.c */
void app_keys_init(struct app *a);
void app_key(struct app *a, u32 key);
void app_mouse(struct app *a, const struct term_event *ev);

/* app_config.c */
void app_config_load(struct app *a); /* what is wrong with it is said, and goes no further */
void app_config_release(struct app *a);
int app_config_save(struct app *a, struct err *e); /* what was changed in this session */
int app_apply_theme(struct app *a, const char *name, struct err *e);
void app_apply_terminal(struct app *a);
enum action app_action_named(const char *name); /* ACT_NONE if there is none */

/* app_tour.c */
void app_tour_begin(struct app *a);
void app_tour_end(struct app *a);
void app_tour_toggle(struct app *a);
void app_tour_saw(struct app *a, enum action action);
void app_tour_look(struct app *a); /* on to the next step if this one was done */
const char *app_tour_text(const struct app *a, size_t *at, size_t *n); /* NULL: no tour */

/* app_resume.c */
void app_resume_save(struct app *a);
void app_resume(struct app *a);
bool app_has_session(const struct app *a); /* was this atlas open before? */

/* app_stack.c */
void app_show_feature(struct app *a, u32 feature); /* replaces the page on top if it is one */
void app_close_top(struct app *a);
void app_forward(struct app *a);
void app_free_views(struct app *a);

/* app_job.c */
void app_jobs_init(struct app *a);
u64 app_own_job(struct app *a, const struct app_job *job, void (*done)(struct app *a, void *context),
		void *context);
void app_jobs_collect(struct app *a); /* calls done for what has ended */
bool app_jobs_idle(const struct app *a);
const char *app_job_asks_model(const struct view *v); /* what a job of the view does that uses the model, or NULL */
/* What another view's job does that one of this view waits for, or NULL. */
const char *app_job_waits_for(const struct view *v);
/* What runs that cannot be had again for nothing, or NULL. */
const char *app_jobs_matter(const struct app *a);
void app_jobs_end(struct app *a, struct view *v); /* cancels and waits; NULL: all */
void app_jobs_close(struct app *a);               /* the same, at last, when no view is left */
const struct progress *app_record_progress(const struct app *a, const struct job_record *r); /* NULL: over */
void app_record_stop(struct app *a, const struct job_record *r);
bool app_record_show(struct app *a, const struct job_record *r); /* its screen, if that is still open */
void app_jobs_stop(struct view *v);               /* a person's ^C: all of its that are listed */
void app_jobs_drop_own(struct app *a);            /* cancels the app's own that are listed */

/* app_reads.c: before a frame is drawn, and after: true if it is to be drawn anew, what it lacked is there */
void app_reads_begin_frame(struct app *a);
bool app_reads_end_frame(struct app *a, i64 until_ms);
void app_reads_release(struct app *a);

/* app.c */
void app_resize(struct app *a, int w, int h);
void app_work_off(struct app *a); /* jobs that ended, and the clock */
void app_drain_wake_pipe(struct app *a);

/* app_script.c: to the script's end, or the first step that fails */
int app_run_script(struct app *a, struct err *e);

/* app_search.c */
void app_search_prompt(struct app *a);
void app_search_set(struct app *a, const char *text); /* "" clears */
void app_next_hit(struct app *a, int direction);
void app_search_release(struct search_state *s);

/* app_edit.c: true if the action was one of its */
bool app_edit_act(struct app *a, enum action action, int count);
void app_edit_pending(struct app *a, u32 key);

/* app_compare.c */
void app_compare(struct app *app, u32 a, u32 b);
void app_compare_selected(struct app *app); /* the two selected, else with the one before */

/* app_draw.c */
void app_draw(struct app *a);

/* app_box.c */
void app_draw_boxes(struct app *a, struct rect body);
int app_tour_rows(const struct app *a, int w); /* what its box takes of a body w wide; 0: no tour */
bool app_popup_key(struct app *a, u32 key); /* false if no box of lines is open */

/* app_prompt.c */
void app_prompt_key(struct app *a, u32 key);
void app_prompt_close(struct app *a);
void app_menu_key(struct app *a, u32 key);
void app_menu_close(struct app *a);

/* app_export.c */
void app_export(struct app *a); /* a menu of what can be saved */

/* app_go.c */
/* As many lines as it needs and r has; returns how many it needs. */
int app_draw_provenance(struct app *a, struct rect r);
bool app_go_act(struct app *a, enum action action, int count);

#endif
