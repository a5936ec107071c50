/* SPDX-License-Identifier: MIT */
/* next.c - the next token's whole distribution; a text that is to be one token. */
#include "session/next.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int next_all(const struct live *p, struct run *runs, size_t n_runs, f32 *out, struct err *e)
{
	u32 n_vocab = backend_info(p->backend)->n_vocab;
	u32 *every = xcalloc(n_vocab, sizeof *every);
	struct score *scores = xcalloc(n_runs, sizeof *scores);
	for (u32 t = 0; t < n_vocab; t++)
		every[t] = t;
	for (size_t i = 0; i < n_runs; i++) {
		runs[i].want_tokens = every;
		runs[i].n_want = n_vocab;
	}
	int bad = backend_score(p->backend, runs, n_runs, scores, e);
	for (size_t i = 0; i < n_runs; i++) {
		if (!bad && !scores[i].want_logp)
			bad = err_set(e, ERR_FAILED, "the backend gave no probabilities");
		if (!bad)
			memcpy(out + i * n_vocab, scores[i].want_logp, n_vocab * sizeof *out);
		free(scores[i].want_logp);
		runs[i].want_tokens = NULL;
		runs[i].n_want = 0;
	}
	free(scores);
	free(every);
	return bad;
}

void next_top(const f32 *logp, u32 n, u32 k, u32 *token, f32 *value)
{
	for (u32 i = 0; i < k; i++) {
		token[i] = NO_TOKEN;
		value[i] = -INFINITY;
	}
	/* few are kept, so nearly all fail at the last one */
	for (u32 t = 0; t < n && k; t++) {
		if (!(logp[t] > value[k - 1]) && token[k - 1] != NO_TOKEN)
			continue;
		u32 at = k - 1;
		for (; at && (token[at - 1] == NO_TOKEN || logp[t] > value[at - 1]); at--) {
			token[at] = token[at - 1];
			value[at] = value[at - 1];
		}
		token[at] = t;
		value[at] = logp[t];
	}
}

u32 next_rank(const f32 *logp, u32 n, u32 token)
{
	u32 rank = 1;
	for (u32 t = 0; t < n; t++)
		rank += logp[t] > logp[token];
	return rank;
}

void next_add_token(const struct atlas *a, struct buf *out, u32 token)
{
	struct span t = a->vocab ? vocab_bytes(a->vocab, token) : (struct span){0};
	if (!t.n) {
		buf_addf(out, "<%u>", token);
		return;
	}
	buf_addc(out, '"');
	utf8_add_safe(out, (const char *)t.p, t.n);
	buf_addc(out, '"');
}

int next_need_words(struct session *s, struct backend *b, struct err *e)
{
	u8 *bytes, *special;
	u64 *offset;
	u32 n;
	if (s->atlas->vocab)
		return 0;
	if (backend_vocab(b, &bytes, &offset, &special, &n, e))
		return -1;
	s->atlas->vocab = vocab_take(bytes, offset, special, n);
	return 0;
}

/* Tokens of a plain text without what the model puts before it. */
static int pieces(struct backend *b, const char *text, u32 **tokens, size_t *n, struct err *e)
{
	u32 bos = backend_info(b)->bos;
	if (backend_tokenize(b, text, false, tokens, NULL, n, e))
		return -1;
	if (*n && bos != UINT32_MAX && (*tokens)[0] == bos)
		memmove(*tokens, *tokens + 1, --*n * sizeof **tokens);
	return 0;
}

static int refuse(struct backend *b, const struct atlas *a, const char *text, const u32 *tokens, size_t n,
		  struct err *e)
{
	struct buf list = BUF_INIT;
	u32 *spaced = NULL;
	size_t n_spaced = 0;
	for (size_t i = 0; i < n && i < 8; i++) {
		buf_adds(&list, i ? ", " : "");
		next_add_token(a, &list, tokens[i]);
	}
	if (n > 8)
		buf_adds(&list, " ...");
	char *with = xasprintf(" %s", text);
	bool better = *text != ' ' && !pieces(b, with, &spaced, &n_spaced, NULL) && n_spaced == 1;
	err_set(e, ERR_USAGE, "'%.60s' is %zu tokens, not one: %s%s", text, n, list.s,
		better ? "; with a blank before it it is one" : "");
	free(with);
	free(spaced);
	buf_release(&list);
	return -1;
}

int next_token(struct backend *b, const struct atlas *a, const char *text, u32 *token, struct err *e)
{
	u32 *tokens = NULL;
	size_t n = 0;
	if (!*text)
		return err_set(e, ERR_USAGE, "a target is a token, not an empty text");
	if (pieces(b, text, &tokens, &n, e))
		return -1;
	int bad = n == 1 ? 0 : refuse(b, a, text, tokens, n, e);
	if (!bad)
		*token = tokens[0];
	free(tokens);
	return bad;
}
