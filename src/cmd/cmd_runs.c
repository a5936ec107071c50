/* SPDX-License-Identifier: MIT */
/* cmd_runs.c - featlas runs: the steering runs that were kept: listed, shown, compared, exported. */
#include "cmd/cmd.h"

#include "base/mem.h"
#include "base/outfile.h"
#include "base/wordlist.h"
#include "session/runs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void add_date(struct buf *out, i64 when)
{
	struct tm t;
	time_t seconds = (time_t)when;
	char text[32] = "atlas";
	if (when > 0 && localtime_r(&seconds, &t))
		strftime(text, sizeof text, "%Y-%m-%d %H:%M", &t);
	buf_adds(out, text);
}

static void add_text_of(struct buf *out, const json_t *run, const char *key)
{
	struct buf words = BUF_INIT;
	runs_add_words(run, key, &words);
	cmd_add_text(out, words.s, words.n);
	buf_release(&words);
}

static void add_features(struct buf *out, const json_t *run)
{
	struct buf words = BUF_INIT;
	runs_add_features(run, &words);
	cmd_add_text(out, words.s, words.n);
	buf_release(&words);
}

/* hash, date, features, seed, prompt, what was written: a line. */
static void print_line(const struct runs_item *r)
{
	struct buf out = BUF_INIT;
	buf_addf(&out, "%.8s\t", runs_text(r->run, "hash"));
	add_date(&out, r->when);
	buf_addc(&out, '\t');
	add_features(&out, r->run);
	buf_addf(&out, "\tseed %llu\t", (unsigned long long)json_opt_u64(r->run, "seed", 1));
	add_text_of(&out, r->run, "prompt");
	buf_addc(&out, '\t');
	add_text_of(&out, r->run, "steered");
	buf_addc(&out, '\n');
	cmd_flush(&out);
	buf_release(&out);
}

static json_t *with_date(const struct runs_item *r)
{
	json_t *j = json_copy(r->run);
	if (r->when > 0)
		json_object_set_new(j, "time", json_integer((json_int_t)r->when));
	return j;
}

static void add_line(struct buf *out, const char *name, const char *text)
{
	buf_addf(out, "%-12s", name);
	cmd_add_text(out, text, strlen(text));
	buf_addc(out, '\n');
}

static void print_run(const struct runs_item *r)
{
	static const char *const texts[] = {"baseline", "steered"};
	const json_t *run = r->run;
	struct buf out = BUF_INIT;
	add_line(&out, "run", runs_text(run, "hash"));
	buf_addf(&out, "%-12s", "kept");
	add_date(&out, r->when);
	buf_addc(&out, '\n');
	add_line(&out, "prompt", runs_text(run, "prompt"));
	buf_addf(&out, "%-12s", "features");
	add_features(&out, run);
	buf_addf(&out, "\n%-12sseed %llu, temperature %g, %llu tokens, on the %s, %s\n", "sampling",
		 (unsigned long long)json_opt_u64(run, "seed", 1), json_opt_f64(run, "temperature", 0),
		 (unsigned long long)json_opt_u64(run, "n", 60), runs_where(run),
		 json_opt_bool(run, "chat", true) ? "chat template" : "plain text");
	if (*runs_text(run, "model"))
		add_line(&out, "model", runs_text(run, "model"));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		buf_addf(&out, "\n%s\n  ", texts[i]);
		add_text_of(&out, run, texts[i]);
		buf_addc(&out, '\n');
	}
	cmd_flush(&out);
	buf_release(&out);
}

/* The words of b that a has not, between open and close. */
static size_t add_changed(struct buf *out, const char *a, const char *b, const char *open, const char *close)
{
	size_t n = strlen(b), at = 0, len = 0, changes = 0;
	bool *changed = xcalloc(n + 1, sizeof *changed), within = false;
	words_diff(a, strlen(a), b, n, changed);
	for (bool first = true; words_next(b, n, &at, &len); first = false) {
		if (within && !changed[at])
			buf_adds(out, close);
		buf_adds(out, first ? "" : " ");
		if (!within && changed[at])
			buf_adds(out, open);
		within = changed[at];
		changes += within;
		cmd_add_text(out, b + at, len);
	}
	if (within)
		buf_adds(out, close);
	free(changed);
	return changes;
}

static int print_diff(const struct runs_item *a, const struct runs_item *b, bool json)
{
	struct buf out = BUF_INIT, ways = BUF_INIT, left = BUF_INIT, right = BUF_INIT;
	const char *x = runs_text(a->run, "steered"), *y = runs_text(b->run, "steered");
	size_t gone = add_changed(&left, y, x, "[-", "-]"), come = add_changed(&right, x, y, "{+", "+}");
	runs_add_differences(a->run, b->run, &ways);
	if (json) {
		json_t *list = json_array();
		for (char *s = ways.s, *end; (end = strchr(s, '\n')); s = end + 1)
			json_array_append_new(list, json_text(s, (size_t)(end - s)));
		cmd_print_json(json_pack("{s:O, s:O, s:o, s:I, s:I, s:o, s:o}", "a", json_object_get(a->run, "hash"), "b",
					 json_object_get(b->run, "hash"), "differences", list, "words_gone",
					 (json_int_t)gone, "words_come", (json_int_t)come, "steered_a",
					 json_text(left.s, left.n), "steered_b", json_text(right.s, right.n)));
	} else {
		for (char *s = ways.s, *end; (end = strchr(s, '\n')); s = end + 1) {
			cmd_add_text(&out, s, (size_t)(end - s));
			buf_addc(&out, '\n');
		}
		buf_addf(&out, "%s%.8s\n  %s\n\n%.8s\n  %s\n", ways.n ? "\n" : "", runs_text(a->run, "hash"), left.s,
			 runs_text(b->run, "hash"), right.s);
		cmd_flush(&out);
	}
	buf_release(&out);
	buf_release(&ways);
	buf_release(&left);
	buf_release(&right);
	return EXIT_OK;
}

/* As `prune --runs` takes them: oldest first, so that the newest stays on top. */
static int export(const struct runs_item *items, size_t n, const char *path, struct err *e)
{
	struct buf out = BUF_INIT;
	for (size_t i = n; i-- > 0;) {
		json_add_line(&out, items[i].run);
		buf_addc(&out, '\n');
	}
	int bad = outfile_write_all(path, out.s, out.n, e);
	buf_release(&out);
	if (!bad)
		fprintf(stderr, "featlas runs: %zu run%s in '%s'\n", n, n == 1 ? "" : "s", path);
	return bad ? -1 : EXIT_OK;
}

static int list(const struct runs *r, u64 limit, bool json)
{
	for (size_t i = 0; i < r->n && i < limit; i++) {
		if (json)
			cmd_print_json(with_date(&r->items[i]));
		else
			print_line(&r->items[i]);
	}
	return r->n ? EXIT_OK : EXIT_NONE;
}

static int answer(const struct cmd_args *a, const struct runs *r, struct err *e)
{
	const char *hash = a->n_positional > 1 ? a->positional[1] : NULL, *other = arg_str(a, "diff", NULL);
	const char *to = arg_str(a, "export", NULL);
	const struct runs_item *one = NULL, *two = NULL;
	bool json = arg_flag(a, "json");
	u64 limit;
	if (arg_u64(a, "limit", UINT64_MAX, 1, UINT64_MAX, &limit, e))
		return -1;
	if (other && !hash)
		return err_set(e, ERR_USAGE, "--diff compares with a run that is named: featlas runs ATLAS HASH --diff HASH2");
	if ((hash && !(one = runs_find(r, hash, e))) || (other && !(two = runs_find(r, other, e))))
		return -1;
	if (to)
		return export(one ? one : r->items, one ? 1 : MIN(r->n, limit), to, e);
	if (two)
		return print_diff(one, two, json);
	if (!one)
		return list(r, limit, json);
	if (json)
		cmd_print_json(with_date(one));
	else
		print_run(one);
	return EXIT_OK;
}

int cmd_runs(const struct cmd_args *a, struct err *e)
{
	struct session *s = cmd_open(a, e);
	struct runs r = {0};
	int status = -1;
	if (s && !runs_load(s->note, s->atlas, &r, e))
		status = answer(a, &r, e);
	runs_release(&r);
	session_free(s);
	return status;
}
