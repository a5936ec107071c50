/* SPDX-License-Identifier: MIT */
/* train.h - training a dictionary on rows from any source.
 *
 * Rows are centred and scaled, xs = (x - mean) * scale with scale = sqrt(d) / mean |x - mean|,
 * both from a spread sample of the training rows.  Batches run through a seeded permutation
 * of the rows, a new one each epoch.  A feature is dead when it was silent for the last
 * min(1 M, a quarter of the run) tokens.  The rate warms up over 100 steps and falls
 * linearly to zero over the last fifth.  Everything that is drawn is a function of (seed,
 * step): a checkpoint resumes bit for bit on the same machine, with any number of threads.  Kinds
 * differ in what is active and in the loss (train_step.h); how many are active at a row, in the mean, is
 * k for each of them.
 * One thread calls; the pool helps.
 */
#ifndef FEATLAS_TRAIN_H
#define FEATLAS_TRAIN_H

#include "base/err.h"
#include "base/pool.h"
#include "base/progress.h"
#include "core/dict_write.h"

/* Rows come from here.  Rows of list 0 are trained on, of list 1 held out. */
struct train_source {
	void *context;
	u32 d;
	u64 n[2];
	/* Fills out [n][d].  Called from several threads at once. */
	void (*rows)(void *context, int list, const u64 *index, size_t n, f32 *out);
	/* These rows will be asked for soon; may be NULL. */
	void (*want)(void *context, int list, const u64 *index, size_t n);
};

/* topk, batchtopk, jumprelu, matryoshka. */
struct train_kind {
	const char *name, *about;
	u32 choice; /* enum step_choice */
	u32 prefixes;
	f32 bandwidth;
};
extern const struct train_kind train_kinds[];
extern const size_t train_n_kinds;
const struct train_kind *train_kind_named(const char *name, struct err *e);

struct train_config {
	u32 n_features, k, batch;
	u64 steps, seed;
	f64 rate; /* the highest */
	const struct train_kind *kind; /* NULL: topk */
};

struct train_metrics {
	u64 step, tokens; /* done so far */
	f64 fvu;          /* on held-out rows, centred on their mean */
	f64 l0;           /* active features of a held-out row */
	u64 n_dead;
	f64 loss;         /* of the last batch, squared error over variance */
};

struct train;

/* Reads the sample for mean and scale.  steps >= 1, k <= n_features. */
struct train *train_new(const struct train_source *source, const struct train_config *config,
			struct pool *pool, struct err *e);
void train_free(struct train *t); /* NULL is fine */
u64 train_steps_done(const struct train *t);
int train_step(struct train *t, struct err *e);
int train_measure(struct train *t, struct train_metrics *out, struct err *e);

/* All state, written whole or not at all.  Loading checks that configuration and rows are
 * the same and names what is not. */
int train_save(struct train *t, const char *path, struct err *e);
int train_load(struct train *t, const char *path, struct err *e);

/* Steps to the end: calls say every 50 steps and after the last, saves to checkpoint (or
 * NULL) every so many steps and when cancelled.  progress counts tokens. */
struct train_run {
	const char *checkpoint;
	u64 checkpoint_every; /* steps; 0: only when cancelled */
	void (*say)(void *context, const struct train_metrics *m);
	void *context;
};
int train_go(struct train *t, const struct train_run *run, struct progress *progress, struct err *e);

/* The dictionary for unscaled rows, by homogeneity: W_enc and W_dec as they are, b_enc / scale,
 * threshold / scale (of all kinds but topk), b_dec = mean + b_dec / scale.  Borrowed from t until it
 * steps again. */
void train_weights(struct train *t, struct dict_weights *out);

#endif
