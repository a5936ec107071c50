/* SPDX-License-Identifier: MIT */
/* search.h - regular expressions over labels.  The only user of PCRE2.
 *
 * UTF and UCP always; each label is matched on its own, so ^ $ \A \z mean the label.  A
 * match limit keeps catastrophic patterns from holding a worker; labels that hit it are
 * counted, never silently taken as no match.
 */
#ifndef FEATLAS_SEARCH_H
#define FEATLAS_SEARCH_H

#include "base/err.h"
#include "base/pool.h"
#include "base/progress.h"
#include "core/labels.h"

enum search_case { SEARCH_EXACT, SEARCH_IGNORE, SEARCH_SMART /* ignore unless a capital is typed */ };

struct search_pattern;

/* *offset (or NULL) gets the byte in the pattern where it went wrong. */
struct search_pattern *search_compile(const char *pattern, enum search_case c, size_t *offset, struct err *e);
void search_pattern_free(struct search_pattern *p);
/* One text; *start and *end (or NULL) get the match.  1 match, 0 none, -1 gave up. */
int search_match(const struct search_pattern *p, const char *s, size_t n, size_t *start, size_t *end);

struct search_result {
	u64 *bits;      /* a bit a feature, (n_features + 63) / 64 words */
	u64 n_hits;     /* features */
	u64 n_gave_up;  /* labels */
	bool complete;
};

/* Scans the base labels, then extra labels (what people wrote; may be NULL).  hidden: bit set
 * of features whose base labels do not count (NULL: none).  progress counts labels and
 * cancels; bits fill in label order as chunks complete and may be read meanwhile. */
int search_labels(const struct search_pattern *p, struct pool *pool, const struct labels *base,
		  const struct label *extra, size_t n_extra, u32 n_features, struct search_result *r,
		  struct progress *progress, struct err *e);
void search_result_release(struct search_result *r);

#endif
