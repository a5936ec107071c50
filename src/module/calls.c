/* SPDX-License-Identifier: MIT */
/* calls.c - the methods of featlas-backend(7): checks params, calls an op, sends the reply. */
#include "config.h"

#include "module/calls.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void fail(struct module_request *r, const struct err *e)
{
	enum rpc_code code = e->code == ERR_CANCELLED || module_cancelled(r) ? RPC_CANCELLED
			     : e->code == ERR_UNAVAILABLE			       ? RPC_UNAVAILABLE
			     : e->code == ERR_USAGE || e->code == ERR_NOT_FOUND || e->code == ERR_DAMAGED
				     ? RPC_PARAMS
				     : RPC_FAILED;
	server_error(r->s, r->id, code, code == RPC_CANCELLED ? "cancelled" : e->msg[0] ? e->msg : "failed");
}

static void send_result(struct module_request *r, json_t *result)
{
	struct frame_out f;
	server_reply(r, &f, result);
	server_send(r->s, &f);
}

static json_t *capabilities(const struct module_ops *ops)
{
	const struct { const char *name; bool there; } all[] = {
		{"tokenize", ops->tokenize}, {"detokenize", true},	{"vocab", true},
		{"template", ops->render},   {"states", ops->states},	{"generate", ops->generate},
		{"score", ops->score},	     {"lens", ops->lens},	{"load_encoder", ops->generate},
		{"update", ops->generate},
	};
	json_t *list = json_array();
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].there)
			json_array_append_new(list, json_string(all[i].name));
	return list;
}

static int load(struct module_request *r, struct err *e)
{
	struct server *s = r->s;
	s->info.bos = UINT32_MAX;
	void *m = s->ops->load(s->argc, s->argv, &s->info, r, e);
	if (!m)
		return -1;
	size_t n = s->info.n_vocab;
	s->offsets = mem_try(n + 1, sizeof *s->offsets, "the vocabulary", e);
	s->special = mem_try(n, 1, "the vocabulary", e);
	if (!s->offsets || !s->special || s->ops->vocab(m, &s->vocab, s->offsets, s->special, e)) {
		s->ops->unload(m);
		calls_release(s);
		return -1;
	}
	s->m = m;
	return 0;
}

static int call_initialize(struct module_request *r, struct err *e)
{
	struct server *s = r->s;
	const char *protocol;
	if (json_get_str(r->params, "protocol", &protocol, "params", e))
		return -1;
	if (strcspn(protocol, ".") != strcspn(MODULE_PROTOCOL, ".") ||
	    strncmp(protocol, MODULE_PROTOCOL, strcspn(MODULE_PROTOCOL, ".")))
		return err_set(e, ERR_UNAVAILABLE, "this module speaks protocol %s, not %.20s",
			       MODULE_PROTOCOL, protocol);
	if (!s->m && load(r, e))
		return -1;
	const struct module_info *i = &s->info;
	json_t *model = json_pack("{s:o, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:o}", "name",
				  json_text(i->name, strlen(i->name)), "sha256", i->sha256, "tokenizer",
				  i->tokenizer, "template", json_text(i->templ, strlen(i->templ)), "d_model",
				  (json_int_t)i->d_model, "n_layers", (json_int_t)i->n_layers, "n_vocab",
				  (json_int_t)i->n_vocab, "n_ctx", (json_int_t)i->n_ctx, "bos",
				  i->bos == UINT32_MAX ? json_null() : json_integer((json_int_t)i->bos));
	send_result(r, json_pack("{s:s, s:s, s:s, s:o, s:o}", "protocol", MODULE_PROTOCOL, "module",
				 s->ops->program, "version", PACKAGE_VERSION, "model", model, "capabilities",
				 capabilities(s->ops)));
	return 0;
}

static int call_shutdown(struct module_request *r, struct err *e)
{
	(void)e;
	send_result(r, json_object());
	r->s->quit = true;
	return 0;
}

/* {"text"} or {"messages", "open"}; *messages is the caller's to free. */
static int get_text(const struct module_request *r, struct module_text *t, struct module_message **messages,
		    struct err *e)
{
	const json_t *text = json_object_get(r->params, "text"),
		     *list = json_object_get(r->params, "messages");
	memset(t, 0, sizeof *t);
	*messages = NULL;
	if (json_is_string(text)) {
		t->text = json_string_value(text);
		t->n = json_string_length(text);
		return 0;
	}
	if (!json_is_array(list) || !json_array_size(list))
		return err_set(e, ERR_USAGE, "params have neither a 'text' nor 'messages'");
	t->n_messages = json_array_size(list);
	t->open = json_opt_bool(r->params, "open", true);
	t->messages = *messages = xcalloc(t->n_messages, sizeof **messages);
	for (size_t i = 0; i < t->n_messages; i++) {
		const json_t *j = json_array_get(list, i), *content = json_object_get(j, "content");
		struct module_message *m = &(*messages)[i];
		if (json_get_str(j, "role", &m->role, "a message", e) ||
		    json_get_str(j, "content", &m->content, "a message", e)) {
			free(*messages);
			*messages = NULL;
			return -1;
		}
		m->n = json_string_length(content);
	}
	return 0;
}

static int call_tokenize(struct module_request *r, struct err *e)
{
	struct server *s = r->s;
	struct module_text t;
	struct module_message *messages;
	u32 *tokens = NULL;
	u8 *flags = NULL;
	size_t n = 0;
	if (get_text(r, &t, &messages, e))
		return -1;
	int bad = s->ops->tokenize(s->m, &t, &tokens, &flags, &n, e);
	free(messages);
	if (bad)
		return -1;
	struct frame_out f;
	server_reply(r, &f, json_object());
	frame_out_add(&f, "tokens", DTYPE_U32, 1, &(u64){n}, tokens);
	frame_out_add(&f, "flags", DTYPE_U8, 1, &(u64){n}, flags);
	server_send(s, &f);
	free(tokens);
	free(flags);
	return 0;
}

static int call_template(struct module_request *r, struct err *e)
{
	struct module_text t;
	struct module_message *messages;
	struct buf out = BUF_INIT;
	if (get_text(r, &t, &messages, e))
		return -1;
	int bad = t.text ? err_set(e, ERR_USAGE, "template wants 'messages'")
			 : r->s->ops->render(r->s->m, &t, &out, e);
	if (!bad)
		send_result(r, json_pack("{s:o}", "text", json_text(out.s, out.n)));
	buf_release(&out);
	free(messages);
	return bad;
}

/* Checked token ids of an array of the frame; n may be any from min on. */
static int get_tokens(const struct module_request *r, const char *name, size_t min, const u32 **tokens,
		      size_t *n, struct err *e)
{
	const struct frame_array *a = frame_need(&r->in, name, DTYPE_U32, 1, &(u64){TENSOR_ANY}, e);
	if (!a)
		return -1;
	*tokens = a->data;
	*n = a->n;
	if (a->n < min || a->n > r->s->info.n_ctx)
		return err_set(e, ERR_USAGE, "'%.40s' has %llu tokens; from %zu to %u will do", name,
			       (unsigned long long)a->n, min, r->s->info.n_ctx);
	for (size_t i = 0; i < a->n; i++)
		if ((*tokens)[i] >= r->s->info.n_vocab)
			return err_set(e, ERR_USAGE, "token %u is not in the vocabulary of %u", (*tokens)[i],
				       r->s->info.n_vocab);
	return 0;
}

/* A token as {id, text, bytes}: text with U+FFFD for broken bytes, bytes only where they differ. */
static json_t *token_json(const struct server *s, u32 token)
{
	const char *p = s->vocab.s + s->offsets[token];
	size_t n = s->offsets[token + 1] - s->offsets[token];
	json_t *text = json_text(p, n);
	json_t *j = json_pack("{s:I, s:O}", "id", (json_int_t)token, "text", text);
	if (json_string_length(text) != n || memcmp(json_string_value(text), p, n)) {
		struct buf hex = BUF_INIT;
		for (size_t i = 0; i < n; i++)
			buf_addf(&hex, "%02x", (u8)p[i]);
		json_object_set_new(j, "bytes", json_string(hex.s));
		buf_release(&hex);
	}
	json_decref(text);
	return j;
}

static int call_detokenize(struct module_request *r, struct err *e)
{
	const struct server *s = r->s;
	const u32 *tokens;
	size_t n;
	if (get_tokens(r, "tokens", 0, &tokens, &n, e))
		return -1;
	json_t *list = json_array();
	struct buf all = BUF_INIT;
	for (size_t i = 0; i < n; i++) {
		json_array_append_new(list, token_json(s, tokens[i]));
		buf_add(&all, s->vocab.s + s->offsets[tokens[i]],
			s->offsets[tokens[i] + 1] - s->offsets[tokens[i]]);
	}
	send_result(r, json_pack("{s:o, s:o}", "text", json_text(all.s, all.n), "tokens", list));
	buf_release(&all);
	return 0;
}

static int call_vocab(struct module_request *r, struct err *e)
{
	(void)e;
	struct server *s = r->s;
	struct frame_out f;
	u64 n = s->info.n_vocab;
	server_reply(r, &f, json_object());
	frame_out_add(&f, "offsets", DTYPE_U64, 1, &(u64){n + 1}, s->offsets);
	frame_out_add(&f, "special", DTYPE_U8, 1, &n, s->special);
	frame_out_add(&f, "blob", DTYPE_U8, 1, &(u64){s->vocab.n}, s->vocab.s);
	server_send(s, &f);
	return 0;
}

/* ["blocks.3.hook_resid_post", ...], checked; *out is the caller's to free. */
static int get_hooks(const struct module_request *r, const char ***out, size_t *n, struct err *e)
{
	const json_t *list = json_object_get(r->params, "hooks");
	size_t count = json_array_size(list);
	u32 layer;
	enum hook_place place;
	if (!count || count > 2 * (size_t)r->s->info.n_layers)
		return err_set(e, ERR_USAGE, "'hooks' is not a list of hooks");
	const char **hooks = xcalloc(count, sizeof *hooks);
	for (size_t i = 0; i < count; i++) {
		hooks[i] = json_string_value(json_array_get(list, i));
		if (!hooks[i] ? err_set(e, ERR_USAGE, "a hook is not a string")
			      : hook_parse(hooks[i], r->s->info.n_layers, &layer, &place, e)) {
			free(hooks);
			return -1;
		}
	}
	*out = hooks;
	*n = count;
	return 0;
}

static int call_states(struct module_request *r, struct err *e)
{
	const u32 *tokens;
	const char **hooks = NULL;
	size_t n = 0, n_hooks = 0, d = r->s->info.d_model;
	if (get_tokens(r, "tokens", 1, &tokens, &n, e) || get_hooks(r, &hooks, &n_hooks, e))
		return -1;
	f32 *data = mem_try(n_hooks * n, d * sizeof *data, "residual rows", e);
	f32 **rows = xcalloc(n_hooks, sizeof *rows);
	for (size_t h = 0; h < n_hooks && data; h++)
		rows[h] = data + h * n * d;
	int bad = !data || r->s->ops->states(r->s->m, r, tokens, n, hooks, n_hooks, rows, e);
	if (!bad && module_cancelled(r))
		bad = err_set(e, ERR_CANCELLED, "cancelled");
	if (!bad) {
		struct frame_out f;
		server_reply(r, &f, json_object());
		frame_out_add(&f, "rows", DTYPE_F32, 3, (u64[]){n_hooks, n, d}, data);
		server_send(r->s, &f);
	}
	free(rows);
	free(data);
	free(hooks);
	return bad ? -1 : 0;
}

static json_t *run_tokens(struct module_request *r, size_t run)
{
	return json_object_get(json_array_get(r->runs, run), "tokens");
}

void module_token(struct module_request *r, size_t run, u32 token, const f32 *row)
{
	if (module_cancelled(r))
		return;
	json_array_append_new(run_tokens(r, run), json_integer((json_int_t)token));
	struct frame_out f;
	json_t *params = json_pack("{s:O, s:I, s:o}", "id", r->id, "run", (json_int_t)run, "token",
				   token_json(r->s, token));
	frame_out_init(&f,
		       json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", "token", "params", params));
	if (row)
		frame_out_add(&f, "row", DTYPE_F32, 1, &(u64){r->s->info.d_model}, row);
	server_send(r->s, &f);
}

void module_end(struct module_request *r, size_t run)
{
	json_object_set_new(json_array_get(r->runs, run), "end", json_string("stop"));
}

static int get_options(const struct module_request *r, struct generate_options *o, struct err *e)
{
	u32 layer;
	enum hook_place place;
	o->n_tokens = (u32)MIN(json_opt_u64(r->params, "n_tokens", 60), (u64)UINT32_MAX);
	o->temperature = (f32)json_opt_f64(r->params, "temperature", 0);
	o->top_k = (u32)MIN(json_opt_u64(r->params, "top_k", 0), (u64)r->s->info.n_vocab);
	o->top_p = (f32)json_opt_f64(r->params, "top_p", 0);
	o->rows_hook = json_opt_str(r->params, "rows_hook", NULL);
	if (!o->top_k)
		o->top_k = MIN(80, r->s->info.n_vocab);
	if (o->top_p == 0)
		o->top_p = 0.97f;
	if (!isfinite(o->temperature) || o->temperature < 0 || !(o->top_p > 0 && o->top_p <= 1))
		return err_set(e, ERR_USAGE,
			       "temperature is not from 0 on, or top_p not above 0 and at most 1");
	return o->rows_hook ? hook_parse(o->rows_hook, r->s->info.n_layers, &layer, &place, e) : 0;
}

static int call_generate(struct module_request *r, struct err *e)
{
	struct generate_options o;
	struct call_runs c;
	if (get_options(r, &o, e) || calls_get_runs(r, &c, e))
		return -1;
	int bad = 0;
	r->runs = json_array();
	r->calls = &c;
	r->n_tokens = o.n_tokens;
	for (size_t i = 0; i < c.n && !bad; i++) {
		json_array_append_new(r->runs, json_pack("{s:s, s:[], s:s}", "name", c.runs[i].name, "tokens",
							 "end", "length"));
		if (c.runs[i].n_tokens + (u64)o.n_tokens > r->s->info.n_ctx)
			bad = err_set(e, ERR_USAGE,
				      "%zu prompt tokens and %u new ones do not fit into the model's %u",
				      c.runs[i].n_tokens, o.n_tokens, r->s->info.n_ctx);
	}
	if (!bad && o.n_tokens)
		bad = r->s->ops->generate(r->s->m, r, c.runs, c.n, &o, e);
	if (!bad && module_cancelled(r))
		bad = err_set(e, ERR_CANCELLED, "cancelled");
	if (!bad)
		send_result(r, json_pack("{s:O}", "runs", r->runs));
	r->calls = NULL;
	calls_free_runs(&c);
	return bad;
}

static void score_reply(struct module_request *r, const struct call_runs *c, const struct score *scores)
{
	json_t *list = json_array();
	for (size_t i = 0; i < c->n; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:f, s:I, s:o}", "name", c->runs[i].name, "nll", scores[i].nll,
					"n", (json_int_t)scores[i].n, "kl",
					isfinite(scores[i].kl) ? json_real(scores[i].kl) : json_null()));
	struct frame_out f;
	server_reply(r, &f, json_pack("{s:o}", "runs", list));
	for (size_t i = 0; i < c->n; i++) {
		char name[32];
		snprintf(name, sizeof name, "want%zu", i);
		if (scores[i].want_logp)
			frame_out_add(&f, name, DTYPE_F32, 1, &(u64){c->runs[i].n_want}, scores[i].want_logp);
	}
	server_send(r->s, &f);
}

static int call_score(struct module_request *r, struct err *e)
{
	struct call_runs c;
	if (calls_get_runs(r, &c, e))
		return -1;
	struct score *scores = xcalloc(c.n, sizeof *scores);
	int bad = r->s->ops->score(r->s->m, r, c.runs, c.n, scores, e);
	for (size_t i = 0; i < c.n && !bad; i++)
		if (!isfinite(scores[i].nll))
			bad = err_set(e, ERR_FAILED, "the model gave a likelihood that is not finite");
	if (!bad && module_cancelled(r))
		bad = err_set(e, ERR_CANCELLED, "cancelled");
	if (!bad)
		score_reply(r, &c, scores);
	for (size_t i = 0; i < c.n; i++)
		free(scores[i].want_logp);
	free(scores);
	calls_free_runs(&c);
	return bad;
}

static int call_lens(struct module_request *r, struct err *e)
{
	u64 k, d = r->s->info.d_model, want[2] = {TENSOR_ANY, d};
	const struct frame_array *v = frame_need(&r->in, "vectors", DTYPE_F32, 2, want, e);
	if (!v || json_get_u64(r->params, "k", MIN(r->s->info.n_vocab, 10000u), &k, "params", e))
		return -1;
	u64 n = v->shape[0], shape[2] = {n, k};
	u32 *token = mem_try(2 * n * k, sizeof *token, "tokens of a lens", e);
	f32 *value = mem_try(2 * n * k, sizeof *value, "values of a lens", e);
	int bad = !token || !value;
	if (!bad && n && k)
		bad = r->s->ops->lens(r->s->m, r, v->data, n, (u32)k, token, value, token + n * k,
				      value + n * k, e);
	if (!bad && module_cancelled(r))
		bad = err_set(e, ERR_CANCELLED, "cancelled");
	if (!bad) {
		struct frame_out f;
		server_reply(r, &f, json_object());
		frame_out_add(&f, "top_token", DTYPE_U32, 2, shape, token);
		frame_out_add(&f, "top_value", DTYPE_F32, 2, shape, value);
		frame_out_add(&f, "bottom_token", DTYPE_U32, 2, shape, token + n * k);
		frame_out_add(&f, "bottom_value", DTYPE_F32, 2, shape, value + n * k);
		server_send(r->s, &f);
	}
	free(token);
	free(value);
	return bad ? -1 : 0;
}

static int call_load_encoder(struct module_request *r, struct err *e)
{
	const char *hook;
	u64 k, d = r->s->info.d_model, shape[2] = {TENSOR_ANY, d};
	u32 layer;
	enum hook_place place;
	const struct frame_array *w = frame_need(&r->in, "w", DTYPE_F32, 2, shape, e);
	const struct frame_array *bias = w ? frame_need(&r->in, "bias", DTYPE_F32, 1, w->shape, e) : NULL;
	if (!bias || json_get_str(r->params, "hook", &hook, "params", e) ||
	    hook_parse(hook, r->s->info.n_layers, &layer, &place, e) ||
	    json_get_u64(r->params, "k", w->shape[0], &k, "params", e))
		return -1;
	if (!calls_keep_encoder(r->s, hook, w->data, bias->data, (u32)w->shape[0], (u32)k, e))
		return -1;
	send_result(r, json_object());
	return 0;
}

static const struct {
	const char *name;
	int (*call)(struct module_request *r, struct err *e);
} methods[] = {
	{"initialize", call_initialize}, {"tokenize", call_tokenize}, {"detokenize", call_detokenize},
	{"vocab", call_vocab},		 {"template", call_template}, {"states", call_states},
	{"generate", call_generate},	 {"score", call_score},	      {"lens", call_lens},
	{"load_encoder", call_load_encoder}, {"shutdown", call_shutdown},
};

static bool has_method(const struct module_ops *ops, const char *name)
{
	json_t *list = capabilities(ops);
	bool there = !strcmp(name, "initialize") || !strcmp(name, "shutdown");
	for (size_t i = 0; i < json_array_size(list); i++)
		there = there || !strcmp(json_string_value(json_array_get(list, i)), name);
	json_decref(list);
	return there;
}

void calls_serve(struct module_request *r)
{
	struct err e = {0};
	bool early = !strcmp(r->method, "initialize") || !strcmp(r->method, "shutdown");
	if (module_cancelled(r)) {
		server_error(r->s, r->id, RPC_CANCELLED, "cancelled");
		return;
	}
	if (!r->s->m && !early && has_method(r->s->ops, r->method)) {
		server_error(r->s, r->id, RPC_NOT_INITIALIZED, "initialize comes first");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (!strcmp(methods[i].name, r->method) && has_method(r->s->ops, r->method)) {
			if (methods[i].call(r, &e))
				fail(r, &e);
			return;
		}
	err_set(&e, ERR_FAILED, "there is no method '%.40s'", r->method);
	server_error(r->s, r->id, RPC_NO_METHOD, e.msg);
}

void calls_release(struct server *s)
{
	free(s->offsets);
	free(s->special);
	s->offsets = NULL;
	s->special = NULL;
	buf_release(&s->vocab);
}
