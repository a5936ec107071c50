/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include <string.h>
#include <utf8proc.h>

static const char replacement[] = "\xef\xbf\xbd";

size_t utf8_next(const char *s, size_t n, i32 *cp)
{
	utf8proc_int32_t c;
	utf8proc_ssize_t r = utf8proc_iterate((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)MIN(n, 4), &c);
	if (r > 0) {
		*cp = c;
		return (size_t)r;
	}
	*cp = 0xfffd;
	/* skip the continuation bytes that a lead byte could have claimed */
	u8 lead = (u8)s[0];
	size_t want = lead >= 0xf0 && lead < 0xf5 ? 4 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xc2 && lead < 0xe0 ? 2 : 1;
	size_t used = 1;
	if (want >= 3 && n > 1) {
		/* the second byte must be one that the lead allows, or the lead stands alone */
		u8 b = (u8)s[1];
		u8 lo = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
		u8 hi = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
		if (b < lo || b > hi)
			return 1;
	}
	while (used < want && used < n && ((u8)s[used] & 0xc0) == 0x80)
		used++;
	return used;
}

void utf8_add_valid(struct buf *out, const char *s, size_t n)
{
	size_t start = 0, i = 0;
	while (i < n) {
		if ((u8)s[i] < 0x80) {
			i++;
			continue;
		}
		i32 cp;
		size_t k = utf8_next(s + i, n - i, &cp);
		if (cp == 0xfffd && !(k == 3 && !memcmp(s + i, replacement, 3))) {
			buf_add(out, s + start, i - start);
			buf_adds(out, replacement);
			start = i + k;
		}
		i += k;
	}
	buf_add(out, s + start, n - start);
}

void utf8_add_line(struct buf *out, const char *s, size_t n)
{
	size_t from = out->n;
	utf8_add_valid(out, s, n);
	for (size_t i = from; i < out->n; i++)
		if (out->s[i] == '\t' || out->s[i] == '\n' || out->s[i] == '\r')
			out->s[i] = ' ';
}

bool utf8_is_valid(const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		i32 cp;
		size_t k = utf8_next(s + i, n - i, &cp);
		if (cp == 0xfffd && !(k == 3 && !memcmp(s + i, replacement, 3)))
			return false;
		i += k;
	}
	return true;
}

size_t utf8_encode(i32 cp, char out[4])
{
	return (size_t)utf8proc_encode_char(cp, (utf8proc_uint8_t *)out);
}

int utf8_width(i32 cp)
{
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
		return 1;
	int w = utf8proc_charwidth(cp);
	return w < 0 ? 0 : w > 2 ? 2 : w;
}

char utf8_base_letter(i32 cp)
{
	utf8proc_int32_t part[8]; /* canonical ones are never longer */
	int state = 0;
	utf8proc_ssize_t n = utf8proc_decompose_char(cp, part, ARRAY_LEN(part), UTF8PROC_DECOMPOSE, &state);
	bool letter = n > 0 && n <= (utf8proc_ssize_t)ARRAY_LEN(part) &&
		      ((part[0] >= 'A' && part[0] <= 'Z') || (part[0] >= 'a' && part[0] <= 'z'));
	return letter ? (char)part[0] : 0;
}

i32 utf8_lower(i32 cp)
{
	return utf8proc_tolower(cp);
}

bool utf8_is_cased(i32 cp)
{
	utf8proc_category_t c = utf8proc_category(cp);
	return c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LL || c == UTF8PROC_CATEGORY_LT;
}

bool utf8_grapheme_break(i32 before, i32 after, i32 *state)
{
	return utf8proc_grapheme_break_stateful(before, after, state);
}

bool utf8_is_unsafe(i32 cp)
{
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
		return true;
	if (cp == 0xad || cp == 0x61c || cp == 0x115f || cp == 0x1160 || cp == 0x3164 || cp == 0xffa0)
		return true;
	if ((cp >= 0x200b && cp <= 0x200f && cp != 0x200d) || (cp >= 0x2028 && cp <= 0x202e) ||
	    (cp >= 0x2060 && cp <= 0x206f))
		return true;
	if (cp == 0xfeff || (cp >= 0xfff0 && cp <= 0xfffb) || (cp >= 0xe0000 && cp <= 0xe0fff))
		return true;
	return utf8proc_category(cp) == UTF8PROC_CATEGORY_CO || utf8proc_category(cp) == UTF8PROC_CATEGORY_CS ||
	       utf8proc_category(cp) == UTF8PROC_CATEGORY_CN;
}

void utf8_add_safe(struct buf *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		i32 cp;
		char c[4];
		size_t k = utf8_next(s + i, n - i, &cp);
		i += k;
		if (cp == '\n')
			cp = 0x21b5;
		else if (cp < 0x20)
			cp += 0x2400;
		else if (cp == 0x7f)
			cp = 0x2421;
		else if (utf8_is_unsafe(cp))
			cp = 0xb7;
		buf_add(out, c, utf8_encode(cp, c));
	}
}
