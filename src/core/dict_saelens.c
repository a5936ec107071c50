/* SPDX-License-Identifier: MIT */
/* dict_saelens.c - SAELens' folders: cfg.json of version 6 or the flat one before it, and the weights.
 *
 * Formulas: sae_lens/saes/ (sae.py, topk_sae.py, gated_sae.py, transcoder.py, matching_pursuit_sae.py) and
 * loading/pretrained_sae_loaders.py, handle_pre_6_0_config.
 */
#include "base/mem.h"
#include "core/dict_plan.h"

#include <stdlib.h>
#include <string.h>

static const struct architecture {
	const char *name;
	enum dict_arch arch;
	bool transcoder, skip;
} architectures[] = {
	{"standard", DICT_STANDARD, false, false},
	{"topk", DICT_TOPK, false, false},
	{"jumprelu", DICT_JUMPRELU, false, false},
	{"gated", DICT_GATED, false, false},
	/* trained as BatchTopK, both have a threshold from then on */
	{"batchtopk", DICT_JUMPRELU, false, false},
	{"matryoshka_batchtopk", DICT_JUMPRELU, false, false},
	{"matching_pursuit", DICT_MATCHING_PURSUIT, false, false},
	{"transcoder", DICT_STANDARD, true, false},
	{"topk_transcoder", DICT_TOPK, true, false},
	{"jumprelu_transcoder", DICT_JUMPRELU, true, false},
	{"skip_transcoder", DICT_STANDARD, true, true},
	{"jumprelu_skip_transcoder", DICT_JUMPRELU, true, true},
	{"none", DICT_NONE, false, false},
};

/* One opening. */
struct saelens {
	struct dict_plan *p;
	const struct dict_found *f;
	const json_t *cfg, *about; /* about: metadata, or the flat cfg */
	const struct architecture *a;
	char what[320];
};

static enum dict_origin origin_of(const json_t *o, const char *key)
{
	return json_object_get(o, key) ? DICT_FROM_FILE : DICT_DEFAULT;
}

static int read_k(struct saelens *s, struct err *e)
{
	const json_t *in = json_object_get(s->cfg, "activation_fn_kwargs");
	u64 k;
	if (json_get_u64(json_object_get(s->cfg, "k") ? s->cfg : in, "k", s->p->info.n_features, &k, s->what, e))
		return -1;
	if (!k)
		return err_set(e, ERR_DAMAGED, "%s: 'k' is 0", s->what);
	s->p->info.k = (u32)k;
	return 0;
}

static int read_arch(struct saelens *s, struct err *e)
{
	const char *arch = json_opt_str(s->cfg, "architecture", "standard");
	/* before version 6 a TopK dictionary was a standard one with another function */
	const char *fn = json_opt_str(s->cfg, "activation_fn", json_opt_str(s->cfg, "activation_fn_str", ""));
	bool by_function = !strcmp(arch, "standard") && !strcmp(fn, "topk");
	if (by_function)
		arch = "topk";
	else if (!strcmp(arch, "standard") && *fn && strcmp(fn, "relu"))
		return err_set(e, ERR_FAILED, "%s: activation_fn '%.60s' is not supported, relu and topk are", s->what, fn);
	for (size_t i = 0; i < ARRAY_LEN(architectures); i++)
		if (!strcmp(arch, architectures[i].name))
			s->a = &architectures[i];
	if (!s->a)
		return err_set(e, ERR_FAILED, "%s: architecture '%.60s' is not known", s->what, arch);
	if (s->a->arch == DICT_TOPK && read_k(s, e))
		return -1;
	const char *why = by_function ? "cfg.json: activation_fn, as before SAELens 6" : "cfg.json: architecture";
	enum dict_origin o = by_function ? DICT_FROM_FILE : origin_of(s->cfg, "architecture");
	plan_arch(s->p, s->a->arch, s->a->name, o, o == DICT_FROM_FILE ? why : "cfg.json names none");
	return 0;
}

static int read_norm(struct saelens *s, struct err *e)
{
	struct dict_plan *p = s->p;
	const json_t *given = json_object_get(s->cfg, "normalize_activations");
	const char *norm = json_opt_str(s->cfg, "normalize_activations", "none");
	bool said = given && !json_is_null(given);
	if (json_is_true(given))
		norm = "expected_average_only_in"; /* as older versions wrote it */
	if (!strcmp(norm, "expected_average_only_in")) {
		dict_state(&p->facts, "normalisation", DICT_GUESS,
			   "the file does not hold the factor, and load_from_disk does not fold it: if it is not in the "
			   "weights, give it with --norm-scale",
			   "expected_average_only_in, factor 1");
		return 0;
	}
	if (!strcmp(norm, "constant_norm_rescale"))
		p->info.norm = DICT_NORM_CONSTANT;
	else if (!strcmp(norm, "layer_norm"))
		p->info.norm = DICT_NORM_LAYER;
	else if (strcmp(norm, "none"))
		return err_set(e, ERR_FAILED, "%s: normalize_activations '%.60s' is not supported", s->what, norm);
	dict_state(&p->facts, "normalisation", said ? DICT_FROM_FILE : DICT_DEFAULT,
		   said ? "cfg.json: normalize_activations" : "cfg.json names none", "%s", norm);
	return 0;
}

/* Sizes that cfg.json states hold for the tensors. */
static int read_sizes(struct saelens *s, struct err *e)
{
	struct dict_info *i = &s->p->info;
	u64 d_in, n;
	if (!s->f->config)
		return 0;
	if (json_get_u64(s->cfg, "d_in", 1u << 24, &d_in, s->what, e) ||
	    json_get_u64(s->cfg, "d_sae", 1u << 28, &n, s->what, e))
		return -1;
	u64 d_out = json_opt_u64(s->cfg, "d_out", d_in);
	bool bare = !strcmp(json_opt_str(s->cfg, "architecture", ""), "none") && !d_in && !d_out;
	if (!n || (!bare && (!d_in || !d_out)) || d_out > 1u << 24)
		return err_set(e, ERR_DAMAGED, "%s: the sizes %llu, %llu, %llu are no dictionary's", s->what,
			       (unsigned long long)d_in, (unsigned long long)n, (unsigned long long)d_out);
	i->d_in = (u32)d_in;
	i->d_out = (u32)d_out;
	i->n_features = (u32)n;
	return 0;
}

static int read_threshold(struct saelens *s, struct err *e)
{
	struct dict_plan *p = s->p;
	const struct tensor *one = tensors_find(s->f->file, "topk_threshold");
	if (tensors_find(s->f->file, "threshold") || !one || one->n != 1) {
		if (plan_vector(&p->threshold, s->f->file, "threshold", p->info.n_features, true, e))
			return -1;
		dict_state(&p->facts, "threshold", DICT_FROM_FILE, "tensor 'threshold'", "one a feature, f is p above it");
		return 0;
	}
	const struct tensor *t = tensors_data(s->f->file, "topk_threshold", e);
	if (!t)
		return -1;
	p->threshold_all = (f64)tensor_f32(t, 0);
	dict_state(&p->facts, "threshold", DICT_FROM_FILE, "tensor 'topk_threshold'", "%g for all", p->threshold_all);
	return 0;
}

static int read_gate(struct saelens *s, struct err *e)
{
	struct dict_plan *p = s->p;
	u64 n = p->info.n_features;
	return plan_vector(&p->b_gate, s->f->file, "b_gate", n, true, e) ||
			       plan_vector(&p->b_enc, s->f->file, "b_mag", n, true, e) ||
			       plan_vector(&p->r_mag, s->f->file, "r_mag", n, true, e)
		       ? -1
		       : 0;
}

/* An old file's factor on each activation: harmless only where it is 1. */
static int check_scaling(struct saelens *s, struct err *e)
{
	if (!tensors_find(s->f->file, "scaling_factor"))
		return 0;
	const struct tensor *t = tensors_data(s->f->file, "scaling_factor", e);
	for (u64 i = 0; t && i < t->n; i++)
		if (tensor_f32(t, i) != 1)
			return err_set(e, ERR_FAILED,
				       "'%s': tensor 'scaling_factor' is not all ones; that is not supported",
				       s->f->weights);
	return t ? 0 : -1;
}

static int read_pursuit(struct saelens *s, struct err *e)
{
	struct dict_plan *p = s->p;
	p->residual = json_opt_f64(s->cfg, "residual_threshold", 1e-2);
	p->max_steps = (u32)MIN(json_opt_u64(s->cfg, "max_iterations", p->info.d_in), 1u << 20);
	p->stop_on_same = json_opt_bool(s->cfg, "stop_on_duplicate_support", true);
	if (!(p->residual >= 0) || !p->max_steps)
		return err_set(e, ERR_DAMAGED, "%s: residual_threshold or max_iterations is no pursuit's", s->what);
	dict_state(&p->facts, "encoder", DICT_DEFAULT, "matching pursuit has none", "the decoder's rows, until the rest is below %g",
		   p->residual);
	return 0;
}

static int read_bias(struct saelens *s, struct err *e)
{
	struct dict_plan *p = s->p;
	enum dict_origin o = origin_of(s->cfg, "apply_b_dec_to_input");
	bool subtract = json_opt_bool(s->cfg, "apply_b_dec_to_input", !s->a->transcoder) && !s->a->transcoder;
	dict_state(&p->facts, "b_dec", s->a->transcoder ? DICT_DEFAULT : o,
		   s->a->transcoder ? "transcoders take none from the input" :
		   o == DICT_FROM_FILE ? "cfg.json: apply_b_dec_to_input" : "cfg.json does not say",
		   subtract ? "subtracted from the input" : "not subtracted from the input");
	if (plan_b_dec(p, s->f->file, "b_dec", true, subtract, e))
		return -1;
	if (s->a->arch == DICT_MATCHING_PURSUIT && !subtract)
		p->b_dec = (struct dict_array){0}; /* given back only where it was taken */
	return 0;
}

/* What takes from the input and gives to the output wants them alike. */
static int check_widths(const struct saelens *s, struct err *e)
{
	const struct dict_info *i = &s->p->info;
	bool subtract = json_opt_bool(s->cfg, "apply_b_dec_to_input", true);
	if (i->d_in == i->d_out || s->a->transcoder || (!subtract && i->norm == DICT_NORM_NONE))
		return 0;
	return err_set(e, ERR_DAMAGED, "%s: d_out differs from d_in, which does not go with %s", s->what,
		       subtract ? "apply_b_dec_to_input" : "a normalised input");
}

static int read_weights(struct saelens *s, struct err *e)
{
	struct dict_plan *p = s->p;
	struct tensors *f = s->f->file;
	bool tied = s->a->arch == DICT_MATCHING_PURSUIT;
	if ((!tied && plan_encoder(p, f, "W_enc", DICT_BY_WIDTH, e)) || plan_decoder(p, f, "W_dec", DICT_BY_FEATURE, e) ||
	    check_scaling(s, e))
		return -1;
	if (tied)
		p->info.dtype = p->dec.a.t->dtype;
	else
		dict_state(&p->facts, "encoder", DICT_FROM_FILE, "the shape of W_enc", "stored by width, [d][F]");
	if (s->a->arch != DICT_GATED && !tied && plan_vector(&p->b_enc, f, "b_enc", p->info.n_features, true, e))
		return -1;
	if ((s->a->arch == DICT_STANDARD || s->a->arch == DICT_TOPK) && tensors_find(f, "threshold"))
		dict_state(&p->facts, "threshold", DICT_GUESS, "a tensor 'threshold' is there: is it a JumpReLU dictionary?",
			   "not used");
	if ((s->a->arch == DICT_JUMPRELU && read_threshold(s, e)) || (s->a->arch == DICT_GATED && read_gate(s, e)) ||
	    (tied && read_pursuit(s, e)) || read_bias(s, e))
		return -1;
	return s->a->skip ? plan_skip(p, f, "W_skip", false, e) : 0;
}

/* Examples with a stand-in: a decoder at most. */
static int read_none(struct saelens *s, struct err *e)
{
	struct dict_plan *p = s->p;
	const struct tensor *t = tensors_find(s->f->file, "W_dec");
	p->info.dtype = t ? t->dtype : DTYPE_F32;
	dict_state(&p->facts, "encoder", DICT_FROM_FILE, "cfg.json: architecture", "none, only what was imported");
	if (!p->info.d_out)
		return 0;
	return plan_decoder(p, s->f->file, "W_dec", DICT_BY_FEATURE, e);
}

/* Weights and rows are cast to cfg's dtype on loading. */
static void read_dtype(struct saelens *s)
{
	static const struct {
		const char *name;
		enum dtype t;
	} names[] = {{"float16", DTYPE_F16}, {"half", DTYPE_F16}, {"bfloat16", DTYPE_BF16}};
	const char *name = json_opt_str(s->cfg, "dtype", "float32");
	struct dict_plan *p = s->p;
	if (!strncmp(name, "torch.", 6))
		name += 6;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(name, names[i].name) && p->info.dtype != names[i].t)
			p->round = names[i].t;
	if (p->round != N_DTYPES)
		dict_state(&p->facts, "dtype", DICT_FROM_FILE, "cfg.json: dtype", "%s stored, weights and rows rounded to %s",
			   dtype_name(p->info.dtype), dtype_name(p->round));
}

static void read_about(struct saelens *s)
{
	struct dict_plan *p = s->p;
	const char *hook = json_opt_str(s->about, "hook_name", json_opt_str(s->about, "hook_point", ""));
	plan_hook(p, hook, json_opt_str(s->about, "hook_name_out", ""), DICT_FROM_FILE, "cfg.json: hook_name");
	plan_model(p, json_opt_str(s->about, "model_name", ""), DICT_FROM_FILE, "cfg.json: model_name");
	p->info.prepend_bos = json_opt_bool(s->about, "prepend_bos", true);
	dict_state(&p->facts, "bos", origin_of(s->about, "prepend_bos"), "cfg.json: prepend_bos",
		   p->info.prepend_bos ? "prepended" : "not prepended");
	p->info.is_transcoder = s->a->transcoder || p->info.d_in != p->info.d_out || strcmp(p->info.hook_out, hook);
	const char *reshape = json_opt_str(s->cfg, "reshape_activations", strstr(hook, "hook_z") ? "hook_z" : "none");
	if (!strcmp(reshape, "hook_z"))
		dict_state(&p->facts, "hook", DICT_FROM_FILE, "cfg.json: hook_name", "%s, its heads end to end", hook);
}

int dict_read_saelens(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	struct saelens s = {.p = p, .f = f, .cfg = f->config, .about = json_object_get(f->config, "metadata")};
	snprintf(s.what, sizeof s.what, "'%.300s'", f->config_path ? f->config_path : f->weights);
	p->info.format = json_is_object(s.about) ? "SAELens 6" : f->config ? "SAELens before 6" : "SAELens without cfg.json";
	dict_state(&p->facts, "format", f->config ? DICT_FROM_FILE : DICT_GUESS,
		   f->config ? "cfg.json" : "W_enc by width and nothing beside it", "%s", p->info.format);
	if (!json_is_object(s.about))
		s.about = s.cfg;
	if (read_sizes(&s, e) || read_arch(&s, e) || read_norm(&s, e) || check_widths(&s, e))
		return -1;
	if (s.a->arch == DICT_NONE ? read_none(&s, e) : read_weights(&s, e))
		return -1;
	/* of BatchTopK while it trains: the norm is folded in when it is saved as JumpReLU */
	p->info.rescale_by_decoder_norm = (s.a->arch == DICT_TOPK || strstr(s.a->name, "batchtopk")) &&
					  json_opt_bool(s.cfg, "rescale_acts_by_decoder_norm", false);
	read_dtype(&s);
	read_about(&s);
	return 0;
}
