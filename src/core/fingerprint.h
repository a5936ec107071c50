/* SPDX-License-Identifier: MIT */
/* fingerprint.h - what a model makes of a fixed text, small enough for atlas.json.
 *
 * The rows of a fixed text's tokens at the atlas' hook, each reduced to its norm and a few of its
 * coordinates, as featlas-atlas(5) defines it.  Two fingerprints of the same tokens are so far
 * apart: the mean, over all tokens but the first, of the larger of
 *     |norm - norm'| / norm   and   sqrt(d / 8 sum of (x_k - x'_k)^2) / norm,
 * the second of which estimates |x - x'| / |x|.
 * Measured on SmolLM2-135M-Instruct at layers 10, 22 and 28 against its BF16 weights: other
 * numbers of threads 0, the same weights with F16 arithmetic 0.0025 to 0.0032, Q4_1 (whose
 * weights are the same numbers, its activations of 8 bits) 0.014 to 0.023, Q8_0 0.018 to 0.027, Q4_0
 * 0.16 to 0.37.
 */
#ifndef FEATLAS_FINGERPRINT_H
#define FEATLAS_FINGERPRINT_H

#include "base/json.h"

#define FINGERPRINT_TEXT "In 1904 the town by the river had 27 boats and two bridges; def area(w, h): return w * h"
#define FINGERPRINT_TOLERANCE 0.007
enum { FINGERPRINT_VALUES = 8, FINGERPRINT_TOKENS = 64 /* at most */ };

struct fingerprint {
	char hook[64];
	size_t n; /* tokens, 2 at least */
	u32 token[FINGERPRINT_TOKENS];
	f32 norm[FINGERPRINT_TOKENS];
	f32 value[FINGERPRINT_TOKENS][FINGERPRINT_VALUES]; /* of coordinates (2 j + 1) d / 16, rounded down */
};

/* Fills norm and value from rows [n][d]. */
void fingerprint_reduce(struct fingerprint *f, const f32 *rows, size_t d);
f64 fingerprint_distance(const struct fingerprint *want, const struct fingerprint *got, size_t d);
json_t *fingerprint_json(const struct fingerprint *f);
/* -1 and *e where j is no sound one. */
int fingerprint_read(const json_t *j, struct fingerprint *out, struct err *e);

#endif
