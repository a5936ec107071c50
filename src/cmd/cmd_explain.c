/* SPDX-License-Identifier: MIT */
/* cmd_explain.c - explain ATLAS [ID ...]: labels made from contexts, by a chat endpoint. */
#include "cmd/asked.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "session/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
	struct session *s;
	struct chat chat;
	struct progress progress;
	struct explain_item *items;
	size_t n;
	u64 workers;
	bool keep;
};

static int find_items(struct job *j, const struct cmd_args *a, struct err *e)
{
	u32 *ids = NULL;
	size_t n;
	u64 limit;
	struct store_stats st;
	const struct atlas *at = j->s->atlas;
	int bad = arg_u64(a, "limit", UINT64_MAX, 0, UINT64_MAX, &limit, e) || asked_features(a, j->s, &ids, &n, e);
	j->items = xcalloc(bad ? 1 : n + 1, sizeof *j->items);
	for (size_t i = 0; !bad && i < n && j->n < limit; i++) {
		if (!arg_flag(a, "again") && explain_has(at, ids[i], j->chat.model))
			continue;
		if (at->store)
			store_stats(at->store, ids[i], &st);
		if (a->n_positional == 1 && at->store && !st.count)
			continue; /* the dead are asked about by name only */
		j->items[j->n++].feature = ids[i];
	}
	free(ids);
	return bad ? -1 : 0;
}

static int dry_run(struct job *j, const struct cmd_args *a, struct err *e)
{
	struct asked_dry d = {0};
	for (size_t i = 0; i < j->n; i++) {
		struct err why = {0};
		json_t *body = explain_request(j->s->atlas, &j->chat, j->items[i].feature, &why);
		if (body)
			asked_print(&d, body);
		else if (why.code) {
			*e = why;
			return -1;
		}
	}
	asked_say_dry(a, &j->chat, &d);
	return 0;
}

static int explain(struct job *j, struct err *e)
{
	struct pool *pool = pool_new((unsigned)j->workers);
	struct cmd_progress *shown = cmd_progress_start(&j->progress);
	int bad = explain_all(j->s->atlas, &j->chat, j->items, j->n, pool, &j->progress, e);
	cmd_progress_stop(shown);
	pool_free(pool);
	size_t n = 0;
	for (size_t i = 0; i < j->n; i++)
		n += j->items[i].label != NULL;
	struct err why = {0};
	if (j->keep && n && (!bad || e->code == ERR_CANCELLED) &&
	    explain_keep(j->s->atlas, j->chat.model, j->items, j->n, bad ? &why : e))
		bad = -1;
	return bad;
}

static size_t print_all(const struct job *j, bool json)
{
	size_t n = 0, silent = 0;
	struct buf b = BUF_INIT;
	for (size_t i = 0; i < j->n; i++) {
		const struct explain_item *x = &j->items[i];
		silent += x->no_texts;
		if (!x->label)
			continue;
		n++;
		if (json) {
			cmd_print_json(json_pack("{s:I, s:o, s:o}", "id", (json_int_t)x->feature, "label",
						 json_text(x->label, strlen(x->label)), "model",
						 json_text(j->chat.model, strlen(j->chat.model))));
			continue;
		}
		buf_addf(&b, "#%u\t", x->feature);
		utf8_add_safe(&b, x->label, strlen(x->label));
		buf_addc(&b, '\n');
		cmd_flush(&b);
	}
	buf_release(&b);
	if (silent)
		fprintf(stderr, "featlas explain: %zu have no context to show\n", silent);
	if (j->n - n - silent)
		fprintf(stderr, "featlas explain: %zu of %zu got no label%s%s\n", j->n - n - silent, j->n,
			*j->chat.why ? ": " : "", j->chat.why);
	return n;
}

static int run(struct job *j, const struct cmd_args *a, struct err *e)
{
	if (asked_chat(a, &j->chat, &j->progress, e) || arg_u64(a, "workers", 1, 1, 64, &j->workers, e) ||
	    !(j->s = cmd_open(a, e)))
		return -1;
	j->keep = !arg_flag(a, "no-keep");
	bool dry = arg_flag(a, "dry-run");
	if ((j->keep && !dry && asked_writable(j->s, e)) || find_items(j, a, e))
		return -1;
	return dry ? dry_run(j, a, e) : explain(j, e);
}

int cmd_explain(const struct cmd_args *a, struct err *e)
{
	struct job j = {0};
	int bad = run(&j, a, e);
	size_t n = 0;
	if (!arg_flag(a, "dry-run") && (!bad || e->code == ERR_CANCELLED)) {
		n = print_all(&j, arg_flag(a, "json"));
		asked_say_cost(a, &j.chat);
	}
	for (size_t i = 0; i < j.n; i++)
		free(j.items[i].label);
	free(j.items);
	chat_release(&j.chat);
	session_free(j.s);
	return bad ? -1 : n || arg_flag(a, "dry-run") || !j.n ? EXIT_OK : EXIT_NONE;
}
