/* SPDX-License-Identifier: MIT */
/* cmd_text.c - featlas text: which features fire on which token of a text. */
#include "cmd/cmd.h"

#include "backend/attach.h"
#include "base/mem.h"
#include "session/reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
	struct reading t;
	u8 *blob, *special; /* the module's vocabulary, where the atlas has none */
	u64 *offsets;
	u32 n_vocab;
};

static void release(struct job *j)
{
	reading_release(&j->t);
	free(j->blob);
	free(j->special);
	free(j->offsets);
}

static int connect_and_read(struct session *s, const char *text, bool chat, struct job *j, struct err *e)
{
	struct progress p = {0};
	char warning[ATTACH_WARNING];
	struct backend *b = session_backend(s, e);
	if (!b)
		return -1;
	struct cmd_progress *shown = cmd_progress_start(&p);
	int bad = attach_model(b, s->atlas, &p, warning, e) || reading_make(s, b, text, chat, &j->t, e) ||
		  (!s->atlas->vocab && backend_vocab(b, &j->blob, &j->offsets, &j->special, &j->n_vocab, e));
	cmd_progress_stop(shown);
	detach_model(b);
	if (!bad && warning[0])
		fprintf(stderr, "featlas text: warning: %s\n", warning);
	return bad ? -1 : 0;
}

static struct span token_bytes(const struct session *s, const struct job *j, u32 token)
{
	if (s->atlas->vocab)
		return vocab_bytes(s->atlas->vocab, token);
	if (token >= j->n_vocab)
		return (struct span){(const u8 *)"", 0};
	return (struct span){j->blob + j->offsets[token], j->offsets[token + 1] - j->offsets[token]};
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

static void print_token_json(struct session *s, const struct job *job, size_t i, u64 top)
{
	const struct reading *t = &job->t;
	const struct dict_row *row = &t->rows[i];
	struct span bytes = token_bytes(s, job, t->tokens[i]);
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

static void print_token(struct session *s, const struct job *job, size_t i, u64 top)
{
	const struct reading *t = &job->t;
	struct buf out = BUF_INIT;
	const struct dict_row *row = &t->rows[i];
	struct span bytes = token_bytes(s, job, t->tokens[i]);
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
	struct job j = {0};
	u64 top;
	if (arg_u64(a, "top", json ? UINT32_MAX : 3, 0, UINT32_MAX, &top, e))
		return -1;
	struct session *s = cmd_open(a, e);
	if (!s)
		return -1;
	int status = connect_and_read(s, a->positional[1], !arg_flag(a, "plain"), &j, e) ? -1 : EXIT_OK;
	for (size_t i = 0; i < j.t.n && status == EXIT_OK; i++) {
		if (json)
			print_token_json(s, &j, i, top);
		else
			print_token(s, &j, i, top);
	}
	release(&j);
	session_free(s);
	return status;
}
