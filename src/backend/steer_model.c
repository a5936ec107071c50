/* SPDX-License-Identifier: MIT */
/* steer_model.c - whether the live model is the one that an atlas was made with. */
#include "backend/steer.h"

#include "base/mem.h"
#include "core/hook.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fill(struct backend *b, struct fingerprint *f, struct err *e)
{
	size_t d = backend_info(b)->d_model;
	const char *hook = f->hook;
	f32 *rows = mem_try(f->n * d, sizeof *rows, "rows", e);
	int bad = rows ? backend_states(b, f->token, f->n, &hook, 1, &rows, e) : -1;
	if (!bad)
		fingerprint_reduce(f, rows, d);
	free(rows);
	return bad;
}

int steer_fingerprint(struct backend *b, const char *hook, struct fingerprint *out, struct err *e)
{
	u32 *tokens = NULL;
	size_t n = 0;
	*out = (struct fingerprint){0};
	if (strlen(hook) >= sizeof out->hook)
		return err_set(e, ERR_USAGE, "'%.60s' is no hook", hook);
	if (backend_tokenize(b, FINGERPRINT_TEXT, false, &tokens, NULL, &n, e))
		return -1;
	out->n = MIN(n, (size_t)FINGERPRINT_TOKENS);
	memcpy(out->token, tokens, out->n * sizeof *tokens);
	free(tokens);
	snprintf(out->hook, sizeof out->hook, "%s", hook);
	if (out->n < 2)
		return err_set(e, ERR_FAILED, "the model makes %zu tokens of the fingerprint's text", n);
	if (fill(b, out, e))
		return -1;
	for (size_t i = 0; i < out->n; i++)
		if (!isfinite(out->norm[i]) || !(out->norm[i] > 0))
			return err_set(e, ERR_FAILED, "the model's rows of the fingerprint's text are no numbers");
	return 0;
}

/* "" where the rows are the same; -1 only where the request was cancelled or the module died. */
static int compare_rows(struct backend *b, const json_t *j, char *warning, size_t size, struct err *e)
{
	struct fingerprint want, got;
	struct err why = {0};
	const struct backend_info *i = backend_info(b);
	if (fingerprint_read(j, &want, &why)) {
		snprintf(warning, size, "%s", why.msg);
		return 0;
	}
	got = want;
	for (size_t t = 0; t < want.n; t++)
		if (want.token[t] >= i->n_vocab)
			return 0; /* another vocabulary, which is told */
	if (fill(b, &got, &why)) {
		if (why.code == ERR_CANCELLED || backend_state(b) != BACKEND_READY)
			return err_set(e, why.code, "%s", why.msg);
		snprintf(warning, size, "cannot compare the live model with the atlas': %s", why.msg);
		return 0;
	}
	f64 apart = fingerprint_distance(&want, &got, i->d_model);
	if (!(apart <= FINGERPRINT_TOLERANCE))
		snprintf(warning, size,
			 "the live model '%s' computes other rows than the atlas' model did (%.3g %% apart, %.1f %% is "
			 "allowed): it is another one, or of another precision",
			 i->name, 100 * apart, 100 * FINGERPRINT_TOLERANCE);
	return 0;
}

static int judge(struct backend *b, const struct atlas *a, char *warning, size_t size, struct err *e)
{
	const struct backend_info *i = backend_info(b);
	const json_t *rows = json_object_get(a->json, "fingerprint");
	bool hash = a->model.sha256[0] && i->sha256[0] && strcmp(a->model.sha256, i->sha256);
	bool words = a->model.tokenizer[0] && i->tokenizer[0] && strcmp(a->model.tokenizer, i->tokenizer);
	if (words || (a->model.n_vocab && a->model.n_vocab != i->n_vocab)) {
		snprintf(warning, size, "the live model '%s' has another vocabulary than the atlas' '%s'",
			 i->name, a->model.name);
		return 0;
	}
	/* what a model computes says more than which file it came in */
	if (rows && backend_can(b, "states"))
		return compare_rows(b, rows, warning, size, e);
	if (hash)
		snprintf(warning, size, "the live model '%s' is not the file the atlas was made with, '%s'",
			 i->name, a->model.name);
	return 0;
}

int steer_check_model(struct backend *b, const struct atlas *a, char *warning, size_t size, struct err *e)
{
	u32 layer;
	enum hook_place place;
	char key[96];
	warning[0] = 0;
	if (backend_connect(b, NULL, e))
		return -1;
	const struct backend_info *i = backend_info(b);
	if (i->d_model != a->d_model)
		return err_set(e, ERR_UNAVAILABLE,
			       "the live model '%s' has %u dimensions, the atlas' model '%s' has %u", i->name,
			       i->d_model, a->model.name, a->d_model);
	if (hook_parse(a->hook, i->n_layers, &layer, &place, e))
		return err_wrap(e, "the live model '%s' cannot serve this atlas", i->name);
	snprintf(key, sizeof key, "%s %s", a->uuid, a->build_id);
	if (backend_verdict(b, key, warning, size))
		return 0;
	if (judge(b, a, warning, size, e))
		return -1;
	backend_keep_verdict(b, key, warning);
	return 0;
}
