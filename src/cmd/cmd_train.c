/* SPDX-License-Identifier: MIT */
/* cmd_train.c - train OUT.acts ATLAS: a dictionary from harvested activations. */
#include "cmd/cmd.h"

#include "base/mem.h"
#include "core/acts.h"
#include "core/atlas.h"
#include "core/train.h"
#include "core/train_acts.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct job {
	const char *acts_folder, *folder;
	char *checkpoint; /* beside the atlas */
	struct acts *acts;
	size_t hook;
	struct train_acts *rows;
	struct train_source source;
	struct train_config config;
	u64 checkpoint_every;
	enum dtype storage;
	struct pool *pool;
	struct train *train;
	struct train_metrics last;
	struct timespec began;
	u64 first_step;
	bool made; /* the folder was not there */
};

static int read_storage(struct job *j, const struct cmd_args *a, struct err *e)
{
	static const struct {
		const char *name;
		enum dtype type;
	} types[] = {{"float32", DTYPE_F32}, {"float16", DTYPE_F16}, {"bfloat16", DTYPE_BF16}};
	const char *name = arg_str(a, "dtype", "float32");
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (!strcmp(name, types[i].name)) {
			j->storage = types[i].type;
			return 0;
		}
	return err_set(e, ERR_USAGE, "--dtype wants float32, float16 or bfloat16, not '%s'", name);
}

static int read_numbers(struct job *j, const struct cmd_args *a, struct err *e)
{
	u64 features, k, batch, tokens;
	if (!arg_flag(a, "features") || !arg_flag(a, "k"))
		return err_set(e, ERR_USAGE, "--features F and -k K say how large the dictionary is to be");
	if (arg_u64(a, "features", 0, 1, 1u << 24, &features, e) || arg_u64(a, "k", 0, 1, 4096, &k, e) ||
	    arg_u64(a, "batch", 4096, 1, 1u << 20, &batch, e) ||
	    arg_u64(a, "seed", 1, 0, UINT64_MAX, &j->config.seed, e) ||
	    arg_u64(a, "steps", 0, 1, 1u << 30, &j->config.steps, e) ||
	    arg_u64(a, "tokens", 0, 1, (u64)1 << 50, &tokens, e) ||
	    arg_u64(a, "checkpoint-every", 500, 0, 1u << 30, &j->checkpoint_every, e) ||
	    arg_f64(a, "lr", 8e-4 * sqrt(8192.0 / (f64)features), &j->config.rate, e))
		return -1;
	if (j->config.steps && tokens)
		return err_set(e, ERR_USAGE, "--steps and --tokens say the same thing twice");
	if (!(j->config.rate > 0) || j->config.rate > 1)
		return err_set(e, ERR_USAGE, "--lr wants a number above 0 and up to 1");
	j->config.kind = train_kind_named(arg_str(a, "kind", "topk"), e);
	if (!j->config.kind)
		return -1;
	if (tokens)
		j->config.steps = (tokens + batch - 1) / batch;
	j->config.n_features = (u32)features;
	j->config.k = (u32)k;
	j->config.batch = (u32)batch;
	return read_storage(j, a, e);
}

/* A dictionary there is someone's, with an atlas around it or without. */
static int make_folder(struct job *j, struct err *e)
{
	static const char *const files[] = {"atlas.json", "sae_weights.safetensors", "cfg.json"};
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char *path = xasprintf("%s/%s", j->folder, files[i]);
		bool there = !access(path, F_OK);
		if (there)
			err_set(e, ERR_FAILED, "'%s' is there already; train into a folder of its own", path);
		free(path);
		if (there)
			return -1;
	}
	struct stat st;
	if (!stat(j->folder, &st) && !S_ISDIR(st.st_mode))
		return err_set(e, ERR_FAILED, "'%s' is there already, and is no folder", j->folder);
	j->made = !mkdir(j->folder, 0777);
	return j->made || errno == EEXIST ? 0 : err_os(e, "cannot make '%s'", j->folder);
}

static int open_rows(struct job *j, const struct cmd_args *a, struct err *e)
{
	j->acts = acts_open(j->acts_folder, e);
	if (!j->acts || acts_find_hook(j->acts, arg_str(a, "hook", NULL), &j->hook, e))
		return -1;
	j->rows = train_acts_new(j->acts, j->hook, e);
	if (!j->rows)
		return -1;
	train_acts_source(j->rows, &j->source);
	if (!j->config.steps) /* two looks at every row */
		j->config.steps = MAX((u64)1, 2 * j->source.n[0] / j->config.batch);
	return 0;
}

static int start(struct job *j, struct err *e)
{
	j->train = train_new(&j->source, &j->config, j->pool, e);
	if (!j->train)
		return -1;
	if (!access(j->checkpoint, F_OK)) {
		if (train_load(j->train, j->checkpoint, e))
			return err_wrap(e,
					"cannot go on where it stopped; remove the checkpoint to start anew");
		fprintf(stderr, "going on after step %llu, from '%s'\n",
			(unsigned long long)train_steps_done(j->train), j->checkpoint);
	}
	j->first_step = train_steps_done(j->train);
	clock_gettime(CLOCK_MONOTONIC, &j->began);
	fprintf(stderr, "%llu rows to train on, %llu held out; %llu steps of %u\n",
		(unsigned long long)j->source.n[0], (unsigned long long)j->source.n[1],
		(unsigned long long)j->config.steps, j->config.batch);
	return 0;
}

static void say(void *context, const struct train_metrics *m)
{
	struct job *j = context;
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	f64 s = (f64)(t.tv_sec - j->began.tv_sec) + (f64)(t.tv_nsec - j->began.tv_nsec) * 1e-9;
	j->last = *m;
	fprintf(stderr, "%sstep %llu  fvu %.4f  l0 %.1f  dead %llu  loss %.4f  %.0f tokens/s\n",
		isatty(2) ? "\r\033[K" : "", (unsigned long long)m->step, m->fvu, m->l0,
		(unsigned long long)m->n_dead, m->loss,
		(f64)((m->step - j->first_step) * j->config.batch) / s);
}

static json_t *metrics(const struct job *j)
{
	const struct train_metrics *m = &j->last;
	return json_pack("{s:f, s:f, s:f, s:I, s:I, s:I, s:f, s:i, s:i, s:s}", "fvu", m->fvu, "l0", m->l0,
			 "dead_share", (f64)m->n_dead / j->config.n_features, "tokens", (json_int_t)m->tokens,
			 "steps", (json_int_t)m->step, "seed", (json_int_t)j->config.seed, "lr",
			 j->config.rate, "k", (int)j->config.k, "batch", (int)j->config.batch, "kind",
			 j->config.kind->name);
}

/* What acts.json knows of model, template and mask goes over as it is. */
static json_t *atlas_json(const struct job *j)
{
	static const char *const kept[] = {"model", "template", "mask"};
	const json_t *about = acts_json(j->acts);
	char *name = cmd_atlas_name(j->folder);
	json_t *json = atlas_json_new(name);
	free(name);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (json_object_get(about, kept[i]))
			json_object_set(json, kept[i], json_object_get(about, kept[i]));
	const char *hook = acts_hook(j->acts, j->hook), *place = strstr(hook, "hook_");
	json_object_set_new(json, "hook",
			    json_pack("{s:s, s:I, s:s}", "name", hook, "layer",
				      (json_int_t)acts_layer(j->acts, j->hook), "place",
				      place ? place + strlen("hook_") : ""));
	json_object_set_new(json, "norm_median", json_f32(acts_norm_median(j->acts, j->hook)));
	return json;
}

static json_t *sae_about(const struct job *j)
{
	const json_t *model = json_object_get(acts_json(j->acts), "model");
	return json_pack("{s:s, s:s, s:b, s:i, s:b}", "model_name", json_opt_str(model, "name", ""),
			 "hook_name", acts_hook(j->acts, j->hook), "prepend_bos", 0, "context_size",
			 (int)json_opt_u64(acts_json(j->acts), "context_size", 512), "exclude_special_tokens",
			 1);
}

static int finish(struct job *j, struct err *e)
{
	struct dict_weights w;
	json_t *json = atlas_json(j), *about = sae_about(j);
	train_weights(j->train, &w);
	json_object_set_new(json, "training", metrics(j));
	int bad = dict_write(j->folder, &w, j->storage, about, atlas_json_uuid(json),
			     json_opt_str(json, "build_id", ""), e) ||
				  atlas_note_part(json, j->folder, "dictionary", "sae_weights.safetensors",
						  "train", NULL, e) ||
				  atlas_commit(json, j->folder, e)
			  ? -1
			  : 0;
	if (!bad)
		unlink(j->checkpoint);
	json_decref(about);
	json_decref(json);
	return bad;
}

static int work(struct job *j, struct progress *p, struct err *e)
{
	struct train_run run = {.checkpoint = j->checkpoint,
				.checkpoint_every = j->checkpoint_every,
				.say = say,
				.context = j};
	if (start(j, e))
		return -1;
	struct cmd_progress *shown = cmd_progress_start(p);
	int bad = train_go(j->train, &run, p, e);
	cmd_progress_stop(shown);
	if (bad && e->code == ERR_CANCELLED)
		return err_set(e, ERR_CANCELLED,
			       "stopped after step %llu; the same command goes on from there",
			       (unsigned long long)train_steps_done(j->train));
	if (bad)
		return -1;
	if (!j->last.step) /* the checkpoint was of the last step */
		bad = train_measure(j->train, &j->last, e);
	return bad ? -1 : finish(j, e);
}

int cmd_train(const struct cmd_args *a, struct err *e)
{
	struct job j = {.acts_folder = a->positional[0], .folder = a->positional[1]};
	struct progress p = {0};
	size_t n = strlen(j.folder);
	while (n > 1 && j.folder[n - 1] == '/')
		n--;
	j.checkpoint = xasprintf("%.*s.checkpoint", (int)n, j.folder);
	int status = -1;
	if (!read_numbers(&j, a, e) && !open_rows(&j, a, e) && !make_folder(&j, e)) {
		j.pool = pool_new(0);
		status = work(&j, &p, e) ? -1 : EXIT_OK;
	}
	if (status != EXIT_OK && j.made)
		rmdir(j.folder); /* which stays where something was written into it */
	if (status == EXIT_OK && arg_flag(a, "json"))
		cmd_print_json(metrics(&j));
	else if (status == EXIT_OK)
		printf("%s  %s, %u features, k %u  fvu %.4f  l0 %.1f  dead %.2f %%\n", j.folder,
		       j.config.kind->name, j.config.n_features, j.config.k, j.last.fvu, j.last.l0,
		       100.0 * (f64)j.last.n_dead / j.config.n_features);
	train_free(j.train);
	pool_free(j.pool);
	train_acts_free(j.rows);
	acts_free(j.acts);
	free(j.checkpoint);
	return status;
}
