/* SPDX-License-Identifier: MIT */
/* acts.c - reading a folder of harvested activations. */
#include "core/acts.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct shard {
	char *path;
	u64 first, n, first_text, n_texts;
	struct safetensors *file; /* NULL until asked for */
};

struct hook {
	const char *name, *tensor; /* in json */
	u32 layer;
	f32 norm_median;
};

struct acts {
	char *folder;
	json_t *json;
	u32 d;
	u64 n_tokens, n_texts;
	struct hook *hooks;
	size_t n_hooks;
	struct shard *shards;
	size_t n_shards;
};

u32 acts_layer_of(const char *hook)
{
	static const char start[] = "blocks.";
	if (strncmp(hook, start, sizeof start - 1))
		return UINT32_MAX;
	char *end;
	unsigned long v = strtoul(hook + sizeof start - 1, &end, 10);
	return *end == '.' && end != hook + sizeof start - 1 && v < 100000 ? (u32)v : UINT32_MAX;
}

bool acts_held_out(u64 text)
{
	/* splitmix64's finish: neighbours fall apart, so no order of the corpus shows */
	u64 z = text + 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % ACTS_HELD_OUT == 0;
}

static int read_hooks(struct acts *a, const char *what, struct err *e)
{
	const json_t *list = json_object_get(a->json, "hooks");
	a->n_hooks = json_array_size(list);
	if (!a->n_hooks || a->n_hooks > 4096)
		return err_set(e, ERR_DAMAGED, "%s: 'hooks' is not a list of hooks", what);
	a->hooks = xcalloc(a->n_hooks, sizeof *a->hooks);
	for (size_t i = 0; i < a->n_hooks; i++) {
		const json_t *j = json_array_get(list, i);
		struct hook *h = &a->hooks[i];
		u64 layer;
		if (json_get_str(j, "name", &h->name, what, e) ||
		    json_get_str(j, "tensor", &h->tensor, what, e) ||
		    json_get_u64(j, "layer", UINT32_MAX, &layer, what, e))
			return -1;
		h->layer = (u32)layer;
		h->norm_median = (f32)json_opt_f64(j, "norm_median", 0);
	}
	return 0;
}

static int read_shards(struct acts *a, const char *what, struct err *e)
{
	const json_t *list = json_object_get(a->json, "shards");
	if (!json_is_array(list))
		return err_set(e, ERR_DAMAGED, "%s: 'shards' is not a list", what);
	a->n_shards = json_array_size(list);
	a->shards = xcalloc(a->n_shards, sizeof *a->shards);
	for (size_t i = 0; i < a->n_shards; i++) {
		const json_t *j = json_array_get(list, i);
		struct shard *s = &a->shards[i];
		const char *file;
		if (json_get_str(j, "file", &file, what, e) ||
		    json_get_u64(j, "n_tokens", UINT32_MAX, &s->n, what, e) ||
		    json_get_u64(j, "n_texts", UINT32_MAX, &s->n_texts, what, e))
			return -1;
		if (strchr(file, '/') || !*file)
			return err_set(e, ERR_DAMAGED, "%s: shard '%s' is not a file of this folder", what,
				       file);
		s->path = xasprintf("%s/%s", a->folder, file);
		s->first = a->n_tokens;
		s->first_text = a->n_texts;
		a->n_tokens += s->n;
		a->n_texts += s->n_texts;
	}
	return 0;
}

static int read_about(struct acts *a, const char *what, struct err *e)
{
	const char *format;
	u64 version, d;
	if (json_get_str(a->json, "format", &format, what, e))
		return -1;
	if (strcmp(format, "featlas-acts"))
		return err_set(e, ERR_DAMAGED, "%s: the format is '%s', not 'featlas-acts'", what, format);
	if (json_get_u64(a->json, "version", UINT32_MAX, &version, what, e))
		return -1;
	if (version != 1)
		return err_set(e, ERR_DAMAGED, "%s: version %llu is newer than this program knows (1)", what,
			       (unsigned long long)version);
	if (json_get_u64(a->json, "d", 1u << 20, &d, what, e))
		return -1;
	if (!d)
		return err_set(e, ERR_DAMAGED, "%s: 'd' is 0", what);
	a->d = (u32)d;
	if (read_hooks(a, what, e))
		return -1;
	return read_shards(a, what, e);
}

struct acts *acts_open(const char *folder, struct err *e)
{
	struct acts *a = xcalloc(1, sizeof *a);
	a->folder = xstrdup(folder);
	char *path = xasprintf("%s/acts.json", folder), *what = xasprintf("'%s'", path);
	a->json = json_read_file(path, e);
	bool bad = !a->json || read_about(a, what, e);
	free(path);
	free(what);
	if (!bad)
		return a;
	acts_free(a);
	return NULL;
}

void acts_free(struct acts *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n_shards; i++) {
		safetensors_free(a->shards[i].file);
		free(a->shards[i].path);
	}
	free(a->shards);
	free(a->hooks);
	json_decref(a->json);
	free(a->folder);
	free(a);
}

const char *acts_folder(const struct acts *a)
{
	return a->folder;
}

const json_t *acts_json(const struct acts *a)
{
	return a->json;
}

size_t acts_n_shards(const struct acts *a)
{
	return a->n_shards;
}

u64 acts_n_tokens(const struct acts *a)
{
	return a->n_tokens;
}

u64 acts_n_texts(const struct acts *a)
{
	return a->n_texts;
}

u32 acts_d(const struct acts *a)
{
	return a->d;
}

size_t acts_n_hooks(const struct acts *a)
{
	return a->n_hooks;
}

const char *acts_hook(const struct acts *a, size_t i)
{
	return a->hooks[i].name;
}

u32 acts_layer(const struct acts *a, size_t i)
{
	return a->hooks[i].layer;
}

f32 acts_norm_median(const struct acts *a, size_t hook)
{
	return a->hooks[hook].norm_median;
}

int acts_find_hook(const struct acts *a, const char *name, size_t *hook, struct err *e)
{
	*hook = 0;
	if (!name && a->n_hooks == 1)
		return 0;
	if (!name)
		return err_set(e, ERR_USAGE, "'%s' has %zu hooks: choose one with --hook, such as '%s'",
			       a->folder, a->n_hooks, a->hooks[0].name);
	char *end;
	unsigned long layer = strtoul(name, &end, 10);
	bool is_layer = *name && !*end;
	for (size_t i = 0; i < a->n_hooks; i++)
		if (is_layer ? a->hooks[i].layer == layer : !strcmp(a->hooks[i].name, name)) {
			*hook = i;
			return 0;
		}
	return err_set(e, ERR_NOT_FOUND, "'%s' has no hook '%s'; its first is '%s'", a->folder, name,
		       a->hooks[0].name);
}

static int check_text_ptr(const struct acts_shard *s, const char *path, struct err *e)
{
	if (s->text_ptr[0] || s->text_ptr[s->n_texts] != s->n)
		return err_set(e, ERR_DAMAGED, "'%s': text_ptr does not go from 0 to %llu", path,
			       (unsigned long long)s->n);
	for (u64 i = 0; i < s->n_texts; i++)
		if (s->text_ptr[i] > s->text_ptr[i + 1])
			return err_set(e, ERR_DAMAGED, "'%s': text_ptr falls at text %llu", path,
				       (unsigned long long)i);
	return 0;
}

static const void *need(const struct safetensors *f, const char *name, enum dtype t, int n_dims,
			const u64 *want, struct err *e)
{
	const struct tensor *x = safetensors_need(f, name, 1u << t, n_dims, want, e);
	if (!x)
		return NULL;
	if ((uintptr_t)x->data.p % dtype_size(t)) {
		err_set(e, ERR_DAMAGED, "'%s': tensor '%s' is not aligned", safetensors_path(f), name);
		return NULL;
	}
	return x->data.p ? (const void *)x->data.p : "";
}

int acts_shard(struct acts *a, size_t shard, size_t hook, struct acts_shard *out, struct err *e)
{
	struct shard *s = &a->shards[shard];
	if (!s->file && !(s->file = safetensors_open(s->path, e)))
		return -1;
	*out = (struct acts_shard){
		.first = s->first, .n = s->n, .first_text = s->first_text, .n_texts = s->n_texts};
	u64 rows[2] = {s->n, a->d}, texts = s->n_texts + 1;
	if (!(out->rows = need(s->file, a->hooks[hook].tensor, DTYPE_F16, 2, rows, e)) ||
	    !(out->tokens = need(s->file, "tokens", DTYPE_U32, 1, &s->n, e)) ||
	    !(out->flags = need(s->file, "token_flags", DTYPE_U8, 1, &s->n, e)) ||
	    !(out->text_ptr = need(s->file, "text_ptr", DTYPE_U64, 1, &texts, e)))
		return -1;
	return check_text_ptr(out, s->path, e);
}
