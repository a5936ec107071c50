/* SPDX-License-Identifier: MIT */
/* cmd_neighbours.c - neighbours ATLAS -k N: each feature's nearest by decoder cosine. */
#include "cmd/cmd.h"

#include "base/half.h"
#include "base/mem.h"
#include "core/atlas.h"
#include "core/kernel.h"
#include "core/knn.h"
#include "core/ranks.h"
#include "core/rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Bytes of rows in f32. */
static const size_t AT_ONCE = (size_t)4 << 30;

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
	const char *kernel;
	char *checkpoint;
	f64 every; /* seconds */
};

/* What a checkpoint is of: the weights, and how many neighbours. */
static char *identity(const struct job *j)
{
	const json_t *parts = json_object_get(j->json, "parts");
	const char *sum = json_opt_str(json_object_get(parts, "dictionary"), "sha256", atlas_json_uuid(j->json));
	return xasprintf("%s %zu x %u, k %zu", sum, j->n, dict_info(j->atlas->dict)->d_out, j->k);
}

static int compare(struct job *j, const struct knn_checkpoint *c, struct progress *p, struct err *e)
{
	struct rows *rows = rows_of_atlas(j->atlas, j->pool, p, e);
	if (!rows)
		return -1;
	/* where all of f32 fits, no row is converted twice */
	if (j->n * rows->d * sizeof(f32) <= AT_ONCE && !(rows->exact = dict_decoder_unit(j->atlas->dict, j->pool, e))) {
		rows_free(rows);
		return -1;
	}
	if (ranks_n() == 1 && !access(c->path, F_OK))
		fprintf(stderr, "going on from '%s'\n", c->path);
	struct knn_graph g = {kernel_best(), j->k, c};
	j->kernel = g.kernel->name;
	int bad = knn_rows_graph(rows, j->pool, &g, j->id, j->score, p, e);
	rows_free(rows);
	return bad;
}

static int compare_all(struct job *j, struct progress *p, struct err *e)
{
	char *what = identity(j);
	struct knn_checkpoint c = {j->checkpoint, what, j->every};
	int bad = compare(j, &c, p, e);
	free(what);
	if (bad && e->code == ERR_CANCELLED && !access(j->checkpoint, F_OK))
		return err_set(e, ERR_CANCELLED, "stopped; the same command goes on from there");
	if (bad)
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
	json_t *about = json_pack("{s:I, s:s, s:s}", "k", (json_int_t)j->k, "metric", "decoder_cosine",
				  "kernel", j->kernel);
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
	u64 k, every;
	if (arg_u64(a, "k", 32, 1, 1024, &k, e) || arg_u64(a, "checkpoint-every", 30, 0, 1u << 30, &every, e) || !(j->atlas = atlas_open(j->folder, e)) ||
	    !(j->json = atlas_json_read(j->folder, e)))
		return -1;
	atlas_json_new_build(j->json);
	j->n = j->atlas->n_features;
	j->k = (size_t)k;
	j->every = every ? (f64)every : INFINITY;
	j->checkpoint = xasprintf("%s/graph.checkpoint", j->folder);
	j->id = mem_try(j->n * j->k, sizeof *j->id, "neighbours", e);
	j->score = mem_try(j->n * j->k, sizeof *j->score, "neighbours", e);
	j->half = mem_try(j->n * j->k, sizeof *j->half, "neighbours", e);
	if (!j->id || !j->score || !j->half)
		return -1;
	j->pool = pool_new(0);
	if (compare_all(j, p, e))
		return -1;
	if (ranks_me())
		return 0;
	if (write_graph(j, e))
		return -1;
	unlink(j->checkpoint);
	return 0;
}

int cmd_neighbours(const struct cmd_args *a, struct err *e)
{
	struct job j = {.folder = a->positional[0]};
	struct progress p = {0};
	struct cmd_progress *shown = ranks_me() ? NULL : cmd_progress_start(&p);
	int bad = work(&j, a, &p, e);
	if (shown)
		cmd_progress_stop(shown);
	if (bad || ranks_me())
		;
	else if (arg_flag(a, "json"))
		cmd_print_json(json_pack("{s:I, s:I, s:I}", "n_features", (json_int_t)j.n, "k",
					 (json_int_t)j.k, "n_alone", (json_int_t)j.n_alone));
	else
		printf("%zu features, %zu neighbours of each\n", j.n, j.k);
	pool_free(j.pool);
	atlas_free(j.atlas);
	json_decref(j.json);
	free(j.id);
	free(j.score);
	free(j.half);
	free(j.checkpoint);
	return bad ? -1 : EXIT_OK;
}
