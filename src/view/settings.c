/* SPDX-License-Identifier: MIT */
/* settings.c - values of the table of options, and steps among their choices. */
#include "view/settings.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct setting_info setting_infos[N_SETTINGS] = {
#define SETTING(id, name, choices, first, help) {name, choices, first, help},
#include "view/settings.def"
#undef SETTING
};

/* "0..5000" */
static bool range_of(enum setting which, int *least, int *most)
{
	return sscanf(setting_infos[which].choices, "%d..%d", least, most) == 2;
}

/* Its index among the choices, or -1. */
static int choice_of(enum setting which, const char *value)
{
	size_t n = strlen(value);
	int i = 0;
	for (const char *s = setting_infos[which].choices; *s; i++) {
		size_t k = strcspn(s, "|");
		if (k == n && !strncmp(s, value, n))
			return i;
		s += k + (s[k] == '|');
	}
	return -1;
}

void settings_add_choices(struct buf *out, enum setting which)
{
	int least, most;
	if (range_of(which, &least, &most)) {
		buf_addf(out, "%d to %d", least, most);
		return;
	}
	for (const char *s = setting_infos[which].choices; *s; s++)
		if (*s == '|')
			buf_adds(out, ", ");
		else
			buf_addc(out, *s);
}

static int refuse(enum setting which, const char *value, struct err *e)
{
	struct buf b = BUF_INIT;
	settings_add_choices(&b, which);
	err_set(e, ERR_USAGE, "%s cannot be '%.60s': %s", setting_infos[which].name, value, b.s);
	buf_release(&b);
	return -1;
}

int settings_set(struct settings *s, enum setting which, const char *value, struct err *e)
{
	const char *choices = setting_infos[which].choices;
	int least, most, number = 0;
	if (range_of(which, &least, &most)) {
		char *end;
		long v = strtol(value, &end, 10);
		if (!value[0] || *end || v < least || v > most)
			return refuse(which, value, e);
		number = (int)v;
	} else if (choices[0]) {
		number = choice_of(which, value);
		if (number < 0)
			return refuse(which, value, e);
	}
	char *copy = xstrdup(value);
	free(s->text[which]);
	s->text[which] = copy;
	s->number[which] = number;
	return 0;
}

void settings_init(struct settings *s)
{
	*s = (struct settings){0};
	for (int i = 0; i < N_SETTINGS; i++)
		settings_set(s, (enum setting)i, setting_infos[i].first, NULL);
}

void settings_release(struct settings *s)
{
	for (int i = 0; i < N_SETTINGS; i++)
		free(s->text[i]);
	*s = (struct settings){0};
}

enum setting settings_find(const char *name, struct err *e)
{
	for (int i = 0; i < N_SETTINGS; i++)
		if (!strcmp(setting_infos[i].name, name))
			return (enum setting)i;
	err_set(e, ERR_USAGE, "there is no option '%.60s'", name);
	return N_SETTINGS;
}

bool settings_step(struct settings *s, enum setting which, int delta)
{
	const char *choices = setting_infos[which].choices;
	int n = 1, least, most;
	if (!choices[0] || range_of(which, &least, &most))
		return false;
	for (const char *c = choices; *c; c++)
		n += *c == '|';
	int want = ((s->number[which] + delta) % n + n) % n, i = 0;
	for (const char *c = choices;; i++) {
		size_t k = strcspn(c, "|");
		if (i == want) {
			char *value = xstrndup(c, k);
			settings_set(s, which, value, NULL);
			free(value);
			return true;
		}
		c += k + 1;
	}
}
