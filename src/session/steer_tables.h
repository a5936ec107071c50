/* SPDX-License-Identifier: MIT */
/* steer_tables.h - what was chosen to steer with and how it did: three tables of a folder.
 *
 *	choices.tsv  concept, feature, strength, where, texts, hits, list
 *	figures.tsv  concept, feature, strength, where, list, seeds, seeds hit, texts, steered, baseline and random
 *	             texts hit, nats above the baseline
 *	trials.tsv   concept, feature, strength, round, texts, hits, words, nats: all that was tried
 *
 * Each begins with the line "# dictionary SHA256", of what they are about: another dictionary's are
 * refused.  `list` is a hash of the concept's words: a row whose list is no longer the suite's does not
 * count.  A choice without a feature (-) says that nothing tried had a hit.
 */
#ifndef FEATLAS_STEER_TABLES_H
#define FEATLAS_STEER_TABLES_H

#include "core/atlas.h"
#include "session/suite.h"

struct steer_choice {
	char *concept;
	u32 feature;    /* NO_FEATURE: none */
	f64 strength;   /* times its maximum, added */
	int where;      /* enum intervention_where */
	u32 texts, hits; /* on the choosing prompts */
	char list[17];
};
struct steer_figure {
	char *concept;
	u32 feature;
	f64 strength;
	int where;
	char list[17];
	u32 seeds, seeds_hit, texts, hits, baseline, random;
	f64 excess;     /* nats a token above the baseline, mean */
};
struct steer_trial {
	char *concept;
	u32 feature;
	f64 strength;
	u32 round, texts, hits; /* suite_steer.h's rounds, from 1 */
	f64 words, excess; /* mean of different listed words, of nats above the baseline */
};

struct steer_tables {
	char *folder;
	char dictionary[65];
	struct steer_choice *choices;
	struct steer_figure *figures;
	struct steer_trial *trials;
	size_t n_choices, n_figures, n_trials;
};

/* Reads what is there; a table that is not there is empty.  ERR_USAGE where they are of another dictionary,
 * ERR_DAMAGED with file and line. */
struct steer_tables *steer_tables_open(const char *folder, const struct atlas *a, struct err *e);
void steer_tables_free(struct steer_tables *t); /* NULL is fine */
/* Of the concept with the words it has now, or NULL. */
const struct steer_choice *steer_tables_choice(const struct steer_tables *t, const struct suite_concept *c);
/* The figure of the present choice, or NULL. */
const struct steer_figure *steer_tables_figure(const struct steer_tables *t, const struct suite_concept *c);
/* These put a row in place of the concept's (trials: add it; forget drops the concept's
 * of a round and later ones), and write nothing. */
void steer_tables_set_choice(struct steer_tables *t, const struct suite_concept *c, const struct steer_choice *x);
void steer_tables_set_figure(struct steer_tables *t, const struct suite_concept *c, const struct steer_figure *x);
void steer_tables_add_trial(struct steer_tables *t, const struct suite_concept *c, const struct steer_trial *x);
void steer_tables_forget_trials(struct steer_tables *t, const struct suite_concept *c, u32 round);
int steer_tables_write_choices(const struct steer_tables *t, struct err *e); /* trials too */
int steer_tables_write_figures(const struct steer_tables *t, struct err *e);

#endif
