/* SPDX-License-Identifier: MIT */
/* corpus.c - texts for a harvest. */
#include "cmd/corpus.h"

#include "base/mapfile.h"
#include "base/mem.h"
#include "core/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct corpus {
	struct mapfile *map;
	bool ids;
	u64 *start, n, cap; /* where each text begins */
	u64 *line;          /* its line in the file, from 1 */
	/* of token ids: what the model's template puts before and after the user's words */
	bool probed;
	u32 *head, *tail;
	size_t n_head, n_tail;
	u8 *special;
	u32 n_vocab;
};

static u32 u32_at(const u8 *p)
{
	return (u32)p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

static void add(struct corpus *c, u64 at, u64 line)
{
	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 1024;
		c->start = xreallocarray(c->start, c->cap, sizeof *c->start);
		c->line = xreallocarray(c->line, c->cap, sizeof *c->line);
	}
	c->start[c->n] = at;
	c->line[c->n++] = line;
}

static bool blank(const u8 *s, size_t n)
{
	while (n && strchr(" \t\r", *s) && *s)
		s++, n--;
	return !n;
}

static size_t line_length(struct span s, u64 at)
{
	const u8 *nl = memchr(s.p + at, '\n', s.n - at);
	return nl ? (size_t)(nl - (s.p + at)) : s.n - at;
}

static void find_lines(struct corpus *c)
{
	struct span s = mapfile_span(c->map);
	u64 line = 0;
	for (u64 at = 0; at < s.n;) {
		size_t n = line_length(s, at);
		line++;
		if (!blank(s.p + at, n))
			add(c, at, line);
		at += n + 1;
	}
}

static int find_records(struct corpus *c, struct err *e)
{
	struct span s = mapfile_span(c->map);
	for (u64 at = 0; at < s.n;) {
		u64 n = s.n - at >= 12 ? u32_at(s.p + at + 8) : 0;
		if (s.n - at < 12 || 2 * n > s.n - at - 12 || !n || u32_at(s.p + at + 4) > n)
			return err_set(e, ERR_DAMAGED,
				       "'%s' is no file of token ids: the record at byte %llu is not whole",
				       mapfile_path(c->map), (unsigned long long)at);
		add(c, at, c->n + 1);
		at += 12 + 2 * n;
	}
	return 0;
}

struct corpus *corpus_open(const char *path, bool ids, struct err *e)
{
	struct corpus *c = xcalloc(1, sizeof *c);
	c->ids = ids;
	c->map = mapfile_open(path, e);
	int bad = !c->map;
	if (!bad && ids)
		bad = find_records(c, e);
	else if (!bad)
		find_lines(c);
	if (!bad && !c->n)
		bad = err_set(e, ERR_FAILED, "'%s' holds no text", path);
	if (!bad)
		return c;
	corpus_free(c);
	return NULL;
}

void corpus_free(struct corpus *c)
{
	if (!c)
		return;
	mapfile_free(c->map);
	free(c->start);
	free(c->line);
	free(c->head);
	free(c->tail);
	free(c->special);
	free(c);
}

u64 corpus_count(const struct corpus *c)
{
	return c->n;
}

static int line_tokens(struct corpus *c, struct backend *b, u64 i, u32 **tokens, u8 **flags, size_t *n,
		       struct err *e)
{
	struct span s = mapfile_span(c->map);
	char what[64];
	snprintf(what, sizeof what, "line %llu", (unsigned long long)c->line[i]);
	json_t *j = json_parse((const char *)s.p + c->start[i], line_length(s, c->start[i]), what, e);
	if (!j)
		return err_wrap(e, "'%s'", mapfile_path(c->map));
	const char *text = json_opt_str(j, "text", NULL);
	const json_t *messages = json_object_get(j, "messages");
	int bad;
	if (text)
		bad = backend_tokenize(b, text, false, tokens, flags, n, e);
	else if (json_is_array(messages))
		bad = backend_tokenize_messages(b, messages, false, tokens, flags, n, e);
	else
		bad = err_set(e, ERR_DAMAGED, "'%s' line %llu has neither \"text\" nor \"messages\"",
			      mapfile_path(c->map), (unsigned long long)c->line[i]);
	json_decref(j);
	return bad;
}

/* A chat whose content is one letter shows what stands before it and after. */
static int probe(struct corpus *c, struct backend *b, struct err *e)
{
	u32 *t;
	u8 *flags, *blob;
	u64 *offsets;
	size_t n, at = 0;
	if (c->probed)
		return 0;
	if (backend_vocab(b, &blob, &offsets, &c->special, &c->n_vocab, e))
		return -1;
	free(blob);
	free(offsets);
	c->probed = true;
	if (!backend_info(b)->templ[0])
		return 0;
	if (backend_tokenize(b, "x", true, &t, &flags, &n, e))
		return -1;
	while (at < n && flags[at] & TOKEN_SPECIAL)
		at++;
	if (at < n) {
		c->n_head = at;
		c->n_tail = n - at - 1;
		c->head = xcalloc(c->n_head + 1, sizeof *c->head);
		c->tail = xcalloc(c->n_tail + 1, sizeof *c->tail);
		memcpy(c->head, t, c->n_head * sizeof *t);
		memcpy(c->tail, t + at + 1, c->n_tail * sizeof *t);
	}
	free(t);
	free(flags);
	return 0;
}

static void flag_record(const struct corpus *c, const u32 *t, size_t n_prompt, size_t n, u8 *flags)
{
	for (size_t i = 0; i < n; i++)
		flags[i] = (u8)((t[i] < c->n_vocab && c->special[t[i]] ? TOKEN_SPECIAL : 0) |
				(i < n_prompt ? TOKEN_PROMPT : 0));
	bool head =
		c->n_head && n_prompt >= c->n_head + c->n_tail && !memcmp(t, c->head, c->n_head * sizeof *t);
	bool tail = head && !memcmp(t + n_prompt - c->n_tail, c->tail, c->n_tail * sizeof *t);
	for (size_t i = 0; i < n_prompt && tail; i++)
		if (i < c->n_head || i >= n_prompt - c->n_tail)
			flags[i] |= TOKEN_SPECIAL;
}

static int record_tokens(struct corpus *c, struct backend *b, u64 i, u32 **tokens, u8 **flags, size_t *n,
			 struct err *e)
{
	const u8 *p = mapfile_span(c->map).p + c->start[i];
	size_t n_prompt = u32_at(p + 4), count = u32_at(p + 8);
	if (probe(c, b, e))
		return -1;
	*tokens = xcalloc(count, sizeof **tokens);
	*flags = xcalloc(count, 1);
	*n = count;
	for (size_t k = 0; k < count; k++)
		(*tokens)[k] = (u32)p[12 + 2 * k] | (u32)p[13 + 2 * k] << 8;
	flag_record(c, *tokens, n_prompt, count, *flags);
	return 0;
}

int corpus_tokens(struct corpus *c, struct backend *b, u64 i, u32 **tokens, u8 **flags, size_t *n,
		  struct err *e)
{
	if (c->ids ? record_tokens(c, b, i, tokens, flags, n, e) : line_tokens(c, b, i, tokens, flags, n, e))
		return -1;
	if (!*n) {
		free(*tokens);
		free(*flags);
		return err_set(e, ERR_DAMAGED, "'%s' line %llu is a text without a token",
			       mapfile_path(c->map), (unsigned long long)c->line[i]);
	}
	(*flags)[0] |= TOKEN_FIRST;
	return 0;
}
