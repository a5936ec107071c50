/* SPDX-License-Identifier: MIT */
/* style.c - the tables of styles, themes and colours. */
#include "ui/style.h"

#include <math.h>
#include <string.h>

static const struct {
	const char *name;
	u8 mono;
	struct look dark, light;
} styles[] = {
#define STYLE(id, name, mono, dark, light) {name, mono, dark, light},
#include "ui/styles.def"
#undef STYLE
};

const char *style_name(enum style s)
{
	return styles[s].name;
}

struct look style_look(enum style s, enum theme t)
{
	if (t == THEME_MONO)
		return (struct look){-1, -1, styles[s].mono};
	return t == THEME_DARK ? styles[s].dark : styles[s].light;
}

struct look style_cell_look(enum style s, u8 attr, enum theme t)
{
	struct look l = style_look(s, t);
	if (attr & ATTR_CURSOR) {
		struct look under = style_look(STYLE_CURSOR, t);
		/* in monochrome what was reverse must still stand out of a reversed row */
		l.attr ^= under.attr & ATTR_REVERSE;
		if (l.bg < 0)
			l.bg = under.bg;
	}
	l.attr |= attr & (ATTR_UNDERLINE | ATTR_BOLD);
	l.attr ^= attr & ATTR_REVERSE;
	return l;
}

u32 style_rgb(int c)
{
	static const u32 basic[16] = {0x000000, 0xcd3131, 0x0dbc79, 0xe5e510, 0x2472c8, 0xbc3fbc,
				      0x11a8cd, 0xe5e5e5, 0x666666, 0xf14c4c, 0x23d18b, 0xf5f543,
				      0x3b8eea, 0xd670d6, 0x29b8db, 0xffffff};
	static const u8 level[6] = {0, 95, 135, 175, 215, 255};
	if (c < 16)
		return basic[c & 15];
	if (c >= 232) {
		u32 v = (u32)(8 + (c - 232) * 10);
		return v << 16 | v << 8 | v;
	}
	c -= 16;
	return (u32)level[c / 36] << 16 | (u32)level[c / 6 % 6] << 8 | level[c % 6];
}

int style_basic_colour(int c)
{
	if (c < 0)
		return -1;
	u32 v = style_rgb(c);
	u32 r = v >> 16, g = v >> 8 & 255, b = v & 255, top = MAX(r, MAX(g, b));
	if (top < 64)
		return 0;
	u32 half = top * 5 / 8;
	return (r > half ? 1 : 0) | (g > half ? 2 : 0) | (b > half ? 4 : 0);
}

int style_parse_theme(const char *name, enum theme *out)
{
	static const char *const names[] = {"mono", "dark", "light"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i], name)) {
			*out = (enum theme)i;
			return 0;
		}
	return -1;
}

enum style style_heat(f32 r)
{
	if (!(r > 0))
		return STYLE_NORMAL;
	f32 h = 0.05f + 0.95f * log10f(1 + 9 * MIN(r, 1.0f));
	int step = (int)(h * HEAT_STEPS);
	return (enum style)(STYLE_HEAT1 + MIN(step, HEAT_STEPS - 1));
}
