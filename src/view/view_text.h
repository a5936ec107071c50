/* SPDX-License-Identifier: MIT */
/* view_text.h - what the files of the text screen share. */
#ifndef FEATLAS_VIEW_TEXT_H
#define FEATLAS_VIEW_TEXT_H

#include "session/effects.h"
#include "view/app.h"

/* What a text came to: made by a job, then owned by the view. */
struct text_result {
	u32 *tokens;
	u8 *flags;            /* enum token_flag; sinks are found by their norm */
	struct dict_row *rows; /* [n]; masked tokens have none */
	void *arena;
	size_t n;
};

enum text_rank { RANK_ACTIVATION, RANK_EFFECT, RANK_ATTRIBUTION, RANK_RARITY, RANK_SUM, N_RANKS };

/* What ablating the features of a range does to the target: made by a job, kept for coming back. */
struct text_effects {
	size_t from, to;
	struct effects x;
};

struct text_row {
	u32 id;
	f32 act;     /* the largest in the range */
	f32 sum;     /* over the text */
	f32 density; /* NaN without a store */
	f32 effect, attribution; /* of the range; NaN where not measured */
};

struct text_view {
	char *text;           /* as typed, or NULL */
	bool seek;            /* the cursor goes to where the heat's feature is strongest */
	bool lent;            /* it is a context of the feature one came from */
	bool chat;            /* put into the chat template, as a user's message */
	char trouble[512];    /* why there is nothing to show, or "" */
	struct text_result r;
	size_t cursor, anchor; /* tokens; anchor == SIZE_MAX: no range */
	size_t fixed;         /* its other end; SIZE_MAX: it goes with the cursor */
	size_t not_from, not_to; /* features that fire in here do not count; equal: none */
	u32 heat;             /* feature, or NO_FEATURE: the sum over all */
	f32 *heats;           /* [n] */
	f32 heat_max;
	struct text_row *table;
	size_t n_table, row, top;
	bool at_head;         /* the order is new: the cursor row stays its first until it is moved */
	enum text_rank rank;
	bool reverse;
	int skip;             /* rows of text above the pane */
	u32 target, against;  /* as chosen, or NO_TOKEN: the likeliest next token, none */
	struct text_effects *effects; /* for this text and target */
	size_t n_effects;
	bool refused;         /* the range's measurement failed: not again before something changes */
	char busy[48];
};

void text_result_release(struct text_result *r);
/* f of a feature at a token; 0 where it does not fire. */
f32 text_act(const struct text_result *r, size_t token, u32 feature);
/* The tokens in question: one, or from v to the cursor, or to where v was again. */
void text_range(const struct text_view *s, size_t *from, size_t *to);
/* Fills s->table for the range, ranked; the cursor row goes to the heat's feature, or of a new order to its head,
 * and the heat with it. */
void text_build(struct text_view *s, const struct store *store);
/* What was measured for the range, or NULL. */
const struct text_effects *text_effects(const struct text_view *s);
/* Whether the rank needs effects; starts a job where they are needed and not there. */
bool text_wants_effects(const struct text_view *s);
void text_measure(struct view *v);
/* Forgets what was measured: another text, another target. */
void text_forget_effects(struct text_view *s);
/* o: the template, target, against. */
void text_options(struct view *v);
/* Fills s->heats. */
void text_heat(struct text_view *s, const struct store *store);
/* Reads a text: stops what runs, starts a job. */
void text_start(struct view *v, const char *text);
void text_again(struct view *v); /* the same text */
/* --target and the like, for the command line. */
void text_add_options(struct view *v, struct buf *out);
/* Table and heat anew, after the cursor, the range or the rank has changed. */
void text_rebuild(struct view *v);
void text_draw(struct view *v, struct rect r);
/* The line under the heading: target, how sure, how the measures go together. */
void text_draw_target(struct view *v, struct rect r, int y);

#endif
