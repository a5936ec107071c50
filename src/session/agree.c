/* SPDX-License-Identifier: MIT */
/* agree.c - the words of features and their neighbours. */
#include "session/agree.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "core/intern.h"
#include "core/rand.h"
#include "core/topic_base.h"

#include <stdlib.h>
#include <string.h>

const char *const agree_names[N_AGREE] = {"labels", "written", "topic", "contexts"};

enum { LEAST_LETTERS = 4, MOST_NEAR = 256 };

struct agree {
	struct session *s;
	struct progress *progress;
	u32 *item;     /* feature of each item */
	u32 *place;    /* [F] item of each feature, UINT32_MAX: none */
	u32 n_items;
	struct coherence_pair *pairs;
	u64 n_pairs;
	struct intern *words;
	struct topic_base *base;
};

static u32 item_of(struct agree *a, u32 feature)
{
	if (a->place[feature] == UINT32_MAX) {
		a->place[feature] = a->n_items;
		a->item[a->n_items++] = feature;
	}
	return a->place[feature];
}

static int draw(struct agree *a, u64 seed, struct err *e)
{
	const struct atlas *atlas = a->s->atlas;
	u32 f = atlas->n_features, n = MIN(f, (u32)AGREE_FEATURES);
	struct atlas_neighbour near[MOST_NEAR];
	if (!(a->item = mem_try(MIN((u64)f, (u64)n * (MOST_NEAR + 1)) + 1, sizeof *a->item, "features", e)) ||
	    !(a->place = mem_try(f, sizeof *a->place, "features", e)) ||
	    !(a->pairs = mem_try((u64)n * MOST_NEAR + 1, sizeof *a->pairs, "pairs", e)))
		return -1;
	memset(a->place, 0xff, f * sizeof *a->place);
	for (u32 i = 0; i < n; i++) {
		u32 from = n == f ? i : (u32)rand_permute(seed, i, f);
		size_t m = atlas_neighbours(atlas, from, near, MOST_NEAR);
		u32 at = item_of(a, from);
		for (size_t j = 0; j < m; j++)
			if (near[j].id != from)
				a->pairs[a->n_pairs++] = (struct coherence_pair){at, item_of(a, near[j].id)};
	}
	return 0;
}

/* ---- sets ---- */

struct sets {
	struct word_sets w;
	u64 cap;
};

static void sets_init(struct sets *x, u32 n)
{
	*x = (struct sets){.w.start = xcalloc(n + 1ull, sizeof *x->w.start)};
}

static void sets_release(struct sets *x)
{
	free(x->w.start);
	free(x->w.word);
}

static void sets_add(struct sets *x, u32 item, u32 word)
{
	u64 *end = &x->w.start[item + 1];
	if (*end == x->cap) {
		x->cap = 2 * x->cap + 1024;
		x->w.word = xreallocarray(x->w.word, x->cap, sizeof *x->w.word);
	}
	x->w.word[(*end)++] = word;
}

static int ascending(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;
	return (x > y) - (x < y);
}

static void sets_begin(struct sets *x, u32 item)
{
	x->w.start[item + 1] = x->w.start[item];
}

static void sets_end(struct sets *x, u32 item)
{
	u64 from = x->w.start[item], n = x->w.start[item + 1] - from, m = 0;
	u32 *w = x->w.word + from;
	if (n)
		qsort(w, n, sizeof *w, ascending);
	for (u64 i = 0; i < n; i++)
		if (!m || w[m - 1] != w[i])
			w[m++] = w[i];
	x->w.start[item + 1] = from + m;
}

static int add_label(struct agree *a, struct sets *x, u32 item, const char *s, size_t n, struct err *e)
{
	struct buf word = BUF_INIT;
	size_t letters = 0;
	int bad = 0;
	for (size_t i = 0; i <= n && !bad;) {
		i32 cp = 0;
		size_t step = i < n ? utf8_next(s + i, n - i, &cp) : 1;
		if (i < n && topic_is_letter(cp)) {
			char out[4];
			buf_add(&word, out, utf8_encode(utf8_lower(cp), out));
			letters++;
		} else {
			i64 id = letters >= LEAST_LETTERS && word.n <= INTERN_LONGEST ? intern_add(a->words, word.s, word.n, e) : 0;
			bad = id < 0;
			if (!bad && letters >= LEAST_LETTERS)
				sets_add(x, item, (u32)id);
			buf_clear(&word);
			letters = 0;
		}
		i += step;
	}
	buf_release(&word);
	return bad;
}

static int label_sets(struct agree *a, enum agree_kind kind, struct sets *left, struct err *e)
{
	int bad = 0;
	for (u32 i = 0; i < a->n_items && !bad; i++) {
		struct label l;
		sets_begin(left, i);
		if (session_label(a->s, a->item[i], &l) && (kind == AGREE_LABELS || l.kind != LABEL_LEXICAL))
			bad = add_label(a, left, i, (const char *)l.text.p, l.text.n, e);
		sets_end(left, i);
	}
	return bad ? -1 : 0;
}

static void topic_sets(struct agree *a, struct sets *left)
{
	u32 w[TOPIC_WORDS];
	for (u32 i = 0; i < a->n_items; i++) {
		size_t n = atlas_topic_words(a->s->atlas, a->item[i], w, TOPIC_WORDS);
		sets_begin(left, i);
		for (size_t k = 0; k < n; k++)
			sets_add(left, i, w[k]);
		sets_end(left, i);
	}
}

static void context_sets(struct agree *a, struct sets side[2])
{
	struct topic_passage p[TOPIC_PASSAGES];
	for (u32 i = 0; i < a->n_items; i++) {
		size_t n = topic_passages(a->base, a->item[i], p);
		sets_begin(&side[0], i);
		sets_begin(&side[1], i);
		for (size_t k = 0; k < n; k++)
			for (size_t w = 0; w < p[k].n; w++)
				sets_add(&side[p[k].text & 1], i, p[k].word[w]);
		sets_end(&side[0], i);
		sets_end(&side[1], i);
	}
}

static int measure(struct agree *a, enum agree_kind kind, u64 seed, struct coherence *out, struct err *e)
{
	struct sets side[2];
	sets_init(&side[0], a->n_items);
	sets_init(&side[1], a->n_items);
	int bad = 0;
	if (kind == AGREE_CONTEXTS && a->base)
		context_sets(a, side);
	else if (kind == AGREE_TOPIC)
		topic_sets(a, &side[0]);
	else if (kind != AGREE_CONTEXTS)
		bad = label_sets(a, kind, &side[0], e);
	progress_start(a->progress, "comparing neighbours", "shuffles", AGREE_SHUFFLES + 1);
	const struct word_sets *right = &side[kind == AGREE_CONTEXTS].w;
	bad = bad || coherence_measure(&side[0].w, right, a->n_items, a->pairs, a->n_pairs, seed, AGREE_SHUFFLES,
				       a->s->pool, a->progress, out, e);
	sets_release(&side[0]);
	sets_release(&side[1]);
	return bad ? -1 : 0;
}

int agree_measure(struct session *s, u64 seed, struct progress *progress, struct coherence out[N_AGREE], struct err *e)
{
	struct agree a = {.s = s, .progress = progress};
	if (!s->atlas->graph)
		return err_set(e, ERR_UNAVAILABLE, "%s", atlas_missing(s->atlas, "graph"));
	int bad = draw(&a, seed, e);
	a.words = intern_new(NULL);
	if (!bad && s->atlas->store && s->atlas->vocab)
		bad = !(a.base = topic_base_new(s->atlas->store, s->atlas->vocab, e));
	for (int k = 0; k < N_AGREE && !bad; k++)
		bad = measure(&a, (enum agree_kind)k, seed, &out[k], e);
	intern_free(a.words);
	topic_base_free(a.base);
	free(a.item);
	free(a.place);
	free(a.pairs);
	return bad ? -1 : 0;
}
