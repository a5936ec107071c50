/* SPDX-License-Identifier: MIT */
/* import_plan.c - what a source is, and its files in order. */
#include "core/import_read.h"

#include "base/mem.h"
#include "io/jstream.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	BATCH_BYTES = 1 << 20, /* files of one feature each go together, until they are this large */
	GRAPH = IMPORT_N_FORMATS
};

/* ---- one file ---- */

/* A member that only one format has at the top. */
static const struct jstream_path signs[] = {
	{".most_positive_activation_records", IMPORT_NEURON},
	{".random_sample_by_quantile", IMPORT_NEURON},
	{".scored_explanations", IMPORT_NEURON_LABELS},
	{".examples_quantiles", IMPORT_CIRCUIT},
	{".mean_act_squared", IMPORT_VIEWER},
	{".mean_act", IMPORT_VIEWER},
	{".features", IMPORT_DASHBOARD},
	{".skipped_indexes", IMPORT_SKIPPED},
	{".maxActApprox", IMPORT_NP_FEATURES},
	{".frac_nonzero", IMPORT_NP_FEATURES},
	{".pos_str", IMPORT_NP_FEATURES},
	{".description", IMPORT_NP_EXPLANATIONS},
	{".explanationModelName", IMPORT_NP_EXPLANATIONS},
	{".maxValueTokenIndex", IMPORT_NP_ACTIVATIONS},
	{".values", IMPORT_NP_ACTIVATIONS},
	{".nodes", GRAPH},
};

static int on_sign(void *context, const struct jstream_event *v, struct err *e)
{
	*(int *)context = v->id;
	return err_set(e, ERR_CANCELLED, "seen enough");
}

int import_look(const char *path, struct err *e)
{
	int format = -1;
	struct err why = {0};
	int bad = jstream_file(path, signs, ARRAY_LEN(signs), on_sign, &format, NULL, &why);
	if (format == GRAPH)
		return err_set(
			e, ERR_FAILED,
			"'%s' is an attribution graph: its labels go into an atlas that is there already",
			path);
	if (format >= 0)
		return format;
	size_t n = strlen(path);
	if (n > 4 && (!strcmp(path + n - 4, ".csv") || !strcmp(path + n - 4, ".tsv")))
		return err_set(e, ERR_FAILED,
			       "'%s' looks like labels, which go into an atlas that is there already", path);
	if (bad)
		return err_set(e, why.code, "%s", why.msg);
	return err_set(e, ERR_FAILED, "'%s' is of no format known here; see featlas-formats(7)", path);
}

/* ---- folders ---- */

static bool ends(const char *s, const char *with)
{
	size_t n = strlen(s), m = strlen(with);
	return n >= m && !strcmp(s + n - m, with);
}

static bool is_lines(const char *name)
{
	return ends(name, ".jsonl") || ends(name, ".jsonl.gz");
}

static bool is_json(const char *name)
{
	return ends(name, ".json") || ends(name, ".json.gz") || is_lines(name);
}

static int add_file(struct import_plan *p, const char *path, enum import_format format, struct err *e)
{
	struct stat st;
	if (stat(path, &st))
		return err_os(e, "cannot open '%s'", path);
	if (p->n_files == p->cap_files) {
		p->cap_files = 2 * p->cap_files + 64;
		p->files = xreallocarray(p->files, p->cap_files, sizeof *p->files);
	}
	p->files[p->n_files++] =
		(struct import_file){xstrdup(path), format, (u64)st.st_size,
				     (i64)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec};
	return 0;
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

static int pick(const struct dirent *d)
{
	return is_json(d->d_name) && d->d_name[0] != '.';
}

/* Files that stand beside what they describe and hold nothing of a feature. */
static bool is_beside(const char *name)
{
	static const char *const names[] = {"run_settings.json", "cfg.json",	  "config.json",
					    "release.jsonl",	 "model.jsonl",	  "sourceset.jsonl",
					    "index.json",	 "index.json.gz", "scan_config.json"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* The JSON files of a folder: of one format, or (-1) each by its look. */
static int add_folder(struct import_plan *p, const char *folder, int format, struct err *e)
{
	struct dirent **list = NULL;
	int n = scandir(folder, &list, pick, by_number), bad = 0;
	if (n < 0)
		return errno == ENOENT && format >= 0 ? 0 : err_os(e, "cannot read '%s'", folder);
	for (int i = 0; i < n; i++) {
		char *path = xasprintf("%s/%s", folder, list[i]->d_name);
		if (!bad && !is_beside(list[i]->d_name)) {
			int what = format >= 0 ? format : import_look(path, e);
			bad = what < 0 || add_file(p, path, (enum import_format)what, e);
		}
		free(path);
		free(list[i]);
	}
	free(list);
	return bad ? -1 : 0;
}

static bool is_folder(const char *path)
{
	struct stat st;
	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* Activations first: the first batch's tokens are everybody's. */
static int add_neuronpedia(struct import_plan *p, const char *folder, struct err *e)
{
	static const struct {
		const char *name;
		enum import_format format;
	} parts[] = {{"activations", IMPORT_NP_ACTIVATIONS},
		     {"features", IMPORT_NP_FEATURES},
		     {"explanations", IMPORT_NP_EXPLANATIONS}};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		char *path = xasprintf("%s/%s", folder, parts[i].name);
		int bad = add_folder(p, path, (int)parts[i].format, e);
		free(path);
		if (bad)
			return -1;
	}
	static const char *const sources[] = {"source.jsonl", "source.jsonl.gz"};
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		char *path = xasprintf("%s/%s", folder, sources[i]);
		struct stat st;
		int bad = !stat(path, &st) && add_file(p, path, IMPORT_NP_SOURCE, e);
		free(path);
		if (bad)
			return -1;
	}
	p->name = "Neuronpedia export";
	return 0;
}

static bool is_neuronpedia(const char *folder)
{
	static const char *const parts[] = {"activations", "features", "explanations"};
	bool is = false;
	for (size_t i = 0; i < ARRAY_LEN(parts) && !is; i++) {
		char *path = xasprintf("%s/%s", folder, parts[i]);
		is = is_folder(path);
		free(path);
	}
	return is;
}

static int add_source(struct import_plan *p, const char *source, struct err *e)
{
	if (is_folder(source))
		return is_neuronpedia(source) ? add_neuronpedia(p, source, e) : add_folder(p, source, -1, e);
	struct stat st;
	if (stat(source, &st))
		return err_os(e, "cannot open '%s'", source);
	int format = import_look(source, e);
	return format < 0 ? -1 : add_file(p, source, (enum import_format)format, e);
}

static const char *name_of(enum import_format f)
{
	switch (f) {
	case IMPORT_DASHBOARD:
	case IMPORT_SKIPPED:
		return "SAEDashboard files";
	case IMPORT_NEURON:
	case IMPORT_NEURON_LABELS:
		return "neuron records";
	case IMPORT_VIEWER:
		return "SAE viewer files";
	case IMPORT_CIRCUIT:
		return "circuit-tracer features";
	default:
		return "Neuronpedia export";
	}
}

static bool is_small(enum import_format f)
{
	return f >= IMPORT_NEURON && f < IMPORT_N_FORMATS;
}

static void make_batches(struct import_plan *p)
{
	p->first = xcalloc(p->n_files + 2, sizeof *p->first);
	u64 bytes = 0;
	for (u32 i = 0; i < p->n_files; i++) {
		bool joins = i && is_small(p->files[i - 1].format) && is_small(p->files[i].format);
		if (!joins || bytes + p->files[i].bytes > BATCH_BYTES) {
			p->first[p->n_batches++] = i;
			bytes = 0;
		}
		bytes += p->files[i].bytes;
	}
	p->first[p->n_batches] = p->n_files;
}

int import_plan_make(struct import_plan *p, const char *const *sources, size_t n, struct err *e)
{
	*p = (struct import_plan){0};
	for (size_t i = 0; i < n; i++)
		if (add_source(p, sources[i], e))
			return -1;
	if (!p->n_files)
		return err_set(e, ERR_NOT_FOUND, "'%s' holds nothing to import; see featlas-formats(7)",
			       sources[0]);
	if (!p->name)
		p->name = name_of(p->files[0].format);
	make_batches(p);
	return 0;
}

void import_plan_release(struct import_plan *p)
{
	for (u32 i = 0; i < p->n_files; i++)
		free(p->files[i].path);
	free(p->files);
	free(p->first);
	*p = (struct import_plan){0};
}

json_t *import_plan_key(const struct import_plan *p)
{
	json_t *files = json_array();
	for (u32 i = 0; i < p->n_files; i++) {
		const struct import_file *f = &p->files[i];
		char *real = realpath(f->path, NULL);
		const char *path = real ? real : f->path;
		json_array_append_new(files,
				      json_pack("[o, i, I, I]", json_text(path, strlen(path)), (int)f->format,
						(json_int_t)f->bytes, (json_int_t)f->time));
		free(real);
	}
	return json_pack("{s:i, s:o}", "version", 1, "files", files);
}
