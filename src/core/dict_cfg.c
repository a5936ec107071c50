/* SPDX-License-Identifier: MIT */
/* dict_cfg.c - cfg.json of a dictionary, SAELens version 6 or the flat one before it. */
#include "core/dict_impl.h"

#include "base/mem.h"

#include <string.h>

static int read_arch(struct dict *d, const char *what, struct err *e)
{
	static const char *const names[DICT_N_ARCHS] = {
		[DICT_STANDARD] = "standard",
		[DICT_TOPK] = "topk",
		[DICT_JUMPRELU] = "jumprelu",
		[DICT_NONE] = "none",
	};
	const char *arch = json_opt_str(d->cfg, "architecture", "standard");
	/* before version 6 a TopK dictionary was a standard one with another function */
	const char *fn = json_opt_str(d->cfg, "activation_fn", json_opt_str(d->cfg, "activation_fn_str", ""));
	if (!strcmp(arch, "standard") && !strcmp(fn, "topk"))
		arch = "topk";
	bool named = json_object_get(d->cfg, "architecture") || *fn;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i] && !strcmp(arch, names[i])) {
			d->info.arch = (enum dict_arch)i;
			d->info.arch_name = names[i];
			dict_state(&d->facts, "architecture", named ? DICT_FROM_FILE : DICT_DEFAULT,
				   named ? *fn ? "cfg.json: activation_fn" : "cfg.json: architecture" : "cfg.json names none",
				   "%s", arch);
			return 0;
		}
	return err_set(e, ERR_FAILED,
		       "%s: architecture '%s' is not supported; standard, topk and jumprelu are", what, arch);
}

static int read_norm(struct dict *d, const char *what, struct err *e)
{
	const json_t *given = json_object_get(d->cfg, "normalize_activations");
	const char *norm = json_opt_str(d->cfg, "normalize_activations", "none");
	enum dict_origin origin = given ? DICT_FROM_FILE : DICT_DEFAULT;
	const char *why = given ? "cfg.json: normalize_activations" : "cfg.json names none";
	if (json_is_true(given))
		norm = "expected_average_only_in"; /* as older versions wrote it */
	if (!strcmp(norm, "none")) {
		d->info.norm = DICT_NORM_NONE;
	} else if (!strcmp(norm, "expected_average_only_in")) {
		/* load_from_disk never folds the factor, from_pretrained does, and files of both kinds are about */
		origin = DICT_GUESS;
		why = "the file does not hold the factor; if it is not in the weights, give it with --norm-scale";
		norm = "expected_average_only_in, factor 1";
	} else if (!strcmp(norm, "constant_norm_rescale")) {
		d->info.norm = DICT_NORM_CONSTANT;
	} else if (!strcmp(norm, "layer_norm")) {
		d->info.norm = DICT_NORM_LAYER;
	} else {
		return err_set(e, ERR_FAILED, "%s: normalize_activations '%s' is not supported", what, norm);
	}
	dict_state(&d->facts, "normalisation", origin, why, "%s", norm);
	return 0;
}

static int read_sizes(struct dict *d, const char *what, struct err *e)
{
	u64 d_in, n, d_out, k = 0;
	if (json_get_u64(d->cfg, "d_in", 1u << 24, &d_in, what, e) ||
	    json_get_u64(d->cfg, "d_sae", 1u << 28, &n, what, e))
		return -1;
	d_out = json_opt_u64(d->cfg, "d_out", d_in);
	bool bare = d->info.arch == DICT_NONE && !d_in && !d_out;
	if (!n || (!bare && (!d_in || !d_out)) || d_out > 1u << 24)
		return err_set(e, ERR_DAMAGED, "%s: the sizes %llu, %llu, %llu are no dictionary's", what,
			       (unsigned long long)d_in, (unsigned long long)n, (unsigned long long)d_out);
	if (d->info.arch == DICT_TOPK) {
		const json_t *in = json_object_get(d->cfg, "activation_fn_kwargs");
		if (json_get_u64(json_object_get(d->cfg, "k") ? d->cfg : in, "k", n, &k, what, e))
			return -1;
		if (!k)
			return err_set(e, ERR_DAMAGED, "%s: 'k' is 0", what);
	}
	d->info.d_in = (u32)d_in;
	d->info.d_out = (u32)d_out;
	d->info.n_features = (u32)n;
	d->info.k = (u32)k;
	return 0;
}

/* "file" where the key is in o, else "default". */
static enum dict_origin origin_of(const json_t *o, const char *key)
{
	return json_object_get(o, key) ? DICT_FROM_FILE : DICT_DEFAULT;
}

static void state_rest(struct dict *d, const json_t *about)
{
	const struct dict_info *i = &d->info;
	dict_state(&d->facts, "format", DICT_FROM_FILE, "cfg.json and sae_weights.safetensors", "%s", i->format);
	dict_state(&d->facts, "b_dec", origin_of(d->cfg, "apply_b_dec_to_input"), "cfg.json: apply_b_dec_to_input",
		   i->apply_b_dec_to_input ? "subtracted from the input" : "not subtracted from the input");
	dict_state(&d->facts, "hook", *i->hook_name ? DICT_FROM_FILE : DICT_GUESS, "cfg.json: hook_name", "%s",
		   *i->hook_name ? i->hook_name : "not known");
	dict_state(&d->facts, "bos", origin_of(about, "prepend_bos"), "cfg.json: prepend_bos",
		   i->prepend_bos ? "prepended" : "not prepended");
	dict_state(&d->facts, "model", *i->model_name ? DICT_FROM_FILE : DICT_GUESS, "cfg.json: model_name", "%s",
		   *i->model_name ? i->model_name : "not known");
}

static int read_rest(struct dict *d, const char *what, struct err *e)
{
	const json_t *about = json_object_get(d->cfg, "metadata");
	if (!json_is_object(about))
		about = d->cfg;
	d->info.hook_name = json_opt_str(about, "hook_name", json_opt_str(about, "hook_point", ""));
	d->info.model_name = json_opt_str(about, "model_name", "");
	d->info.prepend_bos = json_opt_bool(about, "prepend_bos", true);
	d->info.format = about == d->cfg ? "SAELens before 6" : "SAELens 6";
	d->info.hook_out = d->info.hook_name;
	d->info.norm_scale = d->out_scale = 1;
	d->info.apply_b_dec_to_input = json_opt_bool(d->cfg, "apply_b_dec_to_input", true);
	d->info.rescale_by_decoder_norm = d->info.arch == DICT_TOPK &&
					  json_opt_bool(d->cfg, "rescale_acts_by_decoder_norm", false);
	if (d->info.d_in != d->info.d_out && (d->info.apply_b_dec_to_input || d->info.norm != DICT_NORM_NONE))
		return err_set(e, ERR_DAMAGED, "%s: d_out differs from d_in, which does not go with %s", what,
			       d->info.apply_b_dec_to_input ? "apply_b_dec_to_input" : "a normalised input");
	d->info.is_transcoder = d->info.d_in != d->info.d_out;
	state_rest(d, about);
	return 0;
}

int dict_read_cfg(struct dict *d, const char *folder, struct err *e)
{
	d->cfg_path = xasprintf("%s/cfg.json", folder);
	d->cfg = json_read_file(d->cfg_path, e);
	if (!d->cfg)
		return -1;
	char what[320];
	snprintf(what, sizeof what, "'%.300s'", d->cfg_path);
	if (!json_is_object(d->cfg))
		return err_set(e, ERR_DAMAGED, "%s is not a JSON object", what);
	return read_arch(d, what, e) || read_norm(d, what, e) || read_sizes(d, what, e) ||
			       read_rest(d, what, e)
		       ? -1
		       : 0;
}

void dict_obey(struct dict *d, const struct dict_options *o)
{
	static const char *const norms[] = {"none", "constant_norm_rescale", "layer_norm"};
	if (o->set & DICT_SET_NORM) {
		d->info.norm = o->norm;
		dict_state(&d->facts, "normalisation", DICT_GIVEN, NULL, "%s", norms[o->norm]);
	}
	if (o->set & DICT_SET_NORM_SCALE) {
		d->info.norm_scale = o->norm_scale;
		d->out_scale = 1 / o->norm_scale;
		dict_state(&d->facts, "normalisation", DICT_GIVEN, "--norm-scale", "%s, factor %.9g",
			   norms[d->info.norm], o->norm_scale);
	}
	if (o->set & DICT_SET_B_DEC) {
		d->info.apply_b_dec_to_input = o->apply_b_dec_to_input;
		dict_state(&d->facts, "b_dec", DICT_GIVEN, NULL,
			   o->apply_b_dec_to_input ? "subtracted from the input" : "not subtracted from the input");
	}
	if (o->set & DICT_SET_RESCALE)
		d->info.rescale_by_decoder_norm = o->rescale_by_decoder_norm;
}
