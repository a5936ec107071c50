/* SPDX-License-Identifier: MIT */
/* dict_learning.c - dictionary_learning's ae.pt, by the class that config.json names or the keys show.
 *
 * Formulas: dictionary_learning/dictionary.py and trainers/; each class as its from_pretrained and encode make it.
 */
#include "base/mem.h"
#include "core/dict_plan.h"

#include <string.h>

/* How a class stores and computes. */
static const struct class {
	const char *name;
	enum dict_arch arch;
	bool matrices;     /* W_enc [d][F], W_dec [F][d], b_enc; else Linear's encoder.weight [F][d], decoder.weight [d][F] */
	const char *b_dec; /* its name */
	bool subtract, rescale;
} classes[] = {
	{"AutoEncoder", DICT_STANDARD, false, "bias", true, true},
	{"AutoEncoderNew", DICT_STANDARD, false, "decoder.bias", false, false},
	{"GatedAutoEncoder", DICT_GATED, false, "decoder_bias", true, false},
	{"JumpReluAutoEncoder", DICT_JUMPRELU, true, "b_dec", false, false},
	{"AutoEncoderTopK", DICT_TOPK, false, "b_dec", true, false},
	{"BatchTopKSAE", DICT_JUMPRELU, false, "b_dec", true, false},
	{"MatryoshkaBatchTopKSAE", DICT_JUMPRELU, true, "b_dec", true, false},
};
enum { AUTO, AUTO_NEW, GATED, JUMP, TOPK, BATCH, MATRYOSHKA };

static int class_by_keys(const struct tensors *f)
{
	if (tensors_find(f, "gate_bias"))
		return GATED;
	if (tensors_find(f, "group_sizes"))
		return MATRYOSHKA;
	if (tensors_find(f, "W_enc"))
		return JUMP;
	if (tensors_find(f, "bias"))
		return AUTO;
	if (tensors_find(f, "b_dec"))
		return TOPK;
	return AUTO_NEW;
}

static const struct class *find_class(struct dict_plan *p, const struct dict_found *f, const json_t *trainer,
				      struct err *e)
{
	const char *name = json_opt_str(trainer, "dict_class", NULL);
	for (size_t i = 0; name && i < ARRAY_LEN(classes); i++)
		if (!strcmp(name, classes[i].name)) {
			plan_arch(p, classes[i].arch, classes[i].name, DICT_FROM_FILE, "config.json: trainer.dict_class");
			return &classes[i];
		}
	if (name) {
		err_set(e, ERR_FAILED, "'%s': dict_class '%.60s' is not known", f->config_path, name);
		return NULL;
	}
	int c = class_by_keys(f->file);
	plan_arch(p, classes[c].arch, classes[c].name, c == TOPK ? DICT_GUESS : DICT_FROM_FILE,
		  c == TOPK ? "config.json names no class; BatchTopKSAE has the same keys and cuts by its threshold" :
			      "the names of its tensors");
	return &classes[c];
}

/* A number of the file: an array of one element, or a plain value.  1 and *out, 0 if there is none. */
static int read_number(const struct dict_found *f, const char *name, f64 *out, struct err *e)
{
	const struct tensor *t = tensors_find(f->file, name);
	const json_t *v = tensors_value(f->file, name);
	if (!t) {
		*out = json_number_value(v);
		return json_is_number(v);
	}
	if (t->n != 1)
		return err_set(e, ERR_DAMAGED, "'%s': '%s' has %llu numbers, not one", f->weights, name,
			       (unsigned long long)t->n);
	if (!(t = tensors_data(f->file, name, e)))
		return -1;
	*out = (f64)tensor_f32(t, 0);
	return 1;
}

static int read_k(struct dict_plan *p, const struct dict_found *f, const json_t *trainer, const struct class *c,
		  struct err *e)
{
	f64 k;
	int found = read_number(f, "k", &k, e);
	if (found < 0)
		return -1;
	if (!found)
		k = (f64)json_opt_u64(trainer, "k", 0);
	if (!(k >= 1 && k <= p->info.n_features))
		return err_set(e, ERR_DAMAGED, "'%s': k is %g, of %u features", f->weights, k, p->info.n_features);
	p->info.k = (u32)k;
	const struct dict_fact *was = dict_facts_find(&p->facts, "architecture");
	plan_arch(p, c->arch, c->name, was->origin, was->why);
	return 0;
}

static int read_threshold(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	f64 t = 0;
	const struct tensor *each = tensors_find(f->file, "threshold");
	if (each && each->n_dims == 1 && each->n == p->info.n_features && p->info.n_features > 1) {
		dict_state(&p->facts, "threshold", DICT_FROM_FILE, "tensor 'threshold'", "one a feature, f is p above it");
		return plan_vector(&p->threshold, f->file, "threshold", p->info.n_features, true, e);
	}
	int found = read_number(f, "threshold", &t, e);
	if (found < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_DAMAGED, "'%s' has no 'threshold'", f->weights);
	p->threshold_all = t;
	dict_state(&p->facts, "threshold", DICT_FROM_FILE,
		   t < 0 ? "below 0: training never set it, so every positive p is active" : "'threshold' of the file",
		   "%.6g for all", t);
	return 0;
}

static int read_weights(struct dict_plan *p, const struct dict_found *f, const struct class *c, struct err *e)
{
	struct tensors *s = f->file;
	const char *enc = c->matrices ? "W_enc" : "encoder.weight", *dec = c->matrices ? "W_dec" : "decoder.weight";
	if (plan_encoder(p, s, enc, c->matrices ? DICT_BY_WIDTH : DICT_BY_FEATURE, e) ||
	    plan_decoder(p, s, dec, c->matrices ? DICT_BY_FEATURE : DICT_BY_WIDTH, e) ||
	    plan_b_dec(p, s, c->b_dec, true, c->subtract, e))
		return -1;
	u64 n = p->info.n_features;
	dict_state(&p->facts, "encoder", DICT_FROM_FILE, "its shape", "stored by %s", c->matrices ? "width, [d][F]" : "feature, [F][d]");
	if (c->arch != DICT_GATED)
		return plan_vector(&p->b_enc, s, c->matrices ? "b_enc" : "encoder.bias", n, true, e);
	return plan_vector(&p->b_gate, s, "gate_bias", n, true, e) || plan_vector(&p->b_enc, s, "mag_bias", n, true, e) ||
			       plan_vector(&p->r_mag, s, "r_mag", n, true, e)
		       ? -1
		       : 0;
}

static void name_hook(struct dict_plan *p, const json_t *trainer)
{
	const char *where = json_opt_str(trainer, "submodule_name", "");
	const json_t *layer = json_object_get(trainer, "layer");
	if (!json_is_integer(layer)) {
		plan_hook(p, where, NULL, DICT_FROM_FILE, "config.json: trainer.submodule_name");
		return;
	}
	const char *part = strstr(where, "mlp") ? "hook_mlp_out" : strstr(where, "att") ? "hook_attn_out" : "hook_resid_post";
	plan_hook(p, plan_keep(p, xasprintf("blocks.%lld.%s", (long long)json_integer_value(layer), part)), NULL,
		  *where ? DICT_FROM_FILE : DICT_GUESS, "config.json: trainer.layer and submodule_name");
}

int dict_read_learning(struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	const json_t *trainer = json_object_get(f->config, "trainer");
	p->info.format = "dictionary_learning";
	dict_state(&p->facts, "format", DICT_FROM_FILE, trainer ? "config.json: trainer" : "the names of its tensors", "%s",
		   p->info.format);
	const struct class *c = find_class(p, f, trainer, e);
	if (!c || read_weights(p, f, c, e) || (c->arch == DICT_TOPK && read_k(p, f, trainer, c, e)) ||
	    (c->arch == DICT_JUMPRELU && read_threshold(p, f, e)))
		return -1;
	p->info.rescale_by_decoder_norm = c->rescale;
	if (c->rescale)
		dict_state(&p->facts, "fold", DICT_DEFAULT, "from_pretrained normalises the decoder", "folded");
	dict_state(&p->facts, "normalisation", DICT_DEFAULT, "trainers fold theirs into the biases", "none");
	dict_state(&p->facts, "b_dec", DICT_DEFAULT, "the class's own formula",
		   c->subtract ? "subtracted from the input" : "not subtracted from the input");
	dict_state(&p->facts, "bos", DICT_GUESS, "config.json does not say", "prepended");
	p->info.prepend_bos = true;
	name_hook(p, trainer);
	plan_model(p, json_opt_str(trainer, "lm_name", ""), DICT_FROM_FILE, "config.json: trainer.lm_name");
	return 0;
}
