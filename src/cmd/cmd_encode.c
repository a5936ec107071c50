/* SPDX-License-Identifier: MIT */
/* cmd_encode.c - encode DICT --x IN --out OUT: activations and reconstructions of rows. */
#include "cmd/cmd.h"

#include "base/mem.h"
#include "core/dict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* so many rows' activations at once, and no more of them than lie in 256 MiB */
enum { ROWS_AT_ONCE = 1024, NUMBERS_AT_ONCE = 64 << 20 };

struct job {
	struct dict *dict;
	struct pool *pool;
	struct safetensors *in;
	const struct tensor *x;
	struct safetensors_writer *out;
	size_t n, batch;
	f32 *rows;  /* [batch][d_in] */
	f32 *acts;  /* [batch][F] */
	f32 *recon; /* [n][d_out]: it is written after all of acts */
	u64 active;
};

int cmd_dict_options(const struct cmd_args *a, struct dict_options *out, struct err *e)
{
	*out = (struct dict_options){0};
	if (!arg_str(a, "norm-scale", NULL))
		return 0;
	out->set = DICT_SET_NORM_SCALE;
	return arg_f64(a, "norm-scale", 1, &out->norm_scale, e);
}

/* [n][d_in], or [n][heads][d_head] for rows of hook_z, whose heads lie end to end. */
static const struct tensor *find_rows(const struct safetensors *in, u32 d_in, struct err *e)
{
	const unsigned floats = 1u << DTYPE_F32 | 1u << DTYPE_F16 | 1u << DTYPE_BF16 | 1u << DTYPE_F64;
	const struct tensor *t = safetensors_find(in, "x");
	if (t && t->n_dims == 3 && (floats >> t->dtype & 1) && t->shape[1] && t->shape[2] == d_in / t->shape[1] &&
	    d_in % t->shape[1] == 0)
		return t;
	return safetensors_need(in, "x", floats, 2, (u64[]){TENSOR_ANY, d_in}, e);
}

static int open_all(struct job *j, const struct cmd_args *a, struct err *e)
{
	const char *x = arg_str(a, "x", NULL), *out = arg_str(a, "out", NULL);
	if (!x || !out)
		return err_set(e, ERR_USAGE,
			       "--x IN.safetensors and --out OUT.safetensors say what to read and write");
	struct dict_options options;
	if (cmd_dict_options(a, &options, e) || !(j->dict = dict_open_with(a->positional[0], &options, e)) ||
	    !(j->in = safetensors_open(x, e)))
		return -1;
	const struct dict_info *i = dict_info(j->dict);
	if (!(j->x = find_rows(j->in, i->d_in, e)))
		return -1;
	j->n = (size_t)j->x->shape[0];
	j->batch = MAX((size_t)1, MIN((size_t)ROWS_AT_ONCE, (size_t)NUMBERS_AT_ONCE / i->n_features));
	j->rows = mem_try(j->batch * i->d_in, sizeof(f32), "rows", e);
	j->acts = mem_try(j->batch * i->n_features, sizeof(f32), "activations", e);
	j->recon = mem_try(j->n * i->d_out, sizeof(f32), "reconstructions", e);
	if (!j->rows || !j->acts || !j->recon || !(j->out = safetensors_writer_new(out, e)))
		return -1;
	j->pool = pool_new(0);
	return 0;
}

static int begin(struct job *j, struct err *e)
{
	const struct dict_info *i = dict_info(j->dict);
	safetensors_writer_declare(j->out, "acts", DTYPE_F32, 2, (u64[]){j->n, i->n_features});
	safetensors_writer_declare(j->out, "recon", DTYPE_F32, 2, (u64[]){j->n, i->d_out});
	return safetensors_writer_begin(j->out, e);
}

static int encode_rows(struct job *j, size_t from, size_t n, struct err *e)
{
	const struct dict_info *i = dict_info(j->dict);
	struct dict_row row[ROWS_AT_ONCE];
	void *arena;
	size_t f = i->n_features;
	tensor_get_f32(j->x, (u64)from * i->d_in, (u64)n * i->d_in, j->rows);
	if (dict_encode(j->dict, j->pool, j->rows, n, row, &arena, e))
		return -1;
	memset(j->acts, 0, n * f * sizeof *j->acts);
	for (size_t r = 0; r < n; r++) {
		j->active += row[r].n;
		for (u32 k = 0; k < row[r].n; k++)
			j->acts[r * f + row[r].id[k]] = row[r].act[k];
	}
	int bad = dict_decode(j->dict, row, n, j->rows, j->recon + from * i->d_out, e) ||
		  safetensors_writer_add(j->out, j->acts, n * f * sizeof *j->acts, e);
	free(arena);
	return bad ? -1 : 0;
}

static int encode_all(struct job *j, struct progress *p, struct err *e)
{
	progress_start(p, "encoding", "rows", j->n);
	if (begin(j, e))
		return -1;
	for (size_t from = 0; from < j->n; from += j->batch) {
		size_t n = MIN(j->batch, j->n - from);
		if (encode_rows(j, from, n, e))
			return -1;
		progress_add(p, n);
		if (progress_cancelled(p))
			return err_set(e, ERR_CANCELLED, "stopped; nothing was written");
	}
	return safetensors_writer_add(j->out, j->recon, j->n * dict_info(j->dict)->d_out * sizeof(f32), e);
}

int cmd_encode(const struct cmd_args *a, struct err *e)
{
	struct job j = {0};
	struct progress p = {0};
	int bad = open_all(&j, a, e);
	if (!bad) {
		struct cmd_progress *shown = cmd_progress_start(&p);
		bad = encode_all(&j, &p, e);
		cmd_progress_stop(shown);
	}
	if (!bad) {
		bad = safetensors_writer_commit(j.out, e);
		j.out = NULL;
	}
	const char *path = arg_str(a, "out", "");
	if (!bad && arg_flag(a, "json"))
		cmd_print_json(json_pack("{s:s, s:I, s:I, s:f}", "out", path, "rows", (json_int_t)j.n,
					 "features", (json_int_t)dict_info(j.dict)->n_features, "l0",
					 j.n ? (f64)j.active / (f64)j.n : 0.0));
	else if (!bad)
		printf("%s  %zu rows, %.2f features active in a row\n", path, j.n,
		       j.n ? (f64)j.active / (f64)j.n : 0.0);
	safetensors_writer_abandon(j.out);
	safetensors_free(j.in);
	dict_free(j.dict);
	pool_free(j.pool);
	free(j.rows);
	free(j.acts);
	free(j.recon);
	return bad ? -1 : EXIT_OK;
}
