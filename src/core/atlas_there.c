/* SPDX-License-Identifier: MIT */
/* atlas_there.c - which bytes of an atlas's files are those of a feature, and are they in memory? */
#include "core/atlas.h"

#include "core/labels.h"
#include "io/safetensors.h"

enum { BEST = 8, MOST = 256 /* contexts */ };

/* A feature's row of a tensor [F] or [F][n]; a tensor that is absent is there. */
static bool row_there(const struct safetensors *s, const char *name, u32 feature, struct pages *w)
{
	const struct tensor *t = s ? safetensors_find(s, name) : NULL;
	u64 n = t && t->n_dims > 1 ? t->shape[1] : 1;
	return !t || tensor_there(t, feature * n, n, w);
}

static bool rows_there(const struct safetensors *s, const char *const *names, u32 feature, struct pages *w)
{
	bool there = true;
	for (size_t i = 0; names[i]; i++)
		there &= row_there(s, names[i], feature, w);
	return there;
}

static bool numbers_there(const struct atlas *a, u32 feature, struct pages *w)
{
	static const char *const names[] = {"input_score", "output_score", "topic_score", "output_score_tuned",
					    "topic_word", NULL};
	return rows_there(a->scores, names, feature, w) & (!a->store || store_stats_there(a->store, feature, w));
}

static bool contexts_there(const struct atlas *a, u32 feature, bool all, struct pages *w)
{
	if (!a->store)
		return true;
	bool there = store_contexts_there(a->store, feature, all ? MOST : BEST, w);
	return there & (!all || store_histogram_there(a->store, feature, w));
}

bool atlas_there(const struct atlas *a, u32 feature, unsigned parts, struct pages *w)
{
	static const char *const tokens[] = {"promoted_token", "promoted_value", "suppressed_token", "suppressed_value",
					     NULL};
	static const char *const near[] = {"neighbour_id", "neighbour_score", NULL};
	bool there = true;
	if (feature >= a->n_features)
		return true;
	if (parts & ATLAS_LABELS && a->labels)
		there &= labels_there(a->labels, feature, w);
	if (parts & ATLAS_NUMBERS)
		there &= numbers_there(a, feature, w);
	if (parts & ATLAS_LOGITS)
		there &= rows_there(a->logits, tokens, feature, w);
	if (parts & ATLAS_NEIGHBOURS)
		there &= rows_there(a->graph, near, feature, w);
	if (parts & (ATLAS_BEST | ATLAS_CONTEXTS))
		there &= contexts_there(a, feature, parts & ATLAS_CONTEXTS, w);
	if (parts & ATLAS_DECODER)
		there &= dict_decoder_row_there(a->dict, feature, w);
	return there;
}
