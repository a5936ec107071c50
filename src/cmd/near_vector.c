/* SPDX-License-Identifier: MIT */
/* near_vector.c - directions that features are compared with. */
#include "cmd/near_vector.h"

#include "backend/attach.h"
#include "base/mem.h"
#include "core/rows.h"
#include "core/vec.h"
#include "io/safetensors.h"
#include "session/reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool near_parse_pair(const struct session *s, const char *text, u32 id[2])
{
	struct err e = {0};
	/* a name may have a dash in it too */
	for (const char *dash = strchr(text, '-'); dash; dash = strchr(dash + 1, '-')) {
		char *first = xstrndup(text, (size_t)(dash - text));
		bool found = !session_parse_id(s, first, &id[0], &e) && !session_parse_id(s, dash + 1, &id[1], &e);
		free(first);
		if (found)
			return true;
	}
	return false;
}

/* x of length 1, or freed and NULL where it has no direction. */
static f32 *directed(f32 *x, size_t d, const char *what, struct err *e)
{
	rows_unit(x, d);
	for (size_t i = 0; i < d; i++)
		if (x[i] != 0)
			return x;
	free(x);
	err_set(e, ERR_FAILED, "%s has no direction: it is zero or not finite", what);
	return NULL;
}

f32 *near_difference(const struct rows *r, u32 a, u32 b, struct err *e)
{
	f32 *x = mem_try(r->d, sizeof *x, "a row", e), *y = mem_try(r->d, sizeof *y, "a row", e);
	if (!x || !y) {
		free(x);
		free(y);
		return NULL;
	}
	rows_exact(r, a, x);
	rows_exact(r, b, y);
	vec_sub(x, x, y, r->d);
	free(y);
	return directed(x, r->d, "the difference", e);
}

f32 *near_file(const char *path, size_t d, struct err *e)
{
	struct safetensors *f = safetensors_open(path, e);
	f32 *x = NULL, *row = NULL;
	if (!f)
		return NULL;
	const struct tensor *t = safetensors_count(f) == 1 ? safetensors_at(f, 0) : safetensors_find(f, "x");
	if (!t)
		err_set(e, ERR_FAILED, "'%s' has %zu tensors, and none is named x", path, safetensors_count(f));
	else if (t->n_dims < 1 || t->n_dims > 2 || t->shape[t->n_dims - 1] != d || !t->n ||
		 !(1u << t->dtype & (1u << DTYPE_F32 | 1u << DTYPE_F16 | 1u << DTYPE_BF16 | 1u << DTYPE_F64)))
		err_set(e, ERR_FAILED, "'%s': tensor '%s' is not a vector of %zu numbers, or rows of as many", path,
			t->name, d);
	else if ((x = mem_try(d, sizeof *x, "a vector", e)) && (row = mem_try(d, sizeof *row, "a vector", e))) {
		for (u64 i = 0; i < t->n / d; i++) {
			tensor_get_f32(t, i * d, d, row);
			vec_add(x, row, d);
		}
		x = directed(x, d, path, e);
	}
	free(row);
	safetensors_free(f);
	return x;
}

static f32 *mean_of(struct session *s, struct backend *b, const char *text, bool chat, struct err *e)
{
	const struct atlas *a = s->atlas;
	struct reading t = {0};
	size_t counted = 0, d = a->d_model;
	f32 *sum = mem_try(d, sizeof *sum, "a row", e), *centre = mem_try(d, sizeof *sum, "a row", e);
	int bad = !sum || !centre || reading_make(s, b, text, chat, &t, e);
	for (size_t i = 0; !bad && i < t.n; i++)
		if (!(t.flags[i] & TOKEN_MASKED)) {
			vec_add(sum, t.x + i * d, d);
			counted++;
		}
	if (!bad && !counted)
		bad = err_set(e, ERR_USAGE, "the text has no token that counts");
	if (!bad) {
		vec_scale(sum, 1 / (f32)counted, d);
		dict_b_dec(a->dict, centre);
		vec_sub(sum, sum, centre, d);
	}
	reading_release(&t);
	free(centre);
	if (!bad)
		return directed(sum, d, "the text's mean", e);
	free(sum);
	return NULL;
}

f32 *near_text(struct session *s, const char *text, bool chat, struct progress *p, struct err *e)
{
	char warning[ATTACH_WARNING];
	if (dict_info(s->atlas->dict)->d_out != s->atlas->d_model) {
		err_set(e, ERR_FAILED, "the dictionary does not write to the place it reads");
		return NULL;
	}
	struct backend *b = session_backend(s, e);
	if (!b)
		return NULL;
	f32 *x = attach_model(b, s->atlas, p, warning, e) ? NULL : mean_of(s, b, text, chat, e);
	detach_model(b);
	if (x && warning[0])
		fprintf(stderr, "featlas near: warning: %s\n", warning);
	return x;
}
