/* SPDX-License-Identifier: MIT */
#include "made_up.h"

#include "base/half.h"
#include "base/mem.h"
#include "core/atlas.h"
#include "core/map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 65536, GROUPS = 1024, FEW = 4, MANY = 15, FEW_FROM = 4000000 };

static u64 chance(u64 *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 32;
}

static int add_ids(struct safetensors_writer *w, u32 n, u32 k, struct err *e)
{
	u32 *rows = xcalloc((size_t)ROWS * k, sizeof *rows);
	u64 random = 1;
	int bad = 0;
	for (u32 at = 0; at < n && !bad; at += ROWS) {
		size_t some = (size_t)MIN(n - at, ROWS) * k;
		for (size_t i = 0; i < some; i++)
			rows[i] = (u32)(chance(&random) % n);
		bad = safetensors_writer_add(w, rows, some * sizeof *rows, e);
	}
	free(rows);
	return bad;
}

static int add_scores(struct safetensors_writer *w, u32 n, u32 k, struct err *e)
{
	u16 *rows = xcalloc((size_t)ROWS * k, sizeof *rows);
	int bad = 0;
	for (size_t i = 0; i < (size_t)ROWS * k; i++)
		rows[i] = f32_to_f16(0.9f - (f32)(i % k) / 32);
	for (u32 at = 0; at < n && !bad; at += ROWS)
		bad = safetensors_writer_add(w, rows, (size_t)MIN(n - at, ROWS) * k * sizeof *rows, e);
	free(rows);
	return bad;
}

static int write_graph(json_t *j, const char *path, u32 n, struct err *e)
{
	u32 k = n < FEW_FROM ? MANY : FEW;
	struct safetensors_writer *w = safetensors_writer_new(path, e);
	if (!w)
		return -1;
	safetensors_writer_meta(w, "uuid", atlas_json_uuid(j));
	safetensors_writer_meta(w, "build_id", atlas_json_build_id(j));
	safetensors_writer_declare(w, "neighbour_id", DTYPE_U32, 2, (u64[]){n, k});
	safetensors_writer_declare(w, "neighbour_score", DTYPE_F16, 2, (u64[]){n, k});
	if (safetensors_writer_begin(w, e) || add_ids(w, n, k, e) || add_scores(w, n, k, e)) {
		safetensors_writer_abandon(w);
		return -1;
	}
	return safetensors_writer_commit(w, e);
}

static void add_names(struct buf *b)
{
	for (int i = 0; i < GROUPS; i++) {
		buf_addf(b, "group %d, of words", i);
		buf_add(b, "", 1);
	}
}

/* Groups are round heaps in a square. */
static void place(u32 n, f32 *xy, u32 *group)
{
	u64 random = 2;
	for (u32 i = 0; i < n; i++) {
		u32 g = group[i] = (u32)(chance(&random) % GROUPS);
		for (u32 k = 0; k < 2; k++) {
			f32 sum = 0;
			for (int j = 0; j < 3; j++)
				sum += (f32)(chance(&random) & 0xffff) / 65536 - 0.5f;
			xy[2 * (size_t)i + k] = (f32)(g * (k ? 389u : 997u) % 1000) / 1000 + sum / 30;
		}
	}
}

static int write_map(json_t *j, const char *path, u32 n, struct err *e)
{
	f32 *xy = xcalloc(2 * (size_t)n, sizeof *xy);
	u32 *group = xcalloc(n, sizeof *group);
	struct buf names = BUF_INIT;
	add_names(&names);
	place(n, xy, group);
	struct map_parts m = {n, xy, group, group, GROUPS, GROUPS, &names, &names};
	int bad = map_write(path, &m, atlas_json_uuid(j), atlas_json_build_id(j), e);
	buf_release(&names);
	free(xy);
	free(group);
	return bad;
}

static int add_part(json_t *j, const char *folder, const char *part, u32 n, struct err *e)
{
	char *file = xasprintf("%s.safetensors", part), *path = xasprintf("%s/%s", folder, file);
	int bad = (strcmp(part, "graph") ? write_map : write_graph)(j, path, n, e) ||
		  atlas_note_part(j, folder, part, file, "made up", NULL, e);
	free(path);
	free(file);
	return bad ? -1 : 0;
}

int made_up_parts(const char *folder, struct err *e)
{
	struct atlas *a = atlas_open(folder, e);
	if (!a)
		return -1;
	u32 n = a->n_features;
	bool graph = !atlas_missing(a, "graph"), map = !atlas_missing(a, "map");
	atlas_free(a);
	json_t *j = graph && map ? NULL : atlas_json_read(folder, e);
	if (!j)
		return graph && map ? 0 : -1;
	atlas_json_new_build(j);
	int bad = (!graph && add_part(j, folder, "graph", n, e)) || (!map && add_part(j, folder, "map", n, e)) ||
		  atlas_commit(j, folder, e);
	json_decref(j);
	return bad ? -1 : 0;
}
