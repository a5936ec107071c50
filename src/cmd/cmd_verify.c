/* SPDX-License-Identifier: MIT */
/* cmd_verify.c - featlas verify: everything an atlas holds, checksums included. */
#include "cmd/cmd.h"

#include "base/utf8.h"
#include "session/session.h"

#include <stdio.h>
#include <string.h>

static void print_fault(void *context, const char *sentence)
{
	json_t *list = context;
	if (list) {
		json_array_append_new(list, json_text(sentence, strlen(sentence)));
		return;
	}
	struct buf b = BUF_INIT;
	utf8_add_safe(&b, sentence, strlen(sentence));
	puts(b.s);
	buf_release(&b);
}

struct counted {
	json_t *list;
	u64 *n;
};

static void count_fault(void *context, const char *sentence)
{
	struct counted *c = context;
	++*c->n;
	print_fault(c->list, sentence);
}

/* What people did lies beside the atlas or elsewhere, and is in no checksum. */
static int verify_notes(const char *folder, json_t *list, u64 *n, struct err *e)
{
	struct counted c = {list, n};
	struct session *s = session_open(folder, NULL, e);
	if (!s)
		return -1;
	note_verify(s->note, s->atlas->n_features, count_fault, &c);
	session_free(s);
	return 0;
}

int cmd_verify(const struct cmd_args *a, struct err *e)
{
	const char *folder = a->positional[0];
	json_t *list = arg_flag(a, "json") ? json_array() : NULL;
	struct progress p = {0};
	u64 n = 0;
	struct cmd_progress *shown = cmd_progress_start(&p);
	int r = atlas_verify(folder, &p, print_fault, list, &n, e);
	cmd_progress_stop(shown);
	if (!r && !n) /* an atlas with faults may not even open */
		r = verify_notes(folder, list, &n, e);
	if (r) {
		json_decref(list);
		return -1;
	}
	if (list)
		cmd_print_json(json_pack("{s:o, s:I, s:o}", "atlas", json_text(folder, strlen(folder)), "n_faults",
					 (json_int_t)n, "faults", list));
	else if (!n)
		printf("%s: no faults\n", folder);
	return n ? EXIT_DAMAGED : EXIT_OK;
}
