/* SPDX-License-Identifier: MIT */
/* cmd_neighbours.c - neighbours ATLAS -k N: each feature's nearest by decoder cosine. */
#include "cmd/cmd.h"

#include "base/half.h"
#include "base/mem.h"
#include "core/atlas.h"
#include "core/knn.h"
#include "core/ranks.h"

#include <stdio.h>
#include <stdlib.h>

struct job {
	const char *folder;
	struct atlas *atlas;
	json_t *json;
	struct pool *pool;
	size_t n, k;
	u32 *id; /* [n][k] */
	f32 *score;
	u16 *half;   /* score as stored */
	u64 n_alone; /* rows of zeros */
};

static int compare_all(struct job *j, struct progress *p, struct err *e)
{
	struct knn_rows rows = {NULL, j->n, dict_info(j->atlas->dict)->d_out};
	rows.p = dict_decoder_unit(j->atlas->dict, j->pool, e);
	if (!rows.p || knn_graph(&rows, j->pool, j->k, j->id, j->score, p, e))
		return -1;
	for (size_t i = 0; i < j->n * j->k; i++)
		j->half[i] = f32_to_f16(j->score[i]);
	for (size_t i = 0; i < j->n; i++)
		j->n_alone += j->id[i * j->k] == KNN_NONE;
	return 0;
}

static int write_graph(struct job *j, struct err *e)
{
	char *path = xasprintf("%s/graph.safetensors", j->folder);
	const char *const meta[] = {"uuid", atlas_json_uuid(j->json), "build_id",
				    atlas_json_build_id(j->json), NULL};
	struct tensor_out out[] = {
		{"neighbour_id", DTYPE_U32, 2, {j->n, j->k}, j->id},
		{"neighbour_score", DTYPE_F16, 2, {j->n, j->k}, j->half},
	};
	json_t *about = json_pack("{s:I, s:s}", "k", (json_int_t)j->k, "metric", "decoder_cosine");
	int bad = safetensors_write_file(path, out, ARRAY_LEN(out), meta, e);
	free(path);
	if (bad) {
		json_decref(about);
		return -1;
	}
	return atlas_note_part(j->json, j->folder, "graph", "graph.safetensors", "neighbours", about, e) ||
			       atlas_commit(j->json, j->folder, e)
		       ? -1
		       : 0;
}

static int work(struct job *j, const struct cmd_args *a, struct progress *p, struct err *e)
{
	u64 k;
	if (arg_u64(a, "k", 32, 1, 1024, &k, e) || !(j->atlas = atlas_open(j->folder, e)) ||
	    !(j->json = atlas_json_read(j->folder, e)))
		return -1;
	atlas_json_new_build(j->json);
	j->n = j->atlas->n_features;
	j->k = (size_t)k;
	j->id = mem_try(j->n * j->k, sizeof *j->id, "neighbours", e);
	j->score = mem_try(j->n * j->k, sizeof *j->score, "neighbours", e);
	j->half = mem_try(j->n * j->k, sizeof *j->half, "neighbours", e);
	if (!j->id || !j->score || !j->half)
		return -1;
	j->pool = pool_new(0);
	return compare_all(j, p, e) || write_graph(j, e) ? -1 : 0;
}

int cmd_neighbours(const struct cmd_args *a, struct err *e)
{
	struct job j = {.folder = a->positional[0]};
	struct progress p = {0};
	if (ranks_me())
		return EXIT_OK;
	struct cmd_progress *shown = cmd_progress_start(&p);
	int bad = work(&j, a, &p, e);
	cmd_progress_stop(shown);
	if (!bad && arg_flag(a, "json"))
		cmd_print_json(json_pack("{s:I, s:I, s:I}", "n_features", (json_int_t)j.n, "k",
					 (json_int_t)j.k, "n_alone", (json_int_t)j.n_alone));
	else if (!bad)
		printf("%zu features, %zu neighbours of each\n", j.n, j.k);
	pool_free(j.pool);
	atlas_free(j.atlas);
	json_decref(j.json);
	free(j.id);
	free(j.score);
	free(j.half);
	return bad ? -1 : EXIT_OK;
}
