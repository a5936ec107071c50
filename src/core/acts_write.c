/* SPDX-License-Identifier: MIT */
/* acts_write.c - writing a folder of harvested activations, shard by shard. */
#include "core/acts.h"

#include "base/half.h"
#include "base/mem.h"
#include "core/store.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct acts_writer {
	char *folder;
	json_t *json;
	size_t n_hooks;
	u32 d;
	u64 texts_on_disk;
	f32 *median; /* [n_hooks]; NaN until the first shard is full */
	/* the shard that is being filled */
	size_t n, cap, n_texts, cap_texts;
	u16 **rows; /* [n_hooks][cap][d] */
	f32 **norm; /* [n_hooks][cap] */
	u32 *tokens;
	u8 *flags;
	u64 *text_ptr; /* [cap_texts] */
};

static char *file_path(const struct acts_writer *w, const char *file)
{
	return xasprintf("%s/%s", w->folder, file);
}

static json_t *hook_json(json_t *list, const char *name)
{
	u32 layer = acts_layer_of(name);
	char *tensor = xasprintf("rows.%u", layer);
	size_t i;
	json_t *other;
	json_array_foreach(list, i, other) if (!strcmp(json_opt_str(other, "tensor", ""), tensor))
	{
		free(tensor);
		tensor = xasprintf("rows.%s", name);
		break;
	}
	json_t *j = json_pack("{s:s, s:I, s:s, s:n}", "name", name, "layer", (json_int_t)layer, "tensor",
			      tensor, "norm_median");
	free(tensor);
	return j;
}

static int start_fresh(struct acts_writer *w, json_t *about, const char *const *hooks, struct err *e)
{
	json_t *j = json_pack("{s:s, s:i}", "format", "featlas-acts", "version", 1);
	json_object_update(j, about);
	json_object_set_new(j, "d", json_integer(w->d));
	json_object_set_new(j, "mask", json_pack("{s:i}", "sink_multiple", ACTS_SINK_MULTIPLE));
	json_t *list = json_array();
	for (size_t i = 0; i < w->n_hooks; i++) {
		if (acts_layer_of(hooks[i]) == UINT32_MAX) {
			json_decref(list);
			json_decref(j);
			return err_set(e, ERR_USAGE, "'%s' is not a hook such as 'blocks.22.hook_resid_post'",
				       hooks[i]);
		}
		json_array_append_new(list, hook_json(list, hooks[i]));
	}
	json_object_set_new(j, "hooks", list);
	json_object_set_new(j, "shards", json_array());
	w->json = j;
	if (mkdir(w->folder, 0777) && errno != EEXIST)
		return err_os(e, "cannot make '%s'", w->folder);
	return 0;
}

static int resume(struct acts_writer *w, const char *path, const json_t *about, const char *const *hooks,
		  struct err *e)
{
	struct acts *a = acts_open(w->folder, e);
	if (!a)
		return -1;
	const json_t *model = json_object_get(about, "model");
	const json_t *theirs = json_object_get(acts_json(a), "model");
	bool same =
		acts_d(a) == w->d && acts_n_hooks(a) == w->n_hooks && (!model || json_equal(model, theirs));
	for (size_t i = 0; same && i < w->n_hooks; i++)
		same = !strcmp(acts_hook(a, i), hooks[i]);
	if (same)
		for (size_t i = 0; i < w->n_hooks; i++)
			w->median[i] = acts_norm_median(a, i) > 0 ? acts_norm_median(a, i) : NAN;
	w->texts_on_disk = acts_n_texts(a);
	acts_free(a);
	if (!same)
		return err_set(e, ERR_FAILED, "'%s' holds a harvest of another model or other hooks",
			       w->folder);
	return (w->json = json_read_file(path, e)) ? 0 : -1;
}

struct acts_writer *acts_writer_open(const char *folder, json_t *about, const char *const *hooks,
				     size_t n_hooks, u32 d, struct err *e)
{
	struct acts_writer *w = xcalloc(1, sizeof *w);
	w->folder = xstrdup(folder);
	w->n_hooks = n_hooks;
	w->d = d;
	w->median = xcalloc(n_hooks, sizeof *w->median);
	w->rows = xcalloc(n_hooks, sizeof *w->rows);
	w->norm = xcalloc(n_hooks, sizeof *w->norm);
	for (size_t i = 0; i < n_hooks; i++)
		w->median[i] = NAN;
	char *path = file_path(w, "acts.json");
	int bad = access(path, F_OK) ? start_fresh(w, about, hooks, e) : resume(w, path, about, hooks, e);
	free(path);
	json_decref(about);
	if (!bad)
		return w;
	acts_writer_abandon(w);
	return NULL;
}

u64 acts_writer_texts(const struct acts_writer *w)
{
	return w->texts_on_disk;
}

static void reserve(struct acts_writer *w, size_t n)
{
	if (w->n_texts + 2 > w->cap_texts) {
		w->cap_texts = 2 * w->cap_texts + 64;
		w->text_ptr = xreallocarray(w->text_ptr, w->cap_texts, sizeof *w->text_ptr);
		w->text_ptr[0] = 0;
	}
	if (w->n + n <= w->cap)
		return;
	w->cap = MAX(w->n + n, MIN(2 * w->cap, ACTS_SHARD_TOKENS + 4096));
	w->tokens = xreallocarray(w->tokens, w->cap, sizeof *w->tokens);
	w->flags = xreallocarray(w->flags, w->cap, sizeof *w->flags);
	for (size_t h = 0; h < w->n_hooks; h++) {
		w->rows[h] = xreallocarray(w->rows[h], w->cap, w->d * sizeof **w->rows);
		w->norm[h] = xreallocarray(w->norm[h], w->cap, sizeof **w->norm);
	}
}

static int add_rows(struct acts_writer *w, size_t h, const f32 *rows, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		f64 sum = 0;
		const f32 *x = rows + i * w->d;
		u16 *to = w->rows[h] + (w->n + i) * w->d;
		for (u32 k = 0; k < w->d; k++) {
			sum += (f64)x[k] * (f64)x[k];
			to[k] = f32_to_f16(x[k] > 65504 ? 65504 : x[k] < -65504 ? -65504 : x[k]);
		}
		if (isnan(sum))
			return err_set(e, ERR_FAILED,
				       "the model gave a row that is not a number at token %zu of a text", i);
		w->norm[h][w->n + i] = (f32)sqrt(sum);
	}
	return 0;
}

static int by_value(const void *a, const void *b)
{
	f32 x = *(const f32 *)a, y = *(const f32 *)b;
	return (x > y) - (x < y);
}

static f32 median_norm(const struct acts_writer *w, size_t h)
{
	f32 *v = xcalloc(w->n + 1, sizeof *v), m = NAN;
	size_t n = 0;
	for (size_t i = 0; i < w->n; i++)
		if (!(w->flags[i] & TOKEN_MASKED))
			v[n++] = w->norm[h][i];
	qsort(v, n, sizeof *v, by_value);
	if (n)
		m = n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
	free(v);
	return m > 0 ? m : NAN;
}

static void flag_sinks(struct acts_writer *w)
{
	for (size_t h = 0; h < w->n_hooks; h++) {
		if (isnan(w->median[h]) && !isnan(w->median[h] = median_norm(w, h)))
			json_object_set_new(json_array_get(json_object_get(w->json, "hooks"), h),
					    "norm_median", json_f32(w->median[h]));
	}
	for (size_t h = 0; h < w->n_hooks; h++)
		for (size_t i = 0; i < w->n; i++)
			if (w->norm[h][i] >
			    ACTS_SINK_MULTIPLE * w->median[h]) /* false while there is no median */
				w->flags[i] |= TOKEN_SINK;
}

static int write_shard(struct acts_writer *w, const char *path, struct err *e)
{
	struct tensor_out *t = xcalloc(w->n_hooks + 3, sizeof *t);
	json_t *hooks = json_object_get(w->json, "hooks");
	t[0] = (struct tensor_out){"text_ptr", DTYPE_U64, 1, {w->n_texts + 1}, w->text_ptr};
	t[1] = (struct tensor_out){"tokens", DTYPE_U32, 1, {w->n}, w->tokens};
	t[2] = (struct tensor_out){"token_flags", DTYPE_U8, 1, {w->n}, w->flags};
	for (size_t h = 0; h < w->n_hooks; h++)
		t[3 + h] = (struct tensor_out){json_opt_str(json_array_get(hooks, h), "tensor", ""),
					       DTYPE_F16,
					       2,
					       {w->n, w->d},
					       w->rows[h]};
	int bad = safetensors_write_file(path, t, w->n_hooks + 3,
					 (const char *[]){"format", "featlas-acts", NULL}, e);
	free(t);
	return bad;
}

/* The shard first, acts.json after it: what acts.json names is whole. */
static int flush(struct acts_writer *w, struct err *e)
{
	if (!w->n_texts)
		return 0;
	flag_sinks(w);
	json_t *shards = json_object_get(w->json, "shards");
	char file[32];
	snprintf(file, sizeof file, "shard-%05zu.safetensors", json_array_size(shards));
	char *path = file_path(w, file), *about = file_path(w, "acts.json");
	int bad = write_shard(w, path, e);
	if (!bad) {
		json_array_append_new(shards, json_pack("{s:s, s:I, s:I}", "file", file, "n_tokens",
							(json_int_t)w->n, "n_texts", (json_int_t)w->n_texts));
		bad = json_write_file(about, w->json, e);
	}
	if (!bad) {
		w->texts_on_disk += w->n_texts;
		w->n = w->n_texts = 0;
	}
	free(path);
	free(about);
	return bad;
}

int acts_writer_text(struct acts_writer *w, const u32 *tokens, const u8 *flags, const f32 *const *rows,
		     size_t n, struct err *e)
{
	reserve(w, n);
	memcpy(w->tokens + w->n, tokens, n * sizeof *tokens);
	memcpy(w->flags + w->n, flags, n);
	for (size_t h = 0; h < w->n_hooks; h++)
		if (add_rows(w, h, rows[h], n, e))
			return -1;
	w->n += n;
	w->text_ptr[++w->n_texts] = w->n;
	return w->n >= ACTS_SHARD_TOKENS ? flush(w, e) : 0;
}

int acts_writer_close(struct acts_writer *w, struct err *e)
{
	int bad = flush(w, e);
	if (!bad && !w->texts_on_disk)
		bad = err_set(e, ERR_FAILED, "there is no text to write to '%s'", w->folder);
	acts_writer_abandon(w);
	return bad;
}

void acts_writer_abandon(struct acts_writer *w)
{
	if (!w)
		return;
	for (size_t h = 0; h < w->n_hooks; h++) {
		free(w->rows[h]);
		free(w->norm[h]);
	}
	free(w->rows);
	free(w->norm);
	free(w->median);
	free(w->tokens);
	free(w->flags);
	free(w->text_ptr);
	json_decref(w->json);
	free(w->folder);
	free(w);
}
