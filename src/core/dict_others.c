/* SPDX-License-Identifier: MIT */
/* dict_others.c - lone dictionaries: ReLU with few words, transcoders for circuit-tracer, and what is refused.
 *
 * Formulas: SAELens' connor_rob_hook_z, deepseek_r1, goodfire, mwhanna and mntss loaders; circuit_tracer's
 * single_layer_transcoder.py; e2e_sae's models/sparsifiers.py; tinymodel.
 */
#include "base/mapfile.h"
#include "base/mem.h"
#include "core/dict_plan.h"

#include <stdlib.h>
#include <string.h>

static void state_common(struct dict_plan *p, const char *format, const char *why)
{
	p->info.format = format;
	dict_state(&p->facts, "format", DICT_FROM_FILE, why, "%s", format);
	dict_state(&p->facts, "normalisation", DICT_DEFAULT, "the project has none", "none");
	dict_state(&p->facts, "b_dec", DICT_DEFAULT, "the project's own formula",
		   p->info.apply_b_dec_to_input ? "subtracted from the input" : "not subtracted from the input");
	p->info.prepend_bos = true;
	dict_state(&p->facts, "bos", DICT_DEFAULT, "as SAELens takes it to be", "prepended");
	dict_state(&p->facts, "encoder", DICT_FROM_FILE, "its shape", "stored by %s",
		   p->enc.layout == DICT_BY_WIDTH ? "width, [d][F]" : "feature, [F][d]");
}

int dict_read_connor_rob(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	p->info.d_in = p->info.d_out = (u32)MIN(json_opt_u64(f->config, "act_size", 0), 1u << 28);
	p->info.n_features = (u32)MIN(json_opt_u64(f->config, "dict_size", 0), 1u << 28);
	if (plan_encoder(p, f->file, "W_enc", DICT_BY_WIDTH, e) || plan_decoder(p, f->file, "W_dec", DICT_BY_FEATURE, e) ||
	    plan_vector(&p->b_enc, f->file, "b_enc", p->info.n_features, true, e) ||
	    plan_b_dec(p, f->file, "b_dec", true, true, e))
		return -1;
	plan_arch(p, DICT_STANDARD, "standard", DICT_DEFAULT, "the project has only these");
	plan_hook(p, json_opt_str(f->config, "act_name", ""), NULL, DICT_FROM_FILE, "_cfg.json: act_name");
	plan_model(p, json_opt_str(f->config, "model_name", ""), DICT_FROM_FILE, "_cfg.json: model_name");
	state_common(p, "connor_rob", "_cfg.json: act_size and dict_size");
	return 0;
}

/* torch's Linear, twice. */
static int read_pair(struct dict_plan *p, struct tensors *f, const char *const names[4], struct err *e)
{
	if (plan_encoder(p, f, names[0], DICT_BY_FEATURE, e) || plan_decoder(p, f, names[2], DICT_BY_WIDTH, e) ||
	    plan_vector(&p->b_enc, f, names[1], p->info.n_features, true, e) || plan_b_dec(p, f, names[3], false, false, e))
		return -1;
	plan_arch(p, DICT_STANDARD, "standard", DICT_DEFAULT, "nothing but weights: ReLU");
	return 0;
}

/* "...-l19.pt": the layer stands in the file's name. */
static void name_layer(struct dict_plan *p, const char *place)
{
	u32 layer;
	const char *base = strrchr(place, '/');
	if (plan_number_after(base ? base : place, "-l", &layer) || plan_number_after(base ? base : place, "_l", &layer) ||
	    plan_number_after(base ? base : place, "/l", &layer))
		plan_hook(p, plan_keep(p, xasprintf("blocks.%u.hook_resid_post", layer)), NULL, DICT_GUESS, "the file's name");
	else
		plan_hook(p, "", NULL, DICT_GUESS, "");
}

int dict_read_linear(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	static const char *const names[] = {"encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias"};
	bool deepseek = strstr(f->place, "DeepSeek-R1");
	if (read_pair(p, f->file, names, e))
		return -1;
	state_common(p, deepseek ? "deepseek_r1" : "two linear layers", "encoder.weight and decoder.weight alone");
	name_layer(p, f->place);
	plan_model(p, deepseek ? "deepseek-ai/DeepSeek-R1-Distill-Llama-8B" : "", DICT_GUESS, "the file's name");
	return 0;
}

int dict_read_goodfire(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	static const char *const names[] = {"encoder_linear.weight", "encoder_linear.bias", "decoder_linear.weight",
					    "decoder_linear.bias"};
	static const char *const models[] = {"Llama-3.1-8B-Instruct", "Llama-3.3-70B-Instruct"};
	const char *model = "";
	if (read_pair(p, f->file, names, e))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(models); i++)
		if (strstr(f->place, models[i]))
			model = models[i];
	state_common(p, "goodfire", "encoder_linear and decoder_linear");
	name_layer(p, f->place);
	plan_model(p, model, DICT_GUESS, "the file's name");
	return 0;
}

/* A checkpoint may hold several dictionaries, each below its site's name. */
static const char *find_site(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	static const char end[] = "encoder.0.weight";
	const char *site = NULL;
	for (size_t i = 0; i < tensors_count(f->file); i++) {
		const char *name = tensors_at(f->file, i)->name;
		size_t n = strlen(name), m = strlen(end);
		if (n < m || strcmp(name + n - m, end))
			continue;
		if (site) {
			err_set(e, ERR_FAILED, "'%s' holds several dictionaries ('%.60s' and others); save one alone",
				f->weights, site);
			return NULL;
		}
		site = plan_copy(p, name, n - m);
	}
	return site;
}

int dict_read_e2e(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	static const char *const parts[] = {"encoder.0.weight", "encoder.0.bias", "decoder.weight", "decoder.bias"};
	const char *names[4], *site = find_site(p, f, e);
	if (!site)
		return -1;
	for (size_t i = 0; i < 4; i++)
		names[i] = plan_keep(p, xasprintf("%s%s", site, parts[i]));
	if (read_pair(p, f->file, names, e))
		return -1;
	p->unit_decoder = true;
	dict_state(&p->facts, "fold", DICT_DEFAULT, "the project makes the decoder's columns unit when it uses them", "unit");
	state_common(p, "e2e_sae", "encoder.0.weight");
	/* "blocks-6-hook_resid_pre." */
	char *hook = xstrndup(site, *site ? strlen(site) - 1 : 0);
	for (char *s = hook; *s; s++)
		*s = *s == '-' ? '.' : *s;
	plan_hook(p, plan_keep(p, hook), NULL, DICT_FROM_FILE, "the names of its tensors");
	plan_model(p, "", DICT_GUESS, "");
	return 0;
}

/* The value of a plain "key: value" line of a small YAML file; owned, "" if there is none. */
static char *yaml_value(const char *folder, const char *file, const char *key)
{
	char *path = xasprintf("%s/%s", folder, file), *out = NULL;
	struct mapfile *map = mapfile_open(path, NULL);
	struct span s = map ? mapfile_span(map) : (struct span){0};
	size_t n = strlen(key);
	for (size_t i = 0; i < s.n && s.n < 1 << 20 && !out;) {
		const u8 *line = s.p + i, *end = memchr(line, '\n', s.n - i);
		size_t len = end ? (size_t)(end - line) : s.n - i;
		i += len + 1;
		if (len <= n + 1 || memcmp(line, key, n) || line[n] != ':')
			continue;
		const char *from = (const char *)line + n + 1, *to = (const char *)line + len;
		while (from < to && strchr(" \t\"'", *from))
			from++;
		while (to > from && strchr(" \t\"'\r", to[-1]))
			to--;
		out = xstrndup(from, (size_t)(to - from));
	}
	mapfile_free(map);
	free(path);
	return out ? out : xstrdup("");
}

/* What config.yaml of a set of transcoders says; the layer comes from a file's name. */
static void name_circuit(struct dict_plan *p, const struct dict_found *f, u32 layer, const char *in, const char *out)
{
	const char *model = plan_keep(p, yaml_value(f->folder, "config.yaml", "model_name"));
	const char *read = plan_keep(p, yaml_value(f->folder, "config.yaml", "feature_input_hook"));
	const char *write = plan_keep(p, yaml_value(f->folder, "config.yaml", "feature_output_hook"));
	plan_hook(p, plan_keep(p, xasprintf("blocks.%u.%s", layer, *read ? read : in)),
		  plan_keep(p, xasprintf("blocks.%u.%s", layer, *write ? write : out)), *read ? DICT_FROM_FILE : DICT_DEFAULT,
		  *read ? "config.yaml: feature_input_hook" : "what such transcoders read");
	plan_model(p, model, DICT_FROM_FILE, "config.yaml: model_name");
	p->info.is_transcoder = true;
}

int dict_read_circuit(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	static const char threshold[] = "activation_function.threshold";
	bool jump = tensors_find(f->file, threshold);
	u32 layer = 0;
	if (plan_encoder(p, f->file, "W_enc", DICT_BY_FEATURE, e) || plan_decoder(p, f->file, "W_dec", DICT_BY_FEATURE, e) ||
	    plan_vector(&p->b_enc, f->file, "b_enc", p->info.n_features, true, e) ||
	    plan_b_dec(p, f->file, "b_dec", true, false, e) ||
	    (jump && plan_vector(&p->threshold, f->file, threshold, p->info.n_features, true, e)) ||
	    (tensors_find(f->file, "W_skip") && plan_skip(p, f->file, "W_skip", false, e)))
		return -1;
	plan_arch(p, jump ? DICT_JUMPRELU : DICT_STANDARD, jump ? "jumprelu_transcoder" : "transcoder",
		  jump ? DICT_FROM_FILE : DICT_DEFAULT, jump ? "a threshold is there" : "no threshold is there: ReLU");
	if (jump)
		dict_state(&p->facts, "threshold", DICT_FROM_FILE, threshold, "one a feature, f is p above it");
	state_common(p, "circuit-tracer transcoder", "W_enc by feature, as W_dec");
	plan_number_after(strrchr(f->place, '/'), "layer_", &layer);
	name_circuit(p, f, layer, "mlp.hook_in", "hook_mlp_out");
	return 0;
}

static int read_clt_arrays(struct dict_plan *p, const struct dict_found *f, u32 layer, struct err *e)
{
	char name[48];
	snprintf(name, sizeof name, "W_enc_%u", layer);
	if (plan_encoder(p, f->file, name, DICT_BY_FEATURE, e))
		return -1;
	p->info.d_out = p->info.d_in;
	snprintf(name, sizeof name, "W_dec_%u", layer);
	if (plan_decoder(p, p->files[1], name, DICT_BY_FEATURE, e))
		return -1;
	snprintf(name, sizeof name, "b_enc_%u", layer);
	if (plan_vector(&p->b_enc, f->file, name, p->info.n_features, true, e))
		return -1;
	snprintf(name, sizeof name, "b_dec_%u", layer);
	return plan_b_dec(p, f->file, name, true, false, e);
}

int dict_read_clt(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	u32 layer = 0;
	for (size_t i = 0; i < tensors_count(f->file); i++)
		plan_number_after(tensors_at(f->file, i)->name, "W_enc_", &layer);
	char *path = xasprintf("%s/W_dec_%u.safetensors", f->folder, layer);
	p->files[1] = tensors_open(path, e);
	free(path);
	if (!p->files[1])
		return err_wrap(e, "the decoder of '%s'", f->weights);
	if (read_clt_arrays(p, f, layer, e))
		return -1;
	plan_arch(p, DICT_STANDARD, "transcoder", DICT_DEFAULT, "no threshold is there: ReLU");
	state_common(p, "cross-layer transcoder", "W_enc_, W_dec_ and a layer's number");
	name_circuit(p, f, layer, "hook_resid_mid", "hook_mlp_out");
	p->info.only_encodes = true;
	dict_state(&p->facts, "b_dec", DICT_DEFAULT, "a cross-layer transcoder",
		   "not subtracted; the decoder is summed over %u layers: for activations, not for reconstruction", p->dec.n_sum);
	return 0;
}

int dict_read_temporal(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	(void)p;
	return err_set(e, ERR_FAILED,
		       "'%s' is a temporal dictionary: its codes come of attention over a text, which is not supported",
		       f->weights);
}
