/* SPDX-License-Identifier: MIT */
/* view_features.h - the state of the list of features, shared by its files only. */
#ifndef FEATLAS_VIEW_FEATURES_H
#define FEATLAS_VIEW_FEATURES_H

#include "ui/list.h"
#include "view/app.h"
#include "view/order.h"

struct features {
	struct list list;
	u32 *order;          /* [n] ids, or NULL: all, by id */
	u32 n;
	enum order_by by;
	bool reverse, hits_only, ordered;
	u32 anchor;          /* the feature one chose last */
	u32 range_from;      /* where v was pressed, or NO_FEATURE */
	char *query;         /* text of the query line, or NULL */
	u64 *query_bits;     /* or NULL */
	u64 query_hits;
	int list_y;          /* where rows begin on the screen */
	struct app_menu_item menu[N_ORDERS];
};

const struct atlas *features_atlas(struct view *v);
u32 features_at(const struct features *s, u64 row);
bool features_current(struct view *v, u32 *feature);
void features_draw(struct view *v, struct rect r);

#endif
