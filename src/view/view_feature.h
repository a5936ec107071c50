/* SPDX-License-Identifier: MIT */
/* view_feature.h - the state of a feature's page, shared by its files only. */
#ifndef FEATLAS_VIEW_FEATURE_H
#define FEATLAS_VIEW_FEATURE_H

#include "ui/list.h"
#include "view/app.h"

enum { MAX_CONTEXTS = 256, MAX_NEIGHBOURS = 64, MAX_LINE = 8192, SECTIONS = 4 };

enum section_kind { SECTION_TOP, SECTION_INTERVAL, SECTION_RANDOM, SECTION_NEIGHBOURS };

struct section {
	size_t first, n;  /* in contexts, or neighbours */
	struct list list; /* h: rows it has on the screen */
};

struct feature {
	u32 id;
	struct store_stats stats;
	struct atlas_scores scores;
	struct store_context contexts[MAX_CONTEXTS];
	size_t n_contexts;
	struct atlas_neighbour neighbours[MAX_NEIGHBOURS];
	size_t n_neighbours;
	struct section sections[SECTIONS];
	size_t at;        /* the section with the cursor */
	i64 token;        /* the cursor's token, relative to the peak */
	int width;        /* tokens on either side; 0: all */
	bool big;         /* the section with the cursor takes all the room */
	int header_h;
	int row_y[SECTIONS];
};

struct feature_line { /* the tokens of a context that are looked at */
	u64 from;
	size_t n;
	u32 tokens[MAX_LINE];
	u8 flags[MAX_LINE];
	f32 acts[MAX_LINE];
	struct view_tokens view;
};

const struct atlas *feature_atlas(struct view *v);
struct section *feature_section(struct feature *s); /* the one with the cursor */
/* The context under the cursor, or NULL. */
const struct store_context *feature_context(struct feature *s);
/* The tokens of a context, with the cursor's where it has it; valid until the next call. */
const struct feature_line *feature_load_line(struct view *v, const struct store_context *c, bool cursor);
void feature_draw(struct view *v, struct rect r);

#endif
