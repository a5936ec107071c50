/* SPDX-License-Identifier: MIT */
/* cmd_import_labels.c - import LABELS... ATLAS: labels into an atlas that is there. */
#include "cmd/import.h"

#include "base/mem.h"
#include "core/atlas.h"
#include "core/label_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct job {
	struct atlas *atlas;
	json_t *json;
	struct label_list *list;
	struct label_reading reading;
	u64 n_read, n_passed, n_all;
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

static int read_all(struct job *j, const struct cmd_args *a, struct err *e)
{
	label_list_add_base(j->list, j->atlas->labels);
	for (size_t i = 0; i + 1 < a->n_positional; i++) {
		const char *path = a->positional[i];
		struct label_reading r = {.n_features = j->atlas->n_features, .layer = j->atlas->layer};
		r.source = arg_str(a, "source", base_name(path));
		struct stat st;
		if (!stat(path, &st) && S_ISDIR(st.st_mode))
			return err_set(e, ERR_FAILED,
				       "'%s' is there already, and only files of labels go into an atlas",
				       j->atlas->folder);
		if (label_list_read(j->list, path, &r, e))
			return -1;
		j->n_read += r.n_read;
		j->n_passed += r.n_passed;
	}
	label_list_settle(j->list);
	return 0;
}

/* The base is made anew beside the old one, which stays whole for who has it open. */
static int write_base(struct job *j, struct err *e)
{
	const struct label *items = label_list_items(j->list, &j->n_all);
	char *path = xasprintf("%s/labels.safetensors", j->atlas->folder);
	atlas_json_new_build(j->json);
	int bad = labels_write(path, items, j->n_all, atlas_json_uuid(j->json), atlas_json_build_id(j->json),
			       e) ||
		  atlas_note_part(j->json, j->atlas->folder, "labels", "labels.safetensors", "import", NULL,
				  e) ||
		  atlas_commit(j->json, j->atlas->folder, e);
	free(path);
	return bad ? -1 : 0;
}

int import_labels(const struct cmd_args *a, struct err *e)
{
	const char *folder = a->positional[a->n_positional - 1];
	struct job j = {.list = label_list_new()};
	int bad = !(j.atlas = atlas_open(folder, e)) || !(j.json = atlas_json_read(folder, e)) ||
		  read_all(&j, a, e) || write_base(&j, e);
	if (!bad && arg_flag(a, "json"))
		cmd_print_json(json_pack("{s:I, s:I, s:I}", "n_read", (json_int_t)j.n_read, "n_passed",
					 (json_int_t)j.n_passed, "n_labels", (json_int_t)j.n_all));
	else if (!bad)
		printf("%s: %llu labels read, %llu in the atlas\n", folder, (unsigned long long)j.n_read,
		       (unsigned long long)j.n_all);
	if (!bad && j.n_passed && !arg_flag(a, "json"))
		printf("%llu nodes are of other layers or have no label\n", (unsigned long long)j.n_passed);
	label_list_free(j.list);
	json_decref(j.json);
	atlas_free(j.atlas);
	return bad ? -1 : EXIT_OK;
}
