/* SPDX-License-Identifier: MIT */
/* dict_cfg.c - cfg.json of a dictionary, SAELens version 6 or the flat one before it. */
#include "core/dict_impl.h"

#include "base/mem.h"

#include <string.h>

static int read_arch(struct dict *d, const char *what, struct err *e)
{
	static const char *const names[] = {"standard", "topk", "jumprelu", "none"};
	const char *arch = json_opt_str(d->cfg, "architecture", "standard");
	/* before version 6 a TopK dictionary was a standard one with another function */
	const char *fn = json_opt_str(d->cfg, "activation_fn", json_opt_str(d->cfg, "activation_fn_str", ""));
	if (!strcmp(arch, "standard") && !strcmp(fn, "topk"))
		arch = "topk";
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(arch, names[i])) {
			d->info.arch = (enum dict_arch)i;
			d->info.arch_name = names[i];
			return 0;
		}
	return err_set(e, ERR_FAILED,
		       "%s: architecture '%s' is not supported; standard, topk and jumprelu are", what, arch);
}

static int read_norm(struct dict *d, const char *what, struct err *e)
{
	const char *norm = json_opt_str(d->cfg, "normalize_activations", "none");
	/* expected_average_only_in is folded into the weights before they are saved */
	if (!strcmp(norm, "none") || !strcmp(norm, "expected_average_only_in"))
		d->norm = DICT_NORM_NONE;
	else if (!strcmp(norm, "constant_norm_rescale"))
		d->norm = DICT_NORM_CONSTANT;
	else if (!strcmp(norm, "layer_norm"))
		d->norm = DICT_NORM_LAYER;
	else
		return err_set(e, ERR_FAILED, "%s: normalize_activations '%s' is not supported", what, norm);
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

static int read_rest(struct dict *d, const char *what, struct err *e)
{
	const json_t *about = json_object_get(d->cfg, "metadata");
	if (!json_is_object(about))
		about = d->cfg;
	d->info.hook_name = json_opt_str(about, "hook_name", json_opt_str(about, "hook_point", ""));
	d->info.model_name = json_opt_str(about, "model_name", "");
	d->info.prepend_bos = json_opt_bool(about, "prepend_bos", true);
	d->info.apply_b_dec_to_input = json_opt_bool(d->cfg, "apply_b_dec_to_input", true);
	d->info.rescale_by_decoder_norm = d->info.arch == DICT_TOPK &&
					  json_opt_bool(d->cfg, "rescale_acts_by_decoder_norm", false);
	if (d->info.d_in != d->info.d_out && (d->info.apply_b_dec_to_input || d->norm != DICT_NORM_NONE))
		return err_set(e, ERR_DAMAGED, "%s: d_out differs from d_in, which does not go with %s", what,
			       d->info.apply_b_dec_to_input ? "apply_b_dec_to_input" : "a normalised input");
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
