/* SPDX-License-Identifier: MIT */
/* jstream.c - YAJL's events, told by path. */
#include "io/jstream.h"

#include "base/mem.h"
#include "io/gzip.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

enum { CHUNK = 1 << 18, NOWHERE = -1, TOP = 0 };

/* A place that paths lead through: the members and items below it are a list. */
struct node {
	const char *key; /* NULL: the items of an array */
	size_t n;
	int id, child, next; /* id -1: only passed through; lists end with NOWHERE */
};

struct level {
	int node;    /* of the object or array, or NOWHERE */
	int pending; /* of the value that comes next in it */
	bool is_array;
	u64 seen;    /* members met, by node */
};

struct jstream {
	const char *file;
	struct node nodes[JSTREAM_MAX_PATHS];
	int n_nodes;
	struct level levels[JSTREAM_DEPTH];
	int depth;
	int (*on)(void *context, const struct jstream_event *v, struct err *e);
	void *context;
	struct err *e;
	bool stopped;    /* the reader or a limit said no, and *e says why */
	u64 n_events, n_events_before; /* to tell a chunk without any */
	bool has_text;                 /* more than blanks */
};

static int find_child(const struct jstream *s, int node, const char *key, size_t n)
{
	if (node == NOWHERE)
		return NOWHERE;
	int i = s->nodes[node].child;
	for (; i != NOWHERE; i = s->nodes[i].next) {
		const struct node *c = &s->nodes[i];
		if (key ? c->key && c->n == n && !memcmp(c->key, key, n) : !c->key)
			break;
	}
	return i;
}

static int add_child(struct jstream *s, int node, const char *key, size_t n, struct err *e)
{
	int at = find_child(s, node, key, n);
	if (at != NOWHERE)
		return at;
	if (s->n_nodes == JSTREAM_MAX_PATHS)
		return err_set(e, ERR_FAILED, "too many paths of '%s' are wanted", s->file);
	at = s->n_nodes++;
	s->nodes[at] = (struct node){key, n, -1, NOWHERE, s->nodes[node].child};
	s->nodes[node].child = at;
	return at;
}

static int add_path(struct jstream *s, const struct jstream_path *p, struct err *e)
{
	int node = TOP;
	for (const char *c = p->path; *c;) {
		size_t n = *c == '[' ? 2 : 1 + strcspn(c + 1, ".[");
		if ((node = *c == '[' ? add_child(s, node, NULL, 0, e)
				      : add_child(s, node, c + 1, n - 1, e)) < 0)
			return -1;
		c += n;
	}
	s->nodes[node].id = p->id;
	return 0;
}

/* Where the value that begins now stands. */
static int here(struct jstream *s)
{
	s->n_events++;
	return s->depth ? s->levels[s->depth - 1].pending : TOP;
}

static int tell(struct jstream *s, int node, struct jstream_event *v)
{
	if (node == NOWHERE || s->nodes[node].id < 0)
		return 1;
	v->id = s->nodes[node].id;
	if (!s->on(s->context, v, s->e))
		return 1;
	s->stopped = true;
	return 0;
}

static int on_null(void *context)
{
	struct jstream *s = context;
	return tell(s, here(s), &(struct jstream_event){.kind = JSTREAM_NULL});
}

static int on_bool(void *context, int truth)
{
	struct jstream *s = context;
	return tell(s, here(s), &(struct jstream_event){.kind = JSTREAM_BOOL, .truth = truth});
}

static int on_number(void *context, const char *p, size_t n)
{
	struct jstream *s = context;
	return tell(s, here(s), &(struct jstream_event){.kind = JSTREAM_NUMBER, .s = p, .n = n});
}

static int on_string(void *context, const unsigned char *p, size_t n)
{
	struct jstream *s = context;
	/* YAJL gives no address for an empty one */
	const char *text = n ? (const char *)p : "";
	return tell(s, here(s), &(struct jstream_event){.kind = JSTREAM_STRING, .s = text, .n = n});
}

static int open_level(struct jstream *s, bool is_array)
{
	int node = here(s);
	if (s->depth == JSTREAM_DEPTH) {
		err_set(s->e, ERR_DAMAGED, "values nest deeper than %d", JSTREAM_DEPTH);
		s->stopped = true;
		return 0;
	}
	s->levels[s->depth++] =
		(struct level){node, is_array ? find_child(s, node, NULL, 0) : NOWHERE, is_array, 0};
	return tell(s, node, &(struct jstream_event){.kind = JSTREAM_OPEN, .is_array = is_array});
}

static int close_level(struct jstream *s, bool is_array)
{
	s->n_events++;
	int node = s->levels[--s->depth].node;
	return tell(s, node, &(struct jstream_event){.kind = JSTREAM_CLOSE, .is_array = is_array});
}

static int on_open_map(void *context)
{
	return open_level(context, false);
}

static int on_close_map(void *context)
{
	return close_level(context, false);
}

static int on_open_array(void *context)
{
	return open_level(context, true);
}

static int on_close_array(void *context)
{
	return close_level(context, true);
}

static int on_key(void *context, const unsigned char *key, size_t n)
{
	struct jstream *s = context;
	struct level *l = &s->levels[s->depth - 1];
	s->n_events++;
	l->pending = find_child(s, l->node, n ? (const char *)key : "", n);
	if (l->pending == NOWHERE)
		return 1;
	if (l->seen >> l->pending & 1) {
		err_set(s->e, ERR_DAMAGED, "'%.*s' stands twice in one object", (int)MIN(n, 64),
			(const char *)key);
		s->stopped = true;
		return 0;
	}
	l->seen |= (u64)1 << l->pending;
	return 1;
}

static const yajl_callbacks callbacks = {on_null, on_bool, NULL, NULL, on_number, on_string,
					 on_open_map, on_key, on_close_map, on_open_array, on_close_array};

static u64 count_lines(const u8 *p, size_t n)
{
	u64 lines = 0;
	for (const u8 *end = p + n, *nl; p < end && (nl = memchr(p, '\n', (size_t)(end - p))); p = nl + 1)
		lines++;
	return lines;
}

/* What Python writes and JSON has not. */
static const char *odd_word(const u8 *p, size_t n, size_t at)
{
	static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
	for (size_t from = at > 1 ? at - 2 : 0; from <= at; from++)
		for (size_t i = 0; i < ARRAY_LEN(words); i++) {
			size_t length = strlen(words[i]);
			if (n - from >= length && !memcmp(p + from, words[i], length))
				return words[i];
		}
	return NULL;
}

/* YAJL's reason on one line, without its picture of the text. */
static int say_why(yajl_handle h, const u8 *p, size_t n, struct err *e)
{
	size_t at = MIN(yajl_get_bytes_consumed(h), n);
	const char *word = odd_word(p, n, at);
	if (word)
		return err_set(e, ERR_DAMAGED, "%s is no JSON value", word);
	unsigned char *text = yajl_get_error(h, 0, p, n);
	char *s = (char *)text, *reason = strstr(s, ": ");
	reason = reason ? reason + 2 : s;
	reason[strcspn(reason, "\n")] = 0;
	err_set(e, ERR_DAMAGED, "not JSON: %s", reason);
	yajl_free_error(h, text);
	return -1;
}

/* One chunk; -1 with the line put before what is wrong. */
static int feed(struct jstream *s, yajl_handle h, const u8 *p, size_t n, u64 line, struct err *e)
{
	yajl_status status = yajl_parse(h, p, n);
	if (status == yajl_status_ok)
		return 0;
	if (!s->stopped)
		say_why(h, p, n, e);
	u64 at = line + count_lines(p, MIN(yajl_get_bytes_consumed(h), n));
	return err_wrap(e, "'%s' line %llu", s->file, (unsigned long long)at);
}

static int finish(struct jstream *s, yajl_handle h, u64 line, struct err *e)
{
	const char *reason = s->depth ? "ends in the middle of a value" : NULL;
	if (!reason && s->has_text && yajl_complete_parse(h) != yajl_status_ok)
		reason = s->stopped ? NULL : "ends in the middle of a value";
	if (s->stopped)
		return err_wrap(e, "'%s' line %llu", s->file, (unsigned long long)line);
	if (!s->has_text)
		reason = "holds no JSON value";
	return reason ? err_set(e, ERR_DAMAGED, "'%s' %s (line %llu)", s->file, reason,
				(unsigned long long)line)
		      : 0;
}

static int read_all(struct jstream *s, struct gzip *g, yajl_handle h, u8 *chunk, struct progress *progress,
		    struct err *e)
{
	u64 line = 1, silent = 0, told = 0;
	for (i64 n; (n = gzip_read(g, chunk, CHUNK, e));) {
		if (n < 0)
			return -1;
		if (progress_cancelled(progress))
			return err_set(e, ERR_CANCELLED, "stopped on request");
		s->n_events_before = s->n_events;
		for (i64 i = 0; i < n && !s->has_text; i++)
			s->has_text = !memchr(" \t\r\n", chunk[i], 4);
		if (feed(s, h, chunk, (size_t)n, line, e))
			return -1;
		silent = s->n_events == s->n_events_before ? silent + (u64)n : 0;
		if (silent > JSTREAM_LIMIT)
			return err_set(e, ERR_DAMAGED, "'%s' line %llu: no value ends within %d MiB", s->file,
				       (unsigned long long)line, JSTREAM_LIMIT >> 20);
		line += count_lines(chunk, (size_t)n);
		u64 taken = gzip_taken(g);
		progress_add(progress, taken > told ? taken - told : 0);
		told = MAX(taken, told);
	}
	return finish(s, h, line, e);
}

int jstream_file(const char *file, const struct jstream_path *paths, size_t n_paths,
		 int (*on)(void *context, const struct jstream_event *v, struct err *e), void *context,
		 struct progress *progress, struct err *e)
{
	struct err mine = {0};
	struct jstream s = {.file = file, .n_nodes = 1, .on = on, .context = context, .e = e ? e : &mine};
	s.nodes[TOP] = (struct node){NULL, 0, -1, NOWHERE, NOWHERE};
	for (size_t i = 0; i < n_paths; i++)
		if (add_path(&s, &paths[i], s.e))
			return -1;
	struct gzip *g = gzip_open(file, s.e);
	if (!g)
		return -1;
	yajl_handle h = yajl_alloc(&callbacks, NULL, &s);
	u8 *chunk = xmalloc(CHUNK);
	yajl_config(h, yajl_allow_multiple_values, 1);
	int bad = read_all(&s, g, h, chunk, progress, s.e);
	free(chunk);
	yajl_free(h);
	gzip_free(g);
	return bad ? -1 : 0;
}

int jstream_u64(const struct jstream_event *v, const char *what, u64 max, u64 *out, struct err *e)
{
	u64 x = 0;
	bool good = (v->kind == JSTREAM_NUMBER || v->kind == JSTREAM_STRING) && v->n > 0 && v->n <= 20;
	for (size_t i = 0; good && i < v->n; i++) {
		u64 digit = (u64)(u8)v->s[i] - '0';
		good = digit <= 9 && x <= (UINT64_MAX - digit) / 10;
		x = x * 10 + digit;
	}
	if (!good || x > max)
		return err_set(e, ERR_DAMAGED, "'%s' is no whole number from 0 to %llu", what,
			       (unsigned long long)max);
	*out = x;
	return 0;
}

static locale_t plain;
static pthread_once_t plain_once = PTHREAD_ONCE_INIT;

static void make_plain(void)
{
	plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
}

/* Up to 15 digits and a power of ten up to 22 are both exact doubles, so one division is rounded once
 * (Clinger, How to read floating point numbers accurately, 1990). */
static bool read_short(const char *s, size_t n, f64 *out)
{
	static const f64 power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
				    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	bool negative = n && *s == '-', point = false;
	u64 x = 0;
	size_t digits = 0, behind = 0;
	for (size_t i = negative; i < n; i++) {
		if (s[i] == '.' && !point) {
			point = true;
			continue;
		}
		u64 digit = (u64)(u8)s[i] - '0';
		if (digit > 9)
			return false;
		x = x * 10 + digit;
		digits += x > 0;
		behind += point;
		if (digits > 15 || behind > 22)
			return false;
	}
	*out = (f64)x / power[behind];
	if (negative)
		*out = -*out;
	return true;
}

int jstream_f64(const struct jstream_event *v, const char *what, f64 *out, struct err *e)
{
	char text[1100]; /* a double's exact decimals fit */
	if (v->kind != JSTREAM_NUMBER)
		return err_set(e, ERR_DAMAGED, "'%s' is no number", what);
	if (read_short(v->s, v->n, out))
		return 0;
	if (v->n >= sizeof text)
		return err_set(e, ERR_DAMAGED, "'%s' is a number of %zu digits", what, v->n);
	pthread_once(&plain_once, make_plain);
	memcpy(text, v->s, v->n);
	text[v->n] = 0;
	char *end;
	*out = strtod_l(text, &end, plain);
	if (end != text + v->n)
		return err_set(e, ERR_DAMAGED, "'%s' is no number", what);
	return isfinite(*out) ? 0 : err_set(e, ERR_DAMAGED, "'%s' is %s, which no double holds", what, text);
}
