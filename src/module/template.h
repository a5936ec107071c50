/* SPDX-License-Identifier: MIT */
/* template.h - chats as text, with the places of the people's words in it.
 *
 * libllama renders the templates it knows from a built-in list, which lacks what a model's own
 * template says where no system message is given ("You are a helpful AI assistant named ...").
 * That sentence is read out of the template's source.
 */
#ifndef FEATLAS_TEMPLATE_H
#define FEATLAS_TEMPLATE_H

#include "base/buf.h"

/* A message's content in the rendered text: bytes begin to end - 1. */
struct template_part {
	size_t message, begin, end;
};

struct template_text {
	struct buf text;
	struct template_part *parts; /* in the text's order; a message may be missing */
	size_t n_parts;
};

/* Renders a chat whose contents are placeholders; -1 if it cannot. */
typedef int (*template_chat_fn)(const void *context, const char *const *roles, const char *const *contents, size_t n,
				bool open, struct buf *out);

/* The system turn that a Jinja template puts in front of a chat without one, whole, by the
 * first quoted text in it that opens a ChatML system turn, says something and closes it.
 * Appends nothing where there is none. */
void template_default_system(const char *jinja, struct buf *out);

/* Renders n messages.  default_system is put in front if the first is not a system message; a
 * chat that render refuses becomes ChatML if chatml is set.  Returns -1 if there is no way;
 * *out is then empty.  Contents may hold any bytes. */
int template_render(template_chat_fn render, const void *context, const char *default_system, bool chatml,
		    const char *const *roles, const struct span *contents, size_t n, bool open,
		    struct template_text *out);
void template_release(struct template_text *t);

#endif
