/* SPDX-License-Identifier: MIT */
/* dose.h - what a sweep says by strength: medians, where the effect begins, where the text falls apart.
 *
 * A(s) is the median over seeds and prompts of the first feature's mean activation at strength s.
 *   spread    Q, the 0.9 quantile of the same over the baselines: of n values in order the one
 *             numbered ceil(0.9 n)
 *   neutral   s0, the strength that changes nothing: 1 where it is a factor, else 0
 *   collapse  the least s > s0 at which the median excess is over 1.5 nats or the median of
 *             repeated 4-grams over 20 % (the judging rule's limits, hit.h); collapse_low the
 *             greatest such s < s0
 *   onset     min {s > s0 : A(t) > Q for all t of the grid with s <= t < collapse}
 *   working range: the strengths of the grid from onset up to, not with, collapse
 *   rising    the share of neighbouring strengths in it of which the stronger has the greater A
 *   rising_gain  the same of the median gain, which has less noise: all strengths are asked about the same
 *             tokens.  NaN where no words are listed
 *   rho       Spearman's rank correlation of s and A(s) in it; rho_cells that of s and the
 *             activation of each text in it; ties get their mean rank
 * Quartiles and medians are linear between the two nearest values.  All of it is as fine as the grid.
 */
#ifndef FEATLAS_DOSE_H
#define FEATLAS_DOSE_H

#include "session/sweep.h"

enum dose_measure { DOSE_ACT, DOSE_MAX, DOSE_EXCESS, DOSE_REPEATS, DOSE_KL, DOSE_GAIN, DOSE_WORDS, DOSE_HITS, N_DOSE };
extern const char *const dose_keys[N_DOSE];  /* "activation": in JSON, and a column's head */
extern const char *const dose_words[N_DOSE]; /* a sentence's worth */
f64 dose_of(const struct sweep_cell *c, enum dose_measure m); /* NaN: not measured */

struct dose_point {
	f32 strength;
	size_t n; /* cells that are done */
	f64 low[N_DOSE], mid[N_DOSE], high[N_DOSE]; /* quartiles; of hits all three the share */
};

struct dose {
	size_t n;
	struct dose_point *point; /* [n] */
	struct dose_point baseline;
	f64 neutral, spread;
	size_t onset, collapse, collapse_low; /* numbers of points; SIZE_MAX: not on the grid */
	size_t n_working;
	f64 rising, rising_gain, rho, rho_cells; /* NaN with fewer than two points */
};

/* Of the steered or the random cells, finished or not. */
void dose_init(struct dose *d, const struct sweep *s, enum sweep_kind kind);
void dose_release(struct dose *d);

/* The sweep as `featlas sweep --json` prints it; details: its texts too. */
json_t *dose_json(struct session *session, const struct sweep *s, bool details);
/* "effect begins at 0.75x, ..." in one line of safe text. */
void dose_add_verdict(const struct sweep *s, const struct dose *d, struct buf *out);
/* "1.5x", "3", in the unit of the first spec. */
void dose_add_strength(const struct sweep *s, f32 strength, struct buf *out);

/* ---- kept for the steering screen ---- */

struct dose_range {
	bool times_max;                   /* the strengths count maxima */
	f32 onset, collapse, collapse_low; /* NaN: not met */
	f32 from, to;                     /* what was swept */
};
/* Whether a sweep will have one, once it is finished: it is of one feature at the atlas' hook, without a condition, with
 * three strengths above neutral. */
bool dose_has_range(const struct sweep *s);
/* Into labels.db, outside undo, the latest of a feature, method and place; false and 0 where the sweep is not finished or
 * has none.  *kept may be NULL. */
int dose_keep(struct session *session, const struct sweep *s, const struct dose *d, bool *kept, struct err *e);
/* The range of a row of steering; where: of the request.  From labels.db, else from a line {"range": ...} of runs.jsonl. */
bool dose_find(struct session *session, const struct steer_spec *spec, enum intervention_where where,
	       struct dose_range *out);

#endif
