/* SPDX-License-Identifier: MIT */
/* engine_text.c - texts to tokens, the template and the vocabulary. */
#include "module/engine.h"

#include "base/mem.h"
#include "core/store.h"
#include "module/template.h"

#include <stdlib.h>
#include <string.h>

int engine_vocab(struct engine *g, struct buf *blob, u64 *offsets, u8 *special, struct err *e)
{
	(void)e;
	offsets[0] = 0;
	for (u32 t = 0; t < g->info->n_vocab; t++) {
		lm_add_piece(g->lm, t, blob);
		offsets[t + 1] = blob->n;
		special[t] = lm_is_control(g->lm, t);
	}
	return 0;
}

static int add_chat(const void *context, const char *const *roles, const char *const *contents, size_t n, bool open,
		    struct buf *out)
{
	const struct engine *g = context;
	return lm_add_chat(g->lm, roles, contents, n, open, out);
}

static int render(struct engine *g, const struct module_text *t, struct template_text *out, struct err *e)
{
	const char **roles = xcalloc(t->n_messages + 1, sizeof *roles);
	struct span *contents = xcalloc(t->n_messages + 1, sizeof *contents);
	for (size_t i = 0; i < t->n_messages; i++) {
		roles[i] = t->messages[i].role;
		contents[i] = (struct span){(const u8 *)t->messages[i].content, t->messages[i].n};
	}
	int rc = template_render(add_chat, g, g->default_system.s, g->chatml, roles, contents, t->n_messages, t->open,
				 out);
	free(contents);
	free(roles);
	return rc ? err_set(e, ERR_UNAVAILABLE, "'%s' has no chat template that libllama knows", g->info->name) : 0;
}

int engine_render(struct engine *g, const struct module_text *t, struct buf *out, struct err *e)
{
	struct template_text text;
	if (render(g, t, &text, e))
		return -1;
	buf_add(out, text.text.s, text.text.n);
	template_release(&text);
	return 0;
}

struct tokens {
	u32 *t;
	size_t n;
};

static int add_tokens(struct engine *g, struct tokens *out, const char *s, size_t n, bool special, struct err *e)
{
	u32 *t;
	size_t got;
	if (lm_tokenize(g->lm, s, n, special, &t, &got, e))
		return -1;
	out->t = xreallocarray(out->t, out->n + got + 1, sizeof *out->t);
	memcpy(out->t + out->n, t, got * sizeof *t);
	out->n += got;
	free(t);
	return 0;
}

/* Whether a person's words hold the text of a control token. */
static bool holds_marker(struct engine *g, const char *s, size_t n)
{
	struct tokens t = {0};
	bool found = add_tokens(g, &t, s, n, true, NULL) != 0;
	for (size_t i = 0; i < t.n; i++)
		found |= lm_is_control(g->lm, t.t[i]);
	free(t.t);
	return found;
}

/* In one piece, as the model was trained; in parts where a content must not pass for markers. */
static int tokenize_chat(struct engine *g, const struct template_text *x, struct tokens *out, struct err *e)
{
	bool whole = true;
	for (size_t i = 0; i < x->n_parts && whole; i++)
		whole = !holds_marker(g, x->text.s + x->parts[i].begin, x->parts[i].end - x->parts[i].begin);
	if (whole)
		return add_tokens(g, out, x->text.s, x->text.n, true, e);
	size_t at = 0;
	for (size_t i = 0; i < x->n_parts; i++) {
		const struct template_part *p = &x->parts[i];
		if (add_tokens(g, out, x->text.s + at, p->begin - at, true, e) ||
		    add_tokens(g, out, x->text.s + p->begin, p->end - p->begin, false, e))
			return -1;
		at = p->end;
	}
	return add_tokens(g, out, x->text.s + at, x->text.n - at, true, e);
}

/* Where the prompt ends: at the last assistant's words, or not at all. */
static size_t prompt_end(const struct module_text *t, const struct template_text *x)
{
	for (size_t i = x->n_parts; i-- > 0;)
		if (!t->open && !strcmp(t->messages[x->parts[i].message].role, "assistant"))
			return x->parts[i].begin;
	return x->text.n;
}

static bool in_template(const struct template_text *x, size_t begin, size_t end)
{
	for (size_t i = 0; i < x->n_parts; i++)
		if (begin < x->parts[i].end && end > x->parts[i].begin)
			return false;
	return true;
}

static void flag_chat(struct engine *g, const struct module_text *t, const struct template_text *x,
		      const struct tokens *tokens, u8 *flags)
{
	struct buf piece = BUF_INIT;
	size_t at = 0, end = prompt_end(t, x);
	for (size_t i = 0; i < tokens->n; i++) {
		buf_clear(&piece);
		lm_add_piece(g->lm, tokens->t[i], &piece);
		if (in_template(x, at, at + piece.n))
			flags[i] |= TOKEN_SPECIAL;
		if (at < end)
			flags[i] |= TOKEN_PROMPT;
		at += piece.n;
	}
	buf_release(&piece);
}

static void prepend_bos(struct engine *g, struct tokens *t, u8 **flags)
{
	if (!g->info->adds_bos || (t->n && t->t[0] == g->info->bos))
		return;
	t->t = xreallocarray(t->t, t->n + 1, sizeof *t->t);
	*flags = xrealloc(*flags, t->n + 1);
	memmove(t->t + 1, t->t, t->n * sizeof *t->t);
	memmove(*flags + 1, *flags, t->n);
	t->t[0] = g->info->bos;
	(*flags)[0] = t->n ? (*flags)[1] & TOKEN_PROMPT : 0;
	t->n++;
}

int engine_tokenize(struct engine *g, const struct module_text *t, u32 **tokens, u8 **flags, size_t *n, struct err *e)
{
	struct tokens out = {0};
	struct template_text x = {.text = BUF_INIT};
	int rc = t->text ? add_tokens(g, &out, t->text, t->n, false, e) : render(g, t, &x, e);
	if (!rc && !t->text)
		rc = tokenize_chat(g, &x, &out, e);
	u8 *f = xcalloc(out.n + 1, 1);
	if (!rc && !t->text)
		flag_chat(g, t, &x, &out, f);
	template_release(&x);
	if (rc) {
		free(out.t);
		free(f);
		return -1;
	}
	prepend_bos(g, &out, &f);
	for (size_t i = 0; i < out.n; i++)
		if (lm_is_control(g->lm, out.t[i]))
			f[i] |= TOKEN_SPECIAL;
	if (out.n)
		f[0] |= TOKEN_FIRST;
	*tokens = out.t;
	*flags = f;
	*n = out.n;
	return 0;
}
