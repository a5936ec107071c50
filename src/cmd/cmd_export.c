/* SPDX-License-Identifier: MIT */
/* cmd_export.c - labels, bookmarks, features and the dictionary of an atlas in the forms that others read. */
#include "base/buf.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/export.h"
#include "core/dict_export.h"
#include "session/label_lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int export_labels(const struct cmd_args *a, struct err *e)
{
	const char *name = arg_str(a, "format", arg_flag(a, "json") ? "jsonl" : "tsv"), *kind = arg_str(a, "kind", NULL);
	enum label_lines form;
	if (label_lines_find(name, &form, e))
		return -1;
	struct session *s = cmd_open(a, e);
	if (!s)
		return -1;
	struct buf out = BUF_INIT;
	bool any = false, safe = isatty(STDOUT_FILENO);
	for (u32 f = 0; f < s->atlas->n_features; f++) {
		struct label l;
		if (!session_label(s, f, &l) || (kind && strcmp(kind, label_kind_words[l.kind])))
			continue;
		any = true;
		l.feature = f;
		label_lines_add(&out, form, &l, safe);
		if (out.n > 1 << 16)
			cmd_flush(&out);
	}
	cmd_flush(&out);
	buf_release(&out);
	session_free(s);
	if (!any)
		fputs("featlas export: no feature has such a label\n", stderr);
	return any ? EXIT_OK : EXIT_NONE;
}

static int export_marks(const struct cmd_args *a, struct err *e)
{
	const char *format = arg_str(a, "format", arg_flag(a, "json") ? "jsonl" : NULL);
	if (format && strcmp(format, "csv") && strcmp(format, "jsonl"))
		return err_set(e, ERR_USAGE, "--format is csv or jsonl, not '%s'", format);
	struct session *s = cmd_open(a, e);
	if (!s)
		return -1;
	struct export x;
	size_t n = 0;
	export_init(&x, s, arg_str(a, "model", NULL), arg_str(a, "source", NULL));
	int bad = export_bookmarks(&x, format, &n, e);
	export_release(&x);
	session_free(s);
	if (!bad && !n)
		fputs("featlas export: there are no bookmarks\n", stderr);
	return bad ? -1 : n ? EXIT_OK : EXIT_NONE;
}

static int export_files(const struct cmd_args *a, struct session *s, struct err *e)
{
	struct export x;
	struct progress progress = {0};
	const char *missing = s->atlas->vocab ? NULL : atlas_missing(s->atlas, "vocab");
	bool dashboard = !strcmp(arg_str(a, "format", ""), "saedashboard");
	export_init(&x, s, arg_str(a, "model", NULL), arg_str(a, "source", NULL));
	x.folder = a->positional[2];
	x.vectors = arg_flag(a, "vectors");
	x.gzip = arg_flag(a, "gzip");
	x.kind = arg_str(a, "kind", NULL);
	x.progress = &progress;
	int bad = missing ? err_set(e, ERR_UNAVAILABLE, "%s", missing)
			  : arg_u64(a, "width", x.width, 1, 1 << 16, &x.width, e) || export_folder(x.folder, e);
	if (!bad) {
		struct cmd_progress *shown = cmd_progress_start(&progress);
		bad = dashboard ? export_dashboard(&x, e) : export_neuronpedia(&x, e);
		cmd_progress_stop(shown);
		if (bad)
			export_undo_folder(x.folder);
	}
	if (!bad && arg_flag(a, "json"))
		cmd_print_json(json_pack("{s:s, s:s, s:s, s:i}", "out", x.folder, "model", x.model, "source", x.source,
					 "features", (int)s->atlas->n_features));
	else if (!bad)
		printf("%s  %s@%s, %u features\n", x.folder, x.model, x.source, s->atlas->n_features);
	export_release(&x);
	return bad;
}

static int export_features(const struct cmd_args *a, struct err *e)
{
	const char *format = arg_str(a, "format", "");
	if (strcmp(format, "neuronpedia") && strcmp(format, "saedashboard"))
		return err_set(e, ERR_USAGE, "--format is neuronpedia or saedashboard, not '%s'", format);
	if (arg_flag(a, "gzip") && strcmp(format, "neuronpedia"))
		return err_set(e, ERR_USAGE, "--gzip goes with --format neuronpedia");
	struct session *s = cmd_open(a, e);
	int bad = s ? export_files(a, s, e) : -1;
	session_free(s);
	return bad ? -1 : EXIT_OK;
}

/* An atlas's dictionary, or one of any layout that has no atlas. */
static int export_opened(const struct cmd_args *a, struct dict *d, struct err *e)
{
	struct progress progress = {0};
	const char *folder = a->positional[2];
	if (export_folder(folder, e))
		return -1;
	struct cmd_progress *shown = cmd_progress_start(&progress);
	int bad = dict_export(d, folder, &progress, e);
	cmd_progress_stop(shown);
	if (bad)
		export_undo_folder(folder);
	else if (arg_flag(a, "json"))
		cmd_print_json(json_pack("{s:s, s:i, s:i}", "out", folder, "features", (int)dict_info(d)->n_features, "d",
					 (int)dict_info(d)->d_in));
	else
		printf("%s  %u features of %s\n", folder, dict_info(d)->n_features, dict_info(d)->format);
	return bad;
}

static int export_dict(const struct cmd_args *a, struct err *e)
{
	const char *format = arg_str(a, "format", "saelens"), *path = a->positional[0];
	if (strcmp(format, "saelens"))
		return err_set(e, ERR_USAGE, "--format is saelens, not '%s'", format);
	char *json = xasprintf("%s/atlas.json", path);
	bool is_atlas = !access(json, F_OK);
	free(json);
	struct dict_options options;
	if (cmd_dict_options(a, &options, e))
		return -1;
	struct atlas *atlas = is_atlas ? atlas_open(path, e) : NULL;
	struct dict *d = atlas ? atlas->dict : is_atlas ? NULL : dict_open_with(path, &options, e);
	int bad = d ? export_opened(a, d, e) : -1;
	if (!atlas)
		dict_free(d);
	atlas_free(atlas);
	return bad ? -1 : EXIT_OK;
}

static const struct {
	const char *name;
	bool to_folder;
	int (*run)(const struct cmd_args *a, struct err *e);
} things[] = {
	{"labels", false, export_labels},
	{"bookmarks", false, export_marks},
	{"features", true, export_features},
	{"dict", true, export_dict},
};

int cmd_export(const struct cmd_args *a, struct err *e)
{
	const char *kind = arg_str(a, "kind", NULL), *what = a->positional[1];
	if (kind && strcmp(kind, "person") && strcmp(kind, "machine") && strcmp(kind, "lexical"))
		return err_set(e, ERR_USAGE, "--kind is person, machine or lexical, not '%s'", kind);
	for (size_t i = 0; i < ARRAY_LEN(things); i++) {
		if (strcmp(what, things[i].name))
			continue;
		if (things[i].to_folder != (a->n_positional == 3))
			return err_set(e, ERR_USAGE, things[i].to_folder ? "a folder to write the %s to is missing"
									 : "%s are printed, not written to a folder",
				       what);
		return things[i].run(a, e);
	}
	return err_set(e, ERR_USAGE, "what can be exported is labels, bookmarks, features or dict, not '%s'", what);
}
