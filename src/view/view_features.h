/* SPDX-License-Identifier: MIT */
/* view_features.h - the state of the list of features, shared by its files. */
#ifndef FEATLAS_VIEW_FEATURES_H
#define FEATLAS_VIEW_FEATURES_H

#include "ui/list.h"
#include "view/app.h"
#include "view/order.h"

struct features {
	struct list list;
	struct order order;  /* of the rows; ids NULL: all features, by id */
	enum order_by by;
	bool reverse, hits_only, ordered;
	size_t n_readers, n_retired; /* jobs that read an order; orders that are kept for them */
	struct order *retired;
	u64 range_row;       /* where range_from was then */
	u32 anchor;          /* the feature one chose last */
	u32 range_from;      /* where v was pressed, or NO_FEATURE */
	char *query;         /* text of the query line, or NULL */
	u64 *query_bits;     /* or NULL */
	u64 query_hits;
	int list_y;          /* where rows begin on the screen */
	int preview, preview_wish; /* rows of it; as dragged, or 0 */
	struct app_menu_item menu[N_ORDERS];
	size_t column;       /* the one of the menu */
};

const struct atlas *features_atlas(struct view *v);
u32 features_at(const struct features *s, u64 row);
bool features_current(struct view *v, u32 *feature);
/* Where the list stands, as lines of a verb and its words; and back.  "query X" is a query as typed;
 * verbs that are not known are passed over. */
void features_save(struct view *v, struct buf *out);
void features_restore(struct view *v, const char *verb, const char *words);

/* view_features_order.c */
void features_make_order(struct view *v); /* anew, by what s says; cancels the view's jobs */
void features_release_order(struct view *v);
/* False: it is not in the list.  guess: a row that is looked at first. */
bool features_find(struct view *v, u32 feature, u64 guess, u64 *row);
void features_discard_order(struct view *v, struct order *o); /* of any screen */
void features_mark_range(struct view *v); /* v: the one end, then the other */
void features_next_hit(struct view *v, int direction);

/* view_features_query.c */
void features_ask_query(struct view *v);
void features_set_query(struct view *v, const char *text); /* as if it had been typed */

/* view_features_draw.c */
void features_draw(struct view *v, struct rect r);
/* Column i of the table: its word in the configuration, or NULL behind the last. */
const char *features_column(size_t i);
int features_check_columns(const char *words, struct err *e);

#endif
