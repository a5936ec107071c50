/* SPDX-License-Identifier: MIT */
/* dict_export.c - a dictionary written as SAELens writes its own. */
#include "core/dict_export.h"

#include "base/mem.h"
#include "core/dict_impl.h"
#include "core/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 64 << 20 /* numbers of W_enc */ };

struct out {
	struct dict *d;
	const struct dict_plan *p;
	struct safetensors_writer *w;
	struct progress *progress;
	f32 *rows;         /* [DICT_BLOCK][the wider of the two] */
	f32 *norm;         /* [F] of decoder rows, or NULL */
	bool fold_bias;    /* what is taken from the input goes into b_enc */
	bool fold_norm;    /* decoder norms go into the encoder: only SAELens' topk scales by them */
	bool transcoder;   /* one of SAELens' transcoders */
	const char *arch;
};

static const char *impossible(const struct dict_plan *p)
{
	bool odd = p->skip.t || p->info.d_in != p->info.d_out;
	if (p->info.arch == DICT_GROUPMAX)
		return "groupmax";
	if (p->info.arch == DICT_IDENTITY)
		return "the identity";
	if (p->info.arch == DICT_NONE)
		return "a dictionary without an encoder";
	if (p->glu.a.t)
		return "a GLU encoder";
	if (p->info.arch == DICT_TOPK && p->info.select_by_decoder_norm)
		return "a TopK that selects by decoder norms and does not scale by them";
	if (odd && p->info.arch != DICT_STANDARD && p->info.arch != DICT_JUMPRELU)
		return p->skip.t ? "such a dictionary with a skip connection" : "such a dictionary between two widths";
	if (odd && p->info.norm != DICT_NORM_NONE)
		return "a transcoder that undoes a normalisation";
	return NULL;
}

static void choose(struct out *o)
{
	static const char *const plain[] = {
		[DICT_STANDARD] = "standard", [DICT_TOPK] = "topk", [DICT_JUMPRELU] = "jumprelu",
		[DICT_GATED] = "gated", [DICT_MATCHING_PURSUIT] = "matching_pursuit"};
	static const char *const transcoders[2][2] = {{"transcoder", "skip_transcoder"},
						      {"jumprelu_transcoder", "jumprelu_skip_transcoder"}};
	const struct dict_plan *p = o->p;
	bool can = p->info.arch == DICT_STANDARD || p->info.arch == DICT_JUMPRELU;
	o->transcoder = p->skip.t || p->info.d_in != p->info.d_out ||
			(p->info.is_transcoder && can && p->info.norm == DICT_NORM_NONE);
	o->arch = o->transcoder ? transcoders[p->info.arch == DICT_JUMPRELU][p->skip.t != NULL] : plain[p->info.arch];
	o->fold_bias = p->subtract.t && (o->transcoder || p->subtract.t != p->b_dec.t);
	o->fold_norm = p->info.rescale_by_decoder_norm && p->info.arch != DICT_TOPK;
}

static json_t *metadata(const struct dict_info *i)
{
	json_t *j = json_object();
	/* below 6, or none, is read as the flat form */
	json_object_set_new(j, "sae_lens_version", json_string("6.0.0"));
	json_object_set_new(j, "model_name", json_string(i->model_name));
	json_object_set_new(j, "hook_name", json_string(i->hook_name));
	if (strcmp(i->hook_out, i->hook_name))
		json_object_set_new(j, "hook_name_out", json_string(i->hook_out));
	json_object_set_new(j, "prepend_bos", json_boolean(i->prepend_bos));
	return j;
}

/* The rounding on loading is kept where it leaves the weights as they are. */
static const char *dtype_of(const struct out *o)
{
	const struct dict_plan *p = o->p;
	bool as_stored = p->enc_scale == 1 && p->dec_scale == 1 && p->bias_scale == 1 && !p->unit_decoder && !o->fold_bias &&
			 !o->fold_norm;
	return !as_stored		? "float32" :
	       p->round == DTYPE_F16	? "float16" :
	       p->round == DTYPE_BF16	? "bfloat16" :
					  "float32";
}

static json_t *configuration(const struct out *o)
{
	static const char *const norms[] = {"none", "constant_norm_rescale", "layer_norm"};
	const struct dict_plan *p = o->p;
	const struct dict_info *i = &p->info;
	json_t *j = json_pack("{s:s, s:i, s:i, s:s, s:s, s:b, s:s, s:s}", "architecture", o->arch, "d_in", (int)i->d_in,
			      "d_sae", (int)i->n_features, "dtype", dtype_of(o), "device", "cpu", "apply_b_dec_to_input",
			      p->subtract.t && !o->fold_bias, "normalize_activations", norms[i->norm],
			      "reshape_activations", "none");
	if (o->transcoder)
		json_object_set_new(j, "d_out", json_integer(i->d_out));
	if (i->arch == DICT_TOPK) {
		json_object_set_new(j, "k", json_integer(i->k));
		json_object_set_new(j, "rescale_acts_by_decoder_norm", json_boolean(i->rescale_by_decoder_norm));
	}
	if (i->arch == DICT_MATCHING_PURSUIT) {
		json_object_set_new(j, "residual_threshold", json_real(p->residual));
		json_object_set_new(j, "max_iterations", json_integer(p->max_steps));
		json_object_set_new(j, "stop_on_duplicate_support", json_boolean(p->stop_on_same));
	}
	json_object_set_new(j, "metadata", metadata(i));
	return j;
}

static int add(struct out *o, const f32 *x, size_t n, struct err *e)
{
	return safetensors_writer_add(o->w, x, n * sizeof *x, e);
}

static bool make_norms(struct out *o, struct err *e)
{
	const struct dict_info *i = &o->p->info;
	o->norm = mem_try(i->n_features, sizeof *o->norm, "decoder norms", e);
	for (u32 f = 0; o->norm && f < i->n_features; f += DICT_BLOCK) {
		u32 n = MIN((u32)DICT_BLOCK, i->n_features - f);
		if (dict_matrix_rows(o->d, &o->p->dec, f, n, o->rows, e))
			return false;
		for (u32 k = 0; k < n; k++) {
			const f32 *row = o->rows + (size_t)k * i->d_out;
			o->norm[f + k] = sqrtf(vec_dot(row, row, i->d_out));
		}
	}
	return o->norm;
}

/* The encoder of features first .. first + n, with its factor. */
static int encoder_rows(struct out *o, u32 first, u32 n, struct err *e)
{
	if (dict_matrix_rows(o->d, &o->p->enc, first, n, o->rows, e))
		return -1;
	if (o->p->enc_scale != 1)
		vec_scale(o->rows, (f32)o->p->enc_scale, (size_t)n * o->p->enc.width);
	for (u32 i = 0; o->norm && i < n; i++)
		vec_scale(o->rows + (size_t)i * o->p->enc.width, o->norm[first + i], o->p->enc.width);
	return 0;
}

/* [d_in][F], as many of its rows at a time as there is room for. */
static int add_encoder(struct out *o, struct err *e)
{
	u32 width = o->p->enc.width, n_features = o->p->info.n_features;
	u32 step = (u32)MAX((u64)1, MIN((u64)width, (u64)AT_ONCE / n_features));
	f32 *part = mem_try((u64)step * n_features, sizeof *part, "a part of W_enc", e);
	int bad = part ? 0 : -1;
	for (u32 from = 0; !bad && from < width; from += step) {
		u32 m = MIN(step, width - from);
		for (u32 f = 0; !bad && f < n_features; f += DICT_BLOCK) {
			u32 n = MIN((u32)DICT_BLOCK, n_features - f);
			bad = encoder_rows(o, f, n, e);
			for (u32 j = 0; !bad && j < m; j++)
				for (u32 i = 0; i < n; i++)
					part[(size_t)j * n_features + f + i] = o->rows[(size_t)i * width + from + j];
			if (!bad && progress_cancelled(o->progress))
				bad = err_set(e, ERR_CANCELLED, "stopped; nothing was written");
		}
		bad = bad || add(o, part, (size_t)m * n_features, e);
		progress_add(o->progress, m);
	}
	free(part);
	return bad;
}

static int add_decoder(struct out *o, struct err *e)
{
	u32 n_features = o->p->info.n_features;
	for (u32 f = 0; f < n_features; f++) {
		if (o->fold_norm)
			dict_direction(o->d, f, o->rows);
		else
			dict_decoder_row(o->d, f, o->rows);
		if (add(o, o->rows, o->p->info.d_out, e))
			return -1;
	}
	return 0;
}

/* A vector of F, or zeros; less what the bias on the input makes of each encoder, where that is folded. */
static int add_bias(struct out *o, const struct dict_array *a, bool fold, struct err *e)
{
	const struct dict_plan *p = o->p;
	u32 n_features = p->info.n_features, width = p->enc.width;
	const struct tensor *t = a->t ? dict_array_data(a, e) : NULL;
	f32 *out = mem_try(n_features, sizeof *out, "biases", e), *shift = xcalloc((size_t)width + 1, sizeof *shift);
	int bad = !out || (a->t && !t) ? -1 : 0;
	if (!bad && t)
		tensor_get_f32(t, 0, n_features, out);
	for (u32 f = 0; !bad && f < n_features && p->round != N_DTYPES; f++)
		out[f] = dict_round(p->round, out[f]);
	for (u32 f = 0; !bad && f < n_features && o->norm; f++)
		out[f] *= o->norm[f];
	if (!bad && fold) {
		const struct tensor *s = dict_array_data(&p->subtract, e);
		bad = s ? 0 : -1;
		if (s)
			tensor_get_f32(s, 0, width, shift);
		for (u32 j = 0; j < width && p->round != N_DTYPES; j++)
			shift[j] = dict_round(p->round, shift[j]);
		for (u32 f = 0; !bad && f < n_features; f += DICT_BLOCK) {
			u32 n = MIN((u32)DICT_BLOCK, n_features - f);
			bad = encoder_rows(o, f, n, e);
			for (u32 i = 0; !bad && i < n; i++) {
				f64 sum = 0;
				for (u32 j = 0; j < width; j++)
					sum += (f64)o->rows[(size_t)i * width + j] * shift[j];
				out[f + i] = (f32)((f64)out[f + i] - sum * p->bias_scale);
			}
		}
	}
	bad = bad || add(o, out, n_features, e);
	free(out);
	free(shift);
	return bad ? -1 : 0;
}

static int add_thresholds(struct out *o, struct err *e)
{
	for (u32 f = 0; f < o->p->info.n_features; f++) {
		f32 t = dict_threshold(o->d, f);
		if (add(o, &t, 1, e))
			return -1;
	}
	return 0;
}

/* [d_out][d_in]. */
static int add_skip(struct out *o, struct err *e)
{
	const struct dict_plan *p = o->p;
	const struct tensor *t = dict_array_data(&p->skip, e);
	u32 rows = p->info.d_out, columns = p->info.d_in;
	for (u32 i = 0; t && i < rows; i++) {
		if (p->skip_in_out)
			for (u32 j = 0; j < columns; j++)
				o->rows[j] = tensor_f32(t, (u64)j * rows + i);
		else
			tensor_get_f32(t, (u64)i * columns, columns, o->rows);
		for (u32 j = 0; j < columns && p->round != N_DTYPES; j++)
			o->rows[j] = dict_round(p->round, o->rows[j]);
		if (add(o, o->rows, columns, e))
			return -1;
	}
	return t ? 0 : -1;
}

static void declare(struct out *o)
{
	const struct dict_info *i = &o->p->info;
	const u64 f = i->n_features;
	safetensors_writer_meta(o->w, "format", "pt");
	if (i->arch != DICT_MATCHING_PURSUIT)
		safetensors_writer_declare(o->w, "W_enc", DTYPE_F32, 2, (u64[]){i->d_in, f});
	safetensors_writer_declare(o->w, "W_dec", DTYPE_F32, 2, (u64[]){f, i->d_out});
	safetensors_writer_declare(o->w, "b_dec", DTYPE_F32, 1, (u64[]){i->d_out});
	if (i->arch == DICT_GATED) {
		safetensors_writer_declare(o->w, "b_gate", DTYPE_F32, 1, &f);
		safetensors_writer_declare(o->w, "b_mag", DTYPE_F32, 1, &f);
		safetensors_writer_declare(o->w, "r_mag", DTYPE_F32, 1, &f);
	} else if (i->arch != DICT_MATCHING_PURSUIT) {
		safetensors_writer_declare(o->w, "b_enc", DTYPE_F32, 1, &f);
	}
	if (i->arch == DICT_JUMPRELU)
		safetensors_writer_declare(o->w, "threshold", DTYPE_F32, 1, &f);
	if (o->p->skip.t)
		safetensors_writer_declare(o->w, "W_skip", DTYPE_F32, 2, (u64[]){i->d_out, i->d_in});
}

static int write_all(struct out *o, struct err *e)
{
	const struct dict_plan *p = o->p;
	bool gated = p->info.arch == DICT_GATED, tied = p->info.arch == DICT_MATCHING_PURSUIT;
	declare(o);
	if (safetensors_writer_begin(o->w, e) || (!tied && add_encoder(o, e)) || add_decoder(o, e))
		return -1;
	dict_b_dec(o->d, o->rows);
	if (add(o, o->rows, p->info.d_out, e))
		return -1;
	if (gated && add_bias(o, &p->b_gate, false, e))
		return -1;
	if (!tied && add_bias(o, &p->b_enc, o->fold_bias && !gated, e))
		return -1;
	if (gated && add_bias(o, &p->r_mag, false, e))
		return -1;
	if (p->info.arch == DICT_JUMPRELU && add_thresholds(o, e))
		return -1;
	return p->skip.t ? add_skip(o, e) : 0;
}

int dict_export(struct dict *d, const char *folder, struct progress *progress, struct err *e)
{
	struct out o = {.d = d, .p = &d->plan, .progress = progress};
	const char *what = impossible(o.p);
	if (what)
		return err_set(e, ERR_UNAVAILABLE, "'%s': SAELens does not have %s", o.p->info.path, what);
	choose(&o);
	if (o.fold_bias && (o.p->info.arch == DICT_GATED || o.p->info.arch == DICT_MATCHING_PURSUIT))
		return err_set(e, ERR_UNAVAILABLE, "'%s': SAELens does not have two biases", o.p->info.path);
	char *weights = xasprintf("%s/sae_weights.safetensors", folder), *cfg = xasprintf("%s/cfg.json", folder);
	json_t *j = configuration(&o);
	u64 widest = MAX(o.p->info.d_in, o.p->info.d_out);
	progress_start(progress, "exporting", "rows", o.p->info.d_in);
	o.rows = mem_try(DICT_BLOCK * widest, sizeof *o.rows, "rows of weights", e);
	bool room = o.rows && (!o.fold_norm || make_norms(&o, e));
	o.w = room ? safetensors_writer_new(weights, e) : NULL;
	int bad = !o.w || write_all(&o, e) ? -1 : 0;
	if (!bad) {
		bad = safetensors_writer_commit(o.w, e);
		o.w = NULL;
	}
	bad = bad || json_write_file(cfg, j, e) ? -1 : 0;
	safetensors_writer_abandon(o.w);
	json_decref(j);
	free(o.rows);
	free(o.norm);
	free(weights);
	free(cfg);
	return bad;
}
