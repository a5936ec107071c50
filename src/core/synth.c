/* SPDX-License-Identifier: MIT */
/* synth.c - made-up atlases: the files, streamed in chunks that threads fill. */
#include "core/synth.h"

#include "base/mem.h"
#include "core/atlas.h"
#include "core/synth_impl.h"
#include "core/vocab.h"

#include <stdlib.h>
#include <string.h>

enum { CLUSTER_SIZE = 64 };

u32 synth_cluster(u64 seed, u32 n_features, u32 feature)
{
	u32 n = MAX(n_features / CLUSTER_SIZE, 1u);
	return (u32)((rand_u64(seed ^ 0xc1u, feature) >> 32) * n >> 32);
}

/* ---- streams ---- */

struct wave {
	const struct synth *s;
	const struct synth_fill *f;
	u64 first; /* chunk */
	struct buf *out;
};

static void fill_chunk(void *context, size_t task, unsigned thread)
{
	(void)thread;
	const struct wave *w = context;
	u64 from = (w->first + task) * w->f->per_chunk, to = MIN(from + w->f->per_chunk, w->f->n);
	buf_clear(&w->out[task]);
	w->f->fill(w->s, from, to, &w->out[task]);
}

int synth_stream(struct synth *s, struct safetensors_writer *w, const struct synth_fill *f, struct err *e)
{
	u64 chunks = (f->n + f->per_chunk - 1) / f->per_chunk;
	size_t width = s->pool ? 2 * pool_threads(s->pool) : 1;
	struct wave wave = {s, f, 0, xcalloc(width, sizeof *wave.out)};
	int bad = 0;
	for (size_t i = 0; i < width; i++)
		buf_init(&wave.out[i]);
	for (; !bad && wave.first < chunks; wave.first += width) {
		size_t n = (size_t)MIN((u64)width, chunks - wave.first);
		pool_each(s->pool, n, fill_chunk, &wave);
		for (size_t i = 0; !bad && i < n; i++) {
			bad = safetensors_writer_add(w, wave.out[i].s, wave.out[i].n, e);
			progress_add(s->progress, wave.out[i].n);
		}
		if (!bad && progress_cancelled(s->progress))
			bad = err_set(e, ERR_CANCELLED, "stopped");
	}
	for (size_t i = 0; i < width; i++)
		buf_release(&wave.out[i]);
	free(wave.out);
	return bad;
}

struct measure {
	struct synth *s;
	u64 n;
	u64 (*size)(const struct synth *s, u64 i);
};

static void measure_chunk(void *context, size_t task, unsigned thread)
{
	(void)thread;
	const struct measure *m = context;
	u64 sum = 0, end = MIN((task + 1ull) * SYNTH_CHUNK, m->n);
	if (progress_cancelled(m->s->progress))
		return;
	for (u64 i = task * (u64)SYNTH_CHUNK; i < end; i++)
		sum += m->size(m->s, i);
	m->s->start[task + 1] = sum;
}

int synth_measure(struct synth *s, u64 n, u64 (*size)(const struct synth *s, u64 i), u64 *total, struct err *e)
{
	u64 chunks = (n + SYNTH_CHUNK - 1) / SYNTH_CHUNK;
	struct measure m = {s, n, size};
	free(s->start);
	s->start = mem_try(chunks + 1, sizeof *s->start, "where chunks begin", e);
	if (!s->start)
		return -1;
	pool_each(s->pool, chunks, measure_chunk, &m);
	if (progress_cancelled(s->progress))
		return err_set(e, ERR_CANCELLED, "stopped");
	for (u64 i = 0; i < chunks; i++)
		s->start[i + 1] += s->start[i];
	*total = s->start[chunks];
	return 0;
}

/* ---- the atlas ---- */

static int note(struct synth *s, const char *part, const char *file, struct err *e)
{
	return atlas_note_part(s->json, s->folder, part, file, "synth", NULL, e);
}

static void describe(struct synth *s)
{
	json_object_set_new(s->json, "model",
			    json_pack("{s:s, s:s, s:s, s:I, s:i, s:I}", "name", "none (made up)", "sha256", "",
				      "tokenizer", "", "d_model", (json_int_t)s->o.d, "n_layers", 1, "n_vocab",
				      (json_int_t)synth_n_words() + 1));
	json_object_set_new(s->json, "hook",
			    json_pack("{s:s, s:i, s:s}", "name", "blocks.0.hook_resid_post", "layer", 0, "place",
				      "resid_post"));
	json_object_set_new(s->json, "synth",
			    json_pack("{s:I, s:I, s:I}", "features", (json_int_t)s->o.n_features, "d_model",
				      (json_int_t)s->o.d, "seed", (json_int_t)s->o.seed));
}

static char *name_of(const char *folder)
{
	size_t n = strlen(folder);
	while (n > 1 && folder[n - 1] == '/')
		n--;
	size_t from = n;
	while (from && folder[from - 1] != '/')
		from--;
	char *name = xstrndup(folder + from, n - from), *dot = strrchr(name, '.');
	if (dot && dot != name)
		*dot = 0;
	return name;
}

int synth_write(const char *folder, const struct synth_options *o, struct pool *pool, struct progress *progress,
		struct err *e)
{
	char *name = name_of(folder);
	struct synth s = {.o = *o, .folder = folder, .pool = pool, .progress = progress};
	s.json = atlas_json_new(name);
	free(name);
	describe(&s);
	int bad = synth_dict(&s, e) || note(&s, "dictionary", "sae_weights.safetensors", e) ||
		  synth_labels(&s, e) || note(&s, "labels", "labels.safetensors", e) ||
		  (!o->labels_only &&
		   (synth_vocab(&s, e) || note(&s, "vocab", "vocab.safetensors", e) || synth_store(&s, e) ||
		    note(&s, "store", "activations.safetensors", e))) ||
		  atlas_commit(s.json, folder, e);
	json_decref(s.json);
	free(s.start);
	return bad ? -1 : 0;
}

int synth_vocab(struct synth *s, struct err *e)
{
	u32 n = synth_n_words() + 1;
	struct span *token = xcalloc(n, sizeof *token);
	u8 *special = xcalloc(n, 1);
	struct buf all = BUF_INIT;
	size_t *end = xcalloc(n, sizeof *end);
	for (u32 i = 0; i + 1 < n; i++) {
		char word[32];
		size_t m = synth_word(i, word);
		buf_addc(&all, ' ');
		buf_add(&all, word, m);
		end[i] = all.n;
	}
	buf_adds(&all, "<s>");
	end[n - 1] = all.n;
	special[n - 1] = 1;
	for (u32 i = 0; i < n; i++) {
		size_t from = i ? end[i - 1] : 0;
		token[i] = (struct span){(const u8 *)all.s + from, end[i] - from};
	}
	char *path = xasprintf("%s/vocab.safetensors", s->folder);
	int bad = vocab_write(path, token, special, n, atlas_json_uuid(s->json), atlas_json_build_id(s->json), e);
	free(path);
	free(end);
	free(token);
	free(special);
	buf_release(&all);
	return bad;
}
