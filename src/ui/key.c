/* SPDX-License-Identifier: MIT */
/* key.c - names of keys, and the key map. */
#include "ui/key.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name; /* in tables */
	const char *word; /* on screen */
	u32 key;
} names[] = {
	{"Enter", "Enter", KEY_RETURN},
	{"Space", "Space", KEY_SPACE},
	{"Tab", "Tab", KEY_TAB},
	{"S-Tab", "S-Tab", KEY_BACKTAB},
	{"Esc", "Esc", KEY_ESCAPE},
	{"BS", "Backspace", KEY_BACK},
	{"Up", "Up", KEY_ARROW_UP},
	{"Down", "Down", KEY_ARROW_DOWN},
	{"Left", "Left", KEY_ARROW_LEFT},
	{"Right", "Right", KEY_ARROW_RIGHT},
	{"Home", "Home", KEY_HOME_},
	{"End", "End", KEY_END_},
	{"PgUp", "PgUp", KEY_PAGE_UP},
	{"PgDn", "PgDn", KEY_PAGE_DOWN},
	{"Del", "Del", KEY_DELETE},
	{"F1", "F1", KEY_FUNCTION_1},
	{"lt", "<", '<'},
	{"gt", ">", '>'},
};

static u32 parse_name(const char *s, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i].name) == n && !strncmp(names[i].name, s, n))
			return names[i].key;
	if (n == 3 && s[1] == '-' && (s[0] == 'C' || s[0] == 'c') && ((u8)s[2] | 32) >= 'a' &&
	    ((u8)s[2] | 32) <= 'z')
		return KEY_CTRL(s[2]);
	if (n >= 3 && s[0] == 'M' && s[1] == '-')
		return KEY_ALT + (u8)s[2];
	return KEY_NONE_YET;
}

u32 key_parse(const char **s)
{
	const char *p = *s, *end;
	if (p[0] == '<' && (end = strchr(p, '>')) && end - p > 1 && end - p < 12) {
		*s = end + 1;
		return parse_name(p + 1, (size_t)(end - p - 1));
	}
	if (!*p)
		return KEY_NONE_YET;
	i32 cp;
	*s += utf8_next(p, strlen(p), &cp);
	return (u32)cp;
}

int key_parse_seq(const char *s, size_t n, struct key_seq *out)
{
	const char *end = s + n;
	out->n = 0;
	while (s < end && *s != ' ') {
		if (out->n == KEY_SEQ_MAX)
			return -1;
		u32 k = key_parse(&s);
		if (k == KEY_NONE_YET)
			return -1;
		out->key[out->n++] = k;
	}
	return out->n ? 0 : -1;
}

void key_add_name(struct buf *out, u32 key)
{
	if (key >= KEY_ALT) {
		buf_adds(out, "M-");
		key -= KEY_ALT;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].key == key) {
			buf_adds(out, names[i].word);
			return;
		}
	if (key < 32)
		buf_addf(out, "^%c", (int)key + '@');
	else if (key < KEY_SPECIAL) {
		char c[4];
		size_t n = utf8_encode((i32)key, c);
		utf8_add_safe(out, c, n);
	} else
		buf_adds(out, "this");
}

void key_add_notation(struct buf *out, u32 key)
{
	char c[4];
	if (key >= KEY_ALT) {
		buf_addf(out, "<M-%c>", (int)(key - KEY_ALT) & 127);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].key == key) {
			buf_addf(out, "<%s>", names[i].name);
			return;
		}
	if (key < 32)
		buf_addf(out, "<C-%c>", (int)key + 'a' - 1);
	else if (key < KEY_SPECIAL)
		buf_add(out, c, utf8_encode((i32)key, c));
}

void key_add_seq(struct buf *out, const struct key_seq *seq)
{
	for (int i = 0; i < seq->n; i++)
		key_add_name(out, seq->key[i]);
}

void keymap_init(struct keymap *m)
{
	*m = (struct keymap){0};
}

void keymap_release(struct keymap *m)
{
	free(m->list);
	keymap_init(m);
}

int keymap_add(struct keymap *m, const char *keys, const char *contexts, int action)
{
	for (const char *s = keys; *s;) {
		size_t n = strcspn(s, " ");
		struct key_seq seq;
		if (key_parse_seq(s, n, &seq))
			return -1;
		if ((m->n & (m->n - 1)) == 0)
			m->list = xreallocarray(m->list, m->n ? m->n * 2 : 1, sizeof *m->list);
		m->list[m->n++] = (struct key_binding){seq, contexts, action, false};
		s += n;
		s += strspn(s, " ");
	}
	return 0;
}

bool key_in_context(const char *contexts, const char *context)
{
	size_t n = strlen(context);
	for (const char *s = contexts; *s;) {
		size_t k = strcspn(s, " ");
		if (k == n && !strncmp(s, context, n))
			return true;
		s += k;
		s += strspn(s, " ");
	}
	return false;
}

static bool for_all(const struct key_binding *b)
{
	return !strcmp(b->contexts, "all");
}

static bool begins_with(const struct key_seq *whole, const struct key_seq *part)
{
	return whole->n >= part->n &&
	       !memcmp(whole->key, part->key, (size_t)part->n * sizeof part->key[0]);
}

/* Is every context of `few` one of `many`? */
static bool covers(const char *many, const char *few)
{
	if (!strcmp(many, "all"))
		return true;
	for (const char *s = few; *s;) {
		char name[32];
		size_t n = strcspn(s, " ");
		snprintf(name, sizeof name, "%.*s", (int)n, s);
		if (!key_in_context(many, name))
			return false;
		s += n;
		s += strspn(s, " ");
	}
	return true;
}

int keymap_override(struct keymap *m, const char *keys, const char *contexts, int action)
{
	size_t from = m->n;
	if (keymap_add(m, keys, contexts, action))
		return -1;
	for (size_t i = from; i < m->n; i++)
		for (size_t k = 0; k < from; k++) {
			struct key_binding *old = &m->list[k];
			const struct key_seq *mine = &m->list[i].seq;
			/* what is bound for all stays where only one screen rebinds it */
			bool same = !strcmp(contexts, "all") == for_all(old) && covers(contexts, old->contexts);
			if (same && (begins_with(mine, &old->seq) || begins_with(&old->seq, mine)))
				old->off = true;
		}
	return 0;
}

enum key_match keymap_match(const struct keymap *m, const char *context, const struct key_seq *typed,
			    int *action)
{
	int own = 0, general = 0;
	bool own_prefix = false, prefix = false;
	for (size_t i = 0; i < m->n; i++) {
		const struct key_binding *b = &m->list[i];
		bool here = key_in_context(b->contexts, context);
		if (b->off || (!here && !for_all(b)) || !begins_with(&b->seq, typed))
			continue;
		if (b->seq.n > typed->n)
			*(here ? &own_prefix : &prefix) = true;
		else
			*(here ? &own : &general) = b->action;
	}
	*action = own ? own : own_prefix ? 0 : general;
	if (*action == KEY_UNBOUND)
		return KEY_MATCH_NONE;
	return *action ? KEY_MATCH_ACTION : own_prefix || prefix ? KEY_MATCH_PREFIX : KEY_MATCH_NONE;
}

bool keymap_reaches(const struct keymap *m, const char *context, const struct key_binding *b)
{
	int action = 0;
	if (b->off)
		return false;
	for (struct key_seq typed = {.n = 0}; typed.n < b->seq.n;) {
		typed.key[typed.n] = b->seq.key[typed.n];
		typed.n++;
		enum key_match got = keymap_match(m, context, &typed, &action);
		if (got != (typed.n < b->seq.n ? KEY_MATCH_PREFIX : KEY_MATCH_ACTION))
			return false;
	}
	return action == b->action;
}

const struct key_binding *keymap_find(const struct keymap *m, const char *context, int action)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct key_binding *b = &m->list[i];
		if (b->action == action && keymap_reaches(m, context, b))
			return b;
	}
	return NULL;
}
