/* SPDX-License-Identifier: MIT */
/* cmd_search.c - features by a regex over their labels, by a query, or by rank. */
#include "backend/attach.h"
#include "base/buf.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "core/query.h"
#include "session/reading.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Labels are matched by a pattern, or features by a query: one of the two. */
struct wanted {
	struct search_pattern *pattern;
	struct query *query;
};

static int compile(const struct cmd_args *a, struct wanted *w, struct err *e)
{
	enum search_case c = arg_flag(a, "ignore-case") ? SEARCH_IGNORE : SEARCH_EXACT;
	if (arg_flag(a, "query"))
		w->query = query_parse(a->positional[1], c, NULL, e);
	else
		w->pattern = search_compile(a->positional[1], c, NULL, e);
	return w->query || w->pattern ? 0 : -1;
}

/* fires: of a query; the text is plain, as one would find it anywhere. */
struct model {
	struct session *s;
	struct progress *progress;
};

static int fires(void *context, const char *text, u64 *bits, struct err *e)
{
	const struct model *m = context;
	char warning[ATTACH_WARNING];
	struct reading t = {0};
	struct backend *b = session_backend(m->s, e);
	if (!b)
		return -1;
	int bad = attach_model(b, m->s->atlas, m->progress, warning, e) || reading_make(m->s, b, text, false, &t, e);
	detach_model(b);
	if (*warning)
		fprintf(stderr, "featlas search: warning: %s\n", warning);
	for (size_t i = 0; i < t.n && !bad; i++)
		for (u32 k = 0; k < t.rows[i].n; k++)
			bits[t.rows[i].id[k] / 64] |= (u64)1 << t.rows[i].id[k] % 64;
	reading_release(&t);
	return bad ? -1 : 0;
}

static int find(struct session *s, const struct wanted *w, struct search_result *r, struct err *e)
{
	struct query_world world = {.atlas = s->atlas, .note = s->note, .pool = s->pool};
	struct progress progress = {0};
	struct model model = {s, &progress};
	world.fires = fires;
	world.fires_context = &model;
	world.people = session_people(s, &world.n_people, &world.hidden);
	const char *missing = w->pattern && !world.n_people ? atlas_missing(s->atlas, "labels") : NULL;
	if (missing)
		return err_set(e, ERR_UNAVAILABLE, "%s", missing);
	struct cmd_progress *shown = cmd_progress_start(&progress);
	int failed = w->query ? query_run(w->query, &world, r, &progress, e)
			      : search_labels(w->pattern, s->pool, s->atlas->labels, world.people, world.n_people,
					      world.hidden, s->atlas->n_features, r, &progress, e);
	cmd_progress_stop(shown);
	return failed;
}

struct other {
	const struct search_pattern *pattern;
	size_t n_seen;
	bool shown_matches;
	json_t *text; /* the first other label that matches */
};

static void see_label(void *context, const struct label *l)
{
	struct other *o = context;
	bool first = !o->n_seen++;
	if (o->shown_matches || o->text || search_match(o->pattern, (const char *)l->text.p, l->text.n, NULL, NULL) <= 0)
		return;
	if (first)
		o->shown_matches = true;
	else
		o->text = json_text((const char *)l->text.p, l->text.n);
}

/* Adds "matched" where another label than the shown one matched. */
static void set_matched(struct session *s, const struct wanted *w, u32 feature, json_t *j)
{
	if (!w->pattern)
		return;
	struct other o = {.pattern = w->pattern};
	session_each_label(s, feature, see_label, &o);
	if (o.text)
		json_object_set_new(j, "matched", o.text);
}

static void print_count(const struct cmd_args *a, const struct search_result *r)
{
	if (arg_flag(a, "json"))
		cmd_print_json(json_pack("{s:I,s:I}", "count", (json_int_t)r->n_hits, "gave_up", (json_int_t)r->n_gave_up));
	else
		printf("%llu\n", (unsigned long long)r->n_hits);
}

static void print_hit(const struct cmd_args *a, struct session *s, const struct wanted *w, u32 f)
{
	if (arg_flag(a, "json")) {
		json_t *j = cmd_feature_json(s, f);
		set_matched(s, w, f, j);
		cmd_print_json(j);
		return;
	}
	struct buf line = BUF_INIT;
	cmd_add_feature(&line, s, f);
	cmd_flush(&line);
	buf_release(&line);
}

static void print_hits(const struct cmd_args *a, struct session *s, const struct wanted *w,
		       const struct search_result *r, u64 limit)
{
	u32 f = 0, n_features = s->atlas->n_features;
	for (u64 n = 0; n < limit && (f = search_next(r, n_features, f)) != UINT32_MAX; n++, f++)
		print_hit(a, s, w, f);
}

/* Ranks. */

struct ranked {
	f32 value;
	u32 id;
};

static int by_rank(const void *x, const void *y)
{
	const struct ranked *a = x, *b = y;
	if (a->value != b->value)
		return a->value > b->value ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static const struct measure {
	const char *name, *part;
} measures[] = {
	{"density", "store"}, {"max", "store"}, {"writes", "scores"}, {"detects", "scores"}, {"output", "scores"},
	{"tuned", "scores"},
};

static f32 measured(const struct session *s, const char *by, u32 feature)
{
	struct store_stats stats;
	struct atlas_scores scores;
	if (!strcmp(by, "density") || !strcmp(by, "max")) {
		store_stats(s->atlas->store, feature, &stats);
		return by[0] == 'd' ? stats.density : stats.max;
	}
	atlas_scores(s->atlas, feature, &scores);
	return by[0] == 'w' ? scores.topic : by[0] == 'd' ? scores.input : by[0] == 't' ? scores.tuned : scores.output;
}

static const struct measure *find_measure(const char *by, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(measures); i++)
		if (!strcmp(measures[i].name, by))
			return &measures[i];
	err_set(e, ERR_USAGE, "--by is density, max, writes, detects, output or tuned, not '%s'", by);
	return NULL;
}

/* The hits in the order of a measure, the largest first; those without a number come last. */
static int print_sorted(const struct cmd_args *a, struct session *s, const struct wanted *w, const struct search_result *r,
			const struct measure *m, u64 limit, struct err *e)
{
	const char *missing = atlas_missing(s->atlas, m->part);
	struct ranked *list = missing ? NULL : mem_try(r->n_hits + 1, sizeof *list, "the ranks", e);
	u64 n = 0;
	if (!list)
		return missing ? err_set(e, ERR_UNAVAILABLE, "%s", missing) : -1;
	for (u32 f = 0; (f = search_next(r, s->atlas->n_features, f)) != UINT32_MAX && n < r->n_hits; f++) {
		f32 v = measured(s, m->name, f);
		list[n++] = (struct ranked){isnan(v) ? -INFINITY : v, f};
	}
	qsort(list, n, sizeof *list, by_rank);
	for (u64 i = 0; i < MIN(n, limit); i++)
		print_hit(a, s, w, list[i].id);
	free(list);
	return 0;
}

int cmd_search(const struct cmd_args *a, struct err *e)
{
	struct wanted w = {0};
	struct search_result r = {0};
	struct session *s = NULL;
	u64 limit;
	int status = -1;
	const struct measure *by = arg_str(a, "by", NULL) ? find_measure(arg_str(a, "by", NULL), e) : NULL;
	if ((arg_str(a, "by", NULL) && !by) || arg_u64(a, "limit", UINT64_MAX, 0, UINT64_MAX, &limit, e) || compile(a, &w, e))
		return -1;
	s = cmd_open(a, e);
	if (!s || find(s, &w, &r, e))
		goto out;
	if (r.n_gave_up)
		fprintf(stderr, "featlas search: %llu labels gave up: the pattern takes too long on them\n",
			(unsigned long long)r.n_gave_up);
	if (arg_flag(a, "count"))
		print_count(a, &r);
	else if (!by)
		print_hits(a, s, &w, &r, limit);
	else if (print_sorted(a, s, &w, &r, by, limit, e))
		goto out;
	status = r.n_hits ? EXIT_OK : EXIT_NONE;
out:
	search_result_release(&r);
	session_free(s);
	search_pattern_free(w.pattern);
	query_free(w.query);
	return status;
}

static void print_ranked(const struct cmd_args *a, struct session *s, const char *by, const struct ranked *r, u64 n)
{
	struct buf line = BUF_INIT;
	for (u64 i = 0; i < n; i++) {
		if (arg_flag(a, "json")) {
			json_t *j = cmd_feature_json(s, r[i].id);
			json_object_set_new(j, by, json_f32(r[i].value));
			cmd_print_json(j);
			continue;
		}
		cmd_add_feature(&line, s, r[i].id);
		if (strcmp(by, "density") && strcmp(by, "max")) {
			line.n--;
			buf_addc(&line, '\t');
			cmd_add_number(&line, r[i].value);
			buf_addc(&line, '\n');
		}
		cmd_flush(&line);
	}
	buf_release(&line);
}

int cmd_top(const struct cmd_args *a, struct err *e)
{
	const struct measure *m = find_measure(arg_str(a, "by", "writes"), e);
	u64 limit, n = 0;
	int status = -1;
	if (!m || arg_u64(a, "limit", 20, 0, UINT64_MAX, &limit, e))
		return -1;
	struct session *s = cmd_open(a, e);
	if (!s)
		return -1;
	struct ranked *r = NULL;
	const char *missing = atlas_missing(s->atlas, m->part);
	if (missing) {
		err_set(e, ERR_UNAVAILABLE, "%s", missing);
		goto out;
	}
	r = mem_try(s->atlas->n_features, sizeof *r, "the ranks", e);
	if (!r)
		goto out;
	for (u32 f = 0; f < s->atlas->n_features; f++) {
		f32 v = measured(s, m->name, f);
		if (!isnan(v))
			r[n++] = (struct ranked){v, f};
	}
	qsort(r, n, sizeof *r, by_rank);
	print_ranked(a, s, m->name, r, MIN(n, limit));
	status = n ? EXIT_OK : EXIT_NONE;
out:
	free(r);
	session_free(s);
	return status;
}
