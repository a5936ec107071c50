/* SPDX-License-Identifier: MIT */
/* tensors_shards.c - a safetensors index and the shards beside it. */
#include "io/tensors_impl.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SHARDS = 10000 };

/* A shard lies beside the index; anything else in its name would lead elsewhere. */
static bool is_plain_name(const char *name)
{
	return name && *name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

static char *beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	return slash ? xasprintf("%.*s/%s", (int)(slash - path), path, name) : xstrdup(name);
}

/* The tensors of a shard that the map gives to it.  owners: name to shard, of all shards so far. */
static int add_shard(struct tensors *s, const char *name, const json_t *map, json_t *owners, struct err *e)
{
	char *path = beside(s->path, name);
	struct safetensors *shard = safetensors_open(path, e);
	free(path);
	if (!shard)
		return err_wrap(e, "'%s', in the weight_map", s->path);
	s->shards[s->n_shards++] = shard;
	for (size_t i = 0; i < safetensors_count(shard); i++) {
		struct tensors_item item = {.t = *safetensors_at(shard, i), .mapped = true, .ready = true};
		const char *other = json_opt_str(owners, item.t.name, NULL),
			   *mapped = json_opt_str(map, item.t.name, NULL);
		if (other)
			return err_set(e, ERR_DAMAGED,
				       "'%s': tensor '%.100s' is in two shards, '%.80s' and '%.80s'", s->path,
				       item.t.name, other, name);
		json_object_set_new(owners, item.t.name, json_string(name));
		if (mapped && !strcmp(mapped, name) && tensors_add(s, &item, e))
			return -1;
	}
	return 0;
}

static int add_all(struct tensors *s, const json_t *map, json_t *owners, json_t *opened, struct err *e)
{
	const char *tensor;
	json_t *v;
	json_object_foreach((json_t *)(uintptr_t)map, tensor, v)
	{
		const char *name = json_string_value(v);
		if (!is_plain_name(name) || json_string_length(v) != strlen(name))
			return err_set(e, ERR_DAMAGED,
				       "'%s': the weight_map puts tensor '%.100s' in '%.100s', which is not "
				       "a file beside it",
				       s->path, tensor, name ? name : "(no name)");
		if (!json_object_get(opened, name)) {
			if (s->n_shards == MAX_SHARDS)
				return err_set(e, ERR_DAMAGED,
					       "'%s': the weight_map names more than %d shards", s->path,
					       MAX_SHARDS);
			json_object_set_new(opened, name, json_true());
			if (add_shard(s, name, map, owners, e))
				return -1;
		}
		if (!json_object_get(s->index, tensor))
			return err_set(e, ERR_DAMAGED, "'%s': tensor '%.100s' is not in shard '%.100s'",
				       s->path, tensor, name);
	}
	return 0;
}

int tensors_open_shards(struct tensors *s, struct err *e)
{
	json_t *file = json_read_file(s->path, e);
	if (!file)
		return -1;
	const json_t *map = json_object_get(file, "weight_map");
	int r;
	if (!json_is_object(map) || !json_object_size(map)) {
		r = err_set(e, ERR_DAMAGED, "'%s' is no safetensors index: it has no weight_map", s->path);
	} else {
		json_t *owners = json_object(), *opened = json_object();
		s->shards = xcalloc(MIN(json_object_size(map), MAX_SHARDS), sizeof *s->shards);
		s->metadata = json_incref(json_object_get(file, "metadata"));
		r = add_all(s, map, owners, opened, e);
		json_decref(owners);
		json_decref(opened);
	}
	json_decref(file);
	return r;
}
