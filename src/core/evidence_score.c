/* SPDX-License-Identifier: MIT */
/* evidence_score.c - answers counted, and what the counts come to. */
#include "core/evidence.h"

#include <math.h>

void evidence_count(const struct evidence_question *q, const u8 *answer, size_t n, struct evidence_score *out)
{
	*out = (struct evidence_score){0};
	for (size_t i = 0; i < n; i++) {
		bool fires = q[i].source == EVIDENCE_FIRES, right = (answer[i] == EVIDENCE_YES) == fires;
		if (answer[i] == EVIDENCE_UNJUDGED) {
			out->n_unjudged++;
			continue;
		}
		u32 *kind = fires ? out->fires : out->silent;
		kind[0]++;
		kind[1] += right;
		if (fires) {
			out->level[q[i].level][0]++;
			out->level[q[i].level][1] += right;
		} else {
			out->near[0] += q[i].source == EVIDENCE_NEIGHBOUR;
			out->near[1] += q[i].source == EVIDENCE_NEIGHBOUR && right;
			out->n_assumed += !q[i].known;
		}
	}
}

static f32 share(u32 part, u32 whole)
{
	return whole ? (f32)((f64)part / whole) : NAN;
}

void evidence_figures(const struct evidence_score *s, struct evidence_figures *out)
{
	u32 hit = s->fires[1], miss = s->fires[0] - s->fires[1], wrong = s->silent[0] - s->silent[1];
	out->accuracy = share(s->fires[1] + s->silent[1], s->fires[0] + s->silent[0]);
	out->recall = share(hit, s->fires[0]);
	out->precision = share(hit, hit + wrong);
	out->f1 = share(2 * hit, 2 * hit + miss + wrong);
	out->balanced = (f32)(((f64)out->recall + (f64)share(s->silent[1], s->silent[0])) / 2);
}
