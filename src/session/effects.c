/* SPDX-License-Identifier: MIT */
/* effects.c - features of a prompt by ablation, by activation and by direct attribution. */
#include "session/effects.h"

#include "base/mem.h"
#include "core/correlate.h"
#include "session/reading.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const effects_rank_names[EFFECTS_N_RANKS] = {"effect", "activation", "attribution"};

/* Everything from the prompt to the numbers. */
struct work {
	const struct live *p;
	const struct effects_question *q;
	struct effects *out;
	u32 d;
	char last_hook[64];
	u8 *flags;
	f32 *x, *y;		/* [n][d]: the atlas' hook, the last layer */
	struct dict_row *rows;	/* [n], of n 0 where not judged */
	struct dict_row silent; /* a row in which nothing fires */
	void *arena;
	f64 measure; /* m as it is */
};

static bool counts(const struct work *w, size_t t)
{
	const struct effects_question *q = w->q;
	if (t < q->from || (q->to && t >= q->to))
		return false;
	if (t + 1 == q->n)
		return !(w->flags[t] & (TOKEN_FIRST | TOKEN_SINK));
	return !(w->flags[t] & TOKEN_MASKED);
}

/* ---- the prompt ---- */

static int check(const struct work *w, struct err *e)
{
	const struct dict_info *i = dict_info(w->p->atlas->dict);
	const struct effects_question *q = w->q;
	u32 n_vocab = backend_info(w->p->backend)->n_vocab;
	if (backend_info(w->p->backend)->d_model != w->d)
		return err_set(e, ERR_UNAVAILABLE,
			       "the model's states have %u numbers, those of this atlas %u",
			       backend_info(w->p->backend)->d_model, w->d);
	if (!q->n)
		return err_set(e, ERR_USAGE, "the prompt is empty");
	if (q->n > backend_info(w->p->backend)->n_ctx)
		return err_set(e, ERR_USAGE, "the prompt has %zu tokens, the model takes %u", q->n,
			       backend_info(w->p->backend)->n_ctx);
	if (q->from >= q->n || q->to > q->n || (q->to && q->from >= q->to))
		return err_set(e, ERR_USAGE, "the prompt's tokens are 0 to %zu", q->n - 1);
	if ((q->target != NO_TOKEN && q->target >= n_vocab) ||
	    (q->against != NO_TOKEN && q->against >= n_vocab))
		return err_set(e, ERR_USAGE, "the target is not in the vocabulary of %u", n_vocab);
	if (i->is_transcoder || i->only_encodes || i->d_out != w->d)
		return err_set(e, ERR_UNAVAILABLE,
			       "cannot ablate: the dictionary reads one place and writes another, or none");
	return 0;
}

static int read_rows(struct work *w, struct err *e)
{
	const struct atlas *a = w->p->atlas;
	size_t n = w->q->n;
	const char *hooks[2] = {a->hook, w->last_hook};
	bool same = !strcmp(hooks[0], hooks[1]);
	w->x = mem_try(n, w->d * sizeof *w->x, "residual rows", e);
	w->y = w->x ? mem_try(n, w->d * sizeof *w->y, "residual rows", e) : NULL;
	if (!w->y)
		return -1;
	f32 *rows[2] = {w->x, w->y};
	if (backend_states(w->p->backend, w->q->tokens, n, hooks, same ? 1 : 2, rows, e))
		return -1;
	if (same)
		memcpy(w->y, w->x, n * w->d * sizeof *w->y);
	reading_flag_sinks(a, w->x, w->flags, n);
	return 0;
}

static int encode(struct work *w, struct err *e)
{
	size_t n = w->q->n, kept = 0;
	f32 *x = mem_try(n, w->d * sizeof *x, "residual rows", e);
	struct dict_row *rows = xcalloc(n, sizeof *rows);
	w->rows = xcalloc(n, sizeof *w->rows);
	for (size_t t = 0; t < n && x; t++)
		if (counts(w, t))
			memcpy(x + kept++ * w->d, w->x + t * w->d, w->d * sizeof *x);
	int bad =
	    !x || (kept && dict_encode(w->p->atlas->dict, w->p->pool, x, kept, rows, &w->arena, e)) ? -1 : 0;
	for (size_t t = 0, k = 0; t < n && !bad; t++)
		if (counts(w, t))
			w->rows[t] = rows[k++];
	w->out->n_positions = kept;
	w->out->last_is_template = counts(w, n - 1) && (w->flags[n - 1] & TOKEN_SPECIAL);
	free(rows);
	free(x);
	return bad;
}

/* What there is to say next, and m of it. */
static int look(struct work *w, struct err *e)
{
	struct effects *o = w->out;
	u32 n_vocab = backend_info(w->p->backend)->n_vocab;
	f32 *logp = mem_try(n_vocab, sizeof *logp, "probabilities", e);
	struct run r = {
	    .name = "as it is", .tokens = w->q->tokens, .n_tokens = w->q->n, .n_prompt = w->q->n, .seed = 1};
	int bad = !logp || next_all(w->p, &r, 1, logp, e) ? -1 : 0;
	if (!bad) {
		next_top(logp, n_vocab, EFFECTS_LIKELY, o->likely, o->likely_logp);
		o->target = w->q->target == NO_TOKEN ? o->likely[0] : w->q->target;
		o->against = w->q->against;
		o->target_logp = logp[o->target];
		o->against_logp = o->against == NO_TOKEN ? NAN : logp[o->against];
		w->measure = (f64)o->target_logp - (o->against == NO_TOKEN ? 0 : (f64)o->against_logp);
		if (o->target == o->against)
			bad = err_set(e, ERR_USAGE, "target and the token against it are the same");
	}
	free(logp);
	return bad;
}

/* ---- the features ---- */

static f32 act_of(const struct dict_row *row, u32 id)
{
	for (u32 k = 0; k < row->n; k++)
		if (row->id[k] == id)
			return row->act[k];
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct effect *x = a, *y = b;
	return x->id != y->id ? (x->id > y->id) - (x->id < y->id)
			      : (x->first > y->first) - (x->first < y->first);
}

static int by_first(const void *a, const void *b)
{
	const struct effect *x = a, *y = b;
	return x->first != y->first ? (x->first > y->first) - (x->first < y->first)
				    : (x->id > y->id) - (x->id < y->id);
}

/* One item a feature, in the order of their first positions: batches share the most that way. */
static void gather(struct work *w)
{
	struct effects *o = w->out;
	size_t n = 0, m = 0;
	for (size_t t = 0; t < w->q->n; t++)
		n += w->rows[t].n;
	struct effect *all = xcalloc(n + 1, sizeof *all);
	for (size_t t = 0; t < w->q->n; t++)
		for (u32 k = 0; k < w->rows[t].n; k++)
			all[m++] = (struct effect){.id = w->rows[t].id[k],
						   .n = 1,
						   .first = (u32)t,
						   .peak = (u32)t,
						   .by[EFFECTS_BY_ACTIVATION] = w->rows[t].act[k],
						   .last = t + 1 == w->q->n ? w->rows[t].act[k] : 0};
	qsort(all, n, sizeof *all, by_id);
	m = 0;
	for (size_t i = 0; i < n; i++) {
		struct effect *x = m ? &all[m - 1] : NULL;
		if (!x || x->id != all[i].id) {
			all[m++] = all[i];
			continue;
		}
		x->n++;
		x->last = all[i].last;
		if (all[i].by[EFFECTS_BY_ACTIVATION] > x->by[EFFECTS_BY_ACTIVATION]) {
			x->by[EFFECTS_BY_ACTIVATION] = all[i].by[EFFECTS_BY_ACTIVATION];
			x->peak = all[i].first;
		}
	}
	qsort(all, m, sizeof *all, by_first);
	o->list = all;
	o->n = m;
	for (size_t i = 0; i < m; i++)
		o->n_last += o->list[i].last != 0;
}

/* x less f d of one feature.  Where rows are normalised one by one, d depends on the row: then what decoding
 * makes of the feature alone, less what it makes of nothing. */
static int take_out(const struct work *w, u32 id, f32 act, const f32 *x, f32 *out, f32 *scratch,
		    struct err *e)
{
	struct dict *dict = w->p->atlas->dict;
	if (dict_info(dict)->norm == DICT_NORM_NONE) {
		dict_direction(dict, id, scratch);
		for (u32 k = 0; k < w->d; k++)
			out[k] -= act * scratch[k];
		return 0;
	}
	struct dict_row one = {1, &id, &act};
	if (dict_decode(dict, &one, 1, x, scratch, e) ||
	    dict_decode(dict, &w->silent, 1, x, scratch + w->d, e))
		return -1;
	for (u32 k = 0; k < w->d; k++)
		out[k] -= scratch[k] - scratch[w->d + k];
	return 0;
}

/* ---- runs ---- */

/* A request: the reference and some features, each with rows of its own from position `from` on. */
struct batch {
	struct run runs[1 + EFFECTS_COLUMNS];
	struct intervention put[1 + EFFECTS_COLUMNS];
	struct score scores[1 + EFFECTS_COLUMNS];
	f32 *rows;    /* [runs][n][d] */
	f32 *scratch; /* [2][d] */
	u32 want[2];
	size_t n; /* runs */
};

static void batch_release(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->scores[i].want_logp);
	free(b->rows);
	free(b->scratch);
}

/* Run i gets the rows of all positions that some run of the batch touches: used[t]. */
static f32 *batch_add(struct work *w, struct batch *b, const char *hook, const f32 *rows, const u8 *used)
{
	size_t n = w->q->n, i = b->n++;
	f32 *own = b->rows + i * n * w->d;
	for (size_t t = 0; t < n; t++) {
		if (used[t])
			memcpy(own + t * w->d, rows + t * w->d, w->d * sizeof *own);
		else
			own[t * w->d] = NAN;
	}
	b->put[i] = (struct intervention){.kind = INTERVENE_REPLACE,
					  .hook = hook,
					  .rows = own,
					  .n_rows = n,
					  .feature = NO_FEATURE,
					  .where = WHERE_BOTH};
	b->runs[i] = (struct run){.name = i ? "" : "reference",
				  .tokens = w->q->tokens,
				  .n_tokens = n,
				  .n_prompt = n,
				  .list = &b->put[i],
				  .n_list = 1,
				  .seed = 1,
				  .want_tokens = b->want,
				  .n_want = b->want[1] == NO_TOKEN ? 1 : 2};
	return own;
}

static int batch_init(struct work *w, struct batch *b, size_t n, struct err *e)
{
	memset(b, 0, sizeof *b);
	b->want[0] = w->out->target;
	b->want[1] = w->out->against;
	b->rows = mem_try((n + 1) * w->q->n, w->d * sizeof *b->rows, "rows of ablations", e);
	b->scratch = xcalloc(2 * (size_t)w->d, sizeof *b->scratch);
	return b->rows ? 0 : -1;
}

static f64 measure_of(const struct batch *b, size_t run)
{
	const f32 *p = b->scores[run].want_logp;
	return (f64)p[0] - (b->want[1] == NO_TOKEN ? 0 : (f64)p[1]);
}

/* Scores, and gives the n features their differences from the reference. */
static int batch_score(struct work *w, struct batch *b, struct effect **features, enum effects_rank which,
		       struct err *e)
{
	if (backend_score(w->p->backend, b->runs, b->n, b->scores, e))
		return -1;
	for (size_t i = 0; i < b->n; i++)
		if (!b->scores[i].want_logp)
			return err_set(e, ERR_FAILED, "the backend gave no probabilities");
	for (size_t i = 1; i < b->n; i++)
		features[i - 1]->by[which] = (f32)(measure_of(b, 0) - measure_of(b, i));
	w->out->resolution = fmax(w->out->resolution, fabs(measure_of(b, 0) - w->measure));
	progress_add(w->p->progress, b->n - 1);
	if (progress_cancelled(w->p->progress))
		return err_set(e, ERR_CANCELLED, "stopped on request");
	return 0;
}

/* Ablations at the atlas' hook, or, for attribution, at the last layer's last position. */
static int measure_batch(struct work *w, struct effect **features, size_t n, enum effects_rank which,
			 struct err *e)
{
	bool direct = which == EFFECTS_BY_ATTRIBUTION;
	const char *hook = direct ? w->last_hook : w->p->atlas->hook;
	const f32 *rows = direct ? w->y : w->x;
	size_t n_tokens = w->q->n;
	u8 *used = xcalloc(n_tokens, 1);
	struct batch b;
	int bad = batch_init(w, &b, n, e);
	for (size_t i = 0; i < n; i++)
		for (size_t t = 0; t < n_tokens; t++)
			used[t] |= direct ? t + 1 == n_tokens : act_of(&w->rows[t], features[i]->id) != 0;
	if (!bad)
		batch_add(w, &b, hook, rows, used);
	for (size_t i = 0; i < n && !bad; i++) {
		f32 *own = batch_add(w, &b, hook, rows, used);
		for (size_t t = direct ? n_tokens - 1 : features[i]->first; t < n_tokens && !bad; t++) {
			f32 act = act_of(&w->rows[t], features[i]->id);
			if (act != 0)
				bad = take_out(w, features[i]->id, act, w->x + t * w->d, own + t * w->d,
					       b.scratch, e);
		}
	}
	if (!bad)
		bad = batch_score(w, &b, features, which, e);
	batch_release(&b);
	free(used);
	return bad;
}

/* As many features a request as stay within a few dozen MiB of rows. */
static size_t batch_size(const struct work *w)
{
	size_t row = w->q->n * w->d * sizeof(f32), fit = ((size_t)48 << 20) / row;
	return MAX(MIN(fit, (size_t)EFFECTS_COLUMNS), 2u);
}

static int measure_all(struct work *w, enum effects_rank which, struct err *e)
{
	struct effects *o = w->out;
	struct effect *features[EFFECTS_COLUMNS];
	size_t most = batch_size(w), n = 0;
	int bad = 0;
	for (size_t i = 0; i < o->n && !bad; i++) {
		if (which == EFFECTS_BY_EFFECT || o->list[i].last != 0)
			features[n++] = &o->list[i];
		if (n < most && (i + 1 < o->n || !n))
			continue;
		bad = measure_batch(w, features, n, which, e);
		n = 0;
	}
	return bad;
}

/* ---- how the three go together ---- */

static struct effects_relation relate(const struct effects *o, enum effects_rank which, bool last_only)
{
	f64 *all = xcalloc(4 * o->n + 1, sizeof *all), *x = all, *y = all + o->n;
	size_t n = 0;
	for (size_t i = 0; i < o->n; i++) {
		if (last_only && o->list[i].last == 0)
			continue;
		x[n] = (f64)o->list[i].by[which];
		y[n++] = (f64)o->list[i].by[EFFECTS_BY_EFFECT];
	}
	struct effects_relation r = {.pearson = correlate_pearson(x, y, n),
				     .spearman = correlate_spearman(x, y, n)};
	for (size_t i = 0; i < n; i++) {
		x[i] = fabs(x[i]);
		y[i] = fabs(y[i]);
	}
	r.pearson_sizes = correlate_pearson(x, y, n);
	r.spearman_sizes = correlate_spearman(x, y, n);
	free(all);
	return r;
}

static int compare(const struct effect *x, const struct effect *y, enum effects_rank by)
{
	f32 a = fabsf(x->by[by]), b = fabsf(y->by[by]);
	return a != b ? (a < b) - (a > b) : (x->id > y->id) - (x->id < y->id);
}

static int by_effect(const void *a, const void *b)
{
	return compare(a, b, EFFECTS_BY_EFFECT);
}

static int by_activation(const void *a, const void *b)
{
	return compare(a, b, EFFECTS_BY_ACTIVATION);
}

static int by_attribution(const void *a, const void *b)
{
	return compare(a, b, EFFECTS_BY_ATTRIBUTION);
}

void effects_sort(struct effects *x, enum effects_rank by)
{
	static int (*const orders[EFFECTS_N_RANKS])(const void *, const void *) = {by_effect, by_activation,
										   by_attribution};
	qsort(x->list, x->n, sizeof *x->list, orders[by]);
}

static void rank_all(struct effects *o)
{
	for (int by = EFFECTS_N_RANKS - 1; by >= 0; by--) { /* the effect's order stays */
		effects_sort(o, (enum effects_rank)by);
		for (size_t i = 0; i < o->n; i++) {
			bool tie = i && fabsf(o->list[i].by[by]) == fabsf(o->list[i - 1].by[by]);
			o->list[i].rank[by] = tie ? o->list[i - 1].rank[by] : (u32)i + 1;
		}
		for (int last = 0; last < 2; last++)
			o->relation[last][by] = relate(o, (enum effects_rank)by, last);
	}
}

static int work(struct work *w, struct err *e)
{
	const struct backend_info *i = backend_info(w->p->backend);
	snprintf(w->last_hook, sizeof w->last_hook, "blocks.%u.hook_resid_post", i->n_layers - 1);
	if (check(w, e))
		return -1;
	progress_start(w->p->progress, "measuring effects", "features", 0);
	w->flags = xcalloc(w->q->n, 1);
	memcpy(w->flags, w->q->flags, w->q->n);
	if (read_rows(w, e) || encode(w, e) || look(w, e))
		return -1;
	gather(w);
	progress_start(w->p->progress, "measuring effects", "features", w->out->n + w->out->n_last);
	if (measure_all(w, EFFECTS_BY_EFFECT, e) || measure_all(w, EFFECTS_BY_ATTRIBUTION, e))
		return -1;
	rank_all(w->out);
	return 0;
}

int effects_measure(const struct live *p, const struct effects_question *q, struct effects *out,
		    struct err *e)
{
	struct work w = {.p = p, .q = q, .out = out, .d = p->atlas->d_model};
	*out = (struct effects){.target = NO_TOKEN, .against = NO_TOKEN};
	int bad = work(&w, e);
	if (bad)
		effects_release(out);
	free(w.flags);
	free(w.x);
	free(w.y);
	free(w.rows);
	free(w.arena);
	return bad ? -1 : 0;
}

void effects_release(struct effects *x)
{
	free(x->list);
	*x = (struct effects){.target = NO_TOKEN, .against = NO_TOKEN};
}
