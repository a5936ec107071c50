/* SPDX-License-Identifier: MIT */
/* dict_plan.c - what the readers of formats share: arrays checked into a plan, facts stated. */
#include "core/dict_plan.h"

#include "base/half.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { FLOATS = 1u << DTYPE_F32 | 1u << DTYPE_F16 | 1u << DTYPE_BF16 | 1u << DTYPE_F64 };

static const struct tensor *find(struct tensors *f, const char *name, struct err *e)
{
	const struct tensor *t = tensors_find(f, name);
	if (!t)
		err_set(e, ERR_DAMAGED, "'%s' has no tensor '%s'", tensors_path(f), name);
	return t;
}

static int check(struct dict_array *a, struct tensors *f, const struct tensor *t, int n_dims, const u64 *want,
		 struct err *e)
{
	if (tensor_check(t, tensors_path(f), FLOATS, n_dims, want, e))
		return -1;
	*a = (struct dict_array){f, t, tensors_is_mapped(f, t->name)};
	return 0;
}

static u64 known(u32 n)
{
	return n ? n : TENSOR_ANY;
}

/* Sizes have to fit u32, and a product of them memory's arithmetic. */
static int take_size(u32 *out, u64 n, const struct tensors *f, const char *name, struct err *e)
{
	if (!n || n > 1u << 28)
		return err_set(e, ERR_DAMAGED, "'%s': tensor '%s' has a side of %llu, which no dictionary has",
			       tensors_path(f), name, (unsigned long long)n);
	*out = (u32)n;
	return 0;
}

static int take_matrix(struct dict_plan *p, struct dict_matrix *m, u32 *width, struct tensors *f, const char *name,
		       enum dict_layout layout, struct err *e)
{
	const struct tensor *t = find(f, name, e);
	int by_width = layout == DICT_BY_WIDTH;
	u64 want[2];
	want[by_width] = known(p->info.n_features);
	want[!by_width] = known(*width);
	if (!t || check(&m->a, f, t, 2, want, e) || take_size(&p->info.n_features, t->shape[by_width], f, name, e) ||
	    take_size(width, t->shape[!by_width], f, name, e))
		return -1;
	m->layout = layout;
	m->width = *width;
	m->n_sum = 1;
	return 0;
}

int plan_encoder(struct dict_plan *p, struct tensors *f, const char *name, enum dict_layout layout, struct err *e)
{
	if (take_matrix(p, &p->enc, &p->info.d_in, f, name, layout, e))
		return -1;
	p->info.dtype = p->enc.a.t->dtype;
	return 0;
}

int plan_glu(struct dict_plan *p, struct tensors *f, const char *name, enum dict_layout layout, struct err *e)
{
	return take_matrix(p, &p->glu, &p->info.d_in, f, name, layout, e);
}

int plan_decoder(struct dict_plan *p, struct tensors *f, const char *name, enum dict_layout layout, struct err *e)
{
	const struct tensor *t = tensors_find(f, name);
	if (!t || t->n_dims != 3 || layout != DICT_BY_FEATURE)
		return take_matrix(p, &p->dec, &p->info.d_out, f, name, layout, e);
	const u64 want[] = {known(p->info.n_features), TENSOR_ANY, known(p->info.d_out)};
	u32 n_sum = 1;
	if (check(&p->dec.a, f, t, 3, want, e) || take_size(&p->info.n_features, t->shape[0], f, name, e) ||
	    take_size(&n_sum, t->shape[1], f, name, e) || take_size(&p->info.d_out, t->shape[2], f, name, e))
		return -1;
	p->dec.layout = DICT_BY_FEATURE;
	p->dec.width = p->info.d_out;
	p->dec.n_sum = n_sum;
	return 0;
}

int plan_vector(struct dict_array *a, struct tensors *f, const char *name, u64 n, bool needed, struct err *e)
{
	const struct tensor *t = tensors_find(f, name);
	if (!t && !needed)
		return 0;
	return (t = find(f, name, e)) ? check(a, f, t, 1, &n, e) : -1;
}

int plan_skip(struct dict_plan *p, struct tensors *f, const char *name, bool in_out, struct err *e)
{
	const struct tensor *t = find(f, name, e);
	const u64 want[] = {in_out ? p->info.d_in : p->info.d_out, in_out ? p->info.d_out : p->info.d_in};
	if (!t || check(&p->skip, f, t, 2, want, e))
		return -1;
	p->skip_in_out = in_out;
	p->info.has_skip = true;
	dict_state(&p->facts, "skip", DICT_FROM_FILE, t->name, "x W_skip is added to the reconstruction, x as it came");
	return 0;
}

int plan_b_dec(struct dict_plan *p, struct tensors *f, const char *name, bool needed, bool subtract, struct err *e)
{
	if (plan_vector(&p->b_dec, f, name, p->info.d_out, needed, e))
		return -1;
	if (!subtract || !p->b_dec.t)
		return 0;
	if (p->info.d_in != p->info.d_out)
		return err_set(e, ERR_DAMAGED, "'%s': d_out differs from d_in, so '%s' cannot be subtracted from the input",
			       tensors_path(f), name);
	p->subtract = p->b_dec;
	p->info.apply_b_dec_to_input = true;
	return 0;
}

void plan_arch(struct dict_plan *p, enum dict_arch arch, const char *name, enum dict_origin o, const char *why)
{
	p->info.arch = arch;
	p->info.arch_name = name;
	if (p->info.k)
		dict_state(&p->facts, "architecture", o, why, "%s, k %u", name, p->info.k);
	else
		dict_state(&p->facts, "architecture", o, why, "%s", name);
}

void plan_hook(struct dict_plan *p, const char *hook, const char *out, enum dict_origin o, const char *why)
{
	p->info.hook_name = hook;
	p->info.hook_out = out && *out ? out : hook;
	if (!*hook)
		dict_state(&p->facts, "hook", DICT_GUESS, "nothing names it", "not known");
	else if (strcmp(p->info.hook_out, hook))
		dict_state(&p->facts, "hook", o, why, "reads %s, writes %s", hook, p->info.hook_out);
	else
		dict_state(&p->facts, "hook", o, why, "%s", hook);
}

void plan_model(struct dict_plan *p, const char *name, enum dict_origin o, const char *why)
{
	p->info.model_name = name;
	if (*name)
		dict_state(&p->facts, "model", o, why, "%s", name);
	else
		dict_state(&p->facts, "model", DICT_GUESS, "nothing names it", "not known");
}

const char *plan_keep(struct dict_plan *p, char *owned)
{
	p->kept = xreallocarray(p->kept, p->n_kept + 1, sizeof *p->kept);
	p->kept[p->n_kept++] = owned;
	return owned;
}

const char *plan_copy(struct dict_plan *p, const char *s, size_t n)
{
	return plan_keep(p, xstrndup(s, n));
}

bool plan_number_after(const char *place, const char *word, u32 *out)
{
	for (const char *s = place; (s = strstr(s, word)); s++) {
		const char *digits = s + strlen(word);
		if (!isdigit((unsigned char)*digits))
			continue;
		unsigned long n = strtoul(digits, NULL, 10);
		*out = (u32)MIN(n, 100000ul);
		return true;
	}
	return false;
}

f32 dict_round(enum dtype t, f32 x)
{
	switch (t) {
	case DTYPE_F16:
		return f16_to_f32(f32_to_f16(x));
	case DTYPE_BF16:
		return bf16_to_f32(f32_to_bf16(x));
	default:
		return x;
	}
}

int plan_check_sizes(const struct dict_plan *p, const struct dict_found *f, struct err *e)
{
	static const struct {
		const char *in, *key;
		bool features;
	} sizes[] = {{NULL, "d_in", false}, {NULL, "act_size", false}, {NULL, "d_sae", true}, {NULL, "num_latents", true},
		     {NULL, "dict_size", true}, {"trainer", "activation_dim", false}, {"trainer", "dict_size", true}};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		const json_t *o = sizes[i].in ? json_object_get(f->config, sizes[i].in) : f->config,
			     *v = json_object_get(o, sizes[i].key);
		u32 have = sizes[i].features ? p->info.n_features : p->info.d_in;
		/* 0 stands for "not said", as in sparsify's num_latents */
		if (!json_is_integer(v) || !json_integer_value(v) || json_integer_value(v) == (json_int_t)have)
			continue;
		return err_set(e, ERR_DAMAGED, "'%.200s': '%s' is %lld, but the weights have %u", f->config_path, sizes[i].key,
			       (long long)json_integer_value(v), have);
	}
	return 0;
}
