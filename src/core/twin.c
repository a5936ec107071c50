/* SPDX-License-Identifier: MIT */
/* twin.c - features about the same thing, told apart by what they do. */
#include "core/twin.h"

#include "core/run.h"

#include <math.h>

enum { MOST_WORDS = 64, MOST_NEAR = 64, NEAR_WORDS = 2, LEAST_WORDS = 3 };
static const f32 NEAR_COSINE = 0.3f;

struct words {
	u32 list[MOST_WORDS];
	size_t n;
	u64 mask; /* a bit for each word's remainder: most features share none */
};

static void words_of(const struct atlas *a, u32 feature, struct words *out)
{
	out->n = MIN(atlas_topic_words(a, feature, out->list, MOST_WORDS), (size_t)MOST_WORDS);
	out->mask = 0;
	for (size_t i = 0; i < out->n; i++)
		out->mask |= (u64)1 << (out->list[i] % 64);
}

static u32 shared(const struct atlas *a, const struct words *own, u32 feature)
{
	u32 list[MOST_WORDS], n = 0;
	size_t m = atlas_topic_words(a, feature, list, MOST_WORDS);
	for (size_t i = 0; i < m; i++)
		if (own->mask >> (list[i] % 64) & 1)
			for (size_t k = 0; k < own->n; k++)
				n += own->list[k] == list[i];
	return n;
}

static void consider(const struct atlas *a, u32 feature, u32 words, struct twins *out)
{
	struct atlas_scores s;
	atlas_scores(a, feature, &s);
	if (s.topic >= TWIN_WRITES && (out->writer == NO_FEATURE || s.topic > out->writes)) {
		out->writer = feature;
		out->writes = s.topic;
		out->writer_words = words;
	}
	if (!isnan(s.input) && (out->detector == NO_FEATURE || s.input > out->detects)) {
		out->detector = feature;
		out->detects = s.input;
		out->detector_words = words;
	}
}

void twin_find(const struct atlas *a, u32 feature, struct twins *out)
{
	struct atlas_neighbour near[MOST_NEAR];
	struct atlas_scores s;
	struct words own;
	atlas_scores(a, feature, &s);
	*out = (struct twins){.known = !isnan(s.topic), .only_detects = s.topic < TWIN_WRITES, .writer = NO_FEATURE,
			      .detector = NO_FEATURE, .writes = NAN, .detects = NAN};
	words_of(a, feature, &own);
	consider(a, feature, (u32)own.n, out);
	u32 least = MAX((u32)LEAST_WORDS, (u32)(own.n + 2) / 3);
	for (u32 f = 0; own.n >= LEAST_WORDS && a->n_features <= TWIN_SCAN && f < a->n_features; f++) {
		u32 n = f == feature ? 0 : shared(a, &own, f);
		if (n >= least)
			consider(a, f, n, out);
	}
	size_t n = atlas_neighbours(a, feature, near, MOST_NEAR);
	for (size_t i = 0; i < n; i++) {
		u32 words = shared(a, &own, near[i].id);
		if (own.n >= LEAST_WORDS ? words >= NEAR_WORDS : near[i].score >= NEAR_COSINE)
			consider(a, near[i].id, words, out);
	}
}
