/* SPDX-License-Identifier: MIT */
/* steer_if.c - when a feature is steered: conditions read, written, and followed in a text. */
#include "backend/steer_impl.h"

#include "core/regex.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void steer_add_number(struct buf *out, f32 v)
{
	char word[32];
	for (int digits = 6; digits <= 9; digits++) {
		snprintf(word, sizeof word, "%.*g", digits, (f64)v);
		if (strtof(word, NULL) == v)
			break;
	}
	buf_adds(out, word);
}

size_t steer_regex_length(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '/')
			return i + 1;
		i += s[i] == '\\';
	}
	return n;
}

static int parse_regex(const char *text, size_t n, struct steer_spec *out, struct err *e)
{
	size_t len = steer_regex_length(text + 1, n - 1);
	if (len != n - 1 || n < 3 || text[n - 1] != '/')
		return err_set(e, ERR_USAGE, "if=%.*s is not /regex/: a slash inside is written \\/", (int)n, text);
	if (n - 2 > STEER_IF_MOST)
		return err_set(e, ERR_USAGE, "a regex of %zu bytes: at most %d will do", n - 2, STEER_IF_MOST);
	char pattern[STEER_IF_MOST + 1] = {0};
	memcpy(pattern, text + 1, n - 2);
	struct regex *r = regex_new(pattern, false, NULL, e);
	if (!r)
		return err_wrap(e, "if=%.*s", (int)n, text);
	regex_free(r);
	out->condition = STEER_IF_TEXT;
	memcpy(out->if_regex, pattern, sizeof out->if_regex);
	return 0;
}

static int parse_above(const char *s, size_t n, struct steer_spec *out, struct err *e)
{
	char word[32] = {0}, *end;
	memcpy(word, s, MIN(n, sizeof word - 1));
	f32 v = strtof(word, &end);
	out->if_times_max = *end == 'x';
	end += *end == 'x';
	out->if_above = v;
	if (!n || n >= sizeof word || *end || end == word || !isfinite(v) || v < 0)
		return err_set(e, ERR_USAGE, "'%.*s' is not what a feature can be above: a number from 0 on, or as '0.5x' "
			       "a part of its maximum", (int)n, s);
	return 0;
}

int steer_if_parse(const char *text, size_t n, const struct atlas *a, struct steer_spec *out, struct err *e)
{
	struct steer_spec s = *out;
	f32 unused;
	s.condition = STEER_ALWAYS;
	s.if_feature = 0;
	s.if_above = 0;
	s.if_times_max = false;
	memset(s.if_regex, 0, sizeof s.if_regex);
	if (n && text[0] == '/') {
		if (parse_regex(text, n, &s, e))
			return -1;
	} else if (n) {
		const char *above = memchr(text, '>', n);
		size_t id = above ? (size_t)(above - text) : n;
		s.condition = STEER_IF_FEATURE;
		if (steer_parse_id(text, id, a, &s.if_feature, e) ||
		    (above && parse_above(above + 1, n - id - 1, &s, e)) || steer_if_above(&s, a, &unused, e))
			return -1;
	}
	*out = s;
	return 0;
}

void steer_if_add(const struct steer_spec *s, struct buf *out)
{
	if (s->condition == STEER_IF_TEXT)
		buf_addf(out, "/%s/", s->if_regex);
	else if (s->condition == STEER_IF_FEATURE) {
		buf_addf(out, "#%u%s", s->if_feature, s->if_above > 0 ? ">" : "");
		if (s->if_above > 0)
			steer_add_number(out, s->if_above);
		if (s->if_above > 0 && s->if_times_max)
			buf_addc(out, 'x');
	}
}

int steer_if_above(const struct steer_spec *s, const struct atlas *a, f32 *out, struct err *e)
{
	struct steer_spec other = {.feature = s->if_feature, .strength = s->if_above, .times_max = s->if_times_max};
	*out = s->if_above;
	if (s->condition != STEER_IF_FEATURE || !(s->if_above > 0))
		return 0;
	return steer_spec_coefficient(&other, a, out, e);
}

/* The last characters of a reply; a broken one at its end is none of ours. */
static struct span window_of(const struct buf *reply)
{
	size_t at = reply->n, n = 0;
	while (at && n < STEER_IF_WINDOW) {
		at--;
		n += ((u8)reply->s[at] & 0xc0) != 0x80;
	}
	return (struct span){(const u8 *)reply->s + at, reply->n - at};
}

void steer_set_text(struct steer_set *s, const struct buf *reply, void (*changed)(void *, size_t), void *context)
{
	if (!s->follows_text)
		return;
	struct span w = window_of(reply);
	for (size_t i = 0; i < s->q->n_specs; i++) {
		const struct steer_watch *t = &s->watch[i];
		if (!t->regex)
			continue;
		bool off = regex_match(t->regex, t->room, (const char *)w.p, w.n, 0, false) != 1;
		if (off == s->list[i].off)
			continue;
		s->list[i].off = off;
		if (changed)
			changed(context, i);
	}
}
