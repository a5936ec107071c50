/* SPDX-License-Identifier: MIT */
/* search.h - regular expressions over labels.
 *
 * Syntax: pcre2pattern(3), UTF and UCP always, so that \w \b \d mean every language's.  Each
 * label is matched on its own, so ^ $ \A \z mean the label.  A match limit keeps catastrophic
 * patterns from holding a worker; labels that hit it are counted, never silently taken as no
 * match.  Patterns are read-only once compiled and may be shared by threads.
 *
 * Where a pattern needs a text (search_literal.h), all labels are scanned for it at once
 * (search_scan.h), and only those that hold it are matched; what is found is the same.
 */
#ifndef FEATLAS_SEARCH_H
#define FEATLAS_SEARCH_H

#include "base/err.h"
#include "base/pool.h"
#include "base/progress.h"
#include "core/labels.h"

enum search_case { SEARCH_EXACT, SEARCH_IGNORE, SEARCH_SMART /* ignore unless a capital is typed */ };

struct search_pattern;

/* *offset (or NULL) gets the byte in the pattern where it went wrong; the message has it too. */
struct search_pattern *search_compile(const char *pattern, enum search_case c, size_t *offset, struct err *e);
void search_pattern_free(struct search_pattern *p); /* NULL is fine */
/* One text of any bytes; broken UTF-8 is matched as U+FFFD.  *start and *end (or NULL) get the
 * match in the text as given.  1 match, 0 none, -1 gave up. */
int search_match(const struct search_pattern *p, const char *s, size_t n, size_t *start, size_t *end);

struct search_result {
	u64 *bits;      /* a bit a feature, (n_features + 63) / 64 words */
	u64 n_hits;     /* features */
	u64 n_gave_up;  /* labels */
	u64 n_settled;  /* the bits of features below are final */
	bool complete;  /* all labels were looked at */
	u32 budget_ms;  /* set by the caller: stop after it, incomplete; 0: never */
};

/* Makes an empty result.  search_labels makes it itself where bits is NULL; a thread that wants
 * to read bits and n_hits meanwhile makes it first, and reads with search_word and search_hits. */
int search_result_init(struct search_result *r, u32 n_features, struct err *e);
void search_result_release(struct search_result *r); /* empty again */
static inline bool search_has(const struct search_result *r, u32 feature)
{
	return __atomic_load_n(&r->bits[feature / 64], __ATOMIC_RELAXED) >> (feature % 64) & 1;
}
static inline u64 search_word(const struct search_result *r, size_t i)
{
	return __atomic_load_n(&r->bits[i], __ATOMIC_RELAXED);
}
static inline u64 search_hits(const struct search_result *r)
{
	return __atomic_load_n(&r->n_hits, __ATOMIC_RELAXED);
}
/* Hits below it come no more; rises while the labels are scanned. */
static inline u64 search_settled(const struct search_result *r)
{
	return __atomic_load_n(&r->n_settled, __ATOMIC_ACQUIRE);
}
/* The first hit from feature from on, or UINT32_MAX. */
u32 search_next(const struct search_result *r, u32 n_features, u64 from);

/* Scans the base labels (NULL: none), then extra labels (what people wrote; may be NULL), adding
 * to r.  hidden: bit set of features whose base labels do not count (NULL: none).  progress
 * counts labels and cancels within one label: ERR_CANCELLED, r holds what was found so far.
 * Chunks are taken in label order; what is found does not depend on the number of threads. */
int search_labels(const struct search_pattern *p, struct pool *pool, const struct labels *base,
		  const struct label *extra, size_t n_extra, const u64 *hidden, u32 n_features,
		  struct search_result *r, struct progress *progress, struct err *e);

/* Whether only the complete hits of an older pattern, over the same base labels and hidden ones, need to be
 * looked at for p's, and that is less work: both are plain texts, p's hold the older's, the hits are few. */
bool search_refines(const struct search_pattern *p, const struct search_pattern *before,
		    const struct search_result *hits, const struct labels *base);
/* Then: what search_labels finds.  extra may be other ones than before. */
int search_refine(const struct search_pattern *p, struct pool *pool, const struct labels *base,
		  const struct label *extra, size_t n_extra, const u64 *hidden, u32 n_features,
		  const struct search_result *within, struct search_result *r, struct progress *progress,
		  struct err *e);

#endif
