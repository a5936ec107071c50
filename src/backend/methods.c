/* SPDX-License-Identifier: MIT */
/* methods.c - the requests of featlas-backend(7): params and arrays out, checked answers in. */
#include "backend/client.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A copy of an array of the reply. */
static void *copy_array(const struct frame *f, const char *name, enum dtype dtype, u64 n, struct err *e)
{
	const struct frame_array *a = frame_need(f, name, dtype, 1, &n, e);
	void *out = a ? mem_try(a->n + 1, dtype_size(dtype), "an answer", e) : NULL;
	if (out)
		memcpy(out, a->data, a->n * dtype_size(dtype));
	return out;
}

static int check_tokens(const struct backend *b, const u32 *tokens, u64 n, struct err *e)
{
	for (u64 i = 0; i < n; i++)
		if (tokens[i] >= b->info.n_vocab)
			return err_set(e, ERR_DAMAGED, "backend '%s' gave token %u of a vocabulary of %u",
				       b->name, tokens[i], b->info.n_vocab);
	return 0;
}

/* params is taken. */
static int tokenize(struct backend *b, json_t *params, u32 **tokens, u8 **flags, size_t *n, struct err *e)
{
	struct frame reply;
	if (client_ready(b, "tokenize", e)) {
		json_decref(params);
		return -1;
	}
	if (client_call(b, "tokenize", params, NULL, (u64)64 << 20, NULL, NULL, &reply, e))
		return -1;
	const struct frame_array *a = frame_need(&reply, "tokens", DTYPE_U32, 1, &(u64){TENSOR_ANY}, e);
	u32 *t = a && !check_tokens(b, a->data, a->n, e) ? copy_array(&reply, "tokens", DTYPE_U32, a->n, e)
							 : NULL;
	u8 *g = t ? copy_array(&reply, "flags", DTYPE_U8, a->n, e) : NULL;
	if (g) {
		*n = a->n;
		*tokens = t;
		if (flags)
			*flags = g;
		else
			free(g);
	} else
		free(t);
	frame_release(&reply);
	return g ? 0 : -1;
}

int backend_tokenize(struct backend *b, const char *text, bool chat, u32 **tokens, u8 **flags, size_t *n,
		     struct err *e)
{
	json_t *s = json_text(text, strlen(text));
	json_t *params =
		chat ? json_pack("{s:[{s:s, s:o}], s:b}", "messages", "role", "user", "content", s, "open", 1)
		     : json_pack("{s:o}", "text", s);
	return tokenize(b, params, tokens, flags, n, e);
}

int backend_tokenize_messages(struct backend *b, const json_t *messages, bool open, u32 **tokens, u8 **flags,
			      size_t *n, struct err *e)
{
	json_t *params = json_pack("{s:o, s:b}", "messages", json_deep_copy(messages), "open", (int)open);
	return tokenize(b, params, tokens, flags, n, e);
}

static int check_offsets(const struct backend *b, const u64 *offsets, u64 n, u64 size, struct err *e)
{
	bool good = offsets[0] == 0 && offsets[n] == size;
	for (u64 i = 0; i < n && good; i++)
		good = offsets[i] <= offsets[i + 1];
	return good ? 0
		    : err_set(e, ERR_DAMAGED, "backend '%s' gave a vocabulary whose offsets are out of order",
			      b->name);
}

int backend_vocab(struct backend *b, u8 **blob, u64 **offsets, u8 **special, u32 *n, struct err *e)
{
	struct frame reply;
	if (client_ready(b, "vocab", e) ||
	    client_call(b, "vocab", json_object(), NULL, (u64)1 << 30, NULL, NULL, &reply, e))
		return -1;
	u64 v = b->info.n_vocab;
	const struct frame_array *bytes = frame_need(&reply, "blob", DTYPE_U8, 1, &(u64){TENSOR_ANY}, e);
	u64 *o = bytes ? copy_array(&reply, "offsets", DTYPE_U64, v + 1, e) : NULL;
	u8 *text = NULL, *s = NULL;
	if (o && !check_offsets(b, o, v, bytes->n, e)) {
		text = copy_array(&reply, "blob", DTYPE_U8, bytes->n, e);
		s = copy_array(&reply, "special", DTYPE_U8, v, e);
	}
	frame_release(&reply);
	if (!text || !s) {
		free(o);
		free(text);
		free(s);
		return -1;
	}
	*blob = text;
	*offsets = o;
	*special = s;
	*n = (u32)v;
	return 0;
}

int backend_states(struct backend *b, const u32 *tokens, size_t n, const char *const *hooks, size_t n_hooks,
		   f32 *const *rows, struct err *e)
{
	struct frame reply;
	struct frame_out f;
	if (client_ready(b, "states", e))
		return -1;
	u64 d = b->info.d_model, shape[3] = {n_hooks, n, d};
	json_t *list = json_array();
	for (size_t h = 0; h < n_hooks; h++)
		json_array_append_new(list, json_string(hooks[h]));
	frame_out_init(&f, json_object());
	frame_out_add(&f, "tokens", DTYPE_U32, 1, &(u64){n}, tokens);
	if (client_call(b, "states", json_pack("{s:o}", "hooks", list), &f, n_hooks * n * d * sizeof(f32),
			NULL, NULL, &reply, e))
		return -1;
	const struct frame_array *a = frame_need(&reply, "rows", DTYPE_F32, 3, shape, e);
	for (size_t h = 0; a && h < n_hooks; h++)
		memcpy(rows[h], (const f32 *)a->data + h * n * d, n * d * sizeof(f32));
	frame_release(&reply);
	return a ? 0 : -1;
}

bool backend_has_encoder(const struct backend *b, const char *hook, const void *key)
{
	for (size_t i = 0; i < b->n_encoders; i++)
		if (!strcmp(b->encoders[i].hook, hook))
			return b->encoders[i].key == key;
	return false;
}

static void note_encoder(struct backend *b, const char *hook, const void *key)
{
	size_t i = 0;
	while (i < b->n_encoders && strcmp(b->encoders[i].hook, hook))
		i++;
	if (i == CLIENT_MAX_ENCODERS)
		return; /* not remembered: it will be given again */
	if (i == b->n_encoders)
		b->encoders[b->n_encoders++].hook = xstrdup(hook);
	b->encoders[i].key = key;
}

int backend_load_encoder(struct backend *b, const char *hook, const f32 *w_enc, const f32 *bias,
			 u32 n_features, u32 d, u32 k, const void *key, struct err *e)
{
	struct frame reply;
	struct frame_out f;
	if (client_ready(b, "load_encoder", e))
		return -1;
	frame_out_init(&f, json_object());
	frame_out_add(&f, "w", DTYPE_F32, 2, (u64[]){n_features, d}, w_enc);
	frame_out_add(&f, "bias", DTYPE_F32, 1, &(u64){n_features}, bias);
	if (client_call(b, "load_encoder", json_pack("{s:s, s:I}", "hook", hook, "k", (json_int_t)k), &f, 0,
			NULL, NULL, &reply, e))
		return -1;
	frame_release(&reply);
	note_encoder(b, hook, key);
	return 0;
}

/* Names of arrays live in the JSON that refers to them: they are made here, once, and both sides
 * of frame_out_add and json_object_set copy them. */
static void add_vector(struct frame_out *f, json_t *j, const char *key, size_t run, size_t at, const f32 *v,
		       int n_dims, const u64 *shape)
{
	char name[64];
	if (!v)
		return;
	snprintf(name, sizeof name, "r%zu.v%zu.%s", run, at, key);
	frame_out_add(f, name, DTYPE_F32, n_dims, shape, v);
	json_object_set_new(j, key, json_string(name));
}

static json_t *intervention_json(const struct backend *b, struct frame_out *f, size_t run, size_t at,
				 const struct intervention *v)
{
	static const char *const wheres[] = {"reply", "prompt", "both"};
	u64 d = b->info.d_model;
	json_t *j = json_pack("{s:s, s:s, s:s, s:f, s:f, s:f}", "kind", intervention_kinds[v->kind], "hook", v->hook,
			      "where", wheres[v->where], "amount", (f64)v->amount, "bias", (f64)v->bias,
			      "threshold", (f64)v->threshold);
	if (v->feature != NO_FEATURE)
		json_object_set_new(j, "feature", json_integer((json_int_t)v->feature));
	if (v->off)
		json_object_set_new(j, "on", json_false());
	if (v->when.encoder) {
		const struct run_condition *c = &v->when;
		json_t *when = json_pack("{s:f, s:f, s:f}", "bias", (f64)c->bias, "threshold", (f64)c->threshold,
					 "above", (f64)c->above);
		if (c->feature != NO_FEATURE)
			json_object_set_new(when, "feature", json_integer((json_int_t)c->feature));
		char name[48];
		snprintf(name, sizeof name, "r%zu.v%zu.if", run, at);
		frame_out_add(f, name, DTYPE_F32, 1, &d, c->encoder);
		json_object_set_new(when, "encoder", json_string(name));
		json_object_set_new(j, "if", when);
	}
	add_vector(f, j, "direction", run, at, v->direction, 1, &d);
	add_vector(f, j, "encoder", run, at, v->encoder, 1, &d);
	add_vector(f, j, "rows", run, at, v->rows, 2, (u64[]){v->n_rows, d});
	return j;
}

/* first: the first run that has the same; its array is sent once. */
static void add_ids(struct frame_out *f, json_t *j, const char *key, size_t run, size_t first, const void *p,
		    enum dtype dtype, u64 n)
{
	char name[32];
	if (!p || !n)
		return;
	snprintf(name, sizeof name, "r%zu.%s", first, key);
	if (first == run)
		frame_out_add(f, name, dtype, 1, &n, p);
	json_object_set_new(j, key, json_string(name));
}

static bool same_want(const struct run *a, const struct run *b)
{
	return a->want_tokens == b->want_tokens && a->n_want == b->n_want;
}

static json_t *runs_json(const struct backend *b, struct frame_out *f, const struct run *runs, size_t n)
{
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		const struct run *r = &runs[i];
		json_t *all = json_array(), *j = json_pack("{s:s, s:I}", "name", r->name ? r->name : "",
							   "seed", (json_int_t)(r->seed & INT64_MAX));
		if (r->n_prompt)
			json_object_set_new(j, "n_prompt", json_integer((json_int_t)r->n_prompt));
		if (r->paced)
			json_object_set_new(j, "paced", json_true());
		size_t first = 0; /* a whole vocabulary that many runs want */
		while (!same_want(&runs[first], r))
			first++;
		add_ids(f, j, "tokens", i, i, r->tokens, DTYPE_U32, r->n_tokens);
		add_ids(f, j, "flags", i, i, r->flags, DTYPE_U8, r->n_tokens);
		add_ids(f, j, "want", i, first, r->want_tokens, DTYPE_U32, r->n_want);
		for (size_t k = 0; k < r->n_list; k++)
			json_array_append_new(all, intervention_json(b, f, i, k, &r->list[k]));
		json_object_set_new(j, "interventions", all);
		json_array_append_new(list, j);
	}
	return list;
}

/* A module of protocol 1.0 would not know that it leaves something out. */
static bool is_new(const struct intervention *v)
{
	return v->off || v->when.encoder || v->kind == INTERVENE_ORTHOGONAL || v->kind == INTERVENE_CAP;
}

/* JSON has no word for a number that is not one. */
static int check_runs(const struct backend *b, const struct run *runs, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		bool newer = runs[i].paced;
		for (size_t k = 0; k < runs[i].n_list; k++) {
			const struct intervention *v = &runs[i].list[k];
			newer = newer || is_new(v);
			if (!isfinite(v->amount) || !isfinite(v->bias) || !isfinite(v->threshold) ||
			    !isfinite(v->when.bias) || !isfinite(v->when.threshold) || !isfinite(v->when.above))
				return err_set(e, ERR_USAGE,
					       "an intervention holds a number that is not finite");
		}
		if (newer && !backend_is_1_1(b))
			return err_set(e, ERR_UNAVAILABLE,
				       "backend '%s' speaks protocol 1.0, which has no conditions, no orthogonal and no "
				       "cap; they came with 1.1", b->name);
	}
	return 0;
}

struct generation {
	struct backend *b;
	const struct run *runs;
	u64 *n; /* tokens of each run so far */
	generate_fn fn;
	void *context;
	size_t n_runs;
	u64 left; /* tokens that may still come */
	bool wants_rows;
};

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The bytes of a token: "bytes" in hex where there is such a member, else "text". */
static int token_bytes(const json_t *token, struct buf *out, struct err *e)
{
	const json_t *text = json_object_get(token, "text");
	const char *hex = json_opt_str(token, "bytes", NULL);
	for (; hex && hex[0]; hex += 2) {
		int a = hex_digit(hex[0]), c = a < 0 ? -1 : hex_digit(hex[1]);
		if (c < 0)
			return err_set(e, ERR_DAMAGED, "the bytes of a token are not hexadecimal");
		buf_addc(out, (char)(16 * a + c));
	}
	if (!json_object_get(token, "bytes"))
		buf_add(out, json_string_value(text), json_string_length(text));
	return 0;
}

static int on_token(void *context, const char *method, const json_t *params, const struct frame *f,
		    struct err *e)
{
	struct generation *g = context;
	const json_t *token = json_object_get(params, "token");
	const struct frame_array *row = NULL;
	u64 run, id;
	if (strcmp(method, "token"))
		return 0;
	if (json_get_u64(params, "run", g->n_runs - 1, &run, "a token", e) ||
	    json_get_u64(token, "id", g->b->info.n_vocab - 1, &id, "a token", e))
		return -1;
	if (!g->left--)
		return err_set(e, ERR_DAMAGED, "more tokens came than were asked for");
	if (g->wants_rows && !(row = frame_need(f, "row", DTYPE_F32, 1, &(u64){g->b->info.d_model}, e)))
		return -1;
	struct buf text = BUF_INIT;
	int r = token_bytes(token, &text, e);
	if (!r && g->fn)
		r = g->fn(g->context, run, (u32)id, text.s, text.n, row ? row->data : NULL) ? 0 : 1;
	buf_release(&text);
	g->n[run]++;
	if (!r && g->runs[run].paced)
		rpc_notify(g->b->rpc, "update", json_pack("{s:I, s:I}", "run", (json_int_t)run, "seen",
							  (json_int_t)g->n[run]));
	return r;
}

void backend_update(struct backend *b, size_t run, size_t intervention, const f32 *amount, int on)
{
	json_t *params = json_pack("{s:I, s:I}", "run", (json_int_t)run, "intervention", (json_int_t)intervention);
	if (amount && isfinite(*amount))
		json_object_set_new(params, "amount", json_real((f64)*amount));
	if (on >= 0)
		json_object_set_new(params, "on", json_boolean(on));
	rpc_notify(b->rpc, "update", params);
}

int backend_generate(struct backend *b, const struct run *runs, size_t n_runs,
		     const struct generate_options *o, generate_fn fn, void *context, struct err *e)
{
	struct frame reply;
	struct frame_out f;
	struct generation g = {.b = b, .runs = runs, .fn = fn, .context = context, .n_runs = n_runs,
			       .left = (u64)o->n_tokens * n_runs, .wants_rows = o->rows_hook};
	if (client_ready(b, "generate", e) || check_runs(b, runs, n_runs, e))
		return -1;
	if (!isfinite(o->temperature) || !isfinite(o->top_p))
		return err_set(e, ERR_USAGE, "a temperature or top-p is not finite");
	frame_out_init(&f, json_object());
	json_t *params = json_pack("{s:o, s:I, s:f}", "runs", runs_json(b, &f, runs, n_runs), "n_tokens",
				   (json_int_t)o->n_tokens, "temperature", (f64)o->temperature);
	if (o->top_k)
		json_object_set_new(params, "top_k", json_integer((json_int_t)o->top_k));
	if (o->top_p > 0)
		json_object_set_new(params, "top_p", json_real((f64)o->top_p));
	if (o->rows_hook)
		json_object_set_new(params, "rows_hook", json_string(o->rows_hook));
	g.n = xcalloc(n_runs + 1, sizeof *g.n);
	int bad = client_call(b, "generate", params, &f, b->info.d_model * sizeof(f32), on_token, &g, &reply, e);
	if (!bad)
		frame_release(&reply);
	free(g.n);
	return bad;
}

static int read_score(const struct frame *reply, size_t i, const struct run *run, struct score *out,
		      struct err *e)
{
	const json_t *j = json_array_get(json_object_get(json_object_get(reply->line, "result"), "runs"), i);
	char name[32];
	if (json_get_f64(j, "nll", &out->nll, "a score", e) ||
	    json_get_u64(j, "n", run->n_tokens, &out->n, "a score", e))
		return -1;
	out->kl = json_opt_f64(j, "kl", NAN);
	snprintf(name, sizeof name, "want%zu", i);
	if (run->n_want)
		out->want_logp = copy_array(reply, name, DTYPE_F32, run->n_want, e);
	return run->n_want && !out->want_logp ? -1 : 0;
}

int backend_score(struct backend *b, const struct run *runs, size_t n_runs, struct score *out, struct err *e)
{
	struct frame reply;
	struct frame_out f;
	u64 most = 0;
	int bad = 0;
	if (client_ready(b, "score", e) || check_runs(b, runs, n_runs, e))
		return -1;
	memset(out, 0, n_runs * sizeof *out);
	frame_out_init(&f, json_object());
	for (size_t i = 0; i < n_runs; i++)
		most += runs[i].n_want * sizeof(f32);
	if (client_call(b, "score", json_pack("{s:o}", "runs", runs_json(b, &f, runs, n_runs)), &f, most,
			NULL, NULL, &reply, e))
		return -1;
	for (size_t i = 0; i < n_runs && !bad; i++)
		bad = read_score(&reply, i, &runs[i], &out[i], e);
	for (size_t i = 0; i < n_runs && bad; i++) {
		free(out[i].want_logp);
		out[i].want_logp = NULL;
	}
	frame_release(&reply);
	return bad;
}

static int get_lens(const struct backend *b, const struct frame *reply, const char *side, u64 n, u64 k,
		    u32 *token, f32 *value, struct err *e)
{
	char name[32];
	u64 shape[2] = {n, k};
	snprintf(name, sizeof name, "%s_token", side);
	const struct frame_array *t = frame_need(reply, name, DTYPE_U32, 2, shape, e);
	snprintf(name, sizeof name, "%s_value", side);
	const struct frame_array *v = t ? frame_need(reply, name, DTYPE_F32, 2, shape, e) : NULL;
	if (!v || check_tokens(b, t->data, t->n, e))
		return -1;
	memcpy(token, t->data, t->n * sizeof *token);
	memcpy(value, v->data, v->n * sizeof *value);
	return 0;
}

int backend_lens(struct backend *b, const f32 *vectors, size_t n, u32 k, u32 *top_token, f32 *top_value,
		 u32 *bottom_token, f32 *bottom_value, struct err *e)
{
	struct frame reply;
	struct frame_out f;
	if (client_ready(b, "lens", e))
		return -1;
	frame_out_init(&f, json_object());
	frame_out_add(&f, "vectors", DTYPE_F32, 2, (u64[]){n, b->info.d_model}, vectors);
	if (client_call(b, "lens", json_pack("{s:I}", "k", (json_int_t)k), &f, (u64)n * k * 16, NULL, NULL,
			&reply, e))
		return -1;
	int bad = get_lens(b, &reply, "top", n, k, top_token, top_value, e) ||
		  get_lens(b, &reply, "bottom", n, k, bottom_token, bottom_value, e);
	frame_release(&reply);
	return bad ? -1 : 0;
}
