/* SPDX-License-Identifier: MIT */
/* settings.h - the options of the terminal program: their table, values and words. */
#ifndef FEATLAS_SETTINGS_H
#define FEATLAS_SETTINGS_H

#include "base/buf.h"
#include "base/err.h"

enum setting {
#define SETTING(id, name, choices, first, help) SET_##id,
#include "view/settings.def"
#undef SETTING
	N_SETTINGS,
};

struct setting_info {
	const char *name, *choices, *first, *help;
};
extern const struct setting_info setting_infos[N_SETTINGS];

struct settings {
	char *text[N_SETTINGS]; /* owned */
	int number[N_SETTINGS]; /* the choice's index in the table, or the number */
	bool changed[N_SETTINGS]; /* in this session, by hand */
};

void settings_init(struct settings *s);
void settings_release(struct settings *s);
/* The option of that name; N_SETTINGS and *e if there is none. */
enum setting settings_find(const char *name, struct err *e);
/* -1 and why, with nothing changed, if the value is not one of its choices. */
int settings_set(struct settings *s, enum setting which, const char *value, struct err *e);
/* The choice before or after, round about; false where there are no choices. */
bool settings_step(struct settings *s, enum setting which, int delta);
/* "yes, no", "0 to 5000", "" */
void settings_add_choices(struct buf *out, enum setting which);

#endif
