/* SPDX-License-Identifier: MIT */
/* view_find.h - the state of the find screen, shared by its files only. */
#ifndef FEATLAS_VIEW_FIND_H
#define FEATLAS_VIEW_FIND_H

#include "session/concept.h"
#include "ui/list.h"
#include "view/app.h"

enum { FIND_PANES = 2 };

enum focus { ON_POSITIVE, ON_NEGATIVE, ON_RANKING, N_FOCUSES };

struct find_view {
	struct concept c;
	struct list texts[FIND_PANES], ranking;
	enum focus focus;
	bool plain, strict;
	struct concept_result r;
	bool ranked;       /* r is of the texts that are here */
	char trouble[512]; /* why there is no ranking, or "" */
	int ranking_y;
};

/* The text in a row of a pane, as an index; SIZE_MAX if there is none. */
size_t find_text_at(const struct find_view *s, int pane, u64 row);
void find_draw(struct view *v, struct rect r); /* view_find_draw.c */

#endif
