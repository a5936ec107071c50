/* SPDX-License-Identifier: MIT */
/* delphi.c - Delphi's latent caches as a store. */
#include "core/delphi.h"

#include "base/json.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct split {
	char *path;
	u64 start; /* the latent that 0 means */
	u64 end;   /* inclusive; of the unsplit form not known: UINT64_MAX */
	struct safetensors *file;
	const struct tensor *locations, *activations, *tokens;
};

struct delphi {
	char *folder, *run, *module;
	json_t *config;
	struct split *splits;
	size_t n_splits;
	u64 n_rows, n_context;
	u32 n_features;
	u64 n_negative;
	struct progress *progress;
};

static bool is_folder(const char *path)
{
	struct stat st;
	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* "0_1023.safetensors" */
static bool is_split(const char *name, u64 *start, u64 *end)
{
	char *s;
	if (*name < '0' || *name > '9')
		return false;
	errno = 0;
	*start = strtoull(name, &s, 10);
	if (*s != '_' || s[1] < '0' || s[1] > '9')
		return false;
	*end = strtoull(s + 1, &s, 10);
	return !errno && !strcmp(s, ".safetensors");
}

static bool holds_splits(const char *folder)
{
	u64 a, b;
	bool found = false;
	DIR *d = opendir(folder);
	for (struct dirent *x; d && !found && (x = readdir(d));)
		found = is_split(x->d_name, &a, &b);
	if (d)
		closedir(d);
	return found;
}

/* A file of the unsplit form has three arrays that no dictionary has. */
static bool is_unsplit(const char *path)
{
	struct err e = {0};
	size_t n = strlen(path), m = strlen(".safetensors");
	if (n < m || strcmp(path + n - m, ".safetensors"))
		return false;
	struct safetensors *s = safetensors_open(path, &e);
	bool is = s && safetensors_find(s, "locations") && safetensors_find(s, "activations");
	safetensors_free(s);
	return is;
}

static char *latents_of(const char *folder)
{
	char *path = xasprintf("%s/latents", folder);
	if (is_folder(path))
		return path;
	free(path);
	return NULL;
}

bool delphi_is(const char *folder)
{
	char *latents = latents_of(folder);
	bool is = latents || holds_splits(folder) || is_unsplit(folder);
	free(latents);
	return is;
}

/* The one folder of a run's latents that is asked for; module gets its name. */
static char *choose_module(const char *latents, const char *module, struct err *e)
{
	char *found = NULL;
	DIR *d = opendir(latents);
	bool several = false;
	for (struct dirent *x; d && (x = readdir(d));) {
		char *path = xasprintf("%s/%s", latents, x->d_name);
		bool fits = *x->d_name != '.' && (!module || !strcmp(module, x->d_name)) &&
			    (is_folder(path) ? holds_splits(path) : is_unsplit(path));
		several |= fits && found;
		if (fits && !found)
			found = path;
		else
			free(path);
	}
	if (d)
		closedir(d);
	if (several) {
		err_set(e, ERR_USAGE, "'%s' has caches of several modules: --hook says which", latents);
		free(found);
		return NULL;
	}
	if (!found)
		err_set(e, ERR_NOT_FOUND, "'%s' has no cache%s%s", latents, module ? " of " : "", module ? module : "");
	return found;
}

static int by_start(const void *a, const void *b)
{
	const struct split *x = a, *y = b;
	return (x->start > y->start) - (x->start < y->start);
}

static void add_split(struct delphi *d, char *path, u64 start, u64 end)
{
	d->splits = xreallocarray(d->splits, d->n_splits + 1, sizeof *d->splits);
	d->splits[d->n_splits++] = (struct split){.path = path, .start = start, .end = end};
}

static void list_splits(struct delphi *d)
{
	u64 start, end;
	DIR *dir = opendir(d->folder);
	if (!dir)
		add_split(d, xstrdup(d->folder), 0, UINT64_MAX);
	for (struct dirent *x; dir && (x = readdir(dir));)
		if (is_split(x->d_name, &start, &end))
			add_split(d, xasprintf("%s/%s", d->folder, x->d_name), start, end);
	if (dir)
		closedir(dir);
	if (d->n_splits)
		qsort(d->splits, d->n_splits, sizeof *d->splits, by_start);
}

static int open_split(struct delphi *d, size_t i, struct err *e)
{
	static const unsigned whole = 1u << DTYPE_U16 | 1u << DTYPE_U32 | 1u << DTYPE_I64 | 1u << DTYPE_I32 | 1u << DTYPE_U64;
	static const unsigned floats = 1u << DTYPE_F16 | 1u << DTYPE_BF16 | 1u << DTYPE_F32;
	struct split *s = &d->splits[i];
	if (!(s->file = safetensors_open(s->path, e)) ||
	    !(s->locations = safetensors_need(s->file, "locations", whole, 2, (u64[]){TENSOR_ANY, 3}, e)) ||
	    !(s->activations = safetensors_need(s->file, "activations", floats, 1, &s->locations->shape[0], e)))
		return -1;
	if (s->end != UINT64_MAX && (s->end < s->start || s->end >= 1u << 28))
		return err_set(e, ERR_DAMAGED, "'%s' is named for latents %llu to %llu", s->path,
			       (unsigned long long)s->start, (unsigned long long)s->end);
	if (i && (d->splits[i - 1].end == UINT64_MAX || s->start <= d->splits[i - 1].end))
		return err_set(e, ERR_DAMAGED, "'%s' has latents that the file before it has too", s->path);
	if (!safetensors_find(s->file, "tokens"))
		return d->n_context ? 0
				    : err_set(e, ERR_FAILED, "'%s' has no tokens: the cache was saved without them", s->path);
	if (!(s->tokens = safetensors_need(s->file, "tokens", whole, 2, (u64[]){TENSOR_ANY, TENSOR_ANY}, e)))
		return -1;
	u64 rows = s->tokens->shape[0], context = s->tokens->shape[1];
	if (!d->n_context) {
		d->n_rows = rows;
		d->n_context = context;
	}
	if (!context || !rows || rows != d->n_rows || context != d->n_context || rows > UINT32_MAX / context)
		return err_set(e, ERR_DAMAGED, "'%s': tokens of %llu x %llu do not go with the others", s->path,
			       (unsigned long long)rows, (unsigned long long)context);
	return 0;
}

/* Of the unsplit form only the locations say how many latents there are. */
static int count_features(struct delphi *d, struct err *e)
{
	const struct split *s = &d->splits[d->n_splits - 1];
	u64 n = s->end == UINT64_MAX ? 0 : s->end + 1;
	if (s->end == UINT64_MAX)
		for (u64 i = 0; i < s->locations->shape[0]; i++)
			n = MAX(n, tensor_u64(s->locations, 3 * i + 2) + 1);
	if (!n || n > 1u << 28)
		return err_set(e, ERR_DAMAGED, "'%s' has %llu latents", s->path, (unsigned long long)n);
	d->n_features = (u32)n;
	return 0;
}

struct delphi *delphi_open(const char *folder, const char *module, struct err *e)
{
	struct delphi *d = xcalloc(1, sizeof *d);
	char *latents = latents_of(folder);
	d->run = latents ? xstrdup(folder) : NULL;
	d->folder = latents ? choose_module(latents, module, e) : xstrdup(folder);
	free(latents);
	int bad = d->folder ? 0 : -1;
	if (!bad) {
		const char *slash = strrchr(d->folder, '/');
		d->module = xstrdup(module ? module : slash ? slash + 1 : d->folder);
		size_t n = strlen(d->module), m = strlen(".safetensors");
		if (n > m && !strcmp(d->module + n - m, ".safetensors"))
			d->module[n - m] = 0;
		list_splits(d);
		char *path = xasprintf("%s/config.json", d->folder);
		struct stat st;
		if (!stat(path, &st) && !(d->config = json_read_file(path, e)))
			bad = -1;
		free(path);
	}
	if (!bad && !d->n_splits)
		bad = err_set(e, ERR_NOT_FOUND, "'%s' has no START_END.safetensors", folder);
	for (size_t i = 0; !bad && i < d->n_splits; i++)
		bad = open_split(d, i, e);
	if (!bad && !count_features(d, e))
		return d;
	delphi_free(d);
	return NULL;
}

void delphi_free(struct delphi *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n_splits; i++) {
		safetensors_free(d->splits[i].file);
		free(d->splits[i].path);
	}
	free(d->splits);
	json_decref(d->config);
	free(d->folder);
	free(d->run);
	free(d->module);
	free(d);
}

const char *delphi_module(const struct delphi *d)
{
	return d->module;
}

const char *delphi_model(const struct delphi *d)
{
	return json_opt_str(d->config, "model_name", "");
}

const char *delphi_dataset(const struct delphi *d)
{
	return json_opt_str(d->config, "dataset_repo", "");
}

u32 delphi_n_features(const struct delphi *d)
{
	return d->n_features;
}

u64 delphi_n_tokens(const struct delphi *d)
{
	return d->n_rows * d->n_context;
}

char *delphi_explanations(const struct delphi *d)
{
	char *path = d->run ? xasprintf("%s/explanations", d->run) : NULL;
	if (path && is_folder(path))
		return path;
	free(path);
	return NULL;
}

/* ---- activations ---- */

struct place {
	u64 feature, position;
	f32 act;
};

static int read_place(const struct delphi *d, const struct split *s, u64 i, struct place *out, struct err *e)
{
	u64 row = tensor_u64(s->locations, 3 * i), at = tensor_u64(s->locations, 3 * i + 1);
	u64 latent = tensor_u64(s->locations, 3 * i + 2);
	if (row >= d->n_rows || at >= d->n_context || latent >= d->n_features || s->start + latent >= d->n_features ||
	    (s->end != UINT64_MAX && s->start + latent > s->end))
		return err_set(e, ERR_DAMAGED, "'%s': location %llu is (%llu, %llu, %llu), which is outside", s->path,
			       (unsigned long long)i, (unsigned long long)row, (unsigned long long)at,
			       (unsigned long long)latent);
	*out = (struct place){s->start + latent, row * d->n_context + at, tensor_f32(s->activations, i)};
	if (out->act != out->act || out->act > 3e38f)
		return err_set(e, ERR_DAMAGED, "'%s': activation %llu is no number", s->path, (unsigned long long)i);
	return 0;
}

static int count_all(void *context, u64 *count, struct err *e)
{
	struct delphi *d = context;
	struct place p;
	u64 all = 0;
	for (size_t s = 0; s < d->n_splits; s++)
		all += d->splits[s].locations->shape[0];
	progress_start(d->progress, "counting", "activations", all);
	for (size_t s = 0; s < d->n_splits; s++)
		for (u64 i = 0; i < d->splits[s].locations->shape[0]; i++) {
			if (read_place(d, &d->splits[s], i, &p, e))
				return -1;
			if (p.act > 0)
				count[p.feature]++;
			else
				d->n_negative++;
			if (!(i & 0xfffff)) {
				progress_add(d->progress, MIN((u64)0x100000, d->splits[s].locations->shape[0] - i));
				if (progress_cancelled(d->progress))
					return err_set(e, ERR_CANCELLED, "stopped on request; nothing was written");
			}
		}
	return 0;
}

struct posting {
	u32 pos;
	f32 act;
};

static int by_position(const void *a, const void *b)
{
	const struct posting *x = a, *y = b;
	return (x->pos > y->pos) - (x->pos < y->pos);
}

/* The cache's own order is ascending; a cache put together from several need not be. */
static int order(u32 *pos, f32 *act, u64 n, const struct delphi *d, u64 feature, struct err *e)
{
	bool ascends = true;
	for (u64 i = 1; i < n && ascends; i++)
		ascends = pos[i] > pos[i - 1];
	if (ascends)
		return 0;
	struct posting *list = mem_try(n, sizeof *list, "sorting", e);
	if (!list)
		return -1;
	for (u64 i = 0; i < n; i++)
		list[i] = (struct posting){pos[i], act[i]};
	qsort(list, n, sizeof *list, by_position);
	int bad = 0;
	for (u64 i = 0; i < n; i++) {
		pos[i] = list[i].pos;
		act[i] = list[i].act;
		if (i && pos[i] == pos[i - 1])
			bad = err_set(e, ERR_DAMAGED, "'%s': latent %llu fires twice on one token", d->folder,
				      (unsigned long long)feature);
	}
	free(list);
	return bad;
}

static int fill(void *context, u32 first, u32 end, u64 *cursor, u32 *pos, f32 *act, struct err *e)
{
	struct delphi *d = context;
	u64 *from = xmalloc(((size_t)end - first + 1) * sizeof *from);
	memcpy(from, cursor, ((size_t)end - first) * sizeof *from);
	struct place p;
	int bad = 0;
	for (size_t k = 0; k < d->n_splits && !bad; k++) {
		const struct split *s = &d->splits[k];
		if (s->start >= end || s->end < first)
			continue;
		for (u64 i = 0; i < s->locations->shape[0] && !bad; i++) {
			bad = read_place(d, s, i, &p, e);
			if (bad || p.feature < first || p.feature >= end || !(p.act > 0))
				continue;
			u64 at = cursor[p.feature - first]++;
			pos[at] = (u32)p.position;
			act[at] = p.act;
		}
	}
	for (u32 f = first; f < end && !bad; f++) {
		u64 at = from[f - first];
		bad = order(pos + at, act + at, cursor[f - first] - at, d, f, e);
	}
	free(from);
	return bad ? -1 : 0;
}

static int take_tokens(const struct delphi *d, struct index_image *m, struct err *e)
{
	const struct tensor *t = NULL;
	for (size_t s = 0; s < d->n_splits && !t; s++)
		t = d->splits[s].tokens;
	for (u64 i = 0; i < m->n_tokens; i++) {
		u64 id = tensor_u64(t, i);
		if (id >= UINT32_MAX)
			return err_set(e, ERR_DAMAGED, "'%s': token %llu is %llu", d->folder, (unsigned long long)i,
				       (unsigned long long)id);
		m->tokens[i] = (u32)id;
		m->flags[i] = 0;
	}
	for (u64 r = 0; r <= d->n_rows; r++)
		m->text_ptr[r] = r * d->n_context;
	m->n_kept = m->n_tokens;
	return 0;
}

int delphi_store(struct delphi *d, const char *path, u32 n_features, const struct index_options *o, struct pool *pool,
		 struct progress *progress, struct index_report *report, u64 *n_negative, struct err *e)
{
	if (n_features < d->n_features)
		return err_set(e, ERR_FAILED, "'%s' has %u latents, the dictionary only %u features", d->folder, d->n_features,
			       n_features);
	const char *slash = strrchr(path, '/');
	char *folder = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
	struct index_image *m = index_image_new(n_features, o->n_bins, delphi_n_tokens(d), d->n_rows, folder, e);
	const struct index_postings postings = {d, count_all, fill};
	d->progress = progress;
	d->n_negative = 0;
	int bad = !m || take_tokens(d, m, e) || index_sort(m, &postings, path, true, o, pool, progress, report, e) ? -1 : 0;
	*n_negative = d->n_negative;
	index_image_free(m);
	free(folder);
	return bad;
}
