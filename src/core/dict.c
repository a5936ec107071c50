/* SPDX-License-Identifier: MIT */
/* dict.c - opening a dictionary: its tensors checked, their f32 forms made when asked for. */
#include "core/dict.h"

#include "base/mem.h"
#include "core/dict_impl.h"
#include "core/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FLOATS = 1u << DTYPE_F32 | 1u << DTYPE_F16 | 1u << DTYPE_BF16 | 1u << DTYPE_F64 };

static const struct tensor *matrix(struct dict *d, const char *name, u64 rows, u64 columns, struct err *e)
{
	return safetensors_need(d->file, name, FLOATS, 2, (u64[]){rows, columns}, e);
}

static const struct tensor *vector(struct dict *d, const char *name, u64 n, struct err *e)
{
	return safetensors_need(d->file, name, FLOATS, 1, &n, e);
}

/* An old file's factor on each activation: harmless only where it is 1. */
static int check_scaling(struct dict *d, struct err *e)
{
	const struct tensor *t = safetensors_find(d->file, "scaling_factor");
	for (u64 i = 0; t && i < t->n; i++)
		if (tensor_f32(t, i) != 1)
			return err_set(e, ERR_FAILED,
				       "'%s': tensor 'scaling_factor' is not all ones; that is not supported",
				       safetensors_path(d->file));
	return 0;
}

static int find_tensors(struct dict *d, struct err *e)
{
	const struct dict_info *i = &d->info;
	if (i->arch == DICT_NONE) {
		if (!(d->w_dec = matrix(d, "W_dec", i->n_features, i->d_out, e)))
			return -1;
		d->info.dtype = d->w_dec->dtype;
		return 0;
	}
	if (!(d->w_enc = matrix(d, "W_enc", i->d_in, i->n_features, e)) ||
	    !(d->w_dec = matrix(d, "W_dec", i->n_features, i->d_out, e)) ||
	    !(d->b_enc = vector(d, "b_enc", i->n_features, e)) ||
	    !(d->b_dec = vector(d, "b_dec", i->d_out, e)))
		return -1;
	if (i->arch == DICT_JUMPRELU && !(d->threshold = vector(d, "threshold", i->n_features, e)))
		return -1;
	d->info.dtype = d->w_enc->dtype;
	return check_scaling(d, e);
}

static int check_options(const struct dict_options *o, struct err *e)
{
	if (o->set & DICT_SET_NORM_SCALE && !(o->norm_scale > 0 && o->norm_scale < 1e30))
		return err_set(e, ERR_USAGE, "the norm scale %g is not a positive number", o->norm_scale);
	return 0;
}

static void state_weights(struct dict *d)
{
	dict_state(&d->facts, "dtype", DICT_FROM_FILE, "the header of W_enc", "%s", dtype_name(d->info.dtype));
	if (d->threshold)
		dict_state(&d->facts, "threshold", DICT_FROM_FILE, "tensor 'threshold'", "of each feature");
}

struct dict *dict_open_with(const char *folder, const struct dict_options *o, struct err *e)
{
	static const struct dict_options none;
	struct dict *d = xcalloc(1, sizeof *d);
	char *path = xasprintf("%s/sae_weights.safetensors", folder);
	d->info.path = d->path = xstrdup(folder);
	pthread_mutex_init(&d->lock, NULL);
	o = o ? o : &none;
	bool bad = check_options(o, e) || dict_read_cfg(d, folder, e) || !(d->file = safetensors_open(path, e)) ||
		   find_tensors(d, e);
	free(path);
	if (bad) {
		dict_free(d);
		return NULL;
	}
	state_weights(d);
	dict_obey(d, o);
	return d;
}

struct dict *dict_open(const char *folder, struct err *e)
{
	return dict_open_with(folder, NULL, e);
}

void dict_free(struct dict *d)
{
	if (!d)
		return;
	free(d->enc.copy);
	free(d->dec.copy);
	free(d->enc_bias.copy);
	free(d->dec_bias.copy);
	free(d->least.copy);
	free(d->row_norm);
	free(d->unit);
	dict_facts_release(&d->facts);
	safetensors_free(d->file);
	json_decref(d->cfg);
	free(d->cfg_path);
	free(d->path);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

const struct dict_info *dict_info(const struct dict *d)
{
	return &d->info;
}

void dict_decoder_row(const struct dict *d, u32 id, f32 *out)
{
	tensor_get_f32(d->w_dec, (u64)id * d->info.d_out, d->info.d_out, out);
	if (d->out_scale != 1)
		vec_scale(out, (f32)d->out_scale, d->info.d_out);
}

void dict_encoder_row(const struct dict *d, u32 id, f32 *out, f32 *bias)
{
	for (u64 j = 0; j < d->info.d_in; j++)
		out[j] = d->w_enc ? tensor_f32(d->w_enc, j * d->info.n_features + id) * (f32)d->info.norm_scale : 0;
	if (bias)
		*bias = d->b_enc ? tensor_f32(d->b_enc, id) : 0;
}

void dict_b_dec(const struct dict *d, f32 *out)
{
	if (d->b_dec)
		tensor_get_f32(d->b_dec, 0, d->info.d_out, out);
	else
		memset(out, 0, d->info.d_out * sizeof *out);
	if (d->out_scale != 1)
		vec_scale(out, (f32)d->out_scale, d->info.d_out);
}

f32 dict_threshold(const struct dict *d, u32 id)
{
	return d->threshold ? tensor_f32(d->threshold, id) : 0;
}

static f64 norm_of_row(const struct dict *d, u32 id, f32 *row)
{
	f64 square = 0;
	dict_decoder_row(d, id, row);
	for (u32 i = 0; i < d->info.d_out; i++)
		square += (f64)row[i] * row[i];
	return sqrt(square);
}

void dict_direction(const struct dict *d, u32 id, f32 *out)
{
	f64 norm = norm_of_row(d, id, out);
	/* f counts unit decoder rows: SAELens, saes/topk_sae.py */
	if (d->info.rescale_by_decoder_norm && norm > 0)
		vec_scale(out, (f32)(1 / norm), d->info.d_out);
}

int dict_linear(const struct dict *d, u32 id, f32 *w, f32 *bias, struct err *e)
{
	static const char *const norms[] = {"", "divides each row by its norm", "normalises each row"};
	const struct dict_info *i = &d->info;
	if (i->arch == DICT_NONE)
		return err_set(e, ERR_UNAVAILABLE, "'%s': there is no encoder here, only what was imported", i->path);
	if (i->norm != DICT_NORM_NONE)
		return err_set(e, ERR_UNAVAILABLE, "the dictionary %s, so no feature is a direction of the model's own rows",
			       norms[i->norm]);
	dict_encoder_row(d, id, w, bias);
	if (i->apply_b_dec_to_input) {
		f32 *b_dec = xcalloc(i->d_out, sizeof *b_dec);
		f64 shift = 0;
		dict_b_dec(d, b_dec);
		for (u32 k = 0; k < i->d_in; k++)
			shift += (f64)w[k] * (f64)b_dec[k];
		free(b_dec);
		*bias = (f32)((f64)*bias - shift);
	}
	if (!i->rescale_by_decoder_norm)
		return 0;
	f32 *row = xcalloc(i->d_out, sizeof *row), norm = (f32)norm_of_row(d, id, row);
	free(row);
	vec_scale(w, norm, i->d_in);
	*bias *= norm;
	return 0;
}

/* Sixteen rows, spread over the features, show whether norms are all 1. */
static void see_fold(struct dict *d)
{
	f32 *row = xcalloc(d->info.d_out, sizeof *row);
	f64 least = INFINITY, most = 0;
	u32 n = MIN(16u, d->info.n_features);
	for (u32 i = 0; i < n; i++) {
		f64 norm = norm_of_row(d, (u32)((u64)i * d->info.n_features / n), row);
		least = fmin(least, norm);
		most = fmax(most, norm);
	}
	free(row);
	const char *rows = least > 0.99 && most < 1.01 ? "decoder rows are unit" : "decoder rows are not unit";
	dict_state(&d->facts, "fold", d->info.rescale_by_decoder_norm ? DICT_FROM_FILE : DICT_MEASURED,
		   d->info.rescale_by_decoder_norm ? "cfg.json: rescale_acts_by_decoder_norm" : "sixteen rows looked at",
		   "%s, %s (norms %.3g to %.3g)",
		   d->info.rescale_by_decoder_norm ? "decoder norm folded into activations" : "not folded", rows, least,
		   most);
}

const struct dict_fact *dict_provenance(struct dict *d, size_t *n)
{
	pthread_mutex_lock(&d->lock);
	if (!d->fold_seen && d->info.d_out)
		see_fold(d);
	d->fold_seen = true;
	pthread_mutex_unlock(&d->lock);
	*n = d->facts.n;
	return d->facts.p;
}

struct unit_job {
	const struct dict *d;
	f32 *out;
};

static void unit_rows(void *context, size_t task, unsigned thread)
{
	(void)thread;
	const struct unit_job *j = context;
	size_t n = j->d->info.d_out, end = MIN((task + 1) * 256, (size_t)j->d->info.n_features);
	for (size_t f = task * 256; f < end; f++) {
		f32 *row = j->out + f * n;
		dict_decoder_row(j->d, (u32)f, row);
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
	if (!d->info.d_out) {
		err_set(e, ERR_UNAVAILABLE, "'%s': there is no dictionary here, only what was imported", d->cfg_path);
		return NULL;
	}
	pthread_mutex_lock(&d->lock);
	if (!d->unit) {
		size_t n = d->info.n_features;
		struct unit_job j = {d, mem_try(n * d->info.d_out, sizeof(f32), "the decoder", e)};
		if (j.out)
			pool_each(pool, (n + 255) / 256, unit_rows, &j);
		d->unit = j.out;
	}
	pthread_mutex_unlock(&d->lock);
	return d->unit;
}
