/* SPDX-License-Identifier: MIT */
/* predict.c - scores against hits. */
#include "session/predict.h"

#include "base/mem.h"
#include "core/correlate.h"
#include "core/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const predict_names[N_PREDICT] = {"detects", "writes", "output", "tuned", "max", "density"};

static f64 score_of(const struct atlas *a, u32 feature, int which)
{
	struct atlas_scores s;
	struct store_stats stats;
	atlas_scores(a, feature, &s);
	switch (which) {
	case PREDICT_DETECTS: return (f64)s.input;
	case PREDICT_WRITES: return (f64)s.topic;
	case PREDICT_OUTPUT: return (f64)s.output;
	case PREDICT_TUNED: return (f64)s.tuned;
	default:
		if (!a->store || feature >= a->n_features)
			return NAN;
		store_stats(a->store, feature, &stats);
		return (f64)(which == PREDICT_MAX ? stats.max : stats.density);
	}
}

struct points {
	u32 *feature;
	f64 *hits;
	size_t n;
};

static void correlate(const struct atlas *a, const struct points *p, struct prediction out[N_PREDICT])
{
	f64 *x = xcalloc(p->n + 1, sizeof *x);
	for (int k = 0; k < N_PREDICT; k++) {
		for (size_t i = 0; i < p->n; i++)
			x[i] = score_of(a, p->feature[i], k);
		out[k].rho = correlate_spearman_known(x, p->hits, p->n, &out[k].n);
	}
	free(x);
}

static bool same(const struct steer_trial *x, const struct steer_trial *y)
{
	return x->feature == y->feature && x->round == y->round && !strcmp(x->concept, y->concept);
}

/* Trials of one feature for one concept stand together; all were in the first round. */
static void collect_tried(const struct steer_tables *t, struct points *p)
{
	for (size_t i = 0; i < t->n_trials; i++) {
		const struct steer_trial *x = &t->trials[i];
		f64 share = x->texts ? x->hits / (f64)x->texts : 0;
		if (x->round != 1)
			continue;
		if (i && same(x, x - 1)) {
			p->hits[p->n - 1] = MAX(p->hits[p->n - 1], share);
			continue;
		}
		p->feature[p->n] = x->feature;
		p->hits[p->n++] = share;
	}
}

void predict(const struct atlas *a, const struct steer_tables *t, struct prediction out[N_PREDICT_SETS][N_PREDICT])
{
	size_t most = MAX(t->n_figures, t->n_trials) + 1;
	struct points p = {xcalloc(most, sizeof *p.feature), xcalloc(most, sizeof *p.hits), 0};
	for (size_t i = 0; i < t->n_figures; i++) {
		const struct steer_figure *f = &t->figures[i];
		p.feature[p.n] = f->feature;
		p.hits[p.n++] = f->texts ? f->hits / (f64)f->texts : 0;
	}
	correlate(a, &p, out[PREDICT_JUDGED]);
	p.n = 0;
	collect_tried(t, &p);
	correlate(a, &p, out[PREDICT_TRIED]);
	free(p.feature);
	free(p.hits);
}
