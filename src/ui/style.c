/* SPDX-License-Identifier: MIT */
/* style.c - the tables of styles, themes and colours. */
#include "ui/style.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	u8 mono;
	struct look dark, light, contrast;
} styles[] = {
#define STYLE(id, name, mono, dark, light, contrast) {name, mono, dark, light, contrast},
#include "ui/styles.def"
#undef STYLE
};

static struct look user[N_STYLES];
static enum theme user_base = THEME_DARK;

const char *style_name(enum style s)
{
	return styles[s].name;
}

struct look style_look(enum style s, enum theme t)
{
	if (t == THEME_MONO)
		return (struct look){-1, -1, styles[s].mono};
	if (t == THEME_USER)
		return user[s];
	return t == THEME_DARK ? styles[s].dark : t == THEME_LIGHT ? styles[s].light : styles[s].contrast;
}

struct look style_cell_look(enum style s, u8 attr, enum theme t)
{
	struct look l = style_look(s, t);
	if (attr & ATTR_CURSOR) {
		struct look under = style_look(STYLE_CURSOR, t);
		/* in monochrome what was reverse must still stand out of a reversed row */
		l.attr ^= under.attr & ATTR_REVERSE;
		if (l.bg < 0 || l.bg == style_look(STYLE_NORMAL, t).bg)
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

static const char *const themes[N_THEMES] = {"mono", "dark", "light", "high-contrast", "user"};

const char *style_theme_name(enum theme t)
{
	return themes[t];
}

int style_parse_theme(const char *name, enum theme *out)
{
	for (size_t i = 0; i < THEME_USER; i++)
		if (!strcmp(themes[i], name)) {
			*out = (enum theme)i;
			return 0;
		}
	return -1;
}

u32 style_paper(enum theme t)
{
	int bg = style_look(STYLE_NORMAL, t).bg;
	if (t == THEME_USER)
		t = user_base;
	return bg >= 0 ? style_rgb(bg) : t == THEME_LIGHT ? 0xfdfdfd : 0x16181c;
}

u32 style_ink(enum theme t)
{
	int fg = style_look(STYLE_NORMAL, t).fg;
	if (t == THEME_USER)
		t = user_base;
	return fg >= 0 ? style_rgb(fg) : t == THEME_LIGHT ? 0x24262b : 0xd4d6da;
}

/* ---- a theme of one's own ---- */

void style_user_base(enum theme t)
{
	for (int s = 0; s < N_STYLES; s++)
		user[s] = style_look((enum style)s, t);
	user_base = t;
}

/* The nearest of the cube and the greys. */
static int nearest(u32 rgb)
{
	int best = 16;
	u32 least = UINT32_MAX;
	for (int c = 16; c < 256; c++) {
		u32 v = style_rgb(c), sum = 0;
		for (int shift = 0; shift <= 16; shift += 8) {
			i32 d = (i32)(v >> shift & 255) - (i32)(rgb >> shift & 255);
			sum += (u32)(d * d);
		}
		if (sum < least) {
			least = sum;
			best = c;
		}
	}
	return best;
}

static int parse_colour(const char *s, int16_t *out)
{
	static const char *const names[] = {"black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"};
	char *end;
	bool bright = !strncmp(s, "bright-", 7);
	if (!strcmp(s, "-")) {
		*out = -1;
		return 0;
	}
	if (s[0] == '#') {
		unsigned long rgb = strtoul(s + 1, &end, 16);
		*out = (int16_t)nearest((u32)rgb);
		return strlen(s) == 7 && !*end ? 0 : -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i], bright ? s + 7 : s)) {
			*out = (int16_t)(i + (bright ? 8 : 0));
			return 0;
		}
	unsigned long number = strtoul(s, &end, 10);
	*out = (int16_t)MIN(number, 255ul);
	return s[0] >= '0' && s[0] <= '9' && !*end && number < 256 ? 0 : -1;
}

static int parse_attribute(const char *s, u8 *out)
{
	static const char *const names[] = {"underline", "bold", "reverse"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i], s)) {
			*out |= (u8)(1u << i);
			return 0;
		}
	return -1;
}

int style_user_set(const char *const *words, size_t n, struct err *e)
{
	struct look l = {-1, -1, 0};
	size_t s = 0;
	while (s < N_STYLES && strcmp(styles[s].name, words[0]))
		s++;
	if (s == N_STYLES)
		return err_set(e, ERR_USAGE, "there is no style '%.40s'", words[0]);
	if (n < 3)
		return err_set(e, ERR_USAGE, "a style wants two colours, for text and ground");
	for (size_t i = 1; i < 3; i++)
		if (parse_colour(words[i], i == 1 ? &l.fg : &l.bg))
			return err_set(e, ERR_USAGE, "'%.40s' is not a colour", words[i]);
	for (size_t i = 3; i < n; i++)
		if (parse_attribute(words[i], &l.attr))
			return err_set(e, ERR_USAGE, "'%.40s' is not bold, underline or reverse", words[i]);
	user[s] = l;
	return 0;
}

enum style style_heat(f32 r)
{
	if (!(r > 0))
		return STYLE_NORMAL;
	f32 h = 0.05f + 0.95f * log10f(1 + 9 * MIN(r, 1.0f));
	int step = (int)(h * HEAT_STEPS);
	return (enum style)(STYLE_HEAT1 + MIN(step, HEAT_STEPS - 1));
}
