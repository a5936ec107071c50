/* SPDX-License-Identifier: MIT */
/* template.c - chats as text, with the places of the people's words in it. */
#include "module/template.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char turn_head[] = "<|im_start|>system\n", turn_end[] = "<|im_end|>";

/* The quoted text that begins at s, its escapes read; returns what follows it, or NULL. */
static const char *quoted(const char *s, struct buf *out)
{
	char quote = *s++;
	for (; *s && *s != quote; s++) {
		char c = *s;
		if (c == '\\' && s[1]) {
			s++;
			c = *s == 'n' ? '\n' : *s == 't' ? '\t' : *s;
		}
		buf_addc(out, c);
	}
	return *s ? s + 1 : NULL;
}

static bool whole_turn(const struct buf *text)
{
	size_t head = strlen(turn_head);
	if (text->n < head || memcmp(text->s, turn_head, head))
		return false;
	const char *end = strstr(text->s + head, turn_end);
	return end && end > text->s + head && strspn(end + strlen(turn_end), "\n") == strlen(end + strlen(turn_end));
}

void template_default_system(const char *jinja, struct buf *out)
{
	/* quotes stand only inside {{ }} and {% %}; plain text between may hold apostrophes */
	for (const char *s = jinja; (s = strchr(s, '{'));) {
		if (s[1] != '{' && s[1] != '%') {
			s++;
			continue;
		}
		const char *close = s[1] == '{' ? "}}" : "%}";
		for (s += 2; *s && strncmp(s, close, 2);) {
			if (*s != '\'' && *s != '"') {
				s++;
				continue;
			}
			struct buf text = BUF_INIT;
			s = quoted(s, &text);
			bool found = s && whole_turn(&text);
			if (found)
				buf_add(out, text.s, text.n);
			buf_release(&text);
			if (found || !s)
				return;
		}
	}
}

static void placeholder(char out[32], size_t i)
{
	snprintf(out, 32, "\x02" "content %zu\x03", i);
}

static void add_chatml(const char *const *roles, const char *const *contents, size_t n, bool open, struct buf *out)
{
	for (size_t i = 0; i < n; i++)
		buf_addf(out, "<|im_start|>%s\n%s<|im_end|>\n", roles[i], contents[i]);
	if (open)
		buf_adds(out, "<|im_start|>assistant\n");
}

/* Puts the contents where their placeholders stand. */
static void fill(const char *s, const struct span *contents, size_t n, struct template_text *out)
{
	while (*s) {
		const char *mark = strchr(s, '\x02');
		size_t i;
		int used = 0;
		if (!mark || sscanf(mark, "\x02" "content %zu\x03%n", &i, &used) != 1 || !used || i >= n) {
			buf_adds(&out->text, s);
			return;
		}
		buf_add(&out->text, s, (size_t)(mark - s));
		size_t begin = out->text.n;
		buf_add(&out->text, contents[i].p, contents[i].n);
		out->parts = xreallocarray(out->parts, out->n_parts + 1, sizeof *out->parts);
		out->parts[out->n_parts++] = (struct template_part){i, begin, out->text.n};
		s = mark + used;
	}
}

int template_render(template_chat_fn render, const void *context, const char *default_system, bool chatml,
		    const char *const *roles, const struct span *contents, size_t n, bool open,
		    struct template_text *out)
{
	char (*marks)[32] = xcalloc(n + 1, sizeof *marks);
	const char **names = xcalloc(n + 1, sizeof *names);
	struct buf shape = BUF_INIT;
	int rc = 0;
	*out = (struct template_text){.text = BUF_INIT};
	for (size_t i = 0; i < n; i++) {
		placeholder(marks[i], i);
		names[i] = marks[i];
	}
	if (n && strcmp(roles[0], "system"))
		buf_adds(&shape, default_system);
	if (render(context, roles, names, n, open, &shape)) {
		if (chatml)
			add_chatml(roles, names, n, open, &shape);
		else
			rc = -1;
	}
	if (!rc)
		fill(shape.s, contents, n, out);
	buf_release(&shape);
	free(names);
	free(marks);
	return rc;
}

void template_release(struct template_text *t)
{
	buf_release(&t->text);
	free(t->parts);
	t->parts = NULL;
	t->n_parts = 0;
}
