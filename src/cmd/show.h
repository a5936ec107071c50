/* SPDX-License-Identifier: MIT */
/* show.h - what cmd_show.c and cmd_show_json.c share: everything about one feature, read once. */
#ifndef FEATLAS_CMD_SHOW_H
#define FEATLAS_CMD_SHOW_H

#include "session/session.h"

enum { SHOW_BINS = 64, SHOW_TOKENS = 20, SHOW_NEIGHBOURS = 20, SHOW_CONTEXTS = 1024 };

struct shown_context {
	struct store_context c;
	u64 text;     /* which text it stands in */
	u64 from, to; /* the window, positions */
};

struct shown {
	struct session *s;
	u32 id;
	struct store_stats stats; /* NaN without a store */
	struct atlas_scores scores;
	size_t n_bins;
	f32 edges[SHOW_BINS + 1];
	u64 counts[SHOW_BINS];
	size_t n_promoted, n_suppressed, n_topic, n_neighbours, n_contexts;
	struct atlas_token promoted[SHOW_TOKENS], suppressed[SHOW_TOKENS];
	u32 topic[SHOW_TOKENS];
	struct atlas_neighbour neighbours[SHOW_NEIGHBOURS];
	struct shown_context *contexts;
};

extern const char *const context_kind_names[]; /* by enum context_kind */

json_t *show_json(const struct shown *f);

#endif
