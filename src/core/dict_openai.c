/* SPDX-License-Identifier: MIT */
/* dict_openai.c - OpenAI's sparse_autoencoder: a lone .pt with pre_bias and latent_bias.
 *
 * Formulas: sparse_autoencoder/model.py.  Rows are normalised exactly where the activation is TopK.
 */
#include "base/mem.h"
#include "core/dict_plan.h"

#include <string.h>

/* ".../resid_post_mlp_v5_32k/autoencoders/6.pt" */
static void name_hook(struct dict_plan *p, const char *place)
{
	static const struct {
		const char *location, *hook;
	} names[] = {
		{"mlp_post_act", "mlp.hook_post"},	  {"resid_delta_mlp", "hook_mlp_out"},
		{"resid_delta_attn", "hook_attn_out"},	  {"resid_post_attn", "hook_resid_mid"},
		{"resid_post_mlp", "hook_resid_post"},
	};
	u32 layer;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strstr(place, names[i].location) && plan_number_after(place, "autoencoders/", &layer)) {
			plan_hook(p, plan_keep(p, xasprintf("blocks.%u.%s", layer, names[i].hook)), NULL, DICT_GUESS,
				  "the names of its folders");
			plan_model(p, "gpt2-small", DICT_GUESS, "what these were made of");
			return;
		}
	plan_hook(p, "", NULL, DICT_GUESS, "");
	plan_model(p, "", DICT_GUESS, "");
}

static int read_act(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	const json_t *given = tensors_value(f->file, "activation");
	const char *fn = json_is_string(given) ? json_string_value(given) : "ReLU";
	const json_t *post = tensors_value(f->file, "activation_state_dict.postact_fn");
	enum dict_origin o = given ? DICT_FROM_FILE : DICT_DEFAULT;
	const char *why = given ? "'activation' of the file" : "the file names none";
	if (!strcmp(fn, "ReLU") || !strcmp(fn, "Identity")) {
		plan_arch(p, *fn == 'I' ? DICT_IDENTITY : DICT_STANDARD, *fn == 'I' ? "Identity" : "ReLU", o, why);
		return 0;
	}
	if (strcmp(fn, "TopK"))
		return err_set(e, ERR_FAILED, "'%s': activation '%.60s' is not supported; ReLU, TopK and Identity are",
			       f->weights, fn);
	if (json_is_string(post) && strcmp(json_string_value(post), "ReLU"))
		return err_set(e, ERR_FAILED, "'%s': postact_fn '%.60s' is not supported, ReLU is", f->weights,
			       json_string_value(post));
	const json_t *k = tensors_value(f->file, "activation_state_dict.k");
	if (!json_is_integer(k) || json_integer_value(k) < 1 || json_integer_value(k) > p->info.n_features)
		return err_set(e, ERR_DAMAGED, "'%s': activation_state_dict has no k between 1 and %u", f->weights,
			       p->info.n_features);
	p->info.k = (u32)json_integer_value(k);
	p->info.norm = DICT_NORM_LAYER;
	plan_arch(p, DICT_TOPK, "TopK", o, why);
	return 0;
}

int dict_read_openai(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	p->info.format = "OpenAI sparse_autoencoder";
	dict_state(&p->facts, "format", DICT_FROM_FILE, "pre_bias and latent_bias", "%s", p->info.format);
	if (plan_encoder(p, f->file, "encoder.weight", DICT_BY_FEATURE, e) ||
	    plan_decoder(p, f->file, "decoder.weight", DICT_BY_WIDTH, e) ||
	    plan_vector(&p->b_enc, f->file, "latent_bias", p->info.n_features, true, e) ||
	    plan_b_dec(p, f->file, "pre_bias", true, true, e) || read_act(p, f, e))
		return -1;
	dict_state(&p->facts, "encoder", DICT_FROM_FILE, "its shape", "stored by feature, [F][d]");
	dict_state(&p->facts, "normalisation", DICT_DEFAULT, "normalised exactly where the activation is TopK", "%s",
		   p->info.norm == DICT_NORM_LAYER ? "layer norm" : "none");
	dict_state(&p->facts, "b_dec", DICT_DEFAULT, "the project's own formula", "pre_bias is subtracted, after the layer norm");
	dict_state(&p->facts, "bos", DICT_GUESS, "the file does not say", "not prepended");
	name_hook(p, f->place);
	return 0;
}
