/* SPDX-License-Identifier: MIT */
/* search_literal_parser.h - the reader of a pattern, between search_literal's files only. */
#ifndef FEATLAS_SEARCH_LITERAL_PARSER_H
#define FEATLAS_SEARCH_LITERAL_PARSER_H

#include "core/search_literal_parts.h"

struct parser {
	const char *s;
	size_t i;
	bool quoting; /* between \Q and \E */
	bool fold;
	bool failed;
	int depth;
};

/* What is not understood; the pattern needs nothing then. */
void parser_fail(struct parser *p);
u32 parser_take_char(struct parser *p);
void parser_skip_to(struct parser *p, char end); /* behind it */
void parser_read_class(struct parser *p, struct part *out);  /* at [ */
void parser_read_escape(struct parser *p, struct part *out); /* at a backslash, outside of classes */

#endif
