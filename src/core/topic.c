/* SPDX-License-Identifier: MIT */
/* topic.c - which words stand around a feature's contexts more often than elsewhere. */
#include "core/topic.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "core/topic_base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_COMMON = 250, MIN_LETTERS = 4, AROUND = 12, MIN_CONTEXTS = 3, MIN_RATIO = 3 };

bool topic_is_letter(i32 cp)
{
	return (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z') ||
	       (cp >= 0xc0 && cp != 0xd7 && cp != 0xf7 && !(cp >= 0x2000 && cp < 0x2c00) &&
		!(cp >= 0x3000 && cp < 0x3040) && cp < 0xfe00 && !utf8_is_unsafe(cp));
}

/* A space, then nothing but letters, at least four of them. */
static bool looks_like_content(struct span s)
{
	size_t n = 0;
	if (!s.n || s.p[0] != ' ')
		return false;
	for (size_t i = 1; i < s.n; n++) {
		i32 cp;
		i += utf8_next((const char *)s.p + i, s.n - i, &cp);
		if (!topic_is_letter(cp))
			return false;
	}
	return n >= MIN_LETTERS;
}

static int commonest(const void *a, const void *b)
{
	const struct topic_word *x = a, *y = b;
	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return (x->token > y->token) - (x->token < y->token);
}

static void mark_common(struct topic_base *b)
{
	struct topic_word *w = xcalloc(b->n_vocab + 1, sizeof *w);
	for (u32 t = 0; t < b->n_vocab; t++)
		w[t] = (struct topic_word){t, 0, (f32)b->count[t]};
	qsort(w, b->n_vocab, sizeof *w, commonest);
	for (u32 i = 0; i < MIN(b->n_vocab, (u32)N_COMMON) && w[i].score > 0; i++)
		b->common[w[i].token] = true;
	free(w);
}

struct topic_base *topic_base_new(const struct store *s, const struct vocab *v, struct err *e)
{
	struct topic_base *b = xcalloc(1, sizeof *b);
	b->store = s;
	b->vocab = v;
	b->n_vocab = vocab_count(v);
	b->count = mem_try(b->n_vocab, sizeof *b->count, "token counts", e);
	b->common = mem_try(b->n_vocab, 1, "token counts", e);
	b->content = mem_try(b->n_vocab, 1, "token counts", e);
	if (!b->count || !b->common || !b->content) {
		topic_base_free(b);
		return NULL;
	}
	for (u64 i = 0; i < store_n_tokens(s); i++) {
		u32 t = store_token(s, i);
		if (t < b->n_vocab && !(store_token_flags(s, i) & TOKEN_MASKED)) {
			b->count[t]++;
			b->total++;
		}
	}
	mark_common(b);
	for (u32 t = 0; t < b->n_vocab; t++)
		b->content[t] = !b->common[t] && looks_like_content(vocab_bytes(v, t));
	return b;
}

void topic_base_free(struct topic_base *b)
{
	if (!b)
		return;
	free(b->count);
	free(b->common);
	free(b->content);
	free(b);
}

bool topic_is_content(const struct topic_base *b, u32 token)
{
	return token < b->n_vocab && b->content[token];
}

size_t topic_contexts(const struct store *s, u32 feature, struct store_context out[TOPIC_CONTEXTS])
{
	struct store_context all[256];
	size_t n = MIN(store_contexts(s, feature, all, ARRAY_LEN(all)), ARRAY_LEN(all)), n_out = 0;
	for (size_t i = 0; i < n && n_out < TOPIC_CONTEXTS; i++)
		if (all[i].kind != CONTEXT_RANDOM)
			out[n_out++] = all[i];
	return n_out;
}

static int by_token(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;
	return (x > y) - (x < y);
}

/* The content tokens around one context, each once, ascending. */
static size_t around(const struct topic_base *b, u64 position, u32 out[2 * AROUND + 1])
{
	u64 start, end;
	store_text_of(b->store, position, &start, &end);
	u64 from = position > start + AROUND ? position - AROUND : start,
	    to = MIN(end, position + AROUND + 1);
	size_t n = 0, n_out = 0;
	for (u64 i = from; i < to; i++) {
		u32 t = store_token(b->store, i);
		if (topic_is_content(b, t) && !(store_token_flags(b->store, i) & TOKEN_MASKED))
			out[n++] = t;
	}
	qsort(out, n, sizeof *out, by_token);
	for (size_t i = 0; i < n; i++)
		if (!n_out || out[n_out - 1] != out[i])
			out[n_out++] = out[i];
	return n_out;
}

size_t topic_passages(const struct topic_base *b, u32 feature, struct topic_passage out[TOPIC_PASSAGES])
{
	struct store_context c[TOPIC_CONTEXTS];
	u64 start, end;
	size_t n = topic_contexts(b->store, feature, c);
	for (size_t i = 0; i < n; i++) {
		out[i].text = store_text_of(b->store, c[i].position, &start, &end);
		out[i].n = around(b, c[i].position, out[i].word);
	}
	return n;
}

static bool judge(const struct topic_base *b, struct topic_word *w, size_t n)
{
	f64 share = (f64)w->k / (f64)n;
	f64 p = ((f64)b->count[w->token] + 0.5) / ((f64)b->total + 0.5 * b->n_vocab) * 2 * AROUND;
	w->score = (f32)((f64)w->k * log(share / MIN(1, p)));
	return w->k >= MIN_CONTEXTS && share > MIN_RATIO * p;
}

size_t topic_words(const struct topic_base *b, u32 feature, struct topic_word out[TOPIC_WORDS],
		   size_t *n_contexts)
{
	struct store_context c[TOPIC_CONTEXTS];
	size_t n = topic_contexts(b->store, feature, c), n_all = 0;
	u32 all[TOPIC_CONTEXTS * (2 * AROUND + 1)];
	struct topic_word w[ARRAY_LEN(all)];
	for (size_t i = 0; i < n; i++)
		n_all += around(b, c[i].position, all + n_all);
	qsort(all, n_all, sizeof *all, by_token);
	size_t n_words = 0;
	for (size_t i = 0, k; i < n_all; i += k) {
		for (k = 1; i + k < n_all && all[i + k] == all[i]; k++)
			;
		w[n_words] = (struct topic_word){all[i], (u32)k, 0};
		n_words += judge(b, &w[n_words], n);
	}
	qsort(w, n_words, sizeof *w, commonest);
	size_t n_out = MIN(n_words, (size_t)TOPIC_WORDS);
	memcpy(out, w, n_out * sizeof *w);
	if (n_contexts)
		*n_contexts = n;
	return n_out;
}

f32 topic_input_score(const struct store *s, u32 feature, const u32 *tokens, size_t n)
{
	struct store_context c[256];
	size_t n_contexts = MIN(store_contexts(s, feature, c, ARRAY_LEN(c)), ARRAY_LEN(c)), n_top = 0,
	       hits = 0;
	for (size_t i = 0; i < n_contexts && n_top < 100; i++) {
		if (c[i].kind != CONTEXT_TOP)
			continue;
		n_top++;
		u32 t = store_token(s, c[i].position);
		for (size_t k = 0; k < n; k++)
			if (tokens[k] == t) {
				hits++;
				break;
			}
	}
	return n_top && n ? (f32)hits / (f32)n_top : NAN;
}
