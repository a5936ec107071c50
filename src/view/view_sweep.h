/* SPDX-License-Identifier: MIT */
/* view_sweep.h - what the files of the sweep screen share. */
#ifndef FEATLAS_VIEW_SWEEP_H
#define FEATLAS_VIEW_SWEEP_H

#include "session/dose.h"
#include "view/view_steer.h"

enum { SWEEP_SCREEN_CELLS = 5000 };

/* A sweep as it comes.  The job writes `work` and copies each finished cell to `shown` under the
 * lock, where the screen reads it; freed when both have let go (UI thread). */
struct sweep_live {
	pthread_mutex_t lock;
	struct sweep *work, *shown;
	int refs;
};

struct sweep_view {
	struct steer_ask ask; /* rows, prompt, options; its seed is not used */
	f32 *strengths;
	size_t n_strengths;
	u64 *seeds;
	size_t n_seeds;
	struct sweep_live *live; /* NULL: nothing has been run with these options */
	struct dose dose;        /* of what is shown, when n_dosed cells were done */
	size_t n_dosed;
	enum dose_measure measure;
	i64 column;              /* under the cursor; -1: the baseline */
	size_t row;
	size_t left, top;        /* the first strength and seed on the screen */
	char trouble[512];
};

/* ---- the job (view_sweep_run.c) ---- */
/* Starts, or goes on with one that was stopped; anew: from the beginning. */
void sweep_start(struct view *v, bool anew);
void sweep_forget(struct view *v); /* the options have changed */
void sweep_live_drop(struct sweep_live *l); /* NULL is fine */
/* Under the lock: the cell of the cursor, or NULL before a run. */
const struct sweep_cell *sweep_here(const struct sweep_view *s);
/* A recorded run of the steering screen from a cell, kept in labels.db. */
void sweep_open_cell(struct view *v);
void sweep_refresh_dose(struct view *v); /* under the lock */

void sweep_options(struct view *v); /* a menu (view_sweep_options.c) */
void sweep_ask_prompt(struct view *v);
void sweep_draw(struct view *v, struct rect r); /* view_sweep_draw.c */
/* A measure in five columns at most. */
void sweep_format(char out[16], enum dose_measure m, f64 x);

#endif
