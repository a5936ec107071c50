/* SPDX-License-Identifier: MIT */
/* dict_gemma.c - Gemma Scope (params.npz) and Gemma Scope 2 (params.safetensors).
 *
 * JumpReLU: f = p where p > threshold; b_dec is not subtracted from the input.  What the files leave out stands in
 * the names of the folders.  Formulas: the releases' own notebooks and SAELens' gemma_2 and gemma_3 loaders.
 */
#include "base/mem.h"
#include "core/dict_plan.h"

#include <math.h>
#include <string.h>
#include <strings.h>

/* W_enc, w_enc, wenc, w_e: transcoders are spelt in several ways. */
static const char *find_name(const struct tensors *f, const char *const *spellings)
{
	for (size_t i = 0; i < tensors_count(f); i++)
		for (const char *const *s = spellings; *s; s++)
			if (!strcasecmp(tensors_at(f, i)->name, *s))
				return tensors_at(f, i)->name;
	return spellings[0];
}

static int read_arrays(struct dict_plan *p, struct tensors *f, struct err *e)
{
	static const char *const enc[] = {"W_enc", "wenc", "w_e", NULL}, *const dec[] = {"W_dec", "wdec", "w_d", NULL},
				 *const b_enc[] = {"b_enc", "benc", "b_e", NULL}, *const b_dec[] = {"b_dec", "bdec", "b_d", NULL},
				 *const threshold[] = {"threshold", NULL};
	if (plan_encoder(p, f, find_name(f, enc), DICT_BY_WIDTH, e) ||
	    plan_decoder(p, f, find_name(f, dec), DICT_BY_FEATURE, e) ||
	    plan_vector(&p->b_enc, f, find_name(f, b_enc), p->info.n_features, true, e) ||
	    plan_b_dec(p, f, find_name(f, b_dec), true, false, e) ||
	    plan_vector(&p->threshold, f, find_name(f, threshold), p->info.n_features, true, e))
		return -1;
	dict_state(&p->facts, "encoder", DICT_FROM_FILE, "the shape of W_enc", "stored by width, [d][F]");
	dict_state(&p->facts, "threshold", DICT_FROM_FILE, "tensor 'threshold'", "one a feature, f is p above it");
	return 0;
}

static void state_common(struct dict_plan *p)
{
	dict_state(&p->facts, "normalisation", DICT_DEFAULT, "the release has none", "none");
	dict_state(&p->facts, "b_dec", DICT_DEFAULT, "the release's own formula", "not subtracted from the input");
	p->info.prepend_bos = true;
	dict_state(&p->facts, "bos", DICT_DEFAULT, "the release was trained with it", "prepended");
}

/* "gemma-2-2b" of .../gemma-scope-2b-pt-res/...; it models are named too. */
static void name_model(struct dict_plan *p, const char *place)
{
	static const char *const sizes[] = {"2b", "9b", "27b"};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char pt[32], it[32];
		snprintf(pt, sizeof pt, "gemma-scope-%s-pt", sizes[i]);
		snprintf(it, sizeof it, "gemma-scope-%s-it", sizes[i]);
		if (strstr(place, pt) || strstr(place, it)) {
			plan_model(p, plan_keep(p, xasprintf("gemma-2-%s%s", sizes[i], strstr(place, it) ? "-it" : "")),
				   DICT_GUESS, "the folder's name");
			return;
		}
	}
	plan_model(p, "", DICT_GUESS, "");
}

static void name_hook(struct dict_plan *p, const char *place)
{
	static const char why[] = "the folder's name";
	u32 layer;
	if (strstr(place, "/embedding/")) {
		plan_hook(p, "hook_embed", NULL, DICT_GUESS, why);
	} else if (!plan_number_after(place, "layer_", &layer)) {
		plan_hook(p, "", NULL, DICT_GUESS, why);
	} else if (strstr(place, "transcoder")) {
		plan_hook(p, plan_keep(p, xasprintf("blocks.%u.ln2.hook_normalized", layer)),
			  plan_keep(p, xasprintf("blocks.%u.hook_mlp_out", layer)), DICT_GUESS, why);
		p->info.is_transcoder = true;
	} else {
		const char *part = strstr(place, "-mlp") || strstr(place, "mlp_out")	 ? "hook_mlp_out" :
				   strstr(place, "attn_out")				 ? "hook_attn_out" :
				   strstr(place, "-att")				 ? "attn.hook_z" :
				   strstr(place, "-res") || strstr(place, "resid_post") ? "hook_resid_post" :
											  NULL;
		plan_hook(p, part ? plan_keep(p, xasprintf("blocks.%u.%s", layer, part)) : "", NULL, DICT_GUESS, why);
	}
}

int dict_read_gemma(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	p->info.format = "Gemma Scope";
	if (read_arrays(p, f->file, e))
		return -1;
	dict_state(&p->facts, "format", DICT_FROM_FILE, "W_enc, W_dec and threshold in an .npz", "%s", p->info.format);
	state_common(p);
	name_model(p, f->place);
	name_hook(p, f->place);
	plan_arch(p, DICT_JUMPRELU, p->info.is_transcoder ? "jumprelu_transcoder" : "jumprelu", DICT_DEFAULT,
		  "the release has only these");
	if (strstr(f->place, "/embedding/")) {
		/* trained on rows that the model multiplies by the root of d */
		p->enc_scale = 1 / sqrt(p->info.d_in);
		p->dec_scale = sqrt(p->info.d_in);
		dict_state(&p->facts, "normalisation", DICT_GUESS,
			   "the folder is named embedding, and those were trained on rows times the root of d",
			   "W_enc over the root of d, W_dec times it");
	}
	return 0;
}

/* "model.layers.13.output" as blocks.13.hook_resid_post. */
static const char *hook_of(struct dict_plan *p, const char *hf)
{
	static const struct {
		const char *end, *hook;
	} names[] = {
		{".output", "hook_resid_post"},
		{".self_attn.o_proj.input", "attn.hook_z"},
		{".post_attention_layernorm.output", "hook_attn_out"},
		{".pre_feedforward_layernorm.output", "ln2.hook_normalized"},
		{".post_feedforward_layernorm.output", "hook_mlp_out"},
	};
	u32 layer;
	const char *digits = strstr(hf, "layers.");
	if (!digits || !plan_number_after(hf, "layers.", &layer))
		return hf;
	digits += strlen("layers.");
	digits += strspn(digits, "0123456789");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(digits, names[i].end))
			return plan_keep(p, xasprintf("blocks.%u.%s", layer, names[i].hook));
	return hf;
}

int dict_read_gemma_2(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	static const char why[] = "config.json: hf_hook_point_in";
	const char *in = json_opt_str(f->config, "hf_hook_point_in", ""), *out = json_opt_str(f->config, "hf_hook_point_out", "");
	const char *arch = json_opt_str(f->config, "architecture", "jump_relu");
	p->info.format = "Gemma Scope 2";
	if (strcmp(arch, "jump_relu"))
		return err_set(e, ERR_FAILED, "'%s': architecture '%.60s' is not supported, jump_relu is", f->config_path,
			       arch);
	if (read_arrays(p, f->file, e))
		return -1;
	dict_state(&p->facts, "format", DICT_FROM_FILE, "w_enc, w_dec and threshold in a safetensors file", "%s",
		   p->info.format);
	state_common(p);
	if (*in)
		plan_hook(p, hook_of(p, in), *out ? hook_of(p, out) : NULL, DICT_FROM_FILE, why);
	else
		name_hook(p, f->place);
	p->info.is_transcoder |= strcmp(p->info.hook_name, p->info.hook_out) || strstr(f->place, "transcoder");
	const char *model = json_opt_str(f->config, "model_name", "");
	plan_model(p, model, DICT_FROM_FILE, "config.json: model_name");
	/* x times it, not its transpose */
	if (tensors_find(f->file, "affine_skip_connection") &&
	    plan_skip(p, f->file, "affine_skip_connection", true, e))
		return -1;
	if (p->dec.n_sum > 1) {
		p->info.only_encodes = p->info.is_transcoder = true;
		dict_state(&p->facts, "b_dec", DICT_DEFAULT, "a cross-layer transcoder",
			   "not subtracted; the decoder is summed over %u layers: for activations, not for reconstruction",
			   p->dec.n_sum);
	}
	plan_arch(p, DICT_JUMPRELU, p->info.is_transcoder ? "jumprelu_transcoder" : "jumprelu",
		  json_object_get(f->config, "architecture") ? DICT_FROM_FILE : DICT_DEFAULT, "config.json: architecture");
	return 0;
}
