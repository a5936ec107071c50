/* SPDX-License-Identifier: MIT */
/* dict_llama_scope.c - Llama Scope in both of its layouts, and llamascopium, which came of it.
 *
 * Rows are brought to the norm sqrt(d) with the average norm over a data set: x sqrt(d) / average.  Formulas:
 * Language-Model-SAEs, sae.py (encode, compute_norm_factor, standardize_parameters_of_dataset_norm).
 */
#include "base/mem.h"
#include "core/dict_plan.h"

#include <math.h>
#include <string.h>

/* Whole blocks of this family: factors in and out, threshold, and what stands around. */
static void set_factors(struct dict_plan *p, f64 in, f64 out)
{
	p->enc_scale = in;
	p->info.norm_scale = in;
	p->dec_scale = p->bias_scale = 1 / out;
}

static int bad_norm(const struct dict_found *f, const char *where, struct err *e)
{
	return err_set(e, ERR_DAMAGED, "'%.300s': %.100s is not a positive number", f->config_path ? f->config_path : f->weights,
		       where);
}

static void state_average(struct dict_plan *p, f64 in, f64 out, const char *why)
{
	if (in == out)
		dict_state(&p->facts, "normalisation", DICT_FROM_FILE, why, "dataset-wise, factor %.9g", in);
	else
		dict_state(&p->facts, "normalisation", DICT_FROM_FILE, why, "dataset-wise, factor %.9g in, %.9g out", in, out);
}

static int read_linear(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	if (plan_encoder(p, f->file, "encoder.weight", DICT_BY_FEATURE, e) ||
	    plan_decoder(p, f->file, "decoder.weight", DICT_BY_WIDTH, e) ||
	    plan_vector(&p->b_enc, f->file, "encoder.bias", p->info.n_features, true, e) ||
	    plan_b_dec(p, f->file, "decoder.bias", false, false, e))
		return -1;
	dict_state(&p->facts, "encoder", DICT_FROM_FILE, "the shape of encoder.weight", "stored by feature, [F][d]");
	return 0;
}

static void state_common(struct dict_plan *p, const struct dict_found *f, const char *format)
{
	p->info.format = format;
	dict_state(&p->facts, "format", DICT_FROM_FILE, "the names of tensors and of configuration", "%s", format);
	dict_state(&p->facts, "b_dec", DICT_DEFAULT, "the project's own formula", "not subtracted from the input");
	const char *in = json_opt_str(f->config, "hook_point_in", ""), *out = json_opt_str(f->config, "hook_point_out", "");
	plan_hook(p, in, out, DICT_FROM_FILE, "hook_point_in of the configuration");
	p->info.is_transcoder = p->info.d_in != p->info.d_out || strcmp(in, p->info.hook_out);
	p->info.prepend_bos = json_opt_bool(f->config, "prepend_bos", true);
	dict_state(&p->facts, "bos", json_object_get(f->config, "prepend_bos") ? DICT_FROM_FILE : DICT_DEFAULT, "prepend_bos",
		   p->info.prepend_bos ? "prepended" : "not prepended");
	const char *model = json_opt_str(f->config, "model_name", "");
	bool llama = !*model && (strstr(f->place, "Llama3_1-8B") || strstr(f->place, "Llama-Scope"));
	plan_model(p, llama ? "meta-llama/Llama-3.1-8B" : model, llama ? DICT_GUESS : DICT_FROM_FILE,
		   llama ? "the folder's name" : "config.json: model_name");
}

int dict_read_llama_scope(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	const json_t *norms = json_object_get(f->config, "dataset_average_activation_norm");
	f64 norm_in = json_opt_f64(norms, "in", 0), norm_out = json_opt_f64(norms, "out", norm_in), threshold;
	char what[320];
	snprintf(what, sizeof what, "'%.300s'", f->config_path);
	if (read_linear(p, f, e) || json_get_f64(f->config, "jump_relu_threshold", &threshold, what, e))
		return -1;
	if (!(norm_in > 0 && norm_out > 0))
		return bad_norm(f, "dataset_average_activation_norm", e);
	f64 in = sqrt(p->info.d_in) / norm_in, out = sqrt(p->info.d_out) / norm_out;
	set_factors(p, in, out);
	state_average(p, in, out, "hyperparams.json: dataset_average_activation_norm");
	/* published thresholds grow with the layer's norm: they are in units of the raw rows, f in those of
	 * rows times the factor */
	p->threshold_all = threshold * in;
	dict_state(&p->facts, "threshold", DICT_FROM_FILE,
		   "hyperparams.json: jump_relu_threshold, which is in units of the raw rows: x W + b/s above t is x s W + b "
		   "above s t",
		   "%.6g for all, %.6g times the factor", p->threshold_all, threshold);
	plan_arch(p, DICT_JUMPRELU, json_opt_str(f->config, "act_fn", "jumprelu"), DICT_FROM_FILE, "hyperparams.json: act_fn");
	state_common(p, f, "Llama Scope");
	return 0;
}

/* The average norm at a hook, a tensor of one number; 1 and *out, 0 where there is none. */
static int average_norm(const struct dict_found *f, const char *hook, f64 *out, struct err *e)
{
	char *name = xasprintf("dataset_average_activation_norm.%s", hook);
	const struct tensor *t = tensors_find(f->file, name);
	int r = 0;
	if (t && (t->n != 1 || !(t = tensors_data(f->file, name, e))))
		r = t ? bad_norm(f, name, e) : -1;
	else if (t)
		r = (*out = (f64)tensor_f32(t, 0)) > 0 && isfinite(*out) ? 1 : bad_norm(f, name, e);
	free(name);
	return r;
}

/* norm_activation of config.json.  Factors of a batch depend on the other rows, so a file cannot have them. */
static int read_norm(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	static const char key[] = "config.json: norm_activation";
	const char *norm = json_opt_str(f->config, "norm_activation", "inference");
	const char *hook = json_opt_str(f->config, "hook_point_in", "");
	f64 in = 0, out = 0;
	if (!strcmp(norm, "inference") || !strcmp(norm, "none")) {
		dict_state(&p->facts, "normalisation", DICT_FROM_FILE, key, "none, %s", norm);
		return 0;
	}
	if (!strcmp(norm, "token-wise")) {
		p->info.norm = DICT_NORM_CONSTANT;
		dict_state(&p->facts, "normalisation", DICT_FROM_FILE, key, "token-wise");
		return 0;
	}
	if (strcmp(norm, "dataset-wise")) {
		dict_state(&p->facts, "normalisation", DICT_GUESS,
			   "the factor depends on what is beside a row in its batch; give one with --norm-scale", "%s, factor 1",
			   norm);
		return 0;
	}
	int found = average_norm(f, hook, &in, e);
	int found_out = found < 0 ? -1 : average_norm(f, json_opt_str(f->config, "hook_point_out", hook), &out, e);
	if (found_out < 0)
		return -1;
	if (!found) {
		dict_state(&p->facts, "normalisation", DICT_GUESS,
			   "the file does not hold the average norm; give the factor with --norm-scale",
			   "dataset-wise, factor 1");
		return 0;
	}
	in = sqrt(p->info.d_in) / in;
	out = found_out ? sqrt(p->info.d_out) / out : in;
	set_factors(p, in, out);
	state_average(p, in, out, "tensor 'dataset_average_activation_norm'");
	return 0;
}

static int read_log_threshold(struct dict_plan *p, const struct dict_found *f, const char *name, struct err *e)
{
	if (plan_vector(&p->threshold, f->file, name, p->info.n_features, true, e))
		return -1;
	p->log_threshold = true;
	dict_state(&p->facts, "threshold", DICT_FROM_FILE, name, "one a feature, stored as logarithms");
	return 0;
}

int dict_read_llama_scope_r1(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	if (read_linear(p, f, e) || read_log_threshold(p, f, "log_jumprelu_threshold", e) || read_norm(p, f, e))
		return -1;
	plan_arch(p, DICT_JUMPRELU, "jumprelu", DICT_FROM_FILE, "tensor 'log_jumprelu_threshold'");
	state_common(p, f, "Llama Scope R1-Distill");
	return 0;
}

static int read_act(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	static const char key[] = "config.json: act_fn";
	const char *fn = json_opt_str(f->config, "act_fn", "relu");
	char what[320];
	u64 k;
	snprintf(what, sizeof what, "'%.300s'", f->config_path);
	if (!strcmp(fn, "jumprelu") || tensors_find(f->file, "activation_function.log_jumprelu_threshold")) {
		plan_arch(p, DICT_JUMPRELU, fn, DICT_FROM_FILE, key);
		return read_log_threshold(p, f, "activation_function.log_jumprelu_threshold", e);
	}
	if (!strcmp(fn, "relu")) {
		plan_arch(p, DICT_STANDARD, fn, DICT_FROM_FILE, key);
		return 0;
	}
	if (strcmp(fn, "topk") && strcmp(fn, "batchtopk"))
		return err_set(e, ERR_FAILED, "%s: act_fn '%.60s' is not supported", what, fn);
	if (json_get_u64(f->config, "top_k", p->info.n_features, &k, what, e))
		return -1;
	if (!k)
		return err_set(e, ERR_DAMAGED, "%s: 'top_k' is 0", what);
	p->info.k = (u32)k;
	bool batch = !strcmp(fn, "batchtopk");
	plan_arch(p, DICT_TOPK, fn, batch ? DICT_GUESS : DICT_FROM_FILE,
		  batch ? "a batch shares k times its rows; here each row has k, for want of a threshold" : key);
	return 0;
}

static int check_kind(const struct dict_found *f, struct err *e)
{
	const char *kind = json_opt_str(f->config, "sae_type", "sae");
	if (!f->config)
		return err_set(e, ERR_NOT_FOUND, "'%s' has llamascopium's tensors but no config.json beside it", f->weights);
	if (strcmp(kind, "sae") && strcmp(kind, "transcoder"))
		return err_set(e, ERR_FAILED, "'%s': sae_type '%.60s' is not supported, only sae and transcoder are",
			       f->config_path, kind);
	return 0;
}

int dict_read_llamascopium(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	if (check_kind(f, e) || plan_encoder(p, f->file, "W_E", DICT_BY_WIDTH, e) ||
	    plan_decoder(p, f->file, "W_D", DICT_BY_FEATURE, e) ||
	    plan_vector(&p->b_enc, f->file, "b_E", p->info.n_features, true, e) ||
	    plan_b_dec(p, f->file, "b_D", json_opt_bool(f->config, "use_decoder_bias", false), false, e) || read_act(p, f, e) ||
	    read_norm(p, f, e))
		return -1;
	bool glu = json_opt_bool(f->config, "use_glu_encoder", false);
	if (glu && (plan_glu(p, f->file, "W_E_glu", DICT_BY_WIDTH, e) ||
		    plan_vector(&p->b_glu, f->file, "b_E_glu", p->info.n_features, true, e)))
		return -1;
	dict_state(&p->facts, "encoder", DICT_FROM_FILE, "the shape of W_E", "stored by width, [d][F]%s",
		   glu ? ", times the sigmoid of a second one" : "");
	p->info.select_by_decoder_norm = json_opt_bool(f->config, "sparsity_include_decoder_norm", true);
	state_common(p, f, "llamascopium");
	return 0;
}
