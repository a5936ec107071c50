/* SPDX-License-Identifier: MIT */
/* cmd_lens.c - featlas lens: what each layer would say next. */
#include "cmd/cmd.h"

#include "base/buf.h"
#include "base/mem.h"
#include "cmd/live.h"
#include "session/lens.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
	struct session *s;
	struct cmd_live live;
	u32 *tokens;
	size_t n;
	struct lens_rows rows;
	u32 k;
	u32 target; /* given, or NO_TOKEN */
	bool json;
};

static void add_token(struct buf *out, const struct job *j, u32 token)
{
	struct span t = vocab_bytes(j->s->atlas->vocab, token);
	buf_addc(out, '"');
	cmd_add_text(out, (const char *)t.p, t.n);
	buf_addc(out, '"');
}

static void print_lens(const struct job *j, size_t position, const struct lens *x)
{
	struct buf out = BUF_INIT;
	u32 settled = lens_settled(x);
	buf_adds(&out, "after ");
	add_token(&out, j, j->tokens[position]);
	buf_addf(&out, " (%zu): target ", position);
	add_token(&out, j, x->target);
	if (settled < x->n_layers)
		buf_addf(&out, ", likeliest from layer %u on", settled);
	buf_adds(&out, "\nlayer   rank       p  likeliest\n");
	for (u32 l = 0; l < x->n_layers; l++) {
		buf_addf(&out, "%5u %6u  %6.4f ", l, x->rank[l], exp((f64)x->target_logp[l]));
		for (u32 i = 0; i < x->k && x->token[l * x->k + i] != NO_TOKEN; i++) {
			buf_addc(&out, ' ');
			add_token(&out, j, x->token[l * x->k + i]);
			buf_addf(&out, " %.2f", exp((f64)x->logp[l * x->k + i]));
		}
		buf_addc(&out, '\n');
	}
	cmd_flush(&out);
	buf_release(&out);
}

static json_t *token_json(const struct job *j, u32 token, f32 logp)
{
	json_t *o = json_object();
	cmd_set_token(o, "token", j->s, token);
	json_object_set_new(o, "id", json_integer(token));
	if (!isnan(logp))
		json_object_set_new(o, "logp", json_f32(logp));
	return o;
}

static void print_json(const struct job *j, size_t position, const struct lens *x)
{
	json_t *layers = json_array(), *o = json_object();
	u32 settled = lens_settled(x);
	for (u32 l = 0; l < x->n_layers; l++) {
		json_t *top = json_array();
		for (u32 i = 0; i < x->k && x->token[l * x->k + i] != NO_TOKEN; i++)
			json_array_append_new(top,
					      token_json(j, x->token[l * x->k + i], x->logp[l * x->k + i]));
		json_array_append_new(layers, json_pack("{s:I, s:I, s:o, s:o}", "layer", (json_int_t)l,
							"rank", (json_int_t)x->rank[l], "logp",
							json_f32(x->target_logp[l]), "top", top));
	}
	json_object_set_new(o, "position", json_integer((json_int_t)position));
	cmd_set_token(o, "token", j->s, j->tokens[position]);
	json_object_set_new(o, "target", token_json(j, x->target, NAN));
	json_object_set_new(o, "settled", settled < x->n_layers ? json_integer(settled) : json_null());
	json_object_set_new(o, "layers", layers);
	cmd_print_json(o);
}

static int prepare(struct job *j, const struct cmd_args *a, size_t *from, size_t *to, struct err *e)
{
	const char *target = arg_str(a, "target", NULL), *at = arg_str(a, "position", NULL);
	struct backend *b = j->live.place.backend;
	u64 position;
	if (backend_tokenize(b, a->positional[1], !arg_flag(a, "plain"), &j->tokens, NULL, &j->n, e) ||
	    (target && next_token(b, j->s->atlas, target, &j->target, e)))
		return -1;
	if (!j->n)
		return err_set(e, ERR_USAGE, "the text is empty");
	if (!at || strcmp(at, "all")) {
		if (arg_u64(a, "position", j->n - 1, 0, j->n - 1, &position, e))
			return -1;
		*from = (size_t)position;
		*to = *from + 1;
	} else
		*to = j->n;
	/* later tokens have no say in what stands here */
	return lens_read(&j->live.place, j->tokens, *to, &j->rows, e);
}

static int run(struct job *j, const struct cmd_args *a, struct err *e)
{
	size_t from = 0, to = 0;
	if (prepare(j, a, &from, &to, e))
		return -1;
	progress_start(&j->live.progress, "reading layers", "layers", (u64)(to - from) * j->rows.n_layers);
	for (size_t at = from; at < to; at++) {
		struct lens x;
		if (lens_at(&j->live.place, &j->rows, at, j->target, j->k, &x, e))
			return -1;
		if (j->json)
			print_json(j, at, &x);
		else
			print_lens(j, at, &x);
		lens_release(&x);
	}
	return 0;
}

int cmd_lens(const struct cmd_args *a, struct err *e)
{
	struct job j = {.target = NO_TOKEN, .json = arg_flag(a, "json")};
	u64 k;
	if (arg_u64(a, "k", 5, 0, 1000, &k, e) || !(j.s = cmd_open(a, e)))
		return -1;
	j.k = (u32)k;
	int bad = cmd_live_start(&j.live, a, j.s, e) || run(&j, a, e);
	cmd_live_stop(&j.live);
	lens_rows_release(&j.rows);
	free(j.tokens);
	session_free(j.s);
	return bad ? -1 : EXIT_OK;
}
