/* SPDX-License-Identifier: MIT */
/* export.h - what cmd_export.c and export_*.c share: an atlas in the words of other programs.
 *
 * Neuronpedia's: model@source:index, where the source is LAYER-SET.  Its export is one folder with
 * features/, activations/ and explanations/, batch-N.jsonl in each, 1024 features a batch in the order of
 * their numbers, `index` a string.  SAEDashboard's: batch-N.json with 128 features each, and
 * skipped_indexes.json for those that never fire.
 */
#ifndef FEATLAS_CMD_EXPORT_H
#define FEATLAS_CMD_EXPORT_H

#include "cmd/cmd.h"
#include "session/session.h"

struct export {
	struct session *s;
	char *model, *source, *set; /* "gemma-2-2b", "20-gemmascope-res-16k", "gemmascope-res-16k" */
	const char *folder;
	u64 width;     /* tokens of a context */
	bool vectors;  /* decoder rows too */
	bool gzip;     /* Neuronpedia: batch-N.jsonl.gz */
	const char *kind; /* of labels, or NULL: all */
	u32 n_intervals;  /* of any feature's contexts */
	struct progress *progress;
};

/* model, source: as given, or NULL: from the atlas. */
void export_init(struct export *x, struct session *s, const char *model, const char *source);
void export_release(struct export *x);
/* Makes the folder; one that has anything in it is refused. */
int export_folder(const char *folder, struct err *e);
/* Takes away a folder that export_folder took as empty, with all that was written since, so that the command can
 * be run again. */
void export_undo_folder(const char *folder);

/* One context of a feature, cut out of its text. */
struct export_context {
	struct store_context c;
	u64 from, n, peak; /* position, tokens, place of the peak among them */
	f32 bin_min, bin_max, bin_contains; /* as SAEDashboard has them; top: -1, its activation, -1 */
	const f32 *act;    /* [n] */
};
/* Calls fn for each context of a feature, in the store's order. */
int export_each_context(struct export *x, u32 feature, void (*fn)(void *, const struct export_context *),
			void *context, struct err *e);
json_t *export_tokens(const struct export *x, u64 from, u64 n);
json_t *export_f32s(const f32 *v, size_t n);
/* The members that both formats have: pos_str, neg_str, their values, frac_nonzero, histograms, and
 * empty lists for what an atlas does not know. */
void export_set_numbers(const struct export *x, u32 feature, json_t *j);

int export_neuronpedia(struct export *x, struct err *e);
int export_dashboard(struct export *x, struct err *e);
/* Prints what people bookmarked; format: NULL, "csv" or "jsonl".  *n: how many. */
int export_bookmarks(struct export *x, const char *format, size_t *n, struct err *e);

#endif
