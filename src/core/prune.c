/* SPDX-License-Identifier: MIT */
/* prune.c - keeping what is near the chosen contexts. */
#include "core/prune.h"

#include "base/half.h"
#include "base/mapfile.h"
#include "base/mem.h"
#include "base/outfile.h"
#include "core/index.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BINS = 256 };

static u64 count_texts(const struct store *s)
{
	u64 n = 0, start, end;
	for (u64 at = 0; at < store_n_tokens(s); at = MAX(end, at + 1), n++)
		store_text_of(s, at, &start, &end);
	return n;
}

static void copy_tokens(const struct store *s, struct index_image *m)
{
	u64 n = 0, start, end;
	for (u64 at = 0; at < m->n_tokens && n < m->n_texts; at = MAX(end, at + 1)) {
		store_text_of(s, at, &start, &end);
		m->text_ptr[n++] = at;
	}
	m->text_ptr[n] = m->n_tokens;
	for (u64 i = 0; i < m->n_tokens; i++) {
		m->tokens[i] = store_token(s, i);
		m->flags[i] = store_token_flags(s, i);
	}
	m->n_indexed = store_n_indexed(s);
	m->n_kept = store_n_kept(s);
}

static void copy_statistics(const struct store *s, struct index_image *m, u32 f)
{
	struct store_stats t;
	f32 edges[MAX_BINS + 1];
	u64 counts[MAX_BINS];
	store_stats(s, f, &t);
	m->count[f] = t.count;
	m->density[f] = t.density;
	m->max[f] = t.max;
	m->mean[f] = t.mean;
	m->scale[f] = index_scale(t.max);
	size_t n = store_histogram(s, f, edges, counts, MAX_BINS);
	if (n == m->n_bins) {
		memcpy(m->hist_edge + (size_t)f * (n + 1), edges, (n + 1) * sizeof *edges);
		memcpy(m->hist_count + (size_t)f * n, counts, n * sizeof *counts);
	}
}

static int by_position(const void *a, const void *b)
{
	const struct store_context *x = a, *y = b;
	return (x->position > y->position) - (x->position < y->position);
}

struct kept {
	u32 *pos;
	f32 *act;
	u64 n, cap;
};

static void keep(struct kept *k, u64 pos, f32 act)
{
	if (k->n == k->cap) {
		k->cap = 2 * k->cap + 1024;
		k->pos = xreallocarray(k->pos, k->cap, sizeof *k->pos);
		k->act = xreallocarray(k->act, k->cap, sizeof *k->act);
	}
	k->pos[k->n] = (u32)pos;
	k->act[k->n++] = act;
}

/* What fires around contexts sorted by position; windows that overlap count once. */
static void keep_near(const struct store *s, u32 f, const struct store_context *c, size_t n, u32 window,
		      f32 *act /* [2 window + 1] */, struct kept *k)
{
	u64 done = 0, start, end;
	k->n = 0;
	for (size_t i = 0; i < n; i++) {
		u64 p = c[i].position;
		store_text_of(s, p, &start, &end);
		u64 from = MAX(MAX(start, p > window ? p - window : 0), done), to = MIN(end, p + window + 1);
		if (from >= to)
			continue;
		store_activations(s, f, from, to, act);
		for (u64 at = from; at < to; at++)
			if (act[at - from] > 0)
				keep(k, at, act[at - from]);
		done = to;
	}
}

static int copy_features(const struct store *s, struct index_image *m, u32 window, struct progress *progress,
			 struct err *e)
{
	struct kept k = {0};
	f32 *act = mem_try(2 * (u64)window + 1, sizeof *act, "activations", e);
	int bad = act ? 0 : -1;
	progress_start(progress, "pruning", "features", m->n_features);
	for (u32 f = 0; f < m->n_features && !bad; f++) {
		size_t n = store_contexts(s, f, NULL, 0);
		struct store_context *c = xcalloc(n + 1, sizeof *c);
		n = MIN(n, store_contexts(s, f, c, n));
		copy_statistics(s, m, f);
		index_image_contexts(m, f, c, n);
		qsort(c, n, sizeof *c, by_position);
		keep_near(s, f, c, n, window, act, &k);
		free(c);
		bad = index_image_activations(m, f, k.pos, k.act, k.n, e);
		progress_add(progress, 1);
		if (progress_cancelled(progress))
			bad = err_set(e, ERR_CANCELLED, "stopped on request");
	}
	free(act);
	free(k.pos);
	free(k.act);
	return bad;
}

int prune_store(const struct store *s, u32 n_features, u32 window, const char *path, const char *uuid,
		const char *build_id, struct progress *progress, u64 *n_activations, struct err *e)
{
	f32 edges[MAX_BINS + 1];
	u64 counts[MAX_BINS];
	if (store_n_tokens(s) >= UINT32_MAX)
		return err_set(e, ERR_FAILED, "the store has more tokens than a segment holds");
	const char *slash = strrchr(path, '/');
	char *folder = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
	size_t n_bins = n_features ? store_histogram(s, 0, edges, counts, MAX_BINS) : 0;
	struct index_image *m =
		index_image_new(n_features, (u32)n_bins, store_n_tokens(s), count_texts(s), folder, e);
	int bad = -1;
	if (m) {
		m->imported = store_is_imported(s);
		copy_tokens(s, m);
		bad = copy_features(s, m, window, progress, e) ||
		      index_image_write(m, path, false, uuid, build_id, 0, e);
	}
	if (!bad && n_activations)
		*n_activations = m->feature_ptr[n_features];
	index_image_free(m);
	free(folder);
	return bad ? -1 : 0;
}

static bool narrows(const struct tensor *t)
{
	return t->dtype == DTYPE_F32 && t->n_dims == 2;
}

static int add_narrow(struct safetensors_writer *w, const struct tensor *t, const char *path, struct err *e)
{
	f32 x[1024];
	u16 h[1024];
	for (u64 i = 0; i < t->n; i += ARRAY_LEN(x)) {
		u64 n = MIN(t->n - i, (u64)ARRAY_LEN(x));
		tensor_get_f32(t, i, n, x);
		for (u64 k = 0; k < n; k++) {
			if (!(fabsf(x[k]) <= 65504))
				return err_set(e, ERR_FAILED,
					       "'%s': tensor '%s' has a value that f16 cannot hold", path,
					       t->name);
			h[k] = f32_to_f16(x[k]);
		}
		if (safetensors_writer_add(w, h, n * sizeof *h, e))
			return -1;
	}
	return 0;
}

int prune_weights(const char *from, const char *to, const char *build_id, struct err *e)
{
	struct safetensors *s = safetensors_open(from, e);
	struct safetensors_writer *w = s ? safetensors_writer_new(to, e) : NULL;
	static const char *const kept[] = {"uuid", "format"};
	int bad = w ? 0 : -1;
	for (size_t i = 0; w && i < ARRAY_LEN(kept); i++)
		if (safetensors_metadata(s, kept[i]))
			safetensors_writer_meta(w, kept[i], safetensors_metadata(s, kept[i]));
	if (w)
		safetensors_writer_meta(w, "build_id", build_id);
	for (size_t i = 0; w && i < safetensors_count(s); i++) {
		const struct tensor *t = safetensors_at(s, i);
		safetensors_writer_declare(w, t->name, narrows(t) ? DTYPE_F16 : t->dtype, t->n_dims,
					   t->shape);
	}
	if (w)
		bad = safetensors_writer_begin(w, e);
	for (const char *name; !bad && (name = safetensors_writer_next(w));) {
		const struct tensor *t = safetensors_find(s, name);
		bad = narrows(t) ? add_narrow(w, t, from, e)
				 : safetensors_writer_add(w, t->data.p, t->data.n, e);
	}
	if (!bad)
		bad = safetensors_writer_commit(w, e);
	else
		safetensors_writer_abandon(w);
	safetensors_free(s);
	return bad;
}

int prune_copy(const char *from, const char *to, struct err *e)
{
	struct mapfile *m = mapfile_open(from, e);
	if (!m)
		return -1;
	int bad = outfile_write_all(to, mapfile_span(m).p, mapfile_span(m).n, e);
	mapfile_free(m);
	return bad;
}
