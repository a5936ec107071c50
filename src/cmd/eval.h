/* SPDX-License-Identifier: MIT */
/* eval.h - what cmd_eval.c measures and eval_print.c, eval_json.c say. */
#ifndef FEATLAS_CMD_EVAL_H
#define FEATLAS_CMD_EVAL_H

#include "cmd/cmd.h"
#include "core/density.h"
#include "session/agree.h"
#include "session/suite_steer.h"
#include "session/eval.h"
#include "session/predict.h"

/* Parts that were not measured stay empty. */
struct eval_report {
	struct session *s;
	struct eval_result held_out;       /* n_rows 0: not measured */
	u64 n_dead, n_dead_over;           /* silent in the store, of so many indexed tokens; 0: no store */
	bool has_density, has_agree;
	struct density density;
	struct coherence agree[N_AGREE];
	char lacks[3][512];                /* why there is no histogram, no coherence, no steering; "" */
	struct suite *suite;
	struct suite_options options;
	struct suite_result *concepts;   /* [suite->n], or NULL */
	struct steer_tables *steering;     /* with the concepts, or NULL */
	struct prediction predicts[N_PREDICT_SETS][N_PREDICT];
};

json_t *eval_json(const struct eval_report *r);
/* What --write keeps in atlas.json. */
json_t *eval_held_out_json(const struct eval_report *r);
void eval_print(const struct eval_report *r);
void eval_print_markdown(const struct eval_report *r);
/* Concepts whose held-out AUROC is SUITE_GOOD or more. */
size_t eval_n_known(const struct eval_report *r);
/* The same of the dense probe. */
size_t eval_n_dense(const struct eval_report *r);
/* Concepts that steer, and those that were judged. */
size_t eval_n_steer(const struct eval_report *r, size_t *judged);

/* --value; shared with find. */
int cmd_find_value(const struct cmd_args *a, enum find_value *out, struct err *e);

#endif
