/* SPDX-License-Identifier: MIT */
/* index_write.c - a segment of the store, collected and written. */
#include "core/index.h"

#include "base/half.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

FILE *index_scratch(const char *folder, struct err *e)
{
	char *path = xasprintf("%s/.featlas-XXXXXX", folder);
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w+b");
	if (!f)
		err_os(e, "cannot make a scratch file in '%s'", folder);
	if (fd >= 0)
		unlink(path);
	if (fd >= 0 && !f)
		close(fd);
	free(path);
	return f;
}

struct index_image *index_image_new(u32 n_features, u32 n_bins, u64 n_tokens, u64 n_texts, const char *folder,
				    struct err *e)
{
	struct index_image *m = xcalloc(1, sizeof *m);
	u64 f = n_features;
	m->n_features = n_features;
	m->n_bins = n_bins;
	m->n_tokens = n_tokens;
	m->n_texts = n_texts;
	if ((m->tokens = mem_try(n_tokens, sizeof *m->tokens, "tokens", e)) &&
	    (m->flags = mem_try(n_tokens, 1, "tokens", e)) &&
	    (m->text_ptr = mem_try(n_texts + 1, sizeof *m->text_ptr, "texts", e)) &&
	    (m->count = mem_try(f, sizeof *m->count, "statistics", e)) &&
	    (m->feature_ptr = mem_try(f + 1, sizeof *m->feature_ptr, "statistics", e)) &&
	    (m->density = mem_try(f, sizeof *m->density, "statistics", e)) &&
	    (m->max = mem_try(f, sizeof *m->max, "statistics", e)) &&
	    (m->mean = mem_try(f, sizeof *m->mean, "statistics", e)) &&
	    (m->scale = mem_try(f, sizeof *m->scale, "statistics", e)) &&
	    (m->hist_edge = mem_try(f * (n_bins + 1ull), sizeof *m->hist_edge, "histograms", e)) &&
	    (m->hist_count = mem_try(f * n_bins, sizeof *m->hist_count, "histograms", e)) &&
	    (m->ctx_ptr = mem_try(f + 1, sizeof *m->ctx_ptr, "contexts", e)) &&
	    (m->pos = index_scratch(folder, e)) && (m->val = index_scratch(folder, e)))
		return m;
	index_image_free(m);
	return NULL;
}

void index_image_free(struct index_image *m)
{
	if (!m)
		return;
	free(m->tokens);
	free(m->flags);
	free(m->text_ptr);
	free(m->count);
	free(m->feature_ptr);
	free(m->density);
	free(m->max);
	free(m->mean);
	free(m->scale);
	free(m->hist_edge);
	free(m->hist_count);
	free(m->ctx_ptr);
	free(m->ctx_pos);
	free(m->ctx_val);
	free(m->ctx_kind);
	free(m->ctx_interval);
	if (m->pos)
		fclose(m->pos);
	if (m->val)
		fclose(m->val);
	free(m);
}

f32 index_scale(f32 max)
{
	if (!(max > 0) || (max <= 65504 && max >= 0x1p-6f))
		return 1;
	int exponent;
	frexpf(max, &exponent);
	return ldexpf(1, exponent);
}

void index_histogram(const f32 *act, u64 n, f32 max, u32 n_bins, f32 *edges, u64 *counts)
{
	for (u32 b = 0; b <= n_bins; b++)
		edges[b] = (f32)((f64)max * b / n_bins);
	memset(counts, 0, n_bins * sizeof *counts);
	for (u64 i = 0; i < n; i++) {
		u32 b = MIN((u32)((f64)act[i] / max * n_bins), n_bins - 1);
		/* the edges as stored decide */
		while (b > 0 && act[i] < edges[b])
			b--;
		while (b + 1 < n_bins && act[i] >= edges[b + 1])
			b++;
		counts[b]++;
	}
}

void index_image_contexts(struct index_image *m, u32 feature, const struct store_context *c, size_t n)
{
	u64 at = m->ctx_ptr[feature];
	if (at + n > m->cap_ctx) {
		m->cap_ctx = 2 * m->cap_ctx + n + 1024;
		m->ctx_pos = xreallocarray(m->ctx_pos, m->cap_ctx, sizeof *m->ctx_pos);
		m->ctx_val = xreallocarray(m->ctx_val, m->cap_ctx, sizeof *m->ctx_val);
		m->ctx_kind = xreallocarray(m->ctx_kind, m->cap_ctx, 1);
		m->ctx_interval = xreallocarray(m->ctx_interval, m->cap_ctx, 1);
	}
	for (size_t i = 0; i < n; i++) {
		m->ctx_pos[at + i] = (u32)c[i].position;
		m->ctx_val[at + i] = c[i].act;
		m->ctx_kind[at + i] = (u8)c[i].kind;
		m->ctx_interval[at + i] = c[i].interval;
	}
	m->ctx_ptr[feature + 1] = at + n;
}

int index_image_activations(struct index_image *m, u32 feature, const u32 *pos, const f32 *act, u64 n,
			    struct err *e)
{
	f32 scale = m->scale[feature];
	m->feature_ptr[feature + 1] = m->feature_ptr[feature] + n;
	bool ok = !n || fwrite(pos, sizeof *pos, n, m->pos) == n;
	u16 half[512];
	for (u64 i = 0; ok && i < n; i += ARRAY_LEN(half)) {
		size_t k = (size_t)MIN(n - i, (u64)ARRAY_LEN(half));
		for (size_t j = 0; j < k; j++)
			half[j] = f32_to_f16(act[i + j] / scale);
		ok = fwrite(half, sizeof *half, k, m->val) == k;
	}
	return ok ? 0 : err_os(e, "cannot write a scratch file");
}

static int copy(struct safetensors_writer *w, FILE *f, struct err *e)
{
	static const size_t size = 1 << 20;
	if (fflush(f) || fseeko(f, 0, SEEK_SET))
		return err_os(e, "cannot read a scratch file");
	u8 *b = xmalloc(size);
	int bad = 0;
	for (size_t n; !bad && (n = fread(b, 1, size, f));)
		bad = safetensors_writer_add(w, b, n, e);
	if (!bad && ferror(f))
		bad = err_os(e, "cannot read a scratch file");
	free(b);
	return bad;
}

static int add_tokens(struct safetensors_writer *w, const struct index_image *m, bool narrow, struct err *e)
{
	if (!narrow)
		return safetensors_writer_add(w, m->tokens, m->n_tokens * sizeof *m->tokens, e);
	u16 id[2048];
	for (u64 i = 0; i < m->n_tokens; i += ARRAY_LEN(id)) {
		size_t n = (size_t)MIN(m->n_tokens - i, (u64)ARRAY_LEN(id));
		for (size_t k = 0; k < n; k++)
			id[k] = (u16)m->tokens[i + k];
		if (safetensors_writer_add(w, id, n * sizeof *id, e))
			return -1;
	}
	return 0;
}

static bool fits_u16(const struct index_image *m)
{
	for (u64 i = 0; i < m->n_tokens; i++)
		if (m->tokens[i] > UINT16_MAX)
			return false;
	return true;
}

static void add_meta(struct safetensors_writer *w, const struct index_image *m, bool full, const char *uuid,
		     const char *build_id, u64 first_token)
{
	char number[32];
	safetensors_writer_meta(w, "uuid", uuid);
	safetensors_writer_meta(w, "build_id", build_id);
	safetensors_writer_meta(w, "coverage", full ? "full" : "examples");
	if (m->imported)
		safetensors_writer_meta(w, "statistics", "imported");
	snprintf(number, sizeof number, "%llu", (unsigned long long)m->n_indexed);
	safetensors_writer_meta(w, "n_tokens_indexed", number);
	snprintf(number, sizeof number, "%llu", (unsigned long long)m->n_kept);
	safetensors_writer_meta(w, "n_tokens_kept", number);
	snprintf(number, sizeof number, "%llu", (unsigned long long)first_token);
	safetensors_writer_meta(w, "first_token", number);
}

int index_image_write(struct index_image *m, const char *path, bool full, const char *uuid,
		      const char *build_id, u64 first_token, struct err *e)
{
	u64 f = m->n_features, n_act = m->feature_ptr[f], n_ctx = m->ctx_ptr[f];
	bool narrow = fits_u16(m);
	struct tensor_out t[] = {
		{"text_ptr", DTYPE_U64, 1, {m->n_texts + 1}, m->text_ptr},
		{"feature_ptr", DTYPE_U64, 1, {f + 1}, m->feature_ptr},
		{"count", DTYPE_U64, 1, {f}, m->count},
		{"hist_count", DTYPE_U64, 2, {f, m->n_bins}, m->hist_count},
		{"ctx_ptr", DTYPE_U64, 1, {f + 1}, m->ctx_ptr},
		{"act_pos", DTYPE_U32, 1, {n_act}, NULL},
		{"act_scale", DTYPE_F32, 1, {f}, m->scale},
		{"density", DTYPE_F32, 1, {f}, m->density},
		{"max", DTYPE_F32, 1, {f}, m->max},
		{"mean", DTYPE_F32, 1, {f}, m->mean},
		{"hist_edge", DTYPE_F32, 2, {f, m->n_bins + 1}, m->hist_edge},
		{"ctx_pos", DTYPE_U32, 1, {n_ctx}, m->ctx_pos},
		{"ctx_val", DTYPE_F32, 1, {n_ctx}, m->ctx_val},
		{"tokens", narrow ? DTYPE_U16 : DTYPE_U32, 1, {m->n_tokens}, NULL},
		{"act_val", DTYPE_F16, 1, {n_act}, NULL},
		{"token_flags", DTYPE_U8, 1, {m->n_tokens}, m->flags},
		{"ctx_kind", DTYPE_U8, 1, {n_ctx}, m->ctx_kind},
		{"ctx_interval", DTYPE_U8, 1, {n_ctx}, m->ctx_interval},
	};
	struct safetensors_writer *w = safetensors_writer_new(path, e);
	if (!w)
		return -1;
	add_meta(w, m, full, uuid, build_id, first_token);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		safetensors_writer_declare(w, t[i].name, t[i].dtype, t[i].n_dims, t[i].shape);
	int bad = safetensors_writer_begin(w, e);
	for (const char *name; !bad && (name = safetensors_writer_next(w));) {
		size_t i = 0;
		while (strcmp(t[i].name, name))
			i++;
		if (!strcmp(name, "act_pos"))
			bad = copy(w, m->pos, e);
		else if (!strcmp(name, "act_val"))
			bad = copy(w, m->val, e);
		else if (!strcmp(name, "tokens"))
			bad = add_tokens(w, m, narrow, e);
		else {
			u64 n = t[i].shape[0] * (t[i].n_dims > 1 ? t[i].shape[1] : 1);
			bad = safetensors_writer_add(w, t[i].data, n * dtype_size(t[i].dtype), e);
		}
	}
	if (!bad)
		return safetensors_writer_commit(w, e);
	safetensors_writer_abandon(w);
	return -1;
}
