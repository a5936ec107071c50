/* SPDX-License-Identifier: MIT */
/* dict_sparsify.c - EleutherAI's sparsify: cfg.json and sae.safetensors in a folder named by the hook.
 *
 * By its own formulas (sparsify/sparse_coder.py, fused_encoder.py), not as SAELens reads it: b_dec is subtracted
 * unless the coder transcodes, and W_dec is [F][d].
 */
#include "base/mem.h"
#include "core/dict_plan.h"

#include <stdlib.h>
#include <string.h>

/* "layers.10.mlp" as blocks.10.hook_mlp_out. */
static void name_hook(struct dict_plan *p, const struct dict_found *f)
{
	u32 layer;
	const char *end = strrchr(f->place, '/'), *folder = end;
	while (folder > f->place && folder[-1] != '/')
		folder--;
	const char *name = plan_copy(p, folder, end ? (size_t)(end - folder) : 0);
	const char *part = strstr(name, ".mlp") ? "hook_mlp_out" :
			   strstr(name, "attn") ? "hook_attn_out" :
						  "hook_resid_post";
	if (strstr(name, "embed"))
		plan_hook(p, "hook_embed", NULL, DICT_GUESS, "the folder's name");
	else if (plan_number_after(name, "layers.", &layer) || plan_number_after(name, "layers_", &layer) ||
		 plan_number_after(name, "h.", &layer))
		plan_hook(p, plan_keep(p, xasprintf("blocks.%u.%s", layer, part)), NULL, DICT_GUESS, "the folder's name");
	else
		plan_hook(p, "", NULL, DICT_GUESS, "");
}

/* config.json of the whole run, a folder above. */
static void name_model(struct dict_plan *p, const struct dict_found *f)
{
	char *path = xasprintf("%s/../config.json", f->folder);
	json_t *j = json_read_file(path, NULL);
	const char *model = json_opt_str(j, "model", "");
	plan_model(p, plan_copy(p, model, strlen(model)), DICT_FROM_FILE, "config.json of the run");
	json_decref(j);
	free(path);
}

static int read_act(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	const char *fn = json_opt_str(f->config, "activation", "topk");
	bool group = !strcmp(fn, "groupmax");
	char what[320];
	u64 k;
	snprintf(what, sizeof what, "'%.300s'", f->config_path ? f->config_path : f->weights);
	if (!group && strcmp(fn, "topk"))
		return err_set(e, ERR_FAILED, "%s: activation '%.60s' is not supported, topk and groupmax are", what, fn);
	if (json_opt_bool(f->config, "signed", false))
		return err_set(e, ERR_FAILED, "%s: signed activations are not supported", what);
	if (json_get_u64(f->config, "k", p->info.n_features, &k, what, e))
		return -1;
	if (!k || (group && p->info.n_features % k))
		return err_set(e, ERR_DAMAGED, "%s: k is %llu, which does not divide %u features into groups", what,
			       (unsigned long long)k, p->info.n_features);
	p->info.k = (u32)k;
	plan_arch(p, group ? DICT_GROUPMAX : DICT_TOPK, group ? "groupmax" : "topk",
		  json_object_get(f->config, "activation") ? DICT_FROM_FILE : DICT_DEFAULT, "cfg.json: activation");
	return 0;
}

int dict_read_sparsify(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	bool transcode = json_opt_bool(f->config, "transcode", false);
	p->info.format = "sparsify";
	dict_state(&p->facts, "format", DICT_FROM_FILE, "encoder.weight beside W_dec", "%s", p->info.format);
	if (plan_encoder(p, f->file, "encoder.weight", DICT_BY_FEATURE, e) ||
	    plan_decoder(p, f->file, "W_dec", DICT_BY_FEATURE, e) ||
	    plan_vector(&p->b_enc, f->file, "encoder.bias", p->info.n_features, true, e) ||
	    plan_b_dec(p, f->file, "b_dec", true, !transcode, e) || read_act(p, f, e))
		return -1;
	if ((tensors_find(f->file, "W_skip") || json_opt_bool(f->config, "skip_connection", false)) &&
	    plan_skip(p, f->file, "W_skip", false, e))
		return -1;
	dict_state(&p->facts, "encoder", DICT_FROM_FILE, "the shape of encoder.weight", "stored by feature, [F][d]");
	dict_state(&p->facts, "normalisation", DICT_DEFAULT, "the project has none", "none");
	dict_state(&p->facts, "b_dec", json_object_get(f->config, "transcode") ? DICT_FROM_FILE : DICT_DEFAULT,
		   "cfg.json: transcode", transcode ? "not subtracted from the input" : "subtracted from the input");
	dict_state(&p->facts, "bos", DICT_GUESS, "cfg.json does not say", "not prepended");
	p->info.is_transcoder = transcode;
	name_hook(p, f);
	name_model(p, f);
	return 0;
}
