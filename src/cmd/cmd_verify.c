/* SPDX-License-Identifier: MIT */
/* cmd_verify.c - featlas verify: everything an atlas holds, checksums included. */
#include "cmd/cmd.h"

#include "base/utf8.h"
#include "core/atlas.h"

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

int cmd_verify(const struct cmd_args *a, struct err *e)
{
	const char *folder = a->positional[0];
	json_t *list = arg_flag(a, "json") ? json_array() : NULL;
	struct progress p = {0};
	u64 n = 0;
	struct cmd_progress *shown = cmd_progress_start(&p);
	int r = atlas_verify(folder, &p, print_fault, list, &n, e);
	cmd_progress_stop(shown);
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
