/* SPDX-License-Identifier: MIT */
/* train.c - training a dictionary on rows from any source. */
#include "core/train.h"

#include "base/buf.h"
#include "base/mem.h"
#include "core/rand.h"
#include "core/train_step.h"
#include "core/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	SAMPLE = 200000, /* rows for mean and scale */
	HELD_OUT = 8192, /* rows measured on */
	ROWS_A_TASK = 128,
	WARM_UP = 100,	     /* steps */
	MEASURE_EVERY = 50,  /* steps */
	DEAD_AFTER = 1000000 /* tokens */
};

const struct train_kind train_kinds[] = {
	{"topk", "the k largest of each row", CHOICE_ROW, 1, 0},
	{"batchtopk", "the k largest a row of a whole batch; one threshold for all features afterwards", CHOICE_BATCH, 1, 0},
	{"jumprelu", "what is above a threshold that each feature learns", CHOICE_THRESHOLD, 1, 1},
	{"matryoshka", "as batchtopk, and its first 1/32, 3/32, 7/32 and 15/32 are dictionaries too", CHOICE_BATCH, 5, 0},
};
const size_t train_n_kinds = ARRAY_LEN(train_kinds);

struct train {
	struct train_source source;
	struct train_config config;
	struct pool *pool;
	struct step *step;
	u64 done, dead_after; /* steps; tokens */
	f32 *mean, scale;
	f64 variance;
	u64 *silent;	   /* [F] tokens since a feature was last active */
	bool *fired;	   /* [F] */
	u32 *dead;	   /* [F] ids */
	f32 *x;		   /* [batch][d] */
	u64 *index;	   /* [batch] */
	f64 held_variance; /* sum over the measured rows of |x - their mean|^2 */
	f64 loss;
	f32 *b_enc, *b_dec, *threshold; /* folded */
	/* of the batch being filled */
	int list;
	size_t n_fill;
};

static void fill_task(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct train *t = context;
	size_t d = t->source.d, from = task * ROWS_A_TASK, n = MIN((size_t)ROWS_A_TASK, t->n_fill - from);
	f32 *out = t->x + from * d;
	t->source.rows(t->source.context, t->list, t->index + from, n, out);
	for (size_t i = 0; i < n; i++)
		vec_centre(out + i * d, out + i * d, t->mean, t->scale, d);
}

/* t->index[0..n) of a list to t->x, centred and scaled. */
static void fill(struct train *t, int list, size_t n)
{
	t->list = list;
	t->n_fill = n;
	pool_each(t->pool, (n + ROWS_A_TASK - 1) / ROWS_A_TASK, fill_task, t);
}

static void training_indexes(const struct train *t, u64 step, u64 *out)
{
	u64 n = t->source.n[0], at = step * t->config.batch;
	for (size_t i = 0; i < t->config.batch; i++, at++)
		out[i] = rand_permute(t->config.seed + 0x9e37 * (at / n + 1), at % n, n);
}

/* n of a list's rows, evenly spread; calls fn for each piece in t->x. */
static int spread(struct train *t, int list, u64 n, int (*fn)(struct train *, size_t n, void *, struct err *),
		  void *context, struct err *e)
{
	n = MIN(n, t->source.n[list]);
	for (u64 from = 0; from < n; from += t->config.batch) {
		size_t m = (size_t)MIN((u64)t->config.batch, n - from);
		for (size_t i = 0; i < m; i++)
			t->index[i] = (u64)((f64)(from + i) / (f64)n * (f64)t->source.n[list]);
		fill(t, list, m);
		if (fn(t, m, context, e))
			return -1;
	}
	return 0;
}

struct sums {
	f64 *sum; /* [d] */
	f64 norm, square;
	u64 n;
};

static int add_rows(struct train *t, size_t n, void *context, struct err *e)
{
	(void)e;
	struct sums *s = context;
	size_t d = t->source.d;
	for (size_t i = 0; i < n; i++) {
		const f32 *x = t->x + i * d;
		f64 square = 0;
		for (size_t j = 0; j < d; j++) {
			s->sum[j] += x[j];
			square += (f64)x[j] * x[j];
		}
		s->square += square;
		s->norm += sqrt(square);
	}
	s->n += n;
	return 0;
}

static int look_at_rows(struct train *t, struct err *e)
{
	size_t d = t->source.d;
	struct sums s = {.sum = xcalloc(d, sizeof(f64))};
	int bad = 0;
	t->scale = 1;
	spread(t, 0, SAMPLE, add_rows, &s, e);
	for (size_t j = 0; j < d; j++)
		t->mean[j] = (f32)(s.sum[j] / (f64)s.n);
	memset(s.sum, 0, d * sizeof(f64));
	s.norm = s.square = 0;
	s.n = 0;
	spread(t, 0, SAMPLE, add_rows, &s, e);
	if (!(s.norm > 0) || !isfinite(s.norm))
		bad = err_set(e, ERR_FAILED, "the rows to train on %s",
			      s.norm > 0 || s.norm < 0 || s.norm != s.norm ? "are not all finite"
									   : "are all the same");
	t->scale = (f32)(sqrt((f64)d) * (f64)s.n / s.norm);
	t->variance = s.square / (f64)s.n * (f64)t->scale * t->scale;
	memset(s.sum, 0, d * sizeof(f64));
	s.norm = s.square = 0;
	s.n = 0;
	spread(t, 1, HELD_OUT, add_rows, &s, e);
	t->held_variance = s.square;
	for (size_t j = 0; s.n && j < d; j++)
		t->held_variance -= s.sum[j] * s.sum[j] / (f64)s.n;
	free(s.sum);
	return bad;
}

static int allocate(struct train *t, struct err *e)
{
	size_t f = t->config.n_features, b = t->config.batch, d = t->source.d;
	t->mean = mem_try(d, sizeof(f32), "the mean", e);
	t->silent = mem_try(f, sizeof(u64), "counters", e);
	t->fired = mem_try(f, sizeof(bool), "counters", e);
	t->dead = mem_try(f, sizeof(u32), "counters", e);
	t->x = mem_try(b * d, sizeof(f32), "a batch", e);
	t->index = mem_try(b, sizeof(u64), "a batch", e);
	t->b_enc = mem_try(f, sizeof(f32), "biases", e);
	t->b_dec = mem_try(d, sizeof(f32), "biases", e);
	t->threshold = mem_try(f, sizeof(f32), "thresholds", e);
	bool all = t->mean && t->silent && t->fired && t->dead && t->x && t->index && t->b_enc && t->b_dec &&
		   t->threshold;
	return all ? 0 : -1;
}

static int check(const struct train_source *s, const struct train_config *c, struct err *e)
{
	if (!c->k || c->k > c->n_features)
		return err_set(e, ERR_USAGE, "k is %u, which is not between 1 and the number of features, %u",
			       c->k, c->n_features);
	if (s->n[0] < c->batch)
		return err_set(e, ERR_FAILED, "there are %llu rows to train on, fewer than a batch of %u",
			       (unsigned long long)s->n[0], c->batch);
	if (!s->n[1])
		return err_set(e, ERR_FAILED,
			       "there are no held-out rows to measure on; more texts are needed");
	return 0;
}

const struct train_kind *train_kind_named(const char *name, struct err *e)
{
	struct buf all = BUF_INIT;
	for (size_t i = 0; i < train_n_kinds; i++)
		if (!strcmp(train_kinds[i].name, name))
			return &train_kinds[i];
	for (size_t i = 0; i < train_n_kinds; i++)
		buf_addf(&all, "%s%s", i ? i + 1 < train_n_kinds ? ", " : " or " : "", train_kinds[i].name);
	err_set(e, ERR_USAGE, "'%s' is no kind of dictionary that is trained here: %s", name, all.s);
	buf_release(&all);
	return NULL;
}

/* Thresholds begin where the first rows have k active features each. */
static int fit(struct train *t, struct err *e)
{
	u64 n = t->config.batch;
	training_indexes(t, 0, t->index);
	fill(t, 0, n);
	return step_fit(t->step, t->x, n, e);
}

struct train *train_new(const struct train_source *source, const struct train_config *config,
			struct pool *pool, struct err *e)
{
	if (check(source, config, e))
		return NULL;
	struct train *t = xcalloc(1, sizeof *t);
	t->source = *source;
	t->config = *config;
	t->config.kind = config->kind ? config->kind : &train_kinds[0];
	t->pool = pool;
	t->dead_after = MIN((u64)DEAD_AFTER, config->steps * config->batch / 4);
	if (allocate(t, e) || look_at_rows(t, e))
		goto fail;
	struct step_shape shape = {
		.d = source->d,
		.n_features = config->n_features,
		.k = config->k,
		.batch = config->batch,
		.aux_rows = MAX(1, config->batch / 8),
		.aux_weight = 1.0f / 16,
		.var = (f32)t->variance,
		.choice = t->config.kind->choice,
		.prefixes = t->config.kind->prefixes,
		.bandwidth = t->config.kind->bandwidth,
	};
	t->step = step_new(&shape, pool, e);
	if (!t->step)
		goto fail;
	step_init(t->step, config->seed);
	if (fit(t, e))
		goto fail;
	return t;
fail:
	train_free(t);
	return NULL;
}

void train_free(struct train *t)
{
	if (!t)
		return;
	step_free(t->step);
	free(t->mean);
	free(t->silent);
	free(t->fired);
	free(t->dead);
	free(t->x);
	free(t->index);
	free(t->b_enc);
	free(t->b_dec);
	free(t->threshold);
	free(t);
}

u64 train_steps_done(const struct train *t)
{
	return t->done;
}

static f64 rate_at(const struct train_config *c, u64 step)
{
	f64 warm = (f64)MIN((u64)WARM_UP, MAX((u64)1, c->steps / 10)), fall = MAX(1.0, 0.2 * (f64)c->steps);
	return c->rate * MIN(1.0, ((f64)step + 1) / warm) * MIN(1.0, (f64)(c->steps - step) / fall);
}

static size_t find_dead(struct train *t)
{
	size_t n = 0;
	for (u32 f = 0; f < t->config.n_features; f++)
		if (t->silent[f] >= t->dead_after)
			t->dead[n++] = f;
	return n;
}

int train_step(struct train *t, struct err *e)
{
	struct step_loss loss;
	u64 b = t->config.batch;
	training_indexes(t, t->done, t->index);
	fill(t, 0, b);
	if (t->source.want && t->done + 1 < t->config.steps) {
		training_indexes(t, t->done + 1, t->index);
		t->source.want(t->source.context, 0, t->index, b);
	}
	size_t n_dead = find_dead(t);
	if (step_gradients(t->step, t->x, b, t->dead, n_dead, t->fired, &loss, e))
		return -1;
	for (size_t f = 0; f < t->config.n_features; f++)
		t->silent[f] = t->fired[f] ? 0 : t->silent[f] + b;
	step_update(t->step, rate_at(&t->config, t->done), t->done + 1);
	t->loss = loss.error / ((f64)b * t->variance);
	t->done++;
	return 0;
}

static int measure_rows(struct train *t, size_t n, void *context, struct err *e)
{
	struct step_loss *sum = context, loss;
	if (step_forward(t->step, t->x, n, &loss, e))
		return -1;
	sum->error += loss.error;
	sum->active += loss.active;
	sum->rows += loss.rows;
	return 0;
}

int train_measure(struct train *t, struct train_metrics *out, struct err *e)
{
	struct step_loss sum = {0};
	if (spread(t, 1, HELD_OUT, measure_rows, &sum, e))
		return -1;
	*out = (struct train_metrics){
		.step = t->done,
		.tokens = t->done * t->config.batch,
		.fvu = t->held_variance > 0 ? sum.error / t->held_variance : NAN,
		.l0 = (f64)sum.active / (f64)sum.rows,
		.n_dead = find_dead(t),
		.loss = t->loss,
	};
	return 0;
}

int train_go(struct train *t, const struct train_run *run, struct progress *progress, struct err *e)
{
	u64 b = t->config.batch;
	progress_start(progress, "training", "tokens", t->config.steps * b);
	progress_add(progress, t->done * b);
	while (t->done < t->config.steps) {
		if (train_step(t, e))
			return -1;
		progress_add(progress, b);
		bool last = t->done == t->config.steps, stop = progress_cancelled(progress) && !last;
		if (run->say && (last || t->done % MEASURE_EVERY == 0)) {
			struct train_metrics m;
			if (train_measure(t, &m, e))
				return -1;
			run->say(run->context, &m);
		}
		bool due = run->checkpoint_every && t->done % run->checkpoint_every == 0;
		if (run->checkpoint && !last && (stop || due) && train_save(t, run->checkpoint, e))
			return -1;
		if (stop)
			return err_set(e, ERR_CANCELLED, "stopped after step %llu of %llu",
				       (unsigned long long)t->done, (unsigned long long)t->config.steps);
	}
	return 0;
}

void train_weights(struct train *t, struct dict_weights *out)
{
	const struct step_params *p = step_params(t->step);
	for (size_t f = 0; f < t->config.n_features; f++)
		t->b_enc[f] = p->b_enc[f] / t->scale;
	for (size_t j = 0; j < t->source.d; j++)
		t->b_dec[j] = t->mean[j] + p->b_dec[j] / t->scale;
	bool any = t->config.kind->choice != CHOICE_ROW;
	for (size_t f = 0; any && f < t->config.n_features; f++)
		t->threshold[f] = (p->log_threshold ? expf(p->log_threshold[f])
						    : (f32)step_state(t->step)->threshold) / t->scale;
	*out = (struct dict_weights){
		.d = t->source.d,
		.n_features = t->config.n_features,
		.k = t->config.k,
		.w_enc = p->w_enc,
		.w_dec = p->w_dec,
		.b_enc = t->b_enc,
		.b_dec = t->b_dec,
		.threshold = any ? t->threshold : NULL,
	};
}

/* Checkpoints: parameters and both moments as blocks, the counters, and what must agree. */
enum { N_BLOCKS = 3, N_IDENTITY = 8, N_STATE = 2 };
static const char *const block_names[N_BLOCKS] = {"params", "moment1", "moment2"};

static void identity(const struct train *t, u64 out[N_IDENTITY])
{
	const struct train_config *c = &t->config;
	f64 rate = c->rate;
	u64 bits;
	memcpy(&bits, &rate, sizeof bits);
	u64 id[N_IDENTITY] = {c->n_features, c->k, c->batch, c->steps, c->seed, bits, t->source.n[0],
				   (u64)(c->kind - train_kinds)};
	memcpy(out, id, sizeof id);
}

static struct step_params *block(struct train *t, int i)
{
	return i ? step_moment(t->step, i) : step_params(t->step);
}

int train_save(struct train *t, const char *path, struct err *e)
{
	u64 id[N_IDENTITY], n = block(t, 0)->n, f = t->config.n_features, d = t->source.d;
	f64 numbers[2] = {t->scale, t->variance};
	const struct step_state *now = step_state(t->step);
	f64 state[N_STATE] = {now->threshold, now->penalty};
	identity(t, id);
	struct tensor_out out[] = {
		{"identity", DTYPE_U64, 1, {N_IDENTITY}, id},
		{"step", DTYPE_U64, 1, {1}, &t->done},
		{"silent", DTYPE_U64, 1, {f}, t->silent},
		{"numbers", DTYPE_F64, 1, {2}, numbers},
		{"state", DTYPE_F64, 1, {N_STATE}, state},
		{"mean", DTYPE_F32, 1, {d}, t->mean},
		{block_names[0], DTYPE_F32, 1, {n}, block(t, 0)->block},
		{block_names[1], DTYPE_F32, 1, {n}, block(t, 1)->block},
		{block_names[2], DTYPE_F32, 1, {n}, block(t, 2)->block},
	};
	static const char *const meta[] = {"kind", "featlas training checkpoint", NULL};
	return safetensors_write_file(path, out, ARRAY_LEN(out), meta, e);
}

static const struct tensor *need(const struct safetensors *s, const char *name, enum dtype t, u64 n,
				 struct err *e)
{
	return safetensors_need(s, name, 1u << t, 1, &n, e);
}

static int same_run(const struct train *t, const struct safetensors *s, struct err *e)
{
	static const char *const names[N_IDENTITY] = {"the number of features", "k",	    "the batch size",
						      "the number of steps",	"the seed", "the rate",
						      "the number of rows", "the kind"};
	u64 mine[N_IDENTITY];
	const struct tensor *id = need(s, "identity", DTYPE_U64, N_IDENTITY, e);
	if (!id)
		return -1;
	identity(t, mine);
	for (size_t i = 0; i < N_IDENTITY; i++)
		if (tensor_u64(id, i) != mine[i])
			return err_set(e, ERR_FAILED, "the checkpoint '%s' is of another run: %s differs",
				       safetensors_path(s), names[i]);
	return 0;
}

static void get(void *out, const struct tensor *t)
{
	memcpy(out, t->data.p, t->data.n);
}

int train_load(struct train *t, const char *path, struct err *e)
{
	struct safetensors *s = safetensors_open(path, e);
	const struct tensor *step, *silent, *numbers, *state, *mean, *blocks[N_BLOCKS] = {0};
	int bad = -1;
	if (!s || same_run(t, s, e) || !(step = need(s, "step", DTYPE_U64, 1, e)) ||
	    !(silent = need(s, "silent", DTYPE_U64, t->config.n_features, e)) ||
	    !(numbers = need(s, "numbers", DTYPE_F64, 2, e)) ||
	    !(state = need(s, "state", DTYPE_F64, N_STATE, e)) ||
	    !(mean = need(s, "mean", DTYPE_F32, t->source.d, e)))
		goto out;
	for (int i = 0; i < N_BLOCKS; i++)
		if (!(blocks[i] = need(s, block_names[i], DTYPE_F32, block(t, i)->n, e)))
			goto out;
	f64 mine[2] = {t->scale, t->variance};
	if (tensor_u64(step, 0) > t->config.steps) {
		err_set(e, ERR_DAMAGED, "'%s': it is past the end of its run", path);
		goto out;
	}
	if (memcmp(mine, numbers->data.p, sizeof mine) || memcmp(t->mean, mean->data.p, mean->data.n)) {
		err_set(e, ERR_FAILED, "the checkpoint '%s' is of another run: the rows differ", path);
		goto out;
	}
	for (int i = 0; i < N_BLOCKS; i++)
		get(block(t, i)->block, blocks[i]);
	get(t->silent, silent);
	f64 then[N_STATE];
	get(then, state);
	*step_state(t->step) = (struct step_state){then[0], then[1]};
	t->done = tensor_u64(step, 0);
	bad = 0;
out:
	safetensors_free(s);
	return bad;
}
