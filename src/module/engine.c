/* SPDX-License-Identifier: MIT */
/* engine.c - life of the engine, its passes, states and the lens. */
#include "module/engine.h"

#include "base/mem.h"
#include "base/sha256.h"
#include "module/sampler.h"
#include "module/template.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_cancelled(const void *request)
{
	return request && module_cancelled(request);
}

static bool has_chatml(const struct lm *lm)
{
	u32 *t;
	size_t n;
	if (!lm_jinja(lm) || lm_tokenize(lm, "<|im_start|>", 12, true, &t, &n, NULL))
		return false;
	bool has = n == 1 && lm_is_control(lm, t[0]);
	free(t);
	return has;
}

struct engine *engine_new(struct lm *lm)
{
	struct engine *g = xcalloc(1, sizeof *g);
	g->lm = lm;
	g->info = lm_info(lm);
	buf_init(&g->default_system);
	g->chatml = has_chatml(lm);
	if (lm_jinja(lm))
		template_default_system(lm_jinja(lm), &g->default_system);
	return g;
}

void engine_free(struct engine *g)
{
	if (!g)
		return;
	buf_release(&g->default_system);
	free(g->kept);
	lm_free(g->lm);
	free(g);
}

static void hash_vocabulary(const struct engine *g, char hex[65])
{
	struct buf all = BUF_INIT, piece = BUF_INIT;
	for (u32 t = 0; t < g->info->n_vocab; t++) {
		buf_clear(&piece);
		lm_add_piece(g->lm, t, &piece);
		u8 size[4] = {(u8)piece.n, (u8)(piece.n >> 8), (u8)(piece.n >> 16), (u8)(piece.n >> 24)};
		buf_add(&all, size, sizeof size);
		buf_add(&all, piece.s, piece.n);
	}
	sha256_bytes(all.s, all.n, hex);
	buf_release(&piece);
	buf_release(&all);
}

void engine_info(const struct engine *g, struct module_info *info)
{
	struct buf text = BUF_INIT;
	struct module_message user = {"user", "{user}", 6};
	struct module_text one = {.messages = &user, .n_messages = 1, .open = true};
	snprintf(info->name, sizeof info->name, "%s", g->info->name);
	snprintf(info->sha256, sizeof info->sha256, "%s", g->info->source);
	hash_vocabulary(g, info->tokenizer);
	info->templ[0] = 0;
	if (!engine_render((struct engine *)(uintptr_t)g, &one, &text, NULL) && text.n < sizeof info->templ)
		memcpy(info->templ, text.s, text.n + 1);
	buf_release(&text);
	info->d_model = g->info->d_model;
	info->n_layers = g->info->n_layers;
	info->n_vocab = g->info->n_vocab;
	info->n_ctx = g->info->n_ctx;
	info->bos = g->info->adds_bos ? g->info->bos : UINT32_MAX;
}

int engine_layer(const struct engine *g, const char *hook, u32 *layer, struct err *e)
{
	enum hook_place place;
	if (hook_parse(hook, g->info->n_layers, layer, &place, e))
		return -1;
	if (place == HOOK_RESID_POST)
		return 0;
	if (!*layer)
		return err_set(e, ERR_NOT_FOUND, "hook '%s' is before the first layer, where libllama has no fixed name",
			       hook);
	--*layer;
	return 0;
}

/* The largest encoder that the runs can need. */
static size_t largest_encoder(const struct engine_pass *p)
{
	size_t n = 0;
	for (size_t r = 0; r < p->n_runs; r++)
		for (size_t i = 0; i < p->runs[r].n_list; i++) {
			const struct run_encoder *c = module_encoder(p->request, p->runs[r].list[i].hook);
			n = c ? MAX(n, (size_t)c->n) : n;
		}
	return n;
}

static int mark_layers(struct engine_pass *p, const char *rows_hook, struct err *e)
{
	u32 layer;
	for (size_t r = 0; r < p->n_runs; r++)
		for (size_t i = 0; i < p->runs[r].n_list; i++) {
			if (engine_layer(p->g, p->runs[r].list[i].hook, &layer, e))
				return -1;
			p->layers[layer] = 1;
		}
	p->rows_layer = -1;
	if (rows_hook) {
		if (engine_layer(p->g, rows_hook, &layer, e))
			return -1;
		p->layers[layer] = 1;
		p->rows_layer = layer;
	}
	return 0;
}

int engine_pass_init(struct engine_pass *p, struct engine *g, struct module_request *r, const struct run *runs,
		     size_t n_runs, const char *rows_hook, struct err *e)
{
	*p = (struct engine_pass){.g = g, .request = r, .runs = runs, .n_runs = n_runs};
	size_t d = g->info->d_model, n = g->info->n_columns;
	p->layers = xcalloc(g->info->n_layers, 1);
	p->columns = xcalloc(n, sizeof *p->columns);
	p->slots = xcalloc(n, sizeof *p->slots);
	p->work = mem_try(d + largest_encoder(p), sizeof(f32), "an intervention", e);
	p->rows = rows_hook ? mem_try(n * d, sizeof(f32), "a hook's rows", e) : NULL;
	if (!p->work || (rows_hook && !p->rows) || mark_layers(p, rows_hook, e)) {
		engine_pass_release(p);
		return -1;
	}
	lm_on_cancel(g->lm, is_cancelled, r);
	return 0;
}

void engine_pass_release(struct engine_pass *p)
{
	lm_on_cancel(p->g->lm, NULL, NULL);
	free(p->layers);
	free(p->columns);
	free(p->slots);
	free(p->work);
	free(p->rows);
}

void engine_pass_add(struct engine_pass *p, size_t run, u32 position, u32 token, u32 seq, bool logits)
{
	p->slots[p->n] = (struct engine_slot){run, position};
	p->columns[p->n++] = (struct lm_column){token, position, seq, logits};
}

/* Applies a run's interventions at each of its hooks that is this layer's output. */
static bool apply(struct engine_pass *p, u32 layer, const struct engine_slot *s, f32 *x)
{
	if (s->run == p->n_runs)
		return false;
	const struct run *r = &p->runs[s->run];
	bool changed = false;
	for (size_t i = 0; i < r->n_list; i++) {
		const char *hook = r->list[i].hook;
		u32 at;
		bool seen = false;
		for (size_t j = 0; j < i && !seen; j++)
			seen = !strcmp(r->list[j].hook, hook);
		if (seen || engine_layer(p->g, hook, &at, NULL) || at != layer)
			continue;
		changed |= run_apply(r, hook, module_encoder(p->request, hook), p->generate ? r->n_tokens : r->n_prompt,
				     s->position, p->g->info->d_model, x, p->work);
	}
	return changed;
}

static bool on_rows(void *context, u32 layer, f32 *rows, size_t first, size_t n)
{
	struct engine_pass *p = context;
	size_t d = p->g->info->d_model;
	bool changed = false;
	if ((i64)layer == p->rows_layer)
		memcpy(p->rows + first * d, rows, n * d * sizeof *rows);
	for (size_t i = 0; i < n; i++)
		changed |= apply(p, layer, &p->slots[first + i], rows + i * d);
	return changed;
}

int engine_pass_decode(struct engine_pass *p, bool hooked, struct err *e)
{
	struct lm_watch w = {p->layers, false, on_rows, p};
	size_t n = p->n;
	u32 spare = p->g->info->n_seq;
	if (!n)
		return 0;
	/* libllama adds up a single column in another order than one of several */
	if (n == 1)
		engine_pass_add(p, p->n_runs, 0, 0, spare, p->columns[0].logits);
	p->n = 0;
	int rc = lm_decode(p->g->lm, p->columns, MAX(n, (size_t)2), hooked ? &w : NULL, e);
	if (!rc && n == 1)
		lm_forget(p->g->lm, spare, 0);
	return rc;
}

size_t engine_first_touched(const struct engine_pass *p, size_t run)
{
	const struct run *r = &p->runs[run];
	size_t d = p->g->info->d_model, n_prompt = p->generate ? r->n_tokens : r->n_prompt;
	for (size_t at = 0; at < r->n_tokens; at++)
		for (size_t i = 0; i < r->n_list; i++) {
			const struct intervention *v = &r->list[i];
			if (run_touches(v, r, n_prompt, at) &&
			    (v->kind != INTERVENE_REPLACE || !isnan(v->rows[at * d])))
				return at;
		}
	return SIZE_MAX;
}

struct states {
	const u32 *layer; /* [n_hooks] */
	f32 *const *rows;
	size_t n_hooks, base, d;
};

static bool keep_states(void *context, u32 layer, f32 *rows, size_t first, size_t n)
{
	struct states *s = context;
	for (size_t h = 0; h < s->n_hooks; h++)
		if (s->layer[h] == layer)
			memcpy(s->rows[h] + (s->base + first) * s->d, rows, n * s->d * sizeof *rows);
	return false;
}

static int decode_states(struct engine *g, const u32 *tokens, size_t n, struct states *s, const u8 *layers,
			 struct err *e)
{
	struct lm_watch w = {layers, true, keep_states, s};
	/* rows of the last layer exist only where logits are wanted */
	u32 most = layers[g->info->n_layers - 1] ? g->info->n_logits : g->info->n_columns;
	struct lm_column *columns = xcalloc(most, sizeof *columns);
	int rc = 0;
	for (s->base = 0; !rc && s->base < n; s->base += most) {
		size_t some = MIN((size_t)most, n - s->base);
		for (size_t i = 0; i < some; i++)
			columns[i] = (struct lm_column){tokens[s->base + i], (u32)(s->base + i), 0, false};
		rc = lm_decode(g->lm, columns, some, &w, e);
	}
	free(columns);
	return rc;
}

int engine_states(struct engine *g, struct module_request *r, const u32 *tokens, size_t n_tokens,
		  const char *const *hooks, size_t n_hooks, f32 *const *rows, struct err *e)
{
	u32 *layer = xcalloc(n_hooks + 1, sizeof *layer);
	u8 *layers = xcalloc(g->info->n_layers, 1);
	struct states s = {layer, rows, n_hooks, 0, g->info->d_model};
	int rc = 0;
	for (size_t h = 0; !rc && h < n_hooks; h++) {
		rc = engine_layer(g, hooks[h], &layer[h], e);
		if (!rc)
			layers[layer[h]] = 1;
	}
	if (!rc && n_hooks) {
		lm_clear(g->lm);
		lm_on_cancel(g->lm, is_cancelled, r);
		rc = decode_states(g, tokens, n_tokens, &s, layers, e);
		lm_on_cancel(g->lm, NULL, NULL);
		/* layers behind the stop know nothing of these tokens */
		lm_clear(g->lm);
	}
	free(layers);
	free(layer);
	return rc;
}

static f32 norm_of(const f32 *x, size_t d)
{
	f64 sum = 0;
	for (size_t k = 0; k < d; k++)
		sum += (f64)x[k] * (f64)x[k];
	return (f32)sqrt(sum);
}

static int by_size(const void *a, const void *b)
{
	f32 x = *(const f32 *)a, y = *(const f32 *)b;
	return (x > y) - (x < y);
}

/* The median norm of the last layer's rows over a sentence, its first token left out. */
static int measure_norm(struct engine *g, struct module_request *r, struct err *e)
{
	static const char text[] = "A river rises in the hills, runs past three small towns and reaches the sea.";
	char hook[64];
	const char *name = hook;
	u32 *tokens = NULL;
	size_t n, d = g->info->d_model;
	snprintf(hook, sizeof hook, "blocks.%u.hook_resid_post", g->info->n_layers - 1);
	if (lm_tokenize(g->lm, text, strlen(text), false, &tokens, &n, e))
		return -1;
	f32 *rows = n < 2 ? NULL : mem_try(n * d, sizeof *rows, "rows", e);
	int rc = rows ? engine_states(g, r, tokens, n, &name, 1, &rows, e) : -1;
	if (!rc) {
		for (size_t i = 1; i < n; i++)
			rows[i] = norm_of(rows + i * d, d);
		qsort(rows + 1, n - 1, sizeof *rows, by_size);
		g->lens_norm = rows[1 + (n - 1) / 2];
	}
	free(rows);
	free(tokens);
	return rc;
}

struct lens {
	const f32 *vectors;
	size_t d;
	f32 norm;
};

static bool put_vectors(void *context, u32 layer, f32 *rows, size_t first, size_t n)
{
	const struct lens *l = context;
	(void)layer;
	for (size_t i = 0; i < n; i++) {
		const f32 *v = l->vectors + (first + i) * l->d;
		f32 norm = norm_of(v, l->d), scale = norm > 0 ? l->norm / norm : 0;
		for (size_t k = 0; k < l->d; k++)
			rows[i * l->d + k] = v[k] * scale;
	}
	return true;
}

static void best_and_worst(const f32 *scores, u32 n, u32 k, u32 *top_token, f32 *top_value, u32 *bottom_token,
			   f32 *bottom_value)
{
	f64 mean = 0;
	for (u32 i = 0; i < n; i++)
		mean += (f64)scores[i];
	mean /= n;
	sampler_top(scores, n, 1, k, top_token);
	sampler_top(scores, n, -1, k, bottom_token);
	for (u32 i = 0; i < k; i++) {
		top_value[i] = (f32)((f64)scores[top_token[i]] - mean);
		bottom_value[i] = (f32)((f64)scores[bottom_token[i]] - mean);
	}
}

int engine_lens(struct engine *g, struct module_request *r, const f32 *vectors, size_t n, u32 k, u32 *top_token,
		f32 *top_value, u32 *bottom_token, f32 *bottom_value, struct err *e)
{
	if (k > g->info->n_vocab)
		return err_set(e, ERR_USAGE, "%u tokens were asked for: the model has %u", k, g->info->n_vocab);
	if (!(g->lens_norm > 0) && measure_norm(g, r, e))
		return -1;
	struct lens l = {vectors, g->info->d_model, g->lens_norm};
	u8 *layers = xcalloc(g->info->n_layers, 1);
	struct lm_watch w = {layers, false, put_vectors, &l};
	layers[g->info->n_layers - 1] = 1;
	struct lm_column *columns = xcalloc(g->info->n_logits, sizeof *columns);
	int rc = 0;
	lm_on_cancel(g->lm, is_cancelled, r);
	for (size_t at = 0; !rc && at < n;) {
		size_t some = MIN(n - at, (size_t)MIN(g->info->n_logits, g->info->n_columns));
		for (size_t i = 0; i < some; i++)
			columns[i] = (struct lm_column){0, (u32)i, 0, true};
		l.vectors = vectors + at * l.d;
		lm_clear(g->lm);
		rc = lm_decode(g->lm, columns, some, &w, e);
		for (size_t i = 0; !rc && i < some; i++)
			best_and_worst(lm_logits(g->lm, i), g->info->n_vocab, k, top_token + (at + i) * k,
				       top_value + (at + i) * k, bottom_token + (at + i) * k,
				       bottom_value + (at + i) * k);
		at += some;
		module_progress(r, "vectors", at, n);
	}
	lm_on_cancel(g->lm, NULL, NULL);
	lm_clear(g->lm);
	free(columns);
	free(layers);
	return rc;
}
