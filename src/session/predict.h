/* SPDX-License-Identifier: MIT */
/* predict.h - which of a feature's scores says beforehand that it steers?
 *
 * Rank correlations with the share of texts that were hits: over the features judged, and over all that was tried,
 * each concept and feature once, at its better strength of the first round.  Those judged are the winners of a choice, so
 * their range is narrow; the tried ones are less chosen.
 */
#ifndef FEATLAS_PREDICT_H
#define FEATLAS_PREDICT_H

#include "session/steer_tables.h"

enum predict_score {
	PREDICT_DETECTS, PREDICT_WRITES, PREDICT_OUTPUT, PREDICT_TUNED, PREDICT_MAX, PREDICT_DENSITY, N_PREDICT
};
extern const char *const predict_names[N_PREDICT];

struct prediction {
	f64 rho; /* NaN: not to be had */
	size_t n;
};
enum { PREDICT_JUDGED, PREDICT_TRIED, N_PREDICT_SETS };

void predict(const struct atlas *a, const struct steer_tables *t, struct prediction out[N_PREDICT_SETS][N_PREDICT]);

#endif
