/* SPDX-License-Identifier: MIT */
/* lens.c - rows of every layer through the model's own end. */
#include "session/lens.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS_AT_ONCE = 16 };

int lens_read(const struct live *p, const u32 *tokens, size_t n, struct lens_rows *out, struct err *e)
{
	const struct backend_info *i = backend_info(p->backend);
	*out = (struct lens_rows){.n = n, .n_layers = i->n_layers, .d = i->d_model};
	if (!n)
		return err_set(e, ERR_USAGE, "the text is empty");
	if (n > i->n_ctx)
		return err_set(e, ERR_USAGE, "the text has %zu tokens, the model takes %u", n, i->n_ctx);
	char **hooks = xcalloc(i->n_layers, sizeof *hooks);
	f32 *all = mem_try(i->n_layers * n, i->d_model * sizeof *all, "the rows of all layers", e);
	out->tokens = xcalloc(n, sizeof *out->tokens);
	memcpy(out->tokens, tokens, n * sizeof *tokens);
	out->rows = xcalloc(i->n_layers, sizeof *out->rows);
	out->rows[0] = all;
	for (u32 l = 0; l < i->n_layers; l++) {
		hooks[l] = xasprintf("blocks.%u.hook_resid_post", l);
		if (all)
			out->rows[l] = all + l * n * i->d_model;
	}
	int bad = !all || backend_states(p->backend, tokens, n, (const char *const *)hooks, i->n_layers,
					 out->rows, e);
	for (u32 l = 0; l < i->n_layers; l++)
		free(hooks[l]);
	free(hooks);
	if (bad)
		lens_rows_release(out);
	return bad ? -1 : 0;
}

void lens_rows_release(struct lens_rows *r)
{
	if (r->rows)
		free(r->rows[0]);
	free(r->rows);
	free(r->tokens);
	*r = (struct lens_rows){0};
}

/* Log-probabilities of layers first to first + n - 1: out [n][n_vocab]. */
static int some_layers(const struct live *p, const struct lens_rows *r, size_t position, u32 first, u32 n,
		       f32 *out, struct err *e)
{
	struct run runs[LAYERS_AT_ONCE];
	struct intervention put[LAYERS_AT_ONCE];
	char hook[64];
	/* where the last layer's row is given, what stands before it is of no account: a run of one token */
	snprintf(hook, sizeof hook, "blocks.%u.hook_resid_post", r->n_layers - 1);
	for (u32 i = 0; i < n; i++) {
		put[i] = (struct intervention){.kind = INTERVENE_REPLACE,
					       .hook = hook,
					       .rows = r->rows[first + i] + position * r->d,
					       .n_rows = 1,
					       .feature = NO_FEATURE,
					       .where = WHERE_BOTH};
		runs[i] = (struct run){.name = "",
				       .tokens = &r->tokens[position],
				       .n_tokens = 1,
				       .n_prompt = 1,
				       .list = &put[i],
				       .n_list = 1,
				       .seed = 1};
	}
	if (next_all(p, runs, n, out, e))
		return -1;
	progress_add(p->progress, n);
	return progress_cancelled(p->progress) ? err_set(e, ERR_CANCELLED, "stopped on request") : 0;
}

int lens_at(const struct live *p, const struct lens_rows *r, size_t position, u32 target, u32 k,
	    struct lens *out, struct err *e)
{
	u32 n_vocab = backend_info(p->backend)->n_vocab, top = 0;
	f32 value;
	*out = (struct lens){.n_layers = r->n_layers, .k = k};
	f32 *logp =
	    mem_try((u64)MIN((u32)LAYERS_AT_ONCE, r->n_layers) * n_vocab, sizeof *logp, "probabilities", e);
	out->token = xcalloc((size_t)r->n_layers * k + 1, sizeof *out->token);
	out->logp = xcalloc((size_t)r->n_layers * k + 1, sizeof *out->logp);
	out->rank = xcalloc(r->n_layers, sizeof *out->rank);
	out->target_logp = xcalloc(r->n_layers, sizeof *out->target_logp);
	int bad = logp ? 0 : -1;
	/* from the last layers down: there the target is found */
	for (u32 end = r->n_layers, n; end && !bad; end -= n) {
		n = MIN(end, (u32)LAYERS_AT_ONCE);
		bad = some_layers(p, r, position, end - n, n, logp, e);
		if (!bad && end == r->n_layers) {
			next_top(logp + (size_t)(n - 1) * n_vocab, n_vocab, 1, &top, &value);
			out->target = target == NO_TOKEN ? top : target;
		}
		for (u32 i = 0; i < n && !bad; i++) {
			const f32 *own = logp + (size_t)i * n_vocab;
			u32 l = end - n + i;
			next_top(own, n_vocab, k, out->token + (size_t)l * k, out->logp + (size_t)l * k);
			out->rank[l] = next_rank(own, n_vocab, out->target);
			out->target_logp[l] = own[out->target];
		}
	}
	free(logp);
	if (bad)
		lens_release(out);
	return bad;
}

void lens_release(struct lens *x)
{
	free(x->token);
	free(x->logp);
	free(x->rank);
	free(x->target_logp);
	*x = (struct lens){0};
}

u32 lens_settled(const struct lens *x)
{
	u32 l = x->n_layers;
	while (l && x->rank[l - 1] == 1)
		l--;
	return l;
}
