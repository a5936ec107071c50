/* SPDX-License-Identifier: MIT */
/* map_file.c - map.safetensors: places, clusters and their names. */
#include "core/map.h"

#include "base/mem.h"
#include "io/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct map {
	const struct tensor *xy, *cluster, *part, *bytes, *offset;
	u32 n_clusters, n_parts;
};

/* n strings of names, end to end: where each begins, and where the last ends. */
static void add_offsets(const struct buf *names, u32 n, u64 *offset, struct buf *bytes)
{
	const char *s = names->s;
	for (u32 i = 0; i < n; i++) {
		size_t length = strlen(s);
		buf_add(bytes, s, length);
		offset[i + 1] = bytes->n;
		s += length + 1;
	}
}

int map_write(const char *path, const struct map_parts *m, const char *uuid, const char *build_id, struct err *e)
{
	u32 names = m->n_clusters + m->n_parts;
	u64 *offset = xcalloc((size_t)names + 1, sizeof *offset);
	struct buf bytes = BUF_INIT;
	char n_clusters[16];
	add_offsets(m->cluster_names, m->n_clusters, offset, &bytes);
	add_offsets(m->part_names, m->n_parts, offset + m->n_clusters, &bytes);
	snprintf(n_clusters, sizeof n_clusters, "%u", (unsigned)m->n_clusters);
	const char *const meta[] = {"uuid", uuid, "build_id", build_id, "n_clusters", n_clusters, NULL};
	struct tensor_out out[] = {
		{"name_offset", DTYPE_U64, 1, {(u64)names + 1}, offset},
		{"xy", DTYPE_F32, 2, {m->n, 2}, m->xy},
		{"cluster", DTYPE_U32, 1, {m->n}, m->cluster},
		{"part", DTYPE_U32, 1, {m->n}, m->part},
		{"name_bytes", DTYPE_U8, 1, {bytes.n}, bytes.s},
	};
	int r = safetensors_write_file(path, out, ARRAY_LEN(out), meta, e);
	free(offset);
	buf_release(&bytes);
	return r;
}

struct map *map_open(const struct safetensors *file, u32 n_features, struct err *e)
{
	u64 f[] = {n_features}, pairs[] = {n_features, 2}, any[] = {TENSOR_ANY};
	struct map m = {
		.xy = safetensors_need(file, "xy", 1u << DTYPE_F32, 2, pairs, e),
	};
	if (!m.xy || !(m.cluster = safetensors_need(file, "cluster", 1u << DTYPE_U32, 1, f, e)) ||
	    !(m.part = safetensors_need(file, "part", 1u << DTYPE_U32, 1, f, e)) ||
	    !(m.bytes = safetensors_need(file, "name_bytes", 1u << DTYPE_U8, 1, any, e)) ||
	    !(m.offset = safetensors_need(file, "name_offset", 1u << DTYPE_U64, 1, any, e)))
		return NULL;
	const char *text = safetensors_metadata(file, "n_clusters");
	char *end = NULL;
	unsigned long long n = text && *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : UINT64_MAX;
	if (n >= m.offset->n || *end || m.offset->n - 1 > UINT32_MAX) {
		err_set(e, ERR_DAMAGED, "'%s' does not say how many of its %llu names are of clusters",
			safetensors_path(file), (unsigned long long)(m.offset->n ? m.offset->n - 1 : 0));
		return NULL;
	}
	m.n_clusters = (u32)n;
	m.n_parts = (u32)(m.offset->n - 1 - n);
	struct map *out = xmalloc(sizeof *out);
	*out = m;
	return out;
}

void map_free(struct map *m)
{
	free(m);
}

bool map_there(const struct map *m, struct pages *w)
{
	return tensor_there(m->xy, 0, m->xy->n, w) & tensor_there(m->cluster, 0, m->cluster->n, w) &
	       tensor_there(m->part, 0, m->part->n, w) & tensor_there(m->offset, 0, m->offset->n, w) &
	       tensor_there(m->bytes, 0, m->bytes->n, w);
}

bool map_xy(const struct map *m, u32 feature, f32 xy[2])
{
	tensor_get_f32(m->xy, 2 * (u64)feature, 2, xy);
	return isfinite(xy[0]) && isfinite(xy[1]);
}

u32 map_n_clusters(const struct map *m)
{
	return m->n_clusters;
}

u32 map_n_parts(const struct map *m)
{
	return m->n_parts;
}

u32 map_cluster(const struct map *m, u32 feature)
{
	u64 c = tensor_u64(m->cluster, feature);
	return c < m->n_clusters ? (u32)c : MAP_NONE;
}

u32 map_part(const struct map *m, u32 feature)
{
	u64 c = tensor_u64(m->part, feature);
	return c < m->n_parts ? (u32)c : MAP_NONE;
}

static struct span name(const struct map *m, u32 i)
{
	u64 from = tensor_u64(m->offset, i), to = tensor_u64(m->offset, (u64)i + 1);
	if (from > to || to > m->bytes->n)
		return (struct span){0};
	return (struct span){m->bytes->data.p + from, to - from};
}

struct span map_cluster_name(const struct map *m, u32 cluster)
{
	return cluster < m->n_clusters ? name(m, cluster) : (struct span){0};
}

struct span map_part_name(const struct map *m, u32 part)
{
	return part < m->n_parts ? name(m, m->n_clusters + part) : (struct span){0};
}
