/* SPDX-License-Identifier: MIT */
/* cmd_text.c - featlas text: which features fire on which token of a text. */
#include "cmd/cmd.h"

#include "backend/steer.h"
#include "base/mem.h"
#include "core/acts.h"
#include "session/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text with its rows and what fires there; rows [n] of the tokens that count. */
struct reading {
	u32 *tokens;
	u8 *flags;
	size_t n;
	f32 *x;                /* [n][d] */
	struct dict_row *rows; /* [n]; n 0 where masked */
	void *arena;
	u8 *blob, *special;    /* the module's vocabulary, where the atlas has none */
	u64 *offsets;
	u32 n_vocab;
};

static void release(struct reading *t)
{
	free(t->tokens);
	free(t->flags);
	free(t->x);
	free(t->rows);
	free(t->arena);
	free(t->blob);
	free(t->special);
	free(t->offsets);
}

static void flag_sinks(struct reading *t, const struct atlas *a)
{
	for (size_t i = 0; i < t->n && a->norm_median > 0; i++) {
		f64 square = 0;
		for (u32 k = 0; k < a->d_model; k++)
			square += (f64)t->x[i * a->d_model + k] * (f64)t->x[i * a->d_model + k];
		if (sqrt(square) > (f64)ACTS_SINK_MULTIPLE * (f64)a->norm_median)
			t->flags[i] |= TOKEN_SINK;
	}
}

/* Only tokens that count are encoded. */
static int encode(struct session *s, struct reading *t, struct err *e)
{
	u32 d = s->atlas->d_model;
	size_t kept = 0;
	f32 *x = mem_try(t->n + 1, d * sizeof *x, "residual rows", e);
	struct dict_row *rows = xcalloc(t->n + 1, sizeof *rows);
	t->rows = xcalloc(t->n + 1, sizeof *t->rows);
	for (size_t i = 0; i < t->n && x; i++)
		if (!(t->flags[i] & TOKEN_MASKED))
			memcpy(x + kept++ * d, t->x + i * d, d * sizeof *x);
	int bad = !x || (kept && dict_encode(s->atlas->dict, s->pool, x, kept, rows, &t->arena, e));
	for (size_t i = 0, k = 0; i < t->n && !bad; i++)
		if (!(t->flags[i] & TOKEN_MASKED))
			t->rows[i] = rows[k++];
	free(x);
	free(rows);
	return bad ? -1 : 0;
}

static int read_text(struct session *s, struct backend *b, const char *text, bool chat, struct reading *t,
		     struct err *e)
{
	const char *hook = s->atlas->hook;
	if (backend_tokenize(b, text, chat, &t->tokens, &t->flags, &t->n, e))
		return -1;
	if (!t->n)
		return err_set(e, ERR_USAGE, "the text is empty");
	if (t->n > backend_info(b)->n_ctx)
		return err_set(e, ERR_USAGE, "the text has %zu tokens, the model takes %u", t->n,
			       backend_info(b)->n_ctx);
	if (!(t->x = mem_try(t->n, s->atlas->d_model * sizeof *t->x, "residual rows", e)) ||
	    backend_states(b, t->tokens, t->n, &hook, 1, &t->x, e))
		return -1;
	flag_sinks(t, s->atlas);
	if (!s->atlas->vocab && backend_vocab(b, &t->blob, &t->offsets, &t->special, &t->n_vocab, e))
		return -1;
	return encode(s, t, e);
}

static int connect_and_read(struct session *s, const char *text, bool chat, struct reading *t, struct err *e)
{
	struct progress p = {0};
	char warning[256];
	struct backend *b = session_backend(s, e);
	if (!b)
		return -1;
	backend_watch(b, &p);
	struct cmd_progress *shown = cmd_progress_start(&p);
	int bad = backend_connect(b, &p, e) || steer_check_model(b, s->atlas, warning, sizeof warning, e) ||
		  read_text(s, b, text, chat, t, e);
	cmd_progress_stop(shown);
	backend_watch(b, NULL);
	if (!bad && warning[0])
		fprintf(stderr, "featlas text: warning: %s\n", warning);
	return bad ? -1 : 0;
}

static struct span token_bytes(const struct session *s, const struct reading *t, u32 token)
{
	if (s->atlas->vocab)
		return vocab_bytes(s->atlas->vocab, token);
	if (token >= t->n_vocab)
		return (struct span){(const u8 *)"", 0};
	return (struct span){t->blob + t->offsets[token], t->offsets[token + 1] - t->offsets[token]};
}

/* The strongest first; ties by id. */
static const struct dict_row *sort_row; /* qsort has no context */

static int by_activation(const void *a, const void *b)
{
	u32 i = *(const u32 *)a, j = *(const u32 *)b;
	if (sort_row->act[i] != sort_row->act[j])
		return sort_row->act[i] < sort_row->act[j] ? 1 : -1;
	return i < j ? -1 : 1;
}

/* Indexes into row, owned. */
static u32 *order(const struct dict_row *row)
{
	u32 *at = xcalloc(row->n + 1, sizeof *at);
	for (u32 i = 0; i < row->n; i++)
		at[i] = i;
	sort_row = row;
	qsort(at, row->n, sizeof *at, by_activation);
	return at;
}

static void print_token_json(struct session *s, const struct reading *t, size_t i, u64 top)
{
	const struct dict_row *row = &t->rows[i];
	struct span bytes = token_bytes(s, t, t->tokens[i]);
	u32 *at = order(row);
	json_t *features = json_array();
	for (u32 k = 0; k < row->n && k < top; k++) {
		char *label = session_label_text(s, row->id[at[k]]);
		json_array_append_new(features, json_pack("{s:I, s:o, s:o}", "id", (json_int_t)row->id[at[k]],
							  "activation", json_f32(row->act[at[k]]), "label",
							  json_text(label, strlen(label))));
		free(label);
	}
	json_t *j = json_pack("{s:I}", "position", (json_int_t)i);
	if (s->atlas->vocab)
		cmd_set_token(j, "token", s, t->tokens[i]);
	else
		json_object_set_new(j, "token", json_text((const char *)bytes.p, bytes.n));
	json_object_set_new(j, "id", json_integer((json_int_t)t->tokens[i]));
	if (t->flags[i] & TOKEN_MASKED)
		json_object_set_new(j, "masked", json_true());
	json_object_set_new(j, "features", features);
	cmd_print_json(j);
	free(at);
}

static void print_token(struct session *s, const struct reading *t, size_t i, u64 top)
{
	struct buf out = BUF_INIT;
	const struct dict_row *row = &t->rows[i];
	struct span bytes = token_bytes(s, t, t->tokens[i]);
	u32 *at = order(row);
	buf_addf(&out, "%4zu  ", i);
	size_t before = out.n;
	cmd_add_text(&out, (const char *)bytes.p, bytes.n);
	while (out.n < before + 16)
		buf_addc(&out, ' ');
	if (t->flags[i] & TOKEN_MASKED)
		buf_adds(&out, "  (not encoded)");
	for (u32 k = 0; k < row->n && k < top; k++) {
		char *label = session_label_text(s, row->id[at[k]]);
		buf_addf(&out, "  #%u %.2f ", row->id[at[k]], (f64)row->act[at[k]]);
		cmd_add_text(&out, label, strlen(label));
		free(label);
	}
	buf_addc(&out, '\n');
	cmd_flush(&out);
	buf_release(&out);
	free(at);
}

int cmd_text(const struct cmd_args *a, struct err *e)
{
	bool json = arg_flag(a, "json");
	struct reading t = {0};
	u64 top;
	if (arg_u64(a, "top", json ? UINT32_MAX : 3, 0, UINT32_MAX, &top, e))
		return -1;
	struct session *s = cmd_open(a, e);
	if (!s)
		return -1;
	int status = connect_and_read(s, a->positional[1], !arg_flag(a, "plain"), &t, e) ? -1 : EXIT_OK;
	for (size_t i = 0; i < t.n && status == EXIT_OK; i++) {
		if (json)
			print_token_json(s, &t, i, top);
		else
			print_token(s, &t, i, top);
	}
	release(&t);
	session_free(s);
	return status;
}
