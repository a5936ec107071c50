/* SPDX-License-Identifier: MIT */
/* check.c - a dictionary's weights looked at, and its readings compared on rows. */
#include "core/check.h"

#include "base/json.h"
#include "base/mem.h"
#include "core/vec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 128, ROWS = 128 };

static int ascending(const void *a, const void *b)
{
	f32 x = *(const f32 *)a, y = *(const f32 *)b;
	return (x > y) - (x < y);
}

static f32 median(f32 *v, size_t n)
{
	if (!n)
		return NAN;
	qsort(v, n, sizeof *v, ascending);
	return v[n / 2];
}

static bool finite_all(const f32 *v, size_t n)
{
	/* a sum of products with 0 is 0 for finite numbers only, and has no branch in it */
	f32 sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += v[i] * 0.0f;
	return sum == 0;
}

/* Some features together: what is stored by width is read in long pieces so. */
struct block {
	f32 *w, *row; /* [ROWS][d_in], [ROWS][d_out] */
	f32 bias[ROWS];
};

static void look_at(const struct dict *d, u32 id, const f32 *w, f32 bias, const f32 *row, struct check_weights *out,
		    f32 *norm, f32 *tied, size_t *n_tied)
{
	const struct dict_info *i = dict_info(d);
	out->n_not_finite += !finite_all(w, i->d_in) || !finite_all(row, i->d_out) || !isfinite(bias) ||
			     isnan(dict_threshold(d, id));
	norm[id] = sqrtf(vec_dot(row, row, i->d_out));
	out->n_zero_decoder += norm[id] == 0;
	out->n_negative_threshold += dict_threshold(d, id) < 0;
	f32 size = sqrtf(vec_dot(w, w, i->d_in)) * norm[id];
	if (i->d_in == i->d_out && !i->is_transcoder && size > 0 && isfinite(size))
		tied[(*n_tied)++] = vec_dot(w, row, i->d_in) / size;
}

int check_weights(struct dict *d, struct check_weights *out, struct progress *progress, struct err *e)
{
	const struct dict_info *i = dict_info(d);
	size_t n_tied = 0, f = i->n_features;
	struct block b = {0};
	*out = (struct check_weights){.tied = NAN};
	f32 *norm = mem_try(f, sizeof *norm, "norms", e), *tied = mem_try(f, sizeof *tied, "cosines", e);
	b.w = mem_try(ROWS * (size_t)i->d_in, sizeof *b.w, "weights", e);
	b.row = mem_try(ROWS * (size_t)i->d_out, sizeof *b.row, "weights", e);
	int bad = norm && tied && b.w && b.row ? 0 : -1;
	if (!bad)
		progress_start(progress, "looking at weights", "features", f);
	for (u32 id = 0; !bad && id < f; id += ROWS) {
		u32 n = MIN((u32)ROWS, (u32)f - id);
		bad = dict_encoder_rows(d, id, n, b.w, b.bias, e) || dict_decoder_rows(d, id, n, b.row, e) ? -1 : 0;
		for (u32 k = 0; !bad && k < n; k++)
			look_at(d, id + k, b.w + (size_t)k * i->d_in, b.bias[k], b.row + (size_t)k * i->d_out, out, norm,
				tied, &n_tied);
		progress_add(progress, n);
		if (progress_cancelled(progress))
			bad = err_set(e, ERR_CANCELLED, "stopped on request");
	}
	if (!bad && f) {
		out->median_norm = median(norm, f);
		out->least_norm = norm[0];
		out->most_norm = norm[f - 1];
		out->tied = median(tied, n_tied);
	}
	free(norm);
	free(tied);
	free(b.w);
	free(b.row);
	return bad;
}

/* Sum of squares around the mean: what the mean alone leaves unexplained. */
static f64 total_variance(const f32 *y, size_t n, u32 d)
{
	f64 sum = 0;
	for (u32 k = 0; k < d; k++) {
		f64 mean = 0;
		for (size_t i = 0; i < n; i++)
			mean += (f64)y[i * d + k];
		mean /= (f64)n;
		for (size_t i = 0; i < n; i++) {
			f64 by = (f64)y[i * d + k] - mean;
			sum += by * by;
		}
	}
	return sum;
}

int check_sample(struct dict *d, struct pool *pool, const f32 *x, const f32 *y, size_t n, struct check_sample *out,
		 struct progress *progress, struct err *e)
{
	const struct dict_info *i = dict_info(d);
	bool *fired = mem_try(i->n_features, sizeof *fired, "features", e);
	f32 *recon = mem_try((size_t)BATCH * i->d_out, sizeof *recon, "reconstructions", e);
	int bad = fired && recon ? 0 : -1;
	u64 active = 0;
	f64 error = 0;
	*out = (struct check_sample){.n = n, .fvu = NAN};
	if (fired)
		memset(fired, 0, i->n_features * sizeof *fired);
	for (size_t from = 0; !bad && from < n; from += BATCH) {
		struct dict_row rows[BATCH];
		void *arena = NULL;
		size_t m = MIN((size_t)BATCH, n - from);
		bad = dict_encode(d, pool, x + from * i->d_in, m, rows, &arena, e) ||
		      (y && dict_decode(d, rows, m, x + from * i->d_in, recon, e))
			? -1
			: 0;
		for (size_t r = 0; !bad && r < m; r++) {
			active += rows[r].n;
			for (u32 k = 0; k < rows[r].n; k++)
				fired[rows[r].id[k]] = true;
		}
		for (size_t k = 0; !bad && y && k < m * i->d_out; k++) {
			f64 by = (f64)recon[k] - (f64)y[from * i->d_out + k];
			error += by * by;
		}
		free(arena);
		progress_add(progress, m);
		if (!bad && progress_cancelled(progress))
			bad = err_set(e, ERR_CANCELLED, "stopped on request");
	}
	if (!bad && n) {
		out->l0 = (f64)active / (f64)n;
		f64 all = y ? total_variance(y, n, i->d_out) : 0;
		out->fvu = y && all > 0 ? error / all : NAN;
		for (u32 id = 0; id < i->n_features; id++)
			out->n_silent += !fired[id];
	}
	free(fired);
	free(recon);
	return bad;
}

static f64 mean_norm(const f32 *x, size_t n, u32 d)
{
	f64 sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += sqrt((f64)vec_dot(x + i * d, x + i * d, d));
	return n ? sum / (f64)n : 0;
}

enum { ROWS_PLAIN, ROWS_CONSTANT, ROWS_LAYER, ROWS_SCALED, N_ROWS_FORMS };

static int form_of(const struct dict_info *i)
{
	return i->norm == DICT_NORM_CONSTANT ? ROWS_CONSTANT
	       : i->norm == DICT_NORM_LAYER  ? ROWS_LAYER
	       : i->norm_scale != 1          ? ROWS_SCALED
					     : ROWS_PLAIN;
}

/* act: "" where it is the one that was opened. */
static void describe(struct check_reading *r, int form, bool subtract, bool rescale, f64 scale, const char *act)
{
	static const char *const words[] = {"rows as they are", "rows brought to norm sqrt(d)", "rows layer-normed"};
	char rows[48];
	if (form == ROWS_SCALED)
		snprintf(rows, sizeof rows, "rows scaled by %.4g", scale);
	else
		snprintf(rows, sizeof rows, "%s", words[form]);
	snprintf(r->what, sizeof r->what, "b_dec %s, %s%s%s%s", subtract ? "subtracted" : "not subtracted", rows,
		 rescale ? ", ranked by decoder norm" : "", *act ? ", " : "", act);
}

/* Of unit decoder rows their norm says nothing; a few tell. */
static bool has_unit_rows(struct dict *d)
{
	const struct dict_info *i = dict_info(d);
	f32 *row = xmalloc(((size_t)i->d_out + 1) * sizeof *row);
	bool unit = true;
	for (u32 k = 0; k < 64 && unit; k++) {
		dict_decoder_row(d, (u32)((u64)k * i->n_features / 64), row);
		f32 norm = sqrtf(vec_dot(row, row, i->d_out));
		unit = norm == 0 || fabsf(norm - 1) < 2e-3f;
	}
	free(row);
	return unit;
}

/* The dictionary as it was opened, but with another function. */
static void add_act(const struct dict_info *i, int own, struct dict_options act, const char *what,
		    struct check_reading *out, size_t *n, size_t most)
{
	if (*n == most)
		return;
	struct check_reading *r = &out[(*n)++];
	*r = (struct check_reading){.options = act};
	r->options.set = DICT_SET_ACT | DICT_SET_NORM | DICT_SET_NORM_SCALE | DICT_SET_B_DEC | DICT_SET_RESCALE;
	r->options.norm = i->norm;
	r->options.norm_scale = i->norm_scale;
	r->options.apply_b_dec_to_input = i->apply_b_dec_to_input;
	r->options.rescale_by_decoder_norm = i->rescale_by_decoder_norm;
	describe(r, own, i->apply_b_dec_to_input, i->rescale_by_decoder_norm, i->norm_scale, what);
}

/* TopK read as ReLU, thresholds left out or in other units, k where there is none: all keep the rest as it is. */
static size_t list_acts(const struct dict_info *i, int own, f64 scale, struct check_reading *out, size_t most)
{
	static const u32 ks[] = {16, 32, 64, 128, 256};
	const f64 factors[] = {1, scale, 1 / scale};
	char what[48];
	size_t n = 0;
	if (i->arch != DICT_STANDARD && i->arch != DICT_TOPK && i->arch != DICT_JUMPRELU)
		return 0;
	if (i->arch != DICT_STANDARD)
		add_act(i, own, (struct dict_options){.act = DICT_STANDARD}, "all above 0", out, &n, most);
	for (size_t k = 0; i->arch != DICT_TOPK && k < ARRAY_LEN(ks) && ks[k] < i->n_features; k++) {
		snprintf(what, sizeof what, "only the largest, about %u", ks[k]);
		add_act(i, own, (struct dict_options){.act = DICT_TOPK, .k = ks[k]}, what, out, &n, most);
	}
	for (size_t k = i->arch == DICT_JUMPRELU; k < ARRAY_LEN(factors); k++) {
		if (k && fabs(log(factors[k])) < 0.1)
			continue;
		snprintf(what, sizeof what, k ? "thresholds times %.3g" : "by its thresholds", factors[k]);
		add_act(i, own, (struct dict_options){.act = DICT_JUMPRELU, .threshold_scale = factors[k]}, what, out, &n,
			most);
	}
	return n;
}

/* What the arrays allow; the first is the one that was opened. */
static size_t list_readings(struct dict *d, const struct dict_options *opened, f64 scale,
			    bool unit_rows, struct check_reading out[CHECK_MOST_READINGS])
{
	const struct dict_info *i = dict_info(d);
	bool square = i->d_in == i->d_out && !i->is_transcoder;
	int own = form_of(i);
	size_t n = 1;
	out[0] = (struct check_reading){.as_opened = true, .options = opened ? *opened : (struct dict_options){0}};
	describe(&out[0], own, i->apply_b_dec_to_input, i->rescale_by_decoder_norm, i->norm_scale, "");
	for (int form = 0; form < N_ROWS_FORMS; form++)
		for (int turn = 0; turn < 4; turn++) {
			bool subtract = i->apply_b_dec_to_input ^ (turn & 1), rescale = i->rescale_by_decoder_norm ^ (turn >> 1);
			if ((form == own && !turn) || (subtract && !square) || (turn > 1 && (i->arch != DICT_TOPK || unit_rows)) ||
			    n == CHECK_MOST_READINGS)
				continue;
			struct check_reading *r = &out[n++];
			*r = (struct check_reading){0};
			r->options = (struct dict_options){
				.set = DICT_SET_NORM | DICT_SET_B_DEC | DICT_SET_NORM_SCALE |
				       (i->arch == DICT_TOPK ? DICT_SET_RESCALE : 0),
				.norm = form == ROWS_CONSTANT ? DICT_NORM_CONSTANT
					: form == ROWS_LAYER  ? DICT_NORM_LAYER
							      : DICT_NORM_NONE,
				.norm_scale = form == ROWS_SCALED ? scale : 1,
				.apply_b_dec_to_input = subtract,
				.rescale_by_decoder_norm = rescale,
			};
			describe(r, form, subtract, rescale, scale, "");
		}
	return n + list_acts(i, own, scale, out + n, CHECK_MOST_READINGS - n);
}

static int by_fvu(const void *a, const void *b)
{
	f64 x = ((const struct check_reading *)a)->s.fvu, y = ((const struct check_reading *)b)->s.fvu;
	return isnan(x) || isnan(y) ? isnan(x) - isnan(y) : (x > y) - (x < y);
}

/* A TopK dictionary does as well, or a little better, with some more features than it was trained with: of those
 * that are about as good as the best the fewest. */
static void prefer_fewest(struct check_reading *r, size_t n)
{
	size_t best = 0;
	for (size_t i = 1; i < n && r[i].s.fvu <= 1.05 * r[0].s.fvu; i++)
		if (r[i].options.k && r[i].options.k < r[best].options.k)
			best = i;
	struct check_reading first = r[best];
	memmove(r + 1, r, best * sizeof *r);
	r[0] = first;
}

i64 check_readings(struct dict *d, const struct dict_options *opened, struct pool *pool, const f32 *x, const f32 *y,
		   size_t n, struct check_reading out[CHECK_MOST_READINGS], struct progress *progress, struct err *e)
{
	const struct dict_info *i = dict_info(d);
	n = MIN(n, (size_t)CHECK_READING_ROWS);
	f64 norm = mean_norm(x, n, i->d_in), scale = norm > 0 ? sqrt((f64)i->d_in) / norm : 1;
	size_t all = list_readings(d, opened, scale, has_unit_rows(d), out), m = 0;
	progress_start(progress, "trying readings", "rows", all * n);
	for (size_t r = 0; r < all; r++) {
		struct err why = {0};
		struct dict *other = r ? dict_open_with(i->path, &out[r].options, &why) : d;
		int bad = other ? check_sample(other, pool, x, y, n, &out[r].s, progress, &why) : -1;
		if (r)
			dict_free(other);
		if (bad && (!r || why.code == ERR_CANCELLED)) {
			*e = why;
			return -1;
		}
		/* a reading that the format does not allow is none */
		if (!bad)
			out[m++] = out[r];
	}
	if (m > 2) {
		qsort(out + 1, m - 1, sizeof *out, by_fvu);
		prefer_fewest(out + 1, m - 1);
	}
	return (i64)m;
}

/* A file of the dictionary's folder; owned. */
static char *in_folder(const struct dict_info *i, const char *name)
{
	const char *slash = strrchr(i->path, '/');
	char *path = xasprintf("%s/%s", i->path, name);
	if (!access(path, F_OK))
		return path;
	free(path);
	return slash ? xasprintf("%.*s/%s", (int)(slash - i->path), i->path, name) : xstrdup(name);
}

/* SAELens' table of log10(frequency + 1e-10). */
static void promise_sparsity(const struct dict_info *i, struct check_promise *p)
{
	static const u64 any[] = {TENSOR_ANY};
	char *path = in_folder(i, "sparsity.safetensors");
	struct safetensors *s = safetensors_open(path, NULL);
	const struct tensor *t =
		s ? safetensors_need(s, "sparsity", 1u << DTYPE_F32 | 1u << DTYPE_F16 | 1u << DTYPE_BF16, 1, any, NULL) : NULL;
	if (t && t->n == i->n_features) {
		p->l0 = p->dead = 0;
		for (u64 k = 0; k < t->n; k++) {
			f64 share = pow(10, (f64)tensor_f32(t, k));
			p->l0 += share;
			p->dead += share < 1e-9 ? 1 / (f64)t->n : 0;
		}
		snprintf(p->why, sizeof p->why, "sparsity.safetensors");
	}
	safetensors_free(s);
	free(path);
}

/* What dictionary_learning measured after training. */
static void promise_results(const struct dict_info *i, struct check_promise *p)
{
	char *path = in_folder(i, "eval_results.json");
	json_t *j = json_read_file(path, NULL);
	f64 l0 = json_opt_f64(j, "l0", NAN), explained = json_opt_f64(j, "frac_variance_explained", NAN);
	if (l0 > 0) {
		p->l0 = l0;
		p->fvu = 1 - explained;
		snprintf(p->why, sizeof p->why, "eval_results.json");
	}
	json_decref(j);
	free(path);
}

void check_promised(const struct dict *d, struct check_promise *p)
{
	const struct dict_info *i = dict_info(d);
	const char *named = strstr(i->path, "average_l0_");
	*p = (struct check_promise){.l0 = NAN, .fvu = NAN, .dead = NAN};
	promise_sparsity(i, p);
	promise_results(i, p);
	if (i->arch == DICT_TOPK || i->arch == DICT_GROUPMAX) {
		p->l0 = i->k;
		snprintf(p->why, sizeof p->why, "k%s%s", isnan(p->dead) && isnan(p->fvu) ? "" : ", ",
			 !isnan(p->fvu) ? "eval_results.json" : !isnan(p->dead) ? "sparsity.safetensors" : "");
	} else if (named) {
		p->l0 = strtod(named + strlen("average_l0_"), NULL);
		snprintf(p->why, sizeof p->why, "the folder's name");
	}
}

const char *check_verdict_name(enum check_verdict v)
{
	static const char *const names[] = {"sound", "doubtful", "wrong"};
	return names[v];
}

enum check_verdict check_judge(const struct dict *d, const struct check_weights *w, const struct check_promise *p,
			       const struct check_reading *r, size_t n, char *sentence, size_t size)
{
	const struct dict_info *i = dict_info(d);
	if (w->n_not_finite) {
		snprintf(sentence, size, "%llu features hold a number that is none", (unsigned long long)w->n_not_finite);
		return CHECK_WRONG;
	}
	if (!n) {
		snprintf(sentence, size, "the weights are sound; rows of the model (--x or a harvest) would show whether "
					 "they are computed as they were trained");
		return CHECK_SOUND;
	}
	const struct check_sample *s = &r->s, *other = n > 1 ? &r[1].s : NULL;
	/* half of the unexplained variance or less is no accident of a sample */
	if (other && other->fvu < 0.5 * s->fvu && other->fvu < 1) {
		snprintf(sentence, size, "FVU %.3g as it is opened (%s), %.3g with %s: this file looks like the latter",
			 s->fvu, r->what, other->fvu, r[1].what);
		return CHECK_WRONG;
	}
	if (s->fvu > 1) {
		snprintf(sentence, size, "FVU %.3g: the reconstruction is worse than the mean, and no other reading helps; "
					 "are these rows of its model and hook?", s->fvu);
		return CHECK_WRONG;
	}
	if (s->fvu > 0.7) {
		snprintf(sentence, size, "FVU %.3g: hardly better than the mean, and no other reading helps; are these rows "
					 "of its model and hook?", s->fvu);
		return CHECK_DOUBTFUL;
	}
	if ((s->l0 > 0.25 * i->n_features && !(p->l0 > 0)) || s->l0 == 0) {
		snprintf(sentence, size, "%.4g of %u features fire on a row", s->l0, i->n_features);
		return CHECK_DOUBTFUL;
	}
	if (i->arch != DICT_TOPK && i->arch != DICT_GROUPMAX && (s->l0 > 2 * p->l0 || s->l0 < p->l0 / 2)) {
		snprintf(sentence, size, "%.4g features fire on a row, %.4g are promised (%s)", s->l0, p->l0, p->why);
		return CHECK_DOUBTFUL;
	}
	if (s->fvu > 2 * p->fvu + 0.05) {
		snprintf(sentence, size, "FVU %.3g, %.3g is promised (%s)", s->fvu, p->fvu, p->why);
		return CHECK_DOUBTFUL;
	}
	if (other && other->fvu < 0.9 * s->fvu) {
		snprintf(sentence, size, "FVU %.3g, but %.3g with %s", s->fvu, other->fvu, r[1].what);
		return CHECK_DOUBTFUL;
	}
	if (isnan(s->fvu))
		snprintf(sentence, size, "%.4g features fire on a row; what it writes could not be compared", s->l0);
	else
		snprintf(sentence, size, "FVU %.3g, and no other reading of the arrays does better by a tenth", s->fvu);
	return CHECK_SOUND;
}
