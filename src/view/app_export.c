/* SPDX-License-Identifier: MIT */
/* app_export.c - x: the screen as a file, and labels as others read them. */
#include "view/app_private.h"

#include "base/mem.h"
#include "session/label_lines.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_LABELS = 200000 }; /* on the thread that draws */

static void save_screen(struct app *a, const char *extension)
{
	struct buf b = BUF_INIT;
	buf_clear(&a->message);
	app_draw(a);
	grid_dump_as(&a->grid, extension, a->theme, &b);
	app_save(a, app_top(a)->class->name, extension, &b);
	buf_release(&b);
}

static void add_label(struct buf *out, struct app *a, u32 feature)
{
	struct label l;
	if (!session_label(a->session, feature, &l))
		return;
	l.feature = feature;
	label_lines_add(out, LABEL_CSV, &l, false);
}

struct people {
	struct app *app;
	struct buf out;
};

static void add_by_person(void *context, u32 feature, const char *text, i64 when)
{
	struct people *p = context;
	(void)text;
	(void)when;
	add_label(&p->out, p->app, feature);
}

/* Owned. */
static char *export_command(struct app *a)
{
	struct buf b = BUF_INIT;
	atlas_add_command(a->session->atlas, "export", &b);
	buf_adds(&b, " labels");
	return buf_take(&b);
}

static void save_labels_of_people(struct app *a)
{
	struct people p = {.app = a, .out = BUF_INIT};
	struct err e = {0};
	if (note_each_label(a->session->note, add_by_person, &p, &e))
		app_error(a, &e);
	else if (!p.out.n)
		app_message(a, "no label was written here yet; e writes one");
	else if (app_save(a, "labels", "csv", &p.out)) {
		char *saved = xstrdup(a->message.s), *command = export_command(a);
		app_message(a, "%s; %s prints those of all features", saved, command);
		free(saved);
		free(command);
	}
	buf_release(&p.out);
}

static void save_labels_of_marked(struct app *a)
{
	struct buf out = BUF_INIT;
	size_t n;
	u32 *ids = app_marked(a, &n);
	if (n > MAX_LABELS) {
		char *command = export_command(a);
		app_message(a, "%zu are too many from here; %s prints all", n, command);
		free(command);
	}
	for (size_t i = 0; i < n && n <= MAX_LABELS; i++)
		add_label(&out, a, ids[i]);
	if (out.n)
		app_save(a, "labels", "csv", &out);
	else if (n <= MAX_LABELS)
		app_message(a, "nothing that is marked has a label");
	free(ids);
	buf_release(&out);
}

static size_t own(struct view *v, const struct app_menu_item **items)
{
	return v->class->savings ? v->class->savings(v, items) : 0;
}

static void chosen(struct view *v, size_t i)
{
	static const char *const extensions[] = {"txt", "ans", "html", "svg"};
	const struct app_menu_item *items;
	size_t n = own(v, &items);
	if (i < n) {
		v->class->save(v, i);
		return;
	}
	i -= n;
	if (i < ARRAY_LEN(extensions))
		save_screen(v->app, extensions[i]);
	else if (i == ARRAY_LEN(extensions))
		save_labels_of_people(v->app);
	else
		save_labels_of_marked(v->app);
}

/* "save in ~/atlases", owned; a script's screens say nothing of where it runs. */
static char *title(struct app *a)
{
	char folder[4096];
	const char *home = getenv("HOME");
	size_t n = home ? strlen(home) : 0;
	if (app_is_script(a) || !getcwd(folder, sizeof folder))
		return xstrdup("save");
	bool at_home = n > 1 && !strncmp(folder, home, n) && (folder[n] == '/' || !folder[n]);
	return xasprintf("save in %s%s", at_home ? "~" : "", folder + (at_home ? n : 0));
}

void app_export(struct app *a)
{
	static const struct app_menu_item every[] = {
		{'t', "this screen as text"},
		{'a', "this screen as ANSI: text with colours for a terminal"},
		{'h', "this screen as HTML"},
		{'s', "this screen as SVG, a picture"},
		{'l', "the labels written here, as CSV"},
		{'m', "the labels of what is marked, as CSV"},
	};
	const struct app_menu_item *first;
	struct app_menu_item items[16];
	size_t n = MIN(own(app_top(a), &first), ARRAY_LEN(items) - ARRAY_LEN(every));
	if (n)
		memcpy(items, first, n * sizeof *items);
	memcpy(items + n, every, sizeof every);
	char *words = title(a);
	app_menu(app_top(a), words, items, n + ARRAY_LEN(every) - !app_n_marked(a), chosen);
	free(words);
}
