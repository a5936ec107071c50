/* SPDX-License-Identifier: MIT */
/* label_read.c - labels in files: separated values, JSON lines, an attribution graph. */
#include "core/label_list.h"

#include "base/buf.h"
#include "base/mapfile.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/csv.h"
#include "io/jstream.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* INDEX and ID: a feature too, where no better name says which. */
enum column { FEATURE, LABEL, SOURCE, AUTHOR, SCORE, MODEL, KIND, N_PLAIN, INDEX = N_PLAIN, ID, N_COLUMNS };

/* A column's names; where there is no head row the order is this one's. */
static const char *const names[N_COLUMNS][4] = {
	[FEATURE] = {"feature"},
	[LABEL] = {"label", "text", "description"},
	[SOURCE] = {"source", "typeName"},
	[AUTHOR] = {"author", "authorId"},
	[SCORE] = {"score"},
	[MODEL] = {"model", "explanationModelName"},
	[KIND] = {"kind"},
	[INDEX] = {"index"},
	[ID] = {"id"},
};

struct row {
	struct span field[N_COLUMNS]; /* p NULL: none */
};

static int find_kind(struct span s, enum label_kind *out, struct err *e)
{
	for (size_t i = 0; i < N_LABEL_KINDS; i++)
		if (strlen(label_kind_words[i]) == s.n && !memcmp(label_kind_words[i], s.p, s.n)) {
			*out = (enum label_kind)i;
			return 0;
		}
	return err_set(e, ERR_DAMAGED, "'kind' is '%.*s'; lexical, machine and person are known",
		       (int)MIN(s.n, 64), (const char *)s.p);
}

/* The field as a string of its own, "" where there is none. */
static char *text_of(const struct row *r, enum column c)
{
	return r->field[c].n ? xstrndup((const char *)r->field[c].p, r->field[c].n) : xstrdup("");
}

static int get_feature(const struct row *r, u32 n_features, u32 *out, struct err *e)
{
	struct span s = r->field[FEATURE].n ? r->field[FEATURE]
			: r->field[INDEX].n ? r->field[INDEX]
					    : r->field[ID];
	struct jstream_event v = {.kind = JSTREAM_STRING, .s = (const char *)s.p, .n = s.n};
	u64 x;
	if (!v.n)
		return err_set(e, ERR_DAMAGED, "'feature' is missing");
	if (jstream_u64(&v, "feature", n_features ? n_features - 1 : 0, &x, e))
		return -1;
	*out = (u32)x;
	return 0;
}

static int get_score(const struct row *r, f32 *out, struct err *e)
{
	struct span s = r->field[SCORE];
	*out = NAN;
	if (!s.n)
		return 0;
	f64 x;
	struct jstream_event v = {.kind = JSTREAM_NUMBER, .s = (const char *)s.p, .n = s.n};
	/* what JSON calls a number; a spreadsheet's blanks, words and commas are none */
	bool plain = true;
	for (size_t i = 0; i < s.n; i++)
		plain &= memchr("0123456789+-.eE", s.p[i], 15) != NULL;
	if (!plain || jstream_f64(&v, "score", &x, e))
		return err_set(e, ERR_DAMAGED, "'score' is no number");
	*out = (f32)x;
	return 0;
}

static int add_row(struct label_list *l, const struct row *r, struct label_reading *a, struct err *e)
{
	struct label x = {.kind = LABEL_MACHINE, .text = r->field[LABEL]};
	for (int c = 0; c < N_COLUMNS; c++)
		if (r->field[c].n && !utf8_is_valid((const char *)r->field[c].p, r->field[c].n))
			return err_set(e, ERR_DAMAGED, "'%s' is not UTF-8", names[c][0]);
	if (get_feature(r, a->n_features, &x.feature, e) || get_score(r, &x.score, e))
		return -1;
	if (!x.text.n)
		return err_set(e, ERR_DAMAGED, "'label' is missing or empty");
	if (r->field[KIND].n && find_kind(r->field[KIND], &x.kind, e))
		return -1;
	char *source = text_of(r, SOURCE), *model = text_of(r, MODEL), *author = text_of(r, AUTHOR);
	x.source = *source ? source : a->source;
	x.model = model;
	x.author = author;
	label_list_add(l, &x);
	a->n_read++;
	free(source);
	free(model);
	free(author);
	return 0;
}

/* ---- separated values ---- */

static int column_named(struct span s)
{
	for (int c = 0; c < N_COLUMNS; c++)
		for (size_t i = 0; i < ARRAY_LEN(names[c]) && names[c][i]; i++)
			if (strlen(names[c][i]) == s.n && !memcmp(names[c][i], s.p, s.n))
				return c;
	return -1;
}

/* The columns by a head row, or without one in their order: a row that begins with a number is none. */
static bool read_head(const struct csv *c, int *column)
{
	bool is_head = c->field[0].n && (c->field[0].p[0] < '0' || c->field[0].p[0] > '9');
	for (size_t i = 0; i < CSV_MAX_FIELDS; i++)
		column[i] = !is_head && i < N_PLAIN ? (int)i : -1;
	for (size_t i = 0; is_head && i < c->n_fields; i++)
		column[i] = column_named(c->field[i]);
	return is_head;
}

static int check_head(const struct csv *c, const int *column, struct err *e)
{
	bool has[N_COLUMNS] = {false};
	for (size_t i = 0; i < c->n_fields; i++)
		if (column[i] >= 0)
			has[column[i]] = true;
	has[FEATURE] |= has[INDEX] || has[ID];
	if (has[FEATURE] && has[LABEL])
		return 0;
	return err_set(e, ERR_DAMAGED, "%s line %llu: no column '%s'", c->what, (unsigned long long)c->line,
		       has[FEATURE] ? "label" : "feature");
}

static int read_rows(struct label_list *l, struct csv *c, struct label_reading *a, struct err *e)
{
	int column[CSV_MAX_FIELDS], more;
	size_t n = 0;
	while ((more = csv_next(c, e)) > 0) {
		if (c->separator == '\t' && c->field[0].n && c->field[0].p[0] == '#')
			continue;
		if (!n) {
			n = c->n_fields;
			bool is_head = read_head(c, column);
			if (check_head(c, column, e))
				return -1;
			if (is_head)
				continue;
		}
		if (c->n_fields != n)
			return err_set(e, ERR_DAMAGED,
				       "%s line %llu: %zu fields, where the first row has %zu", c->what,
				       (unsigned long long)c->line, c->n_fields, n);
		struct row r = {0};
		for (size_t i = 0; i < n; i++)
			if (column[i] >= 0)
				r.field[column[i]] = c->field[i];
		if (add_row(l, &r, a, e))
			return err_wrap(e, "%s line %llu", c->what, (unsigned long long)c->line);
	}
	return more;
}

static int read_separated(struct label_list *l, struct span text, const char *path, struct label_reading *a,
			  struct err *e)
{
	const u8 *end = memchr(text.p, '\n', text.n);
	bool tabs =
		memchr(text.p, '\t', end ? (size_t)(end - text.p) : text.n) || (text.n && text.p[0] == '#');
	char *what = xasprintf("'%s'", path);
	struct csv c;
	csv_init(&c, text, tabs ? '\t' : ',', what);
	int bad = read_rows(l, &c, a, e);
	csv_release(&c);
	free(what);
	return bad;
}

/* ---- JSON ---- */

enum { RECORD = N_COLUMNS, NODE, NODE_ID, NODE_LAYER, NODE_TYPE, NODE_LABEL };

static const struct jstream_path paths[] = {
	{"", RECORD},
	{".feature", FEATURE},
	{".index", INDEX},
	{".id", ID},
	{".label", LABEL},
	{".text", LABEL},
	{".description", LABEL},
	{".source", SOURCE},
	{".typeName", SOURCE},
	{".author", AUTHOR},
	{".authorId", AUTHOR},
	{".score", SCORE},
	{".model", MODEL},
	{".explanationModelName", MODEL},
	{".kind", KIND},
	{".nodes[]", NODE},
	{".nodes[].node_id", NODE_ID},
	{".nodes[].layer", NODE_LAYER},
	{".nodes[].feature_type", NODE_TYPE},
	{".nodes[].clerp", NODE_LABEL},
};

struct json_reader {
	struct label_list *list;
	struct label_reading *a;
	struct buf text[NODE_LABEL + 1];
	bool is_graph;
};

static struct span span_of(const struct buf *b)
{
	return (struct span){(const u8 *)b->s, b->n};
}

static bool is_text(const struct buf *b, const char *s)
{
	return b->n == strlen(s) && !memcmp(b->s, s, b->n);
}

/* A node is called LAYER_FEATURE_POSITION. */
static int end_node(struct json_reader *j, struct err *e)
{
	struct buf *id = &j->text[NODE_ID], *layer = &j->text[NODE_LAYER];
	char want[16];
	snprintf(want, sizeof want, "%u", j->a->layer);
	j->is_graph = true;
	const char *from = memchr(id->s, '_', id->n), *to = from ? strchr(from + 1, '_') : NULL;
	if (!is_text(layer, want) || !strstr(j->text[NODE_TYPE].s, "transcoder") || !j->text[NODE_LABEL].n) {
		j->a->n_passed++;
		return 0;
	}
	if (!to)
		return err_set(e, ERR_DAMAGED, "'node_id' is not LAYER_FEATURE_POSITION");
	struct row r = {.field = {[FEATURE] = {(const u8 *)from + 1, (size_t)(to - from - 1)},
				  [LABEL] = span_of(&j->text[NODE_LABEL])}};
	return add_row(j->list, &r, j->a, e);
}

static int end_record(struct json_reader *j, struct err *e)
{
	struct row r = {0};
	if (j->is_graph)
		return 0;
	for (int c = 0; c < N_COLUMNS; c++)
		r.field[c] = span_of(&j->text[c]);
	return add_row(j->list, &r, j->a, e);
}

static int on_event(void *context, const struct jstream_event *v, struct err *e)
{
	struct json_reader *j = context;
	bool is_record = v->id == RECORD || v->id == NODE;
	if (v->kind == JSTREAM_OPEN || v->kind == JSTREAM_CLOSE) {
		if (!is_record || v->is_array)
			return err_set(e, ERR_DAMAGED,
				       is_record ? "the record is no object" : "'%s' is no text",
				       is_record ? "" : names[MIN(v->id, (int)ID)][0]);
		if (v->kind == JSTREAM_CLOSE)
			return v->id == NODE ? end_node(j, e) : end_record(j, e);
		for (size_t i = v->id == NODE ? NODE : 0; i < ARRAY_LEN(j->text); i++)
			buf_clear(&j->text[i]);
		return 0;
	}
	if (is_record)
		return err_set(e, ERR_DAMAGED, "the record is no object");
	if (v->kind == JSTREAM_BOOL)
		return err_set(e, ERR_DAMAGED, "true and false are no label");
	buf_clear(&j->text[v->id]);
	if (v->kind != JSTREAM_NULL)
		buf_add(&j->text[v->id], v->s, v->n);
	return 0;
}

static int read_json(struct label_list *l, const char *path, struct label_reading *a, struct err *e)
{
	struct json_reader j = {.list = l, .a = a};
	for (size_t i = 0; i < ARRAY_LEN(j.text); i++)
		buf_init(&j.text[i]);
	int bad = jstream_file(path, paths, ARRAY_LEN(paths), on_event, &j, NULL, e);
	for (size_t i = 0; i < ARRAY_LEN(j.text); i++)
		buf_release(&j.text[i]);
	return bad;
}

int label_list_read(struct label_list *l, const char *path, struct label_reading *r, struct err *e)
{
	struct mapfile *m = mapfile_open(path, e);
	if (!m)
		return -1;
	struct span text = mapfile_span(m);
	size_t at = 0;
	while (at < text.n && memchr(" \t\r\n", text.p[at], 4))
		at++;
	bool json = at < text.n && (text.p[at] == '{' || text.p[at] == '[' ||
				    (text.n > 1 && text.p[0] == 0x1f && text.p[1] == 0x8b));
	int bad = text.n ? 0 : err_set(e, ERR_DAMAGED, "'%s' is empty", path);
	if (!bad)
		bad = json ? read_json(l, path, r, e) : read_separated(l, text, path, r, e);
	mapfile_free(m);
	return bad;
}
