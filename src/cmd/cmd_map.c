/* SPDX-License-Identifier: MIT */
/* cmd_map.c - map ATLAS: all features laid out in the plane, with named clusters. */
#include "cmd/cmd.h"

#include "base/mem.h"
#include "core/map.h"
#include "session/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
	struct session *session;
	const char *folder;
	json_t *json;
	u64 seed, epochs;
	struct map_graph graph;
	struct map_edges edges;
	f32 *xy; /* [n][2] */
	u32 *cluster, *part;
	u32 n_clusters, n_parts;
	struct buf cluster_names, part_names;
	f64 preserved, preserved_start; /* of the stored neighbours: by the map, by its start */
};

/* Unit rows, so that long ones do not make the axes. */
static void unit_row(void *context, u64 row, f32 *out)
{
	struct dict *d = context;
	size_t n = dict_info(d)->d_out;
	f64 sum = 0;
	dict_decoder_row(d, (u32)row, out);
	for (size_t i = 0; i < n; i++)
		sum += (f64)out[i] * (f64)out[i];
	f32 scale = sum > 0 ? (f32)(1 / sqrt(sum)) : 0;
	for (size_t i = 0; i < n; i++)
		out[i] *= scale;
}

static void label_text(void *context, u32 i, struct buf *out)
{
	struct label l;
	if (session_label(context, i, &l))
		buf_add(out, l.text.p, l.text.n);
}

static int lay_out(struct job *j, struct progress *p, struct err *e)
{
	struct atlas *a = j->session->atlas;
	struct pool *pool = j->session->pool;
	struct map_rows rows = {a->n_features, dict_info(a->dict)->d_out, unit_row, a->dict};
	struct map_texts texts = {a->n_features, label_text, j->session};
	size_t n = a->n_features;
	if (map_graph_read(a, MAP_NEIGHBOURS, &j->graph, e) || map_edges_new(&j->graph, pool, &j->edges, e))
		return -1;
	j->xy = mem_try(2 * n, sizeof *j->xy, "the map", e);
	j->cluster = j->xy ? mem_try(n, sizeof *j->cluster, "clusters", e) : NULL;
	j->part = j->cluster ? mem_try(n, sizeof *j->part, "clusters", e) : NULL;
	if (!j->part || map_start(&rows, pool, j->xy, p, e))
		return -1;
	j->preserved_start = map_preserved(&j->graph, j->xy, pool);
	if (map_layout(&j->edges, j->seed, (u32)j->epochs, pool, j->xy, p, e) ||
	    map_clusters(&j->edges, j->cluster, j->part, &j->n_clusters, &j->n_parts, p, e))
		return -1;
	j->preserved = map_preserved(&j->graph, j->xy, pool);
	progress_start(p, "names", "", 0);
	map_names(&texts, j->cluster, j->n_clusters, &j->cluster_names);
	map_names(&texts, j->part, j->n_parts, &j->part_names);
	return 0;
}

static int write_map(struct job *j, struct err *e)
{
	char *path = xasprintf("%s/map.safetensors", j->folder);
	struct map_parts m = {.n = j->edges.n, .xy = j->xy, .cluster = j->cluster, .part = j->part,
			      .n_clusters = j->n_clusters, .n_parts = j->n_parts,
			      .cluster_names = &j->cluster_names, .part_names = &j->part_names};
	atlas_json_new_build(j->json);
	int r = map_write(path, &m, atlas_json_uuid(j->json), atlas_json_build_id(j->json), e);
	free(path);
	if (r)
		return -1;
	json_t *about = json_pack("{s:I, s:I, s:i, s:i, s:i, s:f}", "seed", (json_int_t)j->seed, "epochs",
				  (json_int_t)j->epochs, "k", (int)j->graph.k, "n_clusters", (int)j->n_clusters,
				  "n_parts", (int)j->n_parts, "preserved", j->preserved);
	return atlas_note_part(j->json, j->folder, "map", "map.safetensors", "map", about, e) ||
			       atlas_commit(j->json, j->folder, e)
		       ? -1
		       : 0;
}

static void print(const struct job *j, bool json)
{
	f64 chance = (f64)j->graph.k / (f64)MAX(j->graph.n - 1, 1);
	if (json) {
		cmd_print_json(json_pack("{s:I, s:I, s:I, s:i, s:f, s:f, s:f}", "n_features", (json_int_t)j->graph.n,
					 "n_clusters", (json_int_t)j->n_clusters, "n_parts", (json_int_t)j->n_parts,
					 "k", (int)j->graph.k, "preserved", j->preserved, "preserved_by_start",
					 j->preserved_start, "preserved_by_chance", chance));
		return;
	}
	printf("%zu features, %u clusters in %u parts\n", j->graph.n, (unsigned)j->n_clusters, (unsigned)j->n_parts);
	printf("of %zu nearest %.1f %% are nearest on the map too (principal components %.1f %%, chance %.2g %%)\n",
	       j->graph.k, 100 * j->preserved, 100 * j->preserved_start, 100 * chance);
}

int cmd_map(const struct cmd_args *a, struct err *e)
{
	struct job j = {.folder = a->positional[0], .cluster_names = BUF_INIT, .part_names = BUF_INIT};
	struct progress p = {0};
	if (arg_u64(a, "seed", 1, 0, UINT32_MAX, &j.seed, e) ||
	    arg_u64(a, "epochs", MAP_EPOCHS, 1, 100000, &j.epochs, e) || !(j.session = cmd_open(a, e)))
		return -1;
	struct cmd_progress *shown = cmd_progress_start(&p);
	int bad = !(j.json = atlas_json_read(j.folder, e)) || lay_out(&j, &p, e) || write_map(&j, e);
	cmd_progress_stop(shown);
	if (!bad)
		print(&j, arg_flag(a, "json"));
	map_graph_release(&j.graph);
	map_edges_release(&j.edges);
	free(j.xy);
	free(j.cluster);
	free(j.part);
	buf_release(&j.cluster_names);
	buf_release(&j.part_names);
	json_decref(j.json);
	session_free(j.session);
	return bad ? -1 : EXIT_OK;
}
