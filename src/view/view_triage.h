/* SPDX-License-Identifier: MIT */
/* view_triage.h - the state of the triage queue, shared by its files only. */
#ifndef FEATLAS_VIEW_TRIAGE_H
#define FEATLAS_VIEW_TRIAGE_H

#include "ui/list.h"
#include "view/context.h"
#include "view/order.h"

enum { TRIAGE_CONTEXTS = 64, TRIAGE_NEAR = 3, TRIAGE_WORDS = 8 };

enum triage_state { TRIAGE_OPEN, TRIAGE_DEFERRED, TRIAGE_DECIDED };

struct triage {
	struct order queue; /* ids NULL while it is being made */
	u8 *state;      /* [queue.n] enum triage_state */
	u64 *bits;      /* what it is made from, or NULL: all */
	u32 at, n_decided, n_before; /* decided, and how many were when it began */
	i64 began;      /* ms */
	char *what;     /* "undecided" */
	enum order_by by;
	bool reverse;
	i64 token;
	int width;
	int context_y;  /* where contexts begin on the screen */
	struct list list; /* of contexts */

	/* of the feature at hand */
	u32 feature;    /* NO_FEATURE: none yet */
	f32 fold;       /* view_fold */
	struct store_stats stats;
	struct atlas_scores scores;
	struct store_context all[TRIAGE_CONTEXTS], not;
	u32 alike[TRIAGE_CONTEXTS];
	u8 order[TRIAGE_CONTEXTS]; /* of all, as they are shown in mixed_h rows */
	int mixed_h;
	size_t n_contexts;
	u32 not_of;     /* the neighbour that fires there, or NO_FEATURE */
	struct atlas_neighbour near[TRIAGE_NEAR];
	size_t n_near;
	char *words[TRIAGE_WORDS]; /* what it might be called, owned */
	size_t n_words, word;
};

/* The feature at hand; false when there is none. */
bool triage_current(struct view *v, u32 *feature);
const struct store_context *triage_context(struct triage *s);
/* triage_load.c: all that is shown of the feature at hand; nothing yet, and s->feature NO_FEATURE, where it is
 * not in memory: drawing asks again. */
void triage_load(struct view *v, u32 feature);
/* Orders contexts so that h rows show some of each kind. */
void triage_mix(struct triage *s, int h);
void triage_forget(struct triage *s);
void triage_draw(struct view *v, struct rect r);

#endif
