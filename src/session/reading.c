/* SPDX-License-Identifier: MIT */
/* reading.c - tokens, rows and active features of a text. */
#include "session/reading.h"

#include "base/mem.h"
#include "core/acts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void reading_flag_sinks(const struct atlas *a, const f32 *x, u8 *flags, size_t n)
{
	for (size_t i = 0; i < n && a->norm_median > 0; i++) {
		f64 square = 0;
		for (u32 k = 0; k < a->d_model; k++)
			square += (f64)x[i * a->d_model + k] * (f64)x[i * a->d_model + k];
		if (sqrt(square) > (f64)ACTS_SINK_MULTIPLE * (f64)a->norm_median)
			flags[i] |= TOKEN_SINK;
	}
}

static bool counts(const struct reading *t, size_t from, size_t i)
{
	return i >= from && !(t->flags[i] & TOKEN_MASKED);
}

/* Only tokens that count are encoded. */
static int encode(struct session *s, struct reading *t, size_t from, struct err *e)
{
	u32 d = s->atlas->d_model;
	size_t kept = 0;
	f32 *x = mem_try(t->n + 1, d * sizeof *x, "residual rows", e);
	struct dict_row *rows = xcalloc(t->n + 1, sizeof *rows);
	t->rows = xcalloc(t->n + 1, sizeof *t->rows);
	for (size_t i = 0; i < t->n && x; i++)
		if (counts(t, from, i))
			memcpy(x + kept++ * d, t->x + i * d, d * sizeof *x);
	int bad = !x || (kept && dict_encode(s->atlas->dict, s->pool, x, kept, rows, &t->arena, e));
	for (size_t i = 0, k = 0; i < t->n && !bad; i++)
		if (counts(t, from, i))
			t->rows[i] = rows[k++];
	free(x);
	free(rows);
	return bad ? -1 : 0;
}

static int read_tokens(struct session *s, struct backend *b, size_t from, struct reading *t, struct err *e)
{
	const char *hook = s->atlas->hook;
	if (!t->n)
		return err_set(e, ERR_USAGE, "the text is empty");
	if (t->n > backend_info(b)->n_ctx)
		return err_set(e, ERR_USAGE, "the text has %zu tokens, the model takes %u", t->n,
			       backend_info(b)->n_ctx);
	if (!(t->x = mem_try(t->n, s->atlas->d_model * sizeof *t->x, "residual rows", e)) ||
	    backend_states(b, t->tokens, t->n, &hook, 1, &t->x, e))
		return -1;
	reading_flag_sinks(s->atlas, t->x, t->flags, t->n);
	return encode(s, t, from, e);
}

int reading_make(struct session *s, struct backend *b, const char *text, bool chat, struct reading *t, struct err *e)
{
	*t = (struct reading){0};
	if (!backend_tokenize(b, text, chat, &t->tokens, &t->flags, &t->n, e) && !read_tokens(s, b, 0, t, e))
		return 0;
	reading_release(t);
	return -1;
}

int reading_of_tokens(struct session *s, struct backend *b, const u32 *tokens, const u8 *flags, size_t n,
		      size_t from, struct reading *t, struct err *e)
{
	*t = (struct reading){.n = n};
	t->tokens = xcalloc(n + 1, sizeof *t->tokens);
	t->flags = xcalloc(n + 1, 1);
	memcpy(t->tokens, tokens, n * sizeof *tokens);
	memcpy(t->flags, flags, n);
	if (!read_tokens(s, b, from, t, e))
		return 0;
	reading_release(t);
	return -1;
}

void reading_release(struct reading *t)
{
	free(t->tokens);
	free(t->flags);
	free(t->x);
	free(t->rows);
	free(t->arena);
	*t = (struct reading){0};
}
