/* SPDX-License-Identifier: MIT */
/* vocab.c - token id to bytes. */
#include "core/vocab.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "io/safetensors.h"

#include <stdlib.h>

struct vocab {
	struct safetensors *file;
	const struct tensor *bytes, *offset, *special;
	u8 *own_bytes, *own_special; /* instead of a file */
	u64 *own_offset;
	u32 n;
};

static int find_tensors(struct vocab *v, struct err *e)
{
	u64 any[] = {TENSOR_ANY};
	v->bytes = safetensors_need(v->file, "bytes", 1u << DTYPE_U8, 1, any, e);
	v->offset = v->bytes ? safetensors_need(v->file, "offset", 1u << DTYPE_U64, 1, any, e) : NULL;
	if (!v->offset)
		return -1;
	if (v->offset->n < 1 || v->offset->n > UINT32_MAX)
		return err_set(e, ERR_DAMAGED, "'%s' has %llu offsets", safetensors_path(v->file),
			       (unsigned long long)v->offset->n);
	v->n = (u32)(v->offset->n - 1);
	v->special = safetensors_need(v->file, "special", 1u << DTYPE_U8, 1, (u64[]){v->n}, e);
	return v->special ? 0 : -1;
}

struct vocab *vocab_open(const char *path, struct err *e)
{
	struct safetensors *file = safetensors_open(path, e);
	if (!file)
		return NULL;
	struct vocab *v = xcalloc(1, sizeof *v);
	v->file = file;
	if (find_tensors(v, e)) {
		vocab_free(v);
		return NULL;
	}
	return v;
}

struct vocab *vocab_take(u8 *bytes, u64 *offset, u8 *special, u32 n)
{
	struct vocab *v = xcalloc(1, sizeof *v);
	*v = (struct vocab){.own_bytes = bytes, .own_offset = offset, .own_special = special, .n = n};
	return v;
}

void vocab_free(struct vocab *v)
{
	if (!v)
		return;
	safetensors_free(v->file);
	free(v->own_bytes);
	free(v->own_offset);
	free(v->own_special);
	free(v);
}

u32 vocab_count(const struct vocab *v)
{
	return v->n;
}

struct span vocab_bytes(const struct vocab *v, u32 token)
{
	struct span none = {(const u8 *)"", 0};
	if (token >= v->n)
		return none;
	if (v->own_bytes)
		return (struct span){v->own_bytes + v->own_offset[token], v->own_offset[token + 1] - v->own_offset[token]};
	u64 from = tensor_u64(v->offset, token), to = tensor_u64(v->offset, (u64)token + 1);
	return from < to && to <= v->bytes->n ? (struct span){v->bytes->data.p + from, to - from} : none;
}

bool vocab_is_special(const struct vocab *v, u32 token)
{
	return token < v->n && (v->own_special ? v->own_special : v->special->data.p)[token];
}

void vocab_add_text(const struct vocab *v, struct buf *out, const u32 *tokens, size_t n)
{
	struct buf joined = BUF_INIT;
	for (size_t i = 0; i < n; i++) {
		struct span s = vocab_bytes(v, tokens[i]);
		buf_add(&joined, s.p, s.n);
	}
	utf8_add_valid(out, joined.s, joined.n);
	buf_release(&joined);
}

int vocab_write(const char *path, const struct span *tokens, const u8 *special, u32 n, const char *uuid,
		const char *build_id, struct err *e)
{
	u64 *offset = mem_try((u64)n + 1, sizeof *offset, "the vocabulary", e);
	if (!offset)
		return -1;
	struct buf bytes = BUF_INIT;
	for (u32 i = 0; i < n; i++) {
		buf_add(&bytes, tokens[i].p, tokens[i].n);
		offset[i + 1] = bytes.n;
	}
	struct tensor_out out[] = {
		{"bytes", DTYPE_U8, 1, {bytes.n}, bytes.s},
		{"offset", DTYPE_U64, 1, {(u64)n + 1}, offset},
		{"special", DTYPE_U8, 1, {n}, special},
	};
	const char *meta[] = {"uuid", uuid, "build_id", build_id, NULL};
	int r = safetensors_write_file(path, out, ARRAY_LEN(out), meta, e);
	buf_release(&bytes);
	free(offset);
	return r;
}
