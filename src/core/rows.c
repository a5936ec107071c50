/* SPDX-License-Identifier: MIT */
/* rows.c - unit rows as bf16: made by the pool, kept in the cache. */
#include "core/rows.h"

#include "base/mem.h"
#include "base/xdg.h"
#include "core/atlas.h"
#include "core/kernel.h"
#include "core/vec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	ROWS_A_TASK = 256,
	SMALL = 64 << 20, /* bytes that are made anew rather than read from a file */
};

void rows_unit(f32 *x, size_t d)
{
	f64 square = 0;
	for (size_t i = 0; i < d; i++)
		square += (f64)x[i] * x[i];
	vec_scale(x, square > 0 && square < INFINITY ? (f32)(1 / sqrt(square)) : 0, d);
	for (size_t i = 0; i < d; i++)
		x[i] = isfinite(x[i]) ? x[i] : 0;
}

void rows_exact(const struct rows *r, u32 id, f32 *out)
{
	if (r->exact) {
		memcpy(out, r->exact + id * r->d, r->d * sizeof *out);
		return;
	}
	dict_decoder_row(r->dict, id, out);
	rows_unit(out, r->d);
}

/* ---- making ---- */

struct making {
	const struct rows *r;
	size_t first, n;
	u16 *kept; /* of the rows [first, first + n) */
	u64 *empty;
	struct thread_part {
		f32 *row, off;
	} * part;
	unsigned n_parts;
};

/* Tasks begin at multiples of 64, so each has words of its own. */
static void keep_rows(void *context, size_t task, unsigned thread)
{
	struct making *m = context;
	const struct rows *r = m->r;
	struct thread_part *part = &m->part[thread];
	size_t end = MIN((task + 1) * ROWS_A_TASK, m->n);
	for (size_t i = task * ROWS_A_TASK; i < end; i++) {
		size_t id = m->first + i;
		rows_exact(r, (u32)id, part->row);
		part->off = fmaxf(part->off, kernel_round(part->row, r->d, r->stride, m->kept + i * r->stride));
		bool zero = true;
		for (size_t k = 0; zero && k < r->d; k++)
			zero = part->row[k] == 0;
		m->empty[id / 64] |= (u64)zero << id % 64;
	}
}

static int making_new(struct making *m, const struct rows *r, struct pool *pool, struct err *e)
{
	*m = (struct making){.r = r, .n_parts = pool ? pool_threads(pool) : 1};
	m->part = xcalloc(m->n_parts, sizeof *m->part);
	for (unsigned i = 0; i < m->n_parts; i++)
		if (!(m->part[i].row = mem_try(r->d, sizeof(f32), "a row", e)))
			return -1;
	return 0;
}

static f32 making_release(struct making *m)
{
	f32 off = 0;
	for (unsigned i = 0; i < m->n_parts; i++) {
		off = fmaxf(off, m->part[i].off);
		free(m->part[i].row);
	}
	free(m->part);
	return off;
}

static size_t n_words(const struct rows *r)
{
	return (r->n + 511) / 512 * 8; /* so that what follows in a file is aligned to 64 bytes */
}

static void count_empty(struct rows *r)
{
	for (size_t i = 0; i < n_words(r); i++)
		r->n_empty += (size_t)__builtin_popcountll(r->empty[i]);
}

static int make_in_memory(struct rows *r, struct pool *pool, struct progress *p, struct err *e)
{
	struct making m;
	r->own_kept = mem_try(r->n * r->stride, sizeof(u16), "rows", e);
	r->own_empty = mem_try(n_words(r), sizeof(u64), "rows", e);
	int bad = making_new(&m, r, pool, e) || !r->own_kept || !r->own_empty ? -1 : 0;
	m.n = r->n;
	m.kept = r->own_kept;
	m.empty = r->own_empty;
	progress_start(p, "reading the decoder", "features", r->n);
	if (!bad)
		pool_each(pool, (r->n + ROWS_A_TASK - 1) / ROWS_A_TASK, keep_rows, &m);
	progress_add(p, r->n);
	r->off = making_release(&m);
	r->kept = r->own_kept;
	r->empty = r->own_empty;
	if (!bad)
		count_empty(r);
	return bad;
}

static struct rows *rows_alloc(size_t n, size_t d)
{
	struct rows *r = xcalloc(1, sizeof *r);
	r->n = n;
	r->d = d;
	r->stride = kernel_stride(d);
	return r;
}

struct rows *rows_new(const f32 *unit, size_t n, size_t d, struct pool *pool, struct err *e)
{
	struct rows *r = rows_alloc(n, d);
	r->exact = unit;
	if (!make_in_memory(r, pool, NULL, e))
		return r;
	rows_free(r);
	return NULL;
}

void rows_free(struct rows *r)
{
	if (!r)
		return;
	safetensors_free(r->file);
	free(r->own_kept);
	free(r->own_empty);
	free(r);
}

/* ---- the cache ---- */

static char *cache_path(const char *sha256)
{
	char name[128];
	if (!sha256 || strlen(sha256) != 64 || strspn(sha256, "0123456789abcdef") != 64)
		return NULL;
	snprintf(name, sizeof name, "rows-%s.safetensors", sha256);
	return xdg_cache(name);
}

/* Whatever is wrong with a cached file, it is made anew. */
static bool map(struct rows *r, const char *path)
{
	struct err e = {0};
	struct safetensors *s = safetensors_open(path, &e);
	const char *off = s ? safetensors_metadata(s, "off") : NULL;
	const struct tensor *kept = NULL, *empty = NULL;
	if (off && !strcmp(safetensors_metadata(s, "form") ? safetensors_metadata(s, "form") : "", "unit-1")) {
		kept = safetensors_need(s, "rows", 1u << DTYPE_BF16, 2, (u64[]){r->n, r->stride}, &e);
		empty = safetensors_need(s, "empty", 1u << DTYPE_U64, 1, (u64[]){n_words(r)}, &e);
	}
	f64 x = off ? strtod(off, NULL) : 0;
	if (!kept || !empty || (uintptr_t)kept->data.p % 64 || (uintptr_t)empty->data.p % 8 || !(x >= 0 && x < 0.1)) {
		safetensors_free(s);
		return false;
	}
	r->file = s;
	r->kept = (const u16 *)(const void *)kept->data.p;
	r->empty = (const u64 *)(const void *)empty->data.p;
	r->off = (f32)x;
	count_empty(r);
	return true;
}

/* Two passes: the words of empty rows, and how far rounding goes, stand before the rows. */
static int add_rows(struct safetensors_writer *w, struct making *m, struct pool *pool, struct progress *p, struct err *e)
{
	const struct rows *r = m->r;
	size_t wave = MAX((size_t)ROWS_A_TASK, ((size_t)16 << 20) / r->stride / ROWS_A_TASK * ROWS_A_TASK);
	int bad = 0;
	m->kept = mem_try(MIN(wave, r->n) * r->stride, sizeof(u16), "rows", e);
	if (!m->kept)
		return -1;
	for (size_t at = 0; !bad && at < r->n; at += wave) {
		m->first = at;
		m->n = MIN(wave, r->n - at);
		pool_each(pool, (m->n + ROWS_A_TASK - 1) / ROWS_A_TASK, keep_rows, m);
		if (w)
			bad = safetensors_writer_add(w, m->kept, m->n * r->stride * sizeof(u16), e);
		progress_add(p, m->n);
		if (!bad && progress_cancelled(p))
			bad = err_set(e, ERR_CANCELLED, "stopped");
	}
	free(m->kept);
	return bad;
}

static int write_cache(struct rows *r, const char *path, struct pool *pool, struct progress *p, struct err *e)
{
	struct making m;
	char off[40];
	u64 *empty = mem_try(n_words(r), sizeof *empty, "rows", e);
	progress_start(p, "reading the decoder", "features", 2 * r->n);
	int bad = making_new(&m, r, pool, e) || !empty || xdg_make_parents(path, e);
	m.empty = empty;
	bad = bad || add_rows(NULL, &m, pool, p, e);
	f32 most = 0;
	for (unsigned i = 0; i < m.n_parts; i++)
		most = fmaxf(most, m.part[i].off);
	snprintf(off, sizeof off, "%a", (f64)most);
	struct safetensors_writer *w = bad ? NULL : safetensors_writer_new(path, e);
	if (w) {
		safetensors_writer_meta(w, "form", "unit-1");
		safetensors_writer_meta(w, "off", off);
		safetensors_writer_declare(w, "empty", DTYPE_U64, 1, (u64[]){n_words(r)});
		safetensors_writer_declare(w, "rows", DTYPE_BF16, 2, (u64[]){r->n, r->stride});
		bad = safetensors_writer_begin(w, e) ||
		      safetensors_writer_add(w, empty, n_words(r) * sizeof *empty, e) || add_rows(w, &m, pool, p, e);
		if (bad)
			safetensors_writer_abandon(w);
		else
			bad = safetensors_writer_commit(w, e);
	}
	making_release(&m);
	free(empty);
	return bad || !w ? -1 : 0;
}

struct rows *rows_of_dict(const struct dict *d, const char *sha256, struct pool *pool, struct progress *progress,
			  struct err *e)
{
	struct rows *r = rows_alloc(dict_info(d)->n_features, dict_info(d)->d_out);
	struct err why = {0};
	r->dict = d;
	char *path = r->n * r->stride * sizeof(u16) > SMALL ? cache_path(sha256) : NULL;
	bool there = path && (map(r, path) || (!write_cache(r, path, pool, progress, &why) && map(r, path)));
	free(path);
	if (!there && why.code == ERR_CANCELLED)
		err_set(e, ERR_CANCELLED, "%s", why.msg);
	else if (there || !make_in_memory(r, pool, progress, e)) /* a cache that cannot be written is none */
		return r;
	rows_free(r);
	return NULL;
}

struct rows *rows_of_atlas(const struct atlas *a, struct pool *pool, struct progress *progress, struct err *e)
{
	const json_t *entry = json_object_get(json_object_get(a->json, "parts"), "dictionary");
	return rows_of_dict(a->dict, json_opt_str(entry, "sha256", NULL), pool, progress, e);
}
