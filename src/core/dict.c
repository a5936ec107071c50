/* SPDX-License-Identifier: MIT */
/* dict.c - opening a dictionary, and its features one at a time. */
#include "core/dict.h"

#include "base/mem.h"
#include "core/dict_impl.h"
#include "core/encoder.h"
#include "core/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* 256 MiB of f32 */
enum { COPY_LIMIT = 64 << 20 };

static void plan_release(struct dict_plan *p)
{
	dict_facts_release(&p->facts);
	for (size_t i = 0; i < ARRAY_LEN(p->files); i++)
		tensors_free(p->files[i]);
	for (size_t i = 0; i < p->n_kept; i++)
		free(p->kept[i]);
	free(p->kept);
	json_decref(p->config);
}

/* What no reader stated. */
static void state_rest(struct dict_plan *p)
{
	if (!dict_facts_find(&p->facts, "dtype"))
		dict_state(&p->facts, "dtype", DICT_FROM_FILE, "the header of the weights", "%s", dtype_name(p->info.dtype));
	if (!p->info.hook_name)
		plan_hook(p, "", NULL, DICT_GUESS, "");
	if (!p->info.model_name)
		plan_model(p, "", DICT_GUESS, "");
}

static int read_plan(struct dict_plan *p, const char *path, const struct dict_options *o, struct err *e)
{
	struct dict_found f;
	p->enc_scale = p->dec_scale = p->bias_scale = p->threshold_scale = p->info.norm_scale = 1;
	p->round = N_DTYPES;
	int bad = dict_detect(path, &f, e) || f.read(p, &f, e) || plan_check_sizes(p, &f, e) ? -1 : 0;
	if (!bad) {
		p->info.path = plan_keep(p, f.path);
		p->files[0] = f.file;
		p->config = f.config;
		f.path = NULL;
		f.file = NULL;
		f.config = NULL;
		state_rest(p);
		bad = dict_obey(p, o, e);
	}
	dict_found_release(&f);
	return bad;
}

struct dict *dict_open_with(const char *path, const struct dict_options *o, struct err *e)
{
	static const struct dict_options none;
	struct dict *d = xcalloc(1, sizeof *d);
	pthread_mutex_init(&d->lock, NULL);
	d->copy_limit = COPY_LIMIT;
	if (read_plan(&d->plan, path, o ? o : &none, e)) {
		dict_free(d);
		return NULL;
	}
	d->dec_rows = d->plan.dec;
	return d;
}

struct dict *dict_open(const char *path, struct err *e)
{
	return dict_open_with(path, NULL, e);
}

static int scale_all(struct dict_plan *p, f64 s, struct err *e)
{
	if (!(s > 0 && s < 1e30))
		return err_set(e, ERR_USAGE, "the norm scale %g is not a positive number", s);
	/* in the place of the file's own, which a single threshold was multiplied by too */
	bool own = p->info.norm_scale != 1;
	p->threshold_all *= own ? s / p->info.norm_scale : 1;
	f64 given = s;
	s /= p->info.norm_scale;
	/* SAELens, fold_activation_norm_scaling_factor: W_enc s, W_dec / s, b_dec / s; what is tied stays as it is */
	p->bias_scale /= s;
	if (p->info.arch == DICT_MATCHING_PURSUIT) {
		p->residual /= s;
	} else {
		p->enc_scale *= s;
		p->dec_scale /= s;
	}
	p->info.norm_scale = given;
	return 0;
}

static bool is_cut(enum dict_arch a)
{
	return a == DICT_STANDARD || a == DICT_TOPK || a == DICT_JUMPRELU;
}

static int obey_act(struct dict_plan *p, const struct dict_options *o, struct err *e)
{
	static const char *const names[] = {[DICT_STANDARD] = "relu", [DICT_TOPK] = "topk", [DICT_JUMPRELU] = "jumprelu"};
	struct dict_info *i = &p->info;
	u64 n = i->n_features;
	if (!is_cut(i->arch) || !is_cut(o->act))
		return err_set(e, ERR_UNAVAILABLE, "'%s' is %s, which has no other function", i->path, i->arch_name);
	if (o->act == DICT_TOPK && (!o->k || o->k > n))
		return err_set(e, ERR_USAGE, "k is %u, of %u features", o->k, i->n_features);
	bool own = p->threshold.t || p->threshold_all != 0;
	if (o->act == DICT_JUMPRELU && !own && plan_vector(&p->threshold, p->files[0], "threshold", n, true, e))
		return err_set(e, ERR_UNAVAILABLE, "'%s' holds no thresholds", i->path);
	if (o->act == DICT_JUMPRELU) {
		p->threshold_scale = o->threshold_scale;
	} else {
		p->threshold = (struct dict_array){0};
		p->threshold_all = 0;
	}
	i->k = o->act == DICT_TOPK ? o->k : 0;
	plan_arch(p, o->act, names[o->act], DICT_GIVEN, "");
	return 0;
}

int dict_obey(struct dict_plan *p, const struct dict_options *o, struct err *e)
{
	static const char *const norms[] = {"none", "constant_norm_rescale", "layer_norm"};
	if (o->set & DICT_SET_NORM) {
		p->info.norm = o->norm;
		dict_state(&p->facts, "normalisation", DICT_GIVEN, NULL, "%s", norms[o->norm]);
	}
	if (o->set & DICT_SET_NORM_SCALE) {
		if (scale_all(p, o->norm_scale, e))
			return -1;
		dict_state(&p->facts, "normalisation", DICT_GIVEN, "--norm-scale", "%s, factor %.9g", norms[p->info.norm],
			   o->norm_scale);
	}
	if (o->set & DICT_SET_B_DEC) {
		bool square = p->info.d_in == p->info.d_out && p->b_dec.t;
		p->subtract = o->apply_b_dec_to_input && square ? p->b_dec : (struct dict_array){0};
		p->info.apply_b_dec_to_input = o->apply_b_dec_to_input && square;
		dict_state(&p->facts, "b_dec", DICT_GIVEN, NULL,
			   p->info.apply_b_dec_to_input ? "subtracted from the input" : "not subtracted from the input");
	}
	if (o->set & DICT_SET_RESCALE)
		p->info.rescale_by_decoder_norm = o->rescale_by_decoder_norm;
	return o->set & DICT_SET_ACT ? obey_act(p, o, e) : 0;
}

static void free_f32(struct dict_f32 *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]->copy);
}

void dict_free(struct dict *d)
{
	if (!d)
		return;
	free_f32((struct dict_f32 *[]){&d->enc, &d->glu, &d->dec, &d->b_enc, &d->b_glu, &d->b_dec, &d->subtract, &d->least,
				       &d->gate, &d->mag, &d->skip},
		 11);
	free(d->row_norm);
	free(d->unit);
	encoder_free(d->encoder);
	safetensors_free(d->dec_cache);
	plan_release(&d->plan);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

const struct dict_info *dict_info(const struct dict *d)
{
	return &d->plan.info;
}

/* A vector's element, or n of them from first on; zeros where there is none or it cannot be had. */
static void get(const struct dict *d, const struct dict_array *a, u64 first, u64 n, f32 *out)
{
	const struct tensor *t = a->t ? dict_array_data(a, NULL) : NULL;
	memset(out, 0, n * sizeof *out);
	if (!t)
		return;
	tensor_get_f32(t, first, n, out);
	for (u64 i = 0; i < n && d->plan.round != N_DTYPES; i++)
		out[i] = dict_round(d->plan.round, out[i]);
}

static f32 get_one(const struct dict *d, const struct dict_array *a, u32 id)
{
	f32 x;
	get(d, a, id, 1, &x);
	return x;
}

/* As stored, rounded; its norm. */
static f64 raw_decoder(const struct dict *d, u32 id, f32 *row)
{
	u32 w = d->plan.info.d_out;
	f64 square = 0;
	if (!d->plan.dec.a.t || dict_matrix_rows(d, &d->plan.dec, id, 1, row, NULL))
		memset(row, 0, w * sizeof *row);
	for (u32 i = 0; i < w; i++)
		square += (f64)row[i] * row[i];
	return sqrt(square);
}

static f64 scaled_decoder(const struct dict *d, u32 id, bool unit, f32 *row)
{
	f64 norm = raw_decoder(d, id, row), scale = d->plan.dec_scale;
	if (unit)
		scale = norm > 0 ? scale / norm : 0;
	if (scale != 1)
		vec_scale(row, (f32)scale, d->plan.info.d_out);
	return norm;
}

void dict_decoder_row(const struct dict *d, u32 id, f32 *out)
{
	scaled_decoder(d, id, d->plan.unit_decoder, out);
}

bool dict_decoder_row_there(const struct dict *d, u32 id, struct pages *w)
{
	const struct dict_matrix *m = &d->plan.dec;
	u64 n = d->plan.info.n_features, one = (u64)m->width * m->n_sum;
	bool there = true;
	if (!m->a.t || !m->a.mapped)
		return true;
	if (m->layout == DICT_BY_FEATURE)
		return tensor_there(m->a.t, id * one, one, w);
	for (u32 k = 0; k < m->width; k++)
		there &= tensor_there(m->a.t, k * n + id, 1, w);
	return there;
}

int dict_decoder_rows(const struct dict *d, u32 first, u32 n, f32 *out, struct err *e)
{
	size_t w = d->plan.info.d_out;
	for (u32 i = 0; i < n; i += DICT_BLOCK) {
		u32 m = MIN((u32)DICT_BLOCK, n - i);
		if (d->plan.dec.a.t && dict_matrix_rows(d, &d->plan.dec, first + i, m, out + i * w, e))
			return -1;
	}
	if (!d->plan.dec.a.t)
		memset(out, 0, n * w * sizeof *out);
	for (u32 i = 0; i < n; i++) {
		f32 *row = out + i * w;
		f64 square = 0, scale = d->plan.dec_scale;
		for (size_t k = 0; d->plan.unit_decoder && k < w; k++)
			square += (f64)row[k] * row[k];
		if (d->plan.unit_decoder)
			scale = square > 0 ? scale / sqrt(square) : 0;
		if (scale != 1)
			vec_scale(row, (f32)scale, w);
	}
	return 0;
}

void dict_direction(const struct dict *d, u32 id, f32 *out)
{
	scaled_decoder(d, id, d->plan.unit_decoder || d->plan.info.rescale_by_decoder_norm, out);
}

void dict_encoder_row(const struct dict *d, u32 id, f32 *out, f32 *bias)
{
	const struct dict_plan *p = &d->plan;
	const struct dict_matrix *m = p->info.arch == DICT_MATCHING_PURSUIT ? &p->dec : &p->enc;
	if (!m->a.t || dict_matrix_rows(d, m, id, 1, out, NULL))
		memset(out, 0, p->info.d_in * sizeof *out);
	/* gated: p is the magnitude */
	f32 scale = (f32)(p->enc_scale * (p->r_mag.t ? exp((f64)get_one(d, &p->r_mag, id)) : 1));
	if (scale != 1)
		vec_scale(out, scale, p->info.d_in);
	if (bias)
		*bias = get_one(d, &p->b_enc, id);
}

int dict_encoder_rows(const struct dict *d, u32 first, u32 n, f32 *out, f32 *bias, struct err *e)
{
	const struct dict_plan *p = &d->plan;
	const struct dict_matrix *m = p->info.arch == DICT_MATCHING_PURSUIT ? &p->dec : &p->enc;
	size_t w = p->info.d_in;
	if (!m->a.t)
		memset(out, 0, n * w * sizeof *out);
	for (u32 i = 0; i < n && m->a.t; i += DICT_BLOCK)
		if (dict_matrix_rows(d, m, first + i, MIN((u32)DICT_BLOCK, n - i), out + i * w, e))
			return -1;
	get(d, &p->b_enc, first, n, bias);
	for (u32 i = 0; i < n; i++) {
		f32 scale = (f32)(p->enc_scale * (p->r_mag.t ? exp((f64)get_one(d, &p->r_mag, first + i)) : 1));
		if (scale != 1)
			vec_scale(out + i * w, scale, w);
	}
	return 0;
}

void dict_b_dec(const struct dict *d, f32 *out)
{
	u32 n = d->plan.info.d_out;
	get(d, &d->plan.b_dec, 0, n, out);
	if (d->plan.bias_scale != 1)
		vec_scale(out, (f32)d->plan.bias_scale, n);
}

static f64 decoder_norm(const struct dict *d, u32 id)
{
	f32 *row = xcalloc(d->plan.info.d_out + 1, sizeof *row);
	f64 norm = raw_decoder(d, id, row);
	free(row);
	return norm;
}

f32 dict_threshold(const struct dict *d, u32 id)
{
	const struct dict_plan *p = &d->plan;
	f32 t = (f32)p->threshold_all;
	if (p->b_gate.t) /* the gate opens where e^r p' + b_mag is above b_mag - e^r b_gate */
		return (f32)(get_one(d, &p->b_enc, id) - exp((f64)get_one(d, &p->r_mag, id)) * get_one(d, &p->b_gate, id));
	if (p->threshold.t)
		t = get_one(d, &p->threshold, id);
	if (p->log_threshold)
		t = expf(t);
	t *= (f32)p->threshold_scale;
	if (p->info.select_by_decoder_norm && t != 0)
		t = (f32)((f64)t / decoder_norm(d, id));
	return t;
}

/* Why p is not w.x + bias, or NULL. */
static const char *not_linear(const struct dict_plan *p)
{
	static const char *const norms[] = {NULL, "divides each row by its norm", "normalises each row"};
	if (p->info.arch == DICT_NONE)
		return "has no encoder, only what was imported";
	if (p->info.arch == DICT_MATCHING_PURSUIT)
		return "is a matching pursuit, where one feature depends on those before it";
	if (p->glu.a.t)
		return "multiplies two encoders (GLU)";
	if (p->info.arch == DICT_TOPK && p->info.select_by_decoder_norm)
		return "selects by other numbers than it returns";
	return norms[p->info.norm];
}

int dict_linear(const struct dict *d, u32 id, f32 *w, f32 *bias, struct err *e)
{
	const struct dict_plan *p = &d->plan;
	const char *why = not_linear(p);
	if (why)
		return err_set(e, ERR_UNAVAILABLE, "the dictionary %s, so a feature is no direction of the model's own rows",
			       why);
	dict_encoder_row(d, id, w, bias);
	if (p->subtract.t) {
		f32 *shift = xcalloc(p->info.d_in, sizeof *shift);
		f64 sum = 0;
		get(d, &p->subtract, 0, p->info.d_in, shift);
		for (u32 k = 0; k < p->info.d_in; k++)
			sum += (f64)w[k] * (f64)shift[k];
		free(shift);
		*bias = (f32)((f64)*bias - sum * p->bias_scale);
	}
	if (!p->info.rescale_by_decoder_norm)
		return 0;
	f32 norm = (f32)decoder_norm(d, id);
	vec_scale(w, norm, p->info.d_in);
	*bias *= norm;
	return 0;
}

/* Sixteen rows, spread over the features, show whether norms are all 1. */
static void see_fold(struct dict *d)
{
	struct dict_plan *p = &d->plan;
	const struct dict_fact *stated = dict_facts_find(&p->facts, "fold");
	bool folded = p->info.rescale_by_decoder_norm;
	f64 least = INFINITY, most = 0;
	u32 n = p->dec.a.mapped ? MIN(16u, p->info.n_features) : 0;
	for (u32 i = 0; i < n; i++) {
		f64 norm = decoder_norm(d, (u32)((u64)i * p->info.n_features / n));
		least = fmin(least, norm);
		most = fmax(most, norm);
	}
	char rows[80] = "packed, so not looked at";
	if (n)
		snprintf(rows, sizeof rows, "%s (norms %.3g to %.3g)",
			 least > 0.99 && most < 1.01 ? "unit" : "not unit", least, most);
	dict_state(&p->facts, "fold", stated ? stated->origin : folded ? DICT_FROM_FILE : DICT_MEASURED,
		   stated		       ? stated->why :
		   folded ? "cfg.json: rescale_acts_by_decoder_norm" : "sixteen rows looked at",
		   "%s; decoder rows as stored are %s",
		   folded				? "activations count unit decoder rows" :
		   p->unit_decoder			? "decoder rows are made unit at use" :
		   p->info.select_by_decoder_norm	? "the norm decides what is active, activations are without it" :
							  "activations are as stored",
		   rows);
}

const struct dict_fact *dict_provenance(struct dict *d, size_t *n)
{
	pthread_mutex_lock(&d->lock);
	if (!d->fold_seen && d->plan.info.d_out)
		see_fold(d);
	d->fold_seen = true;
	pthread_mutex_unlock(&d->lock);
	*n = d->plan.facts.n;
	return d->plan.facts.p;
}

struct unit_job {
	const struct dict *d;
	f32 *out;
};

static void unit_rows(void *context, size_t task, unsigned thread)
{
	(void)thread;
	const struct unit_job *j = context;
	size_t n = j->d->plan.info.d_out, f = task * DICT_BLOCK;
	u32 rows = (u32)MIN((size_t)DICT_BLOCK, j->d->plan.info.n_features - f);
	if (dict_matrix_rows(j->d, &j->d->plan.dec, (u32)f, rows, j->out + f * n, NULL))
		return; /* zeros: its bytes are in place, so this cannot be */
	for (u32 r = 0; r < rows; r++) {
		f32 *row = j->out + (f + r) * n;
		f64 square = 0;
		for (size_t i = 0; i < n; i++)
			square += (f64)row[i] * row[i];
		/* a row of zeros, or one that is not finite, is like nothing */
		vec_scale(row, square > 0 && square < INFINITY ? (f32)(1 / sqrt(square)) : 0, n);
		for (size_t i = 0; i < n; i++)
			row[i] = isfinite(row[i]) ? row[i] : 0;
	}
}

const f32 *dict_decoder_unit(struct dict *d, struct pool *pool, struct err *e)
{
	const struct dict_info *i = &d->plan.info;
	if (!i->d_out || !d->plan.dec.a.t) {
		err_set(e, ERR_UNAVAILABLE, "'%s': there is no dictionary here, only what was imported", i->path);
		return NULL;
	}
	if (!dict_array_data(&d->plan.dec.a, e)) /* unpacked once, and not by every thread */
		return NULL;
	pthread_mutex_lock(&d->lock);
	if (!d->unit) {
		size_t n = i->n_features;
		struct unit_job j = {d, mem_try(n * i->d_out, sizeof(f32), "the decoder", e)};
		if (j.out)
			pool_each(pool, (n + DICT_BLOCK - 1) / DICT_BLOCK, unit_rows, &j);
		d->unit = j.out;
	}
	pthread_mutex_unlock(&d->lock);
	return d->unit;
}

int dict_verify(struct dict *d, struct progress *progress, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(d->plan.files); i++)
		if (d->plan.files[i] && tensors_verify(d->plan.files[i], progress, e))
			return -1;
	return 0;
}
