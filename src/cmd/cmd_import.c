/* SPDX-License-Identifier: MIT */
/* cmd_import.c - import SOURCE... OUT.atlas: dashboards and labels made elsewhere.
 *
 * Where OUT is an atlas already the sources are files of labels for it. */
#include "cmd/import.h"

#include "base/mem.h"
#include "base/pool.h"
#include "core/delphi.h"
#include "core/dict.h"
#include "core/import_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct job {
	const char *out;
	struct import_plan plan;
	struct import *import;
	struct import_options options;
	struct import_report report;
	struct progress progress;
	struct dict_options dict_options;
	char *name, *hook; /* hook: of --dict */
};

/* What is an atlas already takes labels. */
static bool is_atlas(const char *folder)
{
	char *path = xasprintf("%s/atlas.json", folder);
	bool is = !access(path, F_OK);
	free(path);
	return is;
}

static json_t *details_of(const struct import_plan *p)
{
	u64 bytes = 0;
	for (u32 i = 0; i < p->n_files; i++)
		bytes += p->files[i].bytes;
	return json_pack("{s:s, s:I, s:I}", "from", p->name, "files", (json_int_t)p->n_files, "bytes",
			 (json_int_t)bytes);
}

static void print_report(const struct job *j, bool json)
{
	const struct import_report *r = &j->report;
	if (json) {
		cmd_print_json(json_pack(
			"{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "from", j->plan.name, "n_features",
			(json_int_t)r->n_features, "n_contexts", (json_int_t)r->n_contexts, "n_tokens",
			(json_int_t)r->n_tokens, "n_activations", (json_int_t)r->n_activations, "n_vocab",
			(json_int_t)r->n_vocab, "n_labels", (json_int_t)r->n_labels, "n_repeated",
			(json_int_t)r->n_repeated, "n_negative", (json_int_t)r->n_negative));
		return;
	}
	printf("%s: %s  %u features  %llu contexts of %llu tokens  %llu labels\n", j->out, j->plan.name,
	       r->n_features, (unsigned long long)r->n_contexts, (unsigned long long)r->n_tokens,
	       (unsigned long long)r->n_labels);
	if (r->n_repeated)
		printf("%llu records stood there again; the last of each counts\n",
		       (unsigned long long)r->n_repeated);
	if (r->n_negative)
		printf("%llu activations below zero are left out\n", (unsigned long long)r->n_negative);
}

static int import_all(struct job *j, const struct cmd_args *a, struct pool *pool, struct err *e)
{
	if (import_plan_make(&j->plan, a->positional, a->n_positional - 1, e))
		return -1;
	json_t *key = import_plan_key(&j->plan);
	j->import = import_new(j->out, key, e);
	json_decref(key);
	if (!j->import)
		return -1;
	u32 there = 0;
	for (u32 i = 0; i < j->plan.n_batches; i++)
		there += import_has(j->import, i);
	if (there)
		fprintf(stderr, "featlas import: going on; %u of %u batches are there\n", there,
			j->plan.n_batches);
	j->options.details = details_of(&j->plan);
	return import_read(j->import, &j->plan, pool, &j->progress, e) ||
	       import_finish(j->import, &j->options, &j->progress, &j->report, e);
}

/* A latent cache has every activation: it needs no merging. */
static int import_delphi(const struct cmd_args *a, struct err *e)
{
	const char *source = a->positional[0], *out = a->positional[1];
	struct delphi_report r;
	struct progress p = {0};
	char *name = cmd_atlas_name(out);
	struct delphi_options o = {name, arg_str(a, "model", NULL), arg_str(a, "hook", NULL), 0};
	struct pool *pool = pool_new(0);
	struct cmd_progress *shown = cmd_progress_start(&p);
	int bad = delphi_atlas(source, out, &o, pool, &p, &r, e);
	cmd_progress_stop(shown);
	pool_free(pool);
	free(name);
	if (bad)
		return -1;
	const struct index_report *s = &r.store;
	if (arg_flag(a, "json"))
		cmd_print_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "from", "Delphi cache",
					 "n_features", (json_int_t)r.n_features, "n_contexts",
					 (json_int_t)s->n_contexts, "n_tokens", (json_int_t)s->n_tokens,
					 "n_activations", (json_int_t)s->n_activations, "n_labels",
					 (json_int_t)r.n_labels, "n_negative", (json_int_t)r.n_negative));
	else
		printf("%s: Delphi cache  %u features  %llu tokens, %llu activations  %llu labels\n", out,
		       r.n_features, (unsigned long long)s->n_tokens, (unsigned long long)s->n_activations,
		       (unsigned long long)r.n_labels);
	return EXIT_OK;
}

/* Folders, and files whose ending promises weights: of others only importing says what is wrong. */
static bool may_be_weights(const char *path)
{
	static const char *const ends[] = {".safetensors", ".npz", ".pt", ".pth"};
	size_t n = strlen(path);
	struct stat st;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (n > strlen(ends[i]) && !strcmp(path + n - strlen(ends[i]), ends[i]))
			return true;
	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* A dictionary alone: an atlas that names it where it lies.  1: it is none, and something else may be. */
static int link_dictionary(const struct cmd_args *a, const char *out, struct err *e)
{
	struct dict_options o;
	if (a->n_positional != 2 || arg_str(a, "dict", NULL))
		return 1;
	if (cmd_dict_options(a, &o, e))
		return -1;
	struct dict *d = dict_open_with(a->positional[0], &o, e);
	if (!d)
		return e->code == ERR_NOT_FOUND || !may_be_weights(a->positional[0]) ? 1 : -1;
	char *name = cmd_atlas_name(out);
	int bad = atlas_link(a->positional[0], &o, out, name, e) || cmd_check_weights(out, e) ? -1 : 0;
	const struct dict_info *i = dict_info(d);
	if (!bad && arg_flag(a, "json"))
		cmd_print_json(json_pack("{s:s, s:s, s:I}", "from", i->format, "architecture", i->arch_name,
					 "n_features", (json_int_t)i->n_features));
	else if (!bad)
		printf("%s: %s, %s, %u features, where they lie\n", out, i->format, i->arch_name,
		       i->n_features);
	free(name);
	dict_free(d);
	return bad;
}

/* Examples of one place beside the weights of another are no atlas of either. */
static void compare_hooks(const struct job *j)
{
	json_t *json = atlas_json_read(j->out, NULL);
	const char *hook = json_opt_str(json_object_get(json, "hook"), "name", "");
	if (j->hook && *j->hook && *hook && strcmp(hook, j->hook))
		fprintf(stderr, "featlas import: warning: the dashboards are of %s, the dictionary says %s\n", hook, j->hook);
	json_decref(json);
}

/* --dict: what the dashboards are of, so its size is the atlas's. */
static int read_dict(struct job *j, const struct cmd_args *a, struct err *e)
{
	j->options.dict = arg_str(a, "dict", NULL);
	if (!j->options.dict)
		return 0;
	if (cmd_dict_options(a, &j->dict_options, e))
		return -1;
	j->options.dict_options = &j->dict_options;
	struct dict *d = dict_open_with(j->options.dict, &j->dict_options, e);
	if (d) {
		j->hook = xstrdup(dict_info(d)->hook_name);
		j->options.n_features = dict_info(d)->n_features;
		j->options.d_model = dict_info(d)->d_in;
	}
	dict_free(d);
	return d ? 0 : -1;
}

int cmd_import(const struct cmd_args *a, struct err *e)
{
	u64 workers;
	struct job j = {.out = a->positional[a->n_positional - 1]};
	if (is_atlas(j.out))
		return import_labels(a, e);
	if (a->n_positional == 2 && delphi_is(a->positional[0]))
		return import_delphi(a, e);
	if (arg_u64(a, "workers", 0, 0, 256, &workers, e))
		return -1;
	int linked = link_dictionary(a, j.out, e);
	if (linked < 1 || read_dict(&j, a, e))
		return linked < 1 ? linked : -1;
	j.name = cmd_atlas_name(j.out);
	j.options.name = j.name;
	j.options.model = arg_str(a, "model", NULL);
	j.options.hook = arg_str(a, "hook", NULL);
	struct pool *pool = pool_new((unsigned)workers);
	struct cmd_progress *shown = cmd_progress_start(&j.progress);
	int bad = import_all(&j, a, pool, e);
	cmd_progress_stop(shown);
	if (!bad)
		print_report(&j, arg_flag(a, "json"));
	if (!bad)
		compare_hooks(&j);
	free(j.hook);
	pool_free(pool);
	import_free(j.import);
	import_plan_release(&j.plan);
	json_decref(j.options.details);
	free(j.name);
	return bad ? -1 : EXIT_OK;
}
