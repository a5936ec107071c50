/* SPDX-License-Identifier: MIT */
/* style.h - semantic styles and the themes that map them to colours.
 *
 * Screens name a style; what it looks like is the theme's and the terminal's matter.  In
 * monochrome every style that carries a meaning has an attribute of its own; dim is never the
 * only carrier.  Heat has six steps in colour, four in monochrome (none, underline, bold,
 * reverse).
 */
#ifndef FEATLAS_STYLE_H
#define FEATLAS_STYLE_H

#include "base/err.h"

enum style {
#define STYLE(id, name, mono, dark, light, contrast) STYLE_##id,
#include "ui/styles.def"
#undef STYLE
	N_STYLES,
};

/* Added to a style, cell by cell.  ATTR_CURSOR lays STYLE_CURSOR's look under the style's own. */
enum attr { ATTR_UNDERLINE = 1, ATTR_BOLD = 2, ATTR_REVERSE = 4, ATTR_CURSOR = 8 };

enum { HEAT_STEPS = 6 };

enum theme { THEME_MONO, THEME_DARK, THEME_LIGHT, THEME_CONTRAST, THEME_USER, N_THEMES };

struct look {
	int16_t fg, bg; /* 256-colour index, -1: the terminal's own */
	u8 attr;
};

const char *style_name(enum style s); /* "heat3": in dumps and theme files */
struct look style_look(enum style s, enum theme t);
/* The look of a cell: its style and what was added. */
struct look style_cell_look(enum style s, u8 attr, enum theme t);
/* Red, green, blue of a colour of the 256, as 0xrrggbb. */
u32 style_rgb(int colour256);
/* The nearest of the eight basic colours, or -1. */
int style_basic_colour(int colour256);
/* "dark", "light", "high-contrast", "mono": 0, or -1. */
int style_parse_theme(const char *name, enum theme *out);
const char *style_theme_name(enum theme t);
/* A picture's paper and ink, as 0xrrggbb. */
u32 style_paper(enum theme t);
u32 style_ink(enum theme t);

/* THEME_USER: begins as another theme, whose looks are then replaced one by one. */
void style_user_base(enum theme t);
/* "heat3" "16" "#ffaf00" {"bold"}: a style, its colours (- is the terminal's own, a number of the
 * 256, a basic colour's name, #rrggbb) and attributes.  -1 and why, with nothing changed. */
int style_user_set(const char *const *words, size_t n, struct err *e);

/* The heat of an activation, r = f / max in [0, 1]: STYLE_NORMAL where it does not fire, else
 * STYLE_HEAT1 .. STYLE_HEAT6 by 0.05 + 0.95 log10(1 + 9 r). */
enum style style_heat(f32 r);

#endif
