/* SPDX-License-Identifier: MIT */
/* cmd_prune.c - prune ATLAS OUT.atlas: the form that ships. */
#include "cmd/cmd.h"

#include "base/mem.h"
#include "core/atlas.h"
#include "core/prune.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct job {
	const char *from, *to;
	const char *runs; /* recorded steering runs to ship along, or NULL */
	struct atlas *atlas;
	json_t *json;
	u64 window, n_activations;
	struct progress progress;
};

static int make_folder(const struct job *j, struct err *e)
{
	char *path = xasprintf("%s/atlas.json", j->to);
	int bad = 0;
	if (!access(path, F_OK))
		bad = err_set(e, ERR_FAILED, "'%s' is there already", path);
	else if (mkdir(j->to, 0777) && errno != EEXIST)
		bad = err_os(e, "cannot make '%s'", j->to);
	free(path);
	return bad;
}

static int prune_dictionary(struct job *j, struct err *e)
{
	char *from = xasprintf("%s/sae_weights.safetensors", j->from),
	     *to = xasprintf("%s/sae_weights.safetensors", j->to);
	char *cfg_from = xasprintf("%s/cfg.json", j->from), *cfg_to = xasprintf("%s/cfg.json", j->to);
	const json_t *old = json_object_get(json_object_get(j->json, "parts"), "dictionary");
	if (json_object_get(old, "at")) { /* it lies elsewhere, and stays there */
		free(from);
		free(to);
		free(cfg_from);
		free(cfg_to);
		return 0;
	}
	json_t *details = json_incref(json_object_get(old, "details"));
	int bad = prune_weights(from, to, atlas_json_build_id(j->json), e) || prune_copy(cfg_from, cfg_to, e);
	if (bad)
		json_decref(details);
	else
		bad = atlas_note_part(j->json, j->to, "dictionary", "sae_weights.safetensors", "prune",
				      details, e);
	free(from);
	free(to);
	free(cfg_from);
	free(cfg_to);
	return bad ? -1 : 0;
}

static int prune_activations(struct job *j, struct err *e)
{
	if (!j->atlas->store)
		return 0;
	char *path = xasprintf("%s/activations.safetensors", j->to);
	int bad = prune_store(j->atlas->store, j->atlas->n_features, (u32)j->window, path,
			      atlas_json_uuid(j->json), atlas_json_build_id(j->json), &j->progress,
			      &j->n_activations, e);
	free(path);
	if (bad)
		return -1;
	atlas_drop_part(j->json, "store");
	return atlas_note_part(j->json, j->to, "store", "activations.safetensors", "prune",
			       json_pack("{s:I}", "window", (json_int_t)j->window), e);
}

/* The other parts go over as they are, and so do their entries. */
static int copy_others(const struct job *j, struct err *e)
{
	const char *part;
	json_t *entry;
	json_object_foreach(json_object_get(j->json, "parts"), part, entry)
	{
		const char *file = json_opt_str(entry, "file", NULL);
		if (!file || !strcmp(part, "dictionary") || !strcmp(part, "store"))
			continue;
		if (strchr(file, '/') || !*file)
			return err_set(e, ERR_DAMAGED, "'%s/atlas.json': '%s' is not a file of this folder",
				       j->from, file);
		char *from = xasprintf("%s/%s", j->from, file), *to = xasprintf("%s/%s", j->to, file);
		int bad = prune_copy(from, to, e);
		free(from);
		free(to);
		if (bad)
			return -1;
	}
	return 0;
}

/* Lines that 'featlas steer --json' printed, and ranges of sweeps; a broken one is refused. */
static int check_runs(const char *path, struct err *e)
{
	FILE *f = fopen(path, "r");
	if (!f)
		return err_os(e, "cannot open '%s'", path);
	char *line = NULL;
	size_t cap = 0, number = 0;
	int bad = 0;
	for (ssize_t n; !bad && (n = getline(&line, &cap, f)) >= 0;) {
		char *what = xasprintf("'%s' line %zu", path, ++number);
		json_t *j = json_parse(line, (size_t)n, what, e);
		const char *text;
		bad = !j || (!json_is_object(json_object_get(j, "range")) &&
			     (json_get_str(j, "prompt", &text, what, e) || json_get_str(j, "steered", &text, what, e)));
		json_decref(j);
		free(what);
	}
	free(line);
	fclose(f);
	return bad ? -1 : 0;
}

static int copy_runs(struct job *j, struct err *e)
{
	if (!j->runs)
		return 0;
	char *to = xasprintf("%s/runs.jsonl", j->to);
	int bad = check_runs(j->runs, e) || prune_copy(j->runs, to, e) ||
		  atlas_note_part(j->json, j->to, "runs", "runs.jsonl", "steer", NULL, e);
	free(to);
	return bad ? -1 : 0;
}

int cmd_prune(const struct cmd_args *a, struct err *e)
{
	struct job j = {.from = a->positional[0], .to = a->positional[1], .runs = arg_str(a, "runs", NULL)};
	int bad = arg_u64(a, "window", PRUNE_WINDOW, 0, 100000, &j.window, e);
	if (!bad && (!(j.atlas = atlas_open(j.from, e)) || !(j.json = atlas_json_read(j.from, e)) ||
		     make_folder(&j, e)))
		bad = -1;
	if (!bad) {
		atlas_json_new_build(j.json);
		char *name = cmd_atlas_name(j.to);
		json_object_set_new(j.json, "name", json_text(name, strlen(name)));
		free(name);
		struct cmd_progress *shown = cmd_progress_start(&j.progress);
		bad = prune_dictionary(&j, e) || prune_activations(&j, e) || copy_others(&j, e) ||
		      copy_runs(&j, e) || atlas_commit(j.json, j.to, e);
		cmd_progress_stop(shown);
	}
	if (!bad)
		printf("%s  %u features  %llu activations kept\n", j.to, j.atlas->n_features,
		       (unsigned long long)j.n_activations);
	json_decref(j.json);
	atlas_free(j.atlas);
	return bad ? -1 : EXIT_OK;
}
