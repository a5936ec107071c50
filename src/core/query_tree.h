/* SPDX-License-Identifier: MIT */
/* query_tree.h - a parsed query, between query.c and query_run.c only. */
#ifndef FEATLAS_QUERY_TREE_H
#define FEATLAS_QUERY_TREE_H

#include "core/query.h"

enum query_op {
	QUERY_AND, QUERY_OR, QUERY_NOT,                                   /* of a and b */
	QUERY_LABEL, QUERY_PROMOTES, QUERY_SUPPRESSES, QUERY_SOURCE, QUERY_CONTEXT, QUERY_NOTE, /* pattern */
	QUERY_ID, QUERY_DENSITY, QUERY_MAX, QUERY_DETECTS, QUERY_WRITES, QUERY_OUTPUT, QUERY_TUNED, QUERY_JUDGED,
	QUERY_CLUSTER, QUERY_RATING, QUERY_QUIZ,                          /* range */
	QUERY_NEAR,                                                       /* id in low */
	QUERY_TAG, QUERY_FIRES,                                           /* text */
	QUERY_IS,                                                         /* state */
};

enum query_state {
	IS_DEAD, IS_LIVE, IS_LABELLED, IS_REJECTED, IS_MARKED, IS_BOOKMARKED, IS_RATED, IS_TAGGED, IS_NOTED,
};

struct query {
	enum query_op op;
	size_t at; /* where it stands in the text, in bytes */
	struct query *a, *b;
	struct search_pattern *pattern;
	f64 low, high;
	bool low_open, high_open; /* the end itself is left out */
	enum query_state state;
	char *text;
};

#endif
