/* SPDX-License-Identifier: MIT */
/* delphi_atlas.c - an atlas out of a Delphi cache. */
#include "core/delphi.h"

#include "base/json.h"
#include "base/mem.h"
#include "core/atlas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct job {
	struct delphi *d;
	const char *out;
	const struct delphi_options *o;
	json_t *json;
	struct delphi_report *report;
};

static const char *hook_of(const struct job *j)
{
	return j->o->hook ? j->o->hook : delphi_module(j->d);
}

static const char *model_of(const struct job *j)
{
	return j->o->model ? j->o->model : delphi_model(j->d);
}

static json_t *text(const char *s)
{
	return json_text(s, strlen(s));
}

static int note(struct job *j, const char *part, const char *file, struct err *e)
{
	return atlas_note_part(j->json, j->out, part, file, "import", json_pack("{s:s}", "from", "Delphi cache"), e);
}

/* What stands for the dictionary: its number of features, and no numbers. */
static int write_stand_in(struct job *j, struct err *e)
{
	u64 f = j->report->n_features;
	json_t *cfg = json_pack("{s:s, s:i, s:I, s:b, s:s, s:{s:o, s:o}}", "architecture", "none", "d_in", 0, "d_sae",
				(json_int_t)f, "apply_b_dec_to_input", 0, "normalize_activations", "none", "metadata",
				"model_name", text(model_of(j)), "hook_name", text(hook_of(j)));
	const char *const meta[] = {"format", "pt", "uuid", atlas_json_uuid(j->json), "build_id",
				    atlas_json_build_id(j->json), NULL};
	const struct tensor_out none = {"W_dec", DTYPE_F32, 2, {f, 0}, ""};
	char *path = xasprintf("%s/cfg.json", j->out), *weights = xasprintf("%s/sae_weights.safetensors", j->out);
	int bad = json_write_file(path, cfg, e) || safetensors_write_file(weights, &none, 1, meta, e) ? -1 : 0;
	free(path);
	free(weights);
	json_decref(cfg);
	return bad || note(j, "dictionary", "sae_weights.safetensors", e) ? -1 : 0;
}

static int write_store(struct job *j, struct pool *pool, struct progress *progress, struct err *e)
{
	struct index_options o = index_defaults;
	o.uuid = atlas_json_uuid(j->json);
	o.build_id = atlas_json_build_id(j->json);
	char *path = xasprintf("%s/activations.safetensors", j->out);
	int bad = delphi_store(j->d, path, j->report->n_features, &o, pool, progress, &j->report->store,
			       &j->report->n_negative, e);
	free(path);
	return bad || note(j, "store", "activations.safetensors", e) ? -1 : 0;
}

static int write_labels(struct job *j, struct err *e)
{
	char *folder = delphi_explanations(j->d);
	struct delphi_labels l = {0};
	if (!folder)
		return 0;
	int bad = delphi_labels_read(folder, delphi_module(j->d), &l, e);
	for (u64 i = 0; !bad && i < l.n; i++)
		if (l.items[i].feature >= j->report->n_features)
			bad = err_set(e, ERR_DAMAGED, "'%s' explains latent %u, the cache has %u", folder, l.items[i].feature,
				      j->report->n_features);
	if (!bad && l.n) {
		char *path = xasprintf("%s/labels.safetensors", j->out);
		bad = labels_write(path, l.items, l.n, atlas_json_uuid(j->json), atlas_json_build_id(j->json), e) ||
				      note(j, "labels", "labels.safetensors", e)
			      ? -1
			      : 0;
		free(path);
	}
	j->report->n_labels = l.n;
	delphi_labels_release(&l);
	free(folder);
	return bad;
}

static void describe(struct job *j)
{
	const char *hook = hook_of(j), *digits = hook + strcspn(hook, "0123456789");
	json_object_set_new(j->json, "model", json_pack("{s:o, s:s, s:s, s:i, s:i, s:i}", "name", text(model_of(j)), "sha256",
							"", "tokenizer", "", "d_model", 0, "n_layers", 0, "n_vocab", 0));
	json_object_set_new(j->json, "hook", json_pack("{s:o, s:i, s:s}", "name", text(hook), "layer",
						       (int)MIN(strtoul(digits, NULL, 10), 65535ul), "place", ""));
	json_object_set_new(j->json, "norm_median", json_null());
	json_object_set_new(j->json, "template", json_string(""));
	json_object_set_new(j->json, "corpus", text(delphi_dataset(j->d)));
}

static int work(struct job *j, const char *source, struct pool *pool, struct progress *progress, struct err *e)
{
	struct stat st;
	char *there = xasprintf("%s/atlas.json", j->out);
	int bad = stat(there, &st) ? 0 : err_set(e, ERR_USAGE, "'%s' holds an atlas already", j->out);
	free(there);
	if (bad || !(j->d = delphi_open(source, j->o->hook, e)))
		return -1;
	j->report->n_features = MAX(j->o->n_features, delphi_n_features(j->d));
	if (mkdir(j->out, 0777) && errno != EEXIST)
		return err_os(e, "cannot make '%s'", j->out);
	j->json = atlas_json_new(j->o->name);
	describe(j);
	return write_stand_in(j, e) || write_store(j, pool, progress, e) || write_labels(j, e) ||
			       atlas_commit(j->json, j->out, e)
		       ? -1
		       : 0;
}

int delphi_atlas(const char *source, const char *out, const struct delphi_options *o, struct pool *pool,
		 struct progress *progress, struct delphi_report *report, struct err *e)
{
	struct job j = {.out = out, .o = o, .report = report};
	*report = (struct delphi_report){0};
	int bad = work(&j, source, pool, progress, e);
	delphi_free(j.d);
	json_decref(j.json);
	return bad;
}
