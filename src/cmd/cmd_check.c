/* SPDX-License-Identifier: MIT */
/* cmd_check.c - check DICT [OUT.acts]: is a dictionary computed as it was trained? */
#include "cmd/cmd.h"

#include "base/buf.h"
#include "base/half.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "core/acts.h"
#include "core/atlas.h"
#include "core/check.h"
#include "core/vec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_ROWS = 4096 };

struct job {
	const char *path;
	struct atlas *atlas;
	struct dict *dict, *bare; /* bare: opened without an atlas */
	struct pool *pool;
	struct progress progress;
	f32 *x, *y; /* y is x but where the sample has its own */
	size_t n;
	char *sample; /* what the rows are, or NULL */
	struct check_weights weights;
	struct check_sample whole;
	struct check_reading reading[CHECK_MOST_READINGS];
	size_t n_readings;
	struct check_promise promise;
	enum check_verdict verdict;
	char sentence[400];
};

static int rows_of_file(struct job *j, const char *file, struct err *e)
{
	const struct dict_info *i = dict_info(j->dict);
	unsigned floats = 1u << DTYPE_F32 | 1u << DTYPE_F16 | 1u << DTYPE_BF16;
	struct safetensors *s = safetensors_open(file, e);
	const struct tensor *x = s ? safetensors_need(s, "x", floats, 2, (u64[]){TENSOR_ANY, i->d_in}, e) : NULL;
	const struct tensor *y = x && safetensors_find(s, "y")
					 ? safetensors_need(s, "y", floats, 2, (u64[]){x->shape[0], i->d_out}, e)
					 : NULL;
	int bad = !x || (safetensors_find(s, "y") && !y) ? -1 : 0;
	if (!bad) {
		j->n = (size_t)MIN(x->shape[0], (u64)MOST_ROWS);
		j->x = mem_try(j->n * i->d_in, sizeof *j->x, "rows", e);
		j->y = y && j->x ? mem_try(j->n * i->d_out, sizeof *j->y, "rows", e) : NULL;
		bad = !j->x || (y && !j->y) ? -1 : 0;
	}
	if (!bad) {
		tensor_get_f32(x, 0, (u64)j->n * i->d_in, j->x);
		if (y)
			tensor_get_f32(y, 0, (u64)j->n * i->d_out, j->y);
		j->sample = xstrdup(file);
	}
	safetensors_free(s);
	return bad;
}

static int rows_of_harvest(struct job *j, const char *folder, const char *hook, struct err *e)
{
	const struct dict_info *i = dict_info(j->dict);
	struct acts *a = acts_open(folder, e);
	size_t h;
	int bad = !a || acts_find_hook(a, hook ? hook : *i->hook_name ? i->hook_name : NULL, &h, e) ? -1 : 0;
	if (!bad && acts_d(a) != i->d_in)
		bad = err_set(e, ERR_FAILED, "'%s' has rows of %u, the dictionary reads %u", folder, acts_d(a), i->d_in);
	if (!bad && !(j->x = mem_try((size_t)MOST_ROWS * i->d_in, sizeof *j->x, "rows", e)))
		bad = -1;
	for (size_t k = 0; !bad && k < acts_n_shards(a) && j->n < MOST_ROWS; k++) {
		struct acts_shard s;
		if ((bad = acts_shard(a, k, h, &s, e)))
			break;
		for (u64 r = 0; r < s.n && j->n < MOST_ROWS; r++)
			if (!(s.flags[r] & TOKEN_MASKED))
				vec_from_f16(j->x + j->n++ * i->d_in, s.rows + r * i->d_in, i->d_in);
	}
	if (!bad && !j->n)
		bad = err_set(e, ERR_FAILED, "'%s' has no token that counts", folder);
	if (!bad)
		j->sample = xasprintf("%s, %s", folder, acts_hook(a, h));
	if (!bad && *i->hook_name && strcmp(i->hook_name, acts_hook(a, h)))
		fprintf(stderr, "featlas check: warning: the rows are of %s, the dictionary says %s\n", acts_hook(a, h),
			i->hook_name);
	acts_free(a);
	return bad;
}

static bool is_atlas(const char *folder)
{
	struct stat st;
	char *path = xasprintf("%s/atlas.json", folder);
	bool there = !stat(path, &st);
	free(path);
	return there;
}

static int look(struct job *j, const struct cmd_args *a, struct err *e)
{
	const char *x = arg_str(a, "x", NULL);
	struct dict_options options;
	if (cmd_dict_options(a, &options, e))
		return -1;
	if (is_atlas(j->path)) {
		if (!(j->atlas = atlas_open_with(j->path, &options, e)))
			return -1;
		j->dict = j->atlas->dict;
	} else if (!(j->bare = j->dict = dict_open_with(j->path, &options, e)))
		return -1;
	const struct dict_info *i = dict_info(j->dict);
	if (i->arch == DICT_NONE)
		return err_set(e, ERR_UNAVAILABLE, "'%s' has no dictionary to check, only what was imported", j->path);
	if (x && a->n_positional > 1)
		return err_set(e, ERR_USAGE, "--x and a harvest are both rows: one of them will do");
	if ((x && rows_of_file(j, x, e)) ||
	    (a->n_positional > 1 && rows_of_harvest(j, a->positional[1], arg_str(a, "hook", NULL), e)))
		return -1;
	j->pool = pool_new(0);
	check_promised(j->dict, &j->promise);
	if (dict_verify(j->dict, &j->progress, e) || check_weights(j->dict, &j->weights, &j->progress, e))
		return -1;
	/* what a transcoder writes is not what it reads */
	const f32 *y = j->y ? j->y : i->is_transcoder || i->d_in != i->d_out || i->only_encodes ? NULL : j->x;
	i64 n = 0;
	if (j->n) {
		progress_start(&j->progress, "encoding the sample", "rows", j->n);
		if (check_sample(j->dict, j->pool, j->x, y, j->n, &j->whole, &j->progress, e) ||
		    (n = check_readings(j->dict, NULL, j->pool, j->x, y, j->n, j->reading, &j->progress, e)) < 0)
			return -1;
	}
	j->n_readings = (size_t)n;
	j->verdict = check_judge(j->dict, &j->weights, &j->promise, j->reading, j->n_readings, j->sentence, sizeof j->sentence);
	return 0;
}

static json_t *result_json(const struct job *j)
{
	const struct check_weights *w = &j->weights;
	json_t *out = json_pack("{s:s, s:o, s:I, s:I, s:[o, o, o], s:o, s:I}", "verdict", check_verdict_name(j->verdict),
				"sentence", json_text(j->sentence, strlen(j->sentence)), "not_finite",
				(json_int_t)w->n_not_finite, "zero_decoder_rows", (json_int_t)w->n_zero_decoder,
				"decoder_norms", json_f32(w->least_norm), json_f32(w->median_norm), json_f32(w->most_norm),
				"tied", json_f32(w->tied), "negative_thresholds", (json_int_t)w->n_negative_threshold);
	json_object_set_new(out, "promised_l0", json_f32((f32)j->promise.l0));
	json_object_set_new(out, "promised_fvu", json_f32((f32)j->promise.fvu));
	json_object_set_new(out, "promised_dead", json_f32((f32)j->promise.dead));
	if (!j->n_readings)
		return out;
	json_object_set_new(out, "sample",
			    json_pack("{s:o, s:I, s:o, s:o, s:I}", "rows_of", json_text(j->sample, strlen(j->sample)),
				      "rows", (json_int_t)j->whole.n, "fvu", json_f32((f32)j->whole.fvu), "l0",
				      json_f32((f32)j->whole.l0), "silent", (json_int_t)j->whole.n_silent));
	json_t *readings = json_array();
	for (size_t r = 0; r < j->n_readings; r++)
		json_array_append_new(readings, json_pack("{s:s, s:b, s:o, s:o}", "reading", j->reading[r].what, "as_opened",
							  (int)j->reading[r].as_opened, "fvu",
							  json_f32((f32)j->reading[r].s.fvu), "l0",
							  json_f32((f32)j->reading[r].s.l0)));
	json_object_set_new(out, "readings", readings);
	return out;
}

static void print_promise(const struct check_promise *p)
{
	if (!*p->why)
		return;
	printf("promised  l0 %.4g", p->l0);
	if (!isnan(p->fvu))
		printf(", FVU %.4g", p->fvu);
	if (!isnan(p->dead))
		printf(", %.4g %% dead", 100 * p->dead);
	printf(" (%s)\n", p->why);
}

static void print_result(const struct job *j)
{
	const struct check_weights *w = &j->weights;
	struct buf safe = BUF_INIT;
	utf8_add_safe(&safe, j->sentence, strlen(j->sentence));
	printf("%s: %s\n", check_verdict_name(j->verdict), safe.s);
	printf("weights   decoder norms %.4g to %.4g, median %.4g; %llu without direction, %llu not finite", (f64)w->least_norm,
	       (f64)w->most_norm, (f64)w->median_norm, (unsigned long long)w->n_zero_decoder,
	       (unsigned long long)w->n_not_finite);
	if (!isnan(w->tied))
		printf("; encoder to decoder cosine %.2f", (f64)w->tied);
	puts("");
	print_promise(&j->promise);
	if (j->n_readings) {
		buf_clear(&safe);
		utf8_add_safe(&safe, j->sample, strlen(j->sample));
		printf("sample    %llu rows of %s: FVU %.4g, l0 %.4g, %llu features silent\n", (unsigned long long)j->whole.n,
		       safe.s, j->whole.fvu, j->whole.l0, (unsigned long long)j->whole.n_silent);
	}
	for (size_t r = 0; r < MIN(j->n_readings, (size_t)6); r++)
		printf("%s  FVU %-8.4g l0 %-8.4g %s\n", r ? "          " : "as opened ", j->reading[r].s.fvu, j->reading[r].s.l0,
		       j->reading[r].what);
	buf_release(&safe);
}

/* An atlas keeps the last result; a bare dictionary has no place for it. */
static int keep(const struct job *j, struct err *e)
{
	if (!is_atlas(j->path))
		return 0;
	json_t *json = atlas_json_read(j->path, e);
	int bad = json ? json_object_set_new(json, "check", result_json(j)) || atlas_commit(json, j->path, e) : -1;
	json_decref(json);
	return bad ? -1 : 0;
}

int cmd_check_weights(const char *atlas, struct err *e)
{
	static const char *const none[] = {NULL};
	struct cmd_args a = {.command = "check", .positional = (const char **)(uintptr_t)none};
	struct job j = {.path = atlas, .promise = {.l0 = NAN}};
	struct cmd_progress *shown = cmd_progress_start(&j.progress);
	int bad = look(&j, &a, e) || keep(&j, e) ? -1 : 0;
	cmd_progress_stop(shown);
	if (!bad && j.verdict != CHECK_SOUND)
		fprintf(stderr, "featlas check: %s: %s\n", check_verdict_name(j.verdict), j.sentence);
	atlas_free(j.atlas);
	pool_free(j.pool);
	return bad;
}

int cmd_check(const struct cmd_args *a, struct err *e)
{
	struct job j = {.path = a->positional[0], .promise = {.l0 = NAN}};
	struct cmd_progress *shown = cmd_progress_start(&j.progress);
	int bad = look(&j, a, e);
	cmd_progress_stop(shown);
	if (!bad && arg_flag(a, "json"))
		cmd_print_json(result_json(&j));
	else if (!bad)
		print_result(&j);
	if (!bad && arg_flag(a, "write"))
		bad = keep(&j, e);
	int status = j.verdict == CHECK_WRONG ? EXIT_DAMAGED : EXIT_OK;
	dict_free(j.bare);
	atlas_free(j.atlas);
	pool_free(j.pool);
	free(j.x);
	free(j.y);
	free(j.sample);
	return bad ? -1 : status;
}
