/* SPDX-License-Identifier: MIT */
/* parts.c - store, vocabulary, promoted tokens and scores of an atlas. */
#include "session/parts.h"

#include "backend/steer.h"
#include "base/half.h"
#include "base/mem.h"
#include "core/vocab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *file_path(const struct parts *p, const char *file)
{
	return xasprintf("%s/%s", p->atlas->folder, file);
}

static int note(struct parts *p, const char *part, const char *file, json_t *details, struct err *e)
{
	return atlas_note_part(p->json, p->atlas->folder, part, file, "index", details, e);
}

/* A name that no segment has. */
static void segment_name(const struct parts *p, bool append, char *out, size_t size)
{
	snprintf(out, size, "activations.safetensors");
	for (unsigned i = 2; append && i < 100000; i++) {
		char *path = file_path(p, out);
		bool taken = !access(path, F_OK);
		free(path);
		if (!taken)
			return;
		snprintf(out, size, "activations-%u.safetensors", i);
	}
}

int parts_store(struct parts *p, struct acts *a, size_t hook, const struct index_options *given, bool append,
		struct index_report *report, struct err *e)
{
	struct index_options o = *given;
	char file[48];
	o.uuid = atlas_json_uuid(p->json);
	o.build_id = atlas_json_build_id(p->json);
	append &= p->atlas->store != NULL;
	o.first_token = append ? store_n_tokens(p->atlas->store) : 0;
	segment_name(p, append, file, sizeof file);
	char *path = file_path(p, file);
	int bad = index_build(p->atlas->dict, a, hook, path, &o, p->pool, p->progress, report, e);
	free(path);
	if (bad)
		return -1;
	if (!append)
		atlas_drop_part(p->json, "store");
	return note(p, "store", file,
		    json_pack("{s:I, s:I, s:I, s:I, s:I}", "n_tokens", (json_int_t)report->n_tokens, "n_kept",
			      (json_int_t)report->n_kept, "n_dead", (json_int_t)report->n_dead, "contexts",
			      (json_int_t)o.n_top, "seed", (json_int_t)o.seed),
		    e);
}

int parts_fingerprint(struct parts *p, struct err *e)
{
	struct fingerprint f;
	const struct atlas *a = p->atlas;
	if (backend_info(p->backend)->d_model != a->d_model)
		return err_set(e, ERR_UNAVAILABLE, "the live model '%s' has %u dimensions, the atlas' model '%s' has %u",
			       backend_info(p->backend)->name, backend_info(p->backend)->d_model, a->model.name,
			       a->d_model);
	if (steer_fingerprint(p->backend, a->hook, &f, e))
		return -1;
	return json_object_set_new(p->json, "fingerprint", fingerprint_json(&f));
}

int parts_vocab(struct parts *p, struct err *e)
{
	u8 *blob, *special;
	u64 *offsets;
	u32 n;
	if (backend_vocab(p->backend, &blob, &offsets, &special, &n, e))
		return -1;
	struct span *tokens = mem_try(n, sizeof *tokens, "the vocabulary", e);
	int bad = -1;
	if (tokens) {
		for (u32 i = 0; i < n; i++)
			tokens[i] = (struct span){blob + offsets[i], offsets[i + 1] - offsets[i]};
		char *path = file_path(p, "vocab.safetensors");
		bad = vocab_write(path, tokens, special, n, atlas_json_uuid(p->json),
				  atlas_json_build_id(p->json), e);
		free(path);
	}
	free(tokens);
	free(blob);
	free(offsets);
	free(special);
	return bad ? -1 : note(p, "vocab", "vocab.safetensors", NULL, e);
}

struct lens {
	u32 *top, *bottom; /* [F][PARTS_TOKENS] */
	f32 *top_at, *bottom_at;
	u16 *half; /* [2][F][PARTS_TOKENS] */
	f32 *rows;
};

static int lens_all(struct parts *p, struct lens *l, struct err *e)
{
	enum { BATCH = 64, K = PARTS_TOKENS };
	u32 n_features = p->atlas->n_features, d = dict_info(p->atlas->dict)->d_out;
	if (!(l->rows = mem_try((u64)BATCH * d, sizeof *l->rows, "rows", e)))
		return -1;
	progress_start(p->progress, "promoted tokens", "features", n_features);
	for (u32 f = 0; f < n_features; f += BATCH) {
		u32 n = MIN((u32)BATCH, n_features - f);
		if (dict_decoder_rows(p->atlas->dict, f, n, l->rows, e))
			return -1;
		size_t at = (size_t)f * K;
		if (backend_lens(p->backend, l->rows, n, K, l->top + at, l->top_at + at, l->bottom + at,
				 l->bottom_at + at, e))
			return -1;
		progress_add(p->progress, n);
		if (progress_cancelled(p->progress))
			return err_set(e, ERR_CANCELLED, "stopped on request");
	}
	return 0;
}

static int write_lens(struct parts *p, const struct lens *l, struct err *e)
{
	u64 f = p->atlas->n_features, n = f * PARTS_TOKENS;
	for (u64 i = 0; i < n; i++) {
		l->half[i] = f32_to_f16(l->top_at[i]);
		l->half[n + i] = f32_to_f16(l->bottom_at[i]);
	}
	const struct tensor_out t[] = {
		{"promoted_token", DTYPE_U32, 2, {f, PARTS_TOKENS}, l->top},
		{"suppressed_token", DTYPE_U32, 2, {f, PARTS_TOKENS}, l->bottom},
		{"promoted_value", DTYPE_F16, 2, {f, PARTS_TOKENS}, l->half},
		{"suppressed_value", DTYPE_F16, 2, {f, PARTS_TOKENS}, l->half + n},
	};
	const char *meta[] = {"uuid", atlas_json_uuid(p->json), "build_id", atlas_json_build_id(p->json),
			      NULL};
	char *path = file_path(p, "logits.safetensors");
	int bad = safetensors_write_file(path, t, ARRAY_LEN(t), meta, e);
	free(path);
	return bad;
}

int parts_logits(struct parts *p, struct err *e)
{
	struct lens l = {0};
	u64 n = (u64)p->atlas->n_features * PARTS_TOKENS;
	if (backend_info(p->backend)->d_model != dict_info(p->atlas->dict)->d_out)
		return err_set(e, ERR_FAILED, "the model's rows have %u numbers, the dictionary's %u",
			       backend_info(p->backend)->d_model, dict_info(p->atlas->dict)->d_out);
	int bad = -1;
	if ((l.top = mem_try(n, 4, "promoted tokens", e)) &&
	    (l.bottom = mem_try(n, 4, "promoted tokens", e)) &&
	    (l.top_at = mem_try(n, 4, "promoted tokens", e)) &&
	    (l.bottom_at = mem_try(n, 4, "promoted tokens", e)) &&
	    (l.half = mem_try(2 * n, 2, "promoted tokens", e)) && !lens_all(p, &l, e))
		bad = write_lens(p, &l, e);
	free(l.top);
	free(l.bottom);
	free(l.top_at);
	free(l.bottom_at);
	free(l.half);
	free(l.rows);
	return bad ? -1 : note(p, "logits", "logits.safetensors", NULL, e);
}
