/* SPDX-License-Identifier: MIT */
/* view_feature.h - the state of a feature's page, shared by its files only. */
#ifndef FEATLAS_VIEW_FEATURE_H
#define FEATLAS_VIEW_FEATURE_H

#include "ui/list.h"
#include "view/context.h"

enum { MAX_CONTEXTS = 256, SECTIONS = 4 };

enum section_kind { SECTION_TOP, SECTION_INTERVAL, SECTION_RANDOM, SECTION_NEIGHBOURS };

struct section {
	size_t first, n;  /* in contexts, or neighbours */
	size_t n_all;     /* before those that are alike were put together */
	size_t n_texts;
	struct list list; /* h: rows it has on the screen */
};

struct feature {
	u32 id;
	bool loaded;      /* all below is known */
	struct store_stats stats;
	struct atlas_scores scores;
	struct store_context all[MAX_CONTEXTS], contexts[MAX_CONTEXTS];
	u32 alike[MAX_CONTEXTS]; /* how many more are like this one */
	size_t n_contexts;
	struct atlas_neighbour neighbours[VIEW_NEIGHBOURS];
	size_t n_neighbours;
	struct section sections[SECTIONS];
	size_t at;        /* the section with the cursor */
	i64 token;        /* the cursor's token, relative to the peak */
	int width;        /* tokens on either side; 0: all */
	f32 fold;         /* view_fold */
	bool big;         /* the section with the cursor takes all the room */
	int header_h;
	int row_y[SECTIONS];
};

const struct atlas *feature_atlas(struct view *v);
/* Loads what the page shows, once it is in memory: false until then. */
bool feature_load(struct view *v);
struct section *feature_section(struct feature *s); /* the one with the cursor */
/* The context under the cursor, or NULL. */
const struct store_context *feature_context(struct feature *s);
struct context_look feature_look(const struct feature *s);
void feature_draw(struct view *v, struct rect r);

#endif
