/* SPDX-License-Identifier: MIT */
/* label_list.c - labels as they are gathered. */
#include "core/label_list.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "core/intern.h"

#include <stdlib.h>
#include <string.h>

struct item {
	struct label label; /* its strings are set when asked for */
	u64 text, order;
	u32 source, model, author;
};

struct label_list {
	struct item *items;
	struct label *out;
	u64 n, cap;
	struct buf bytes;
	struct intern *names;
	char **name; /* [intern_count(names)] */
	u32 n_names;
};

struct label_list *label_list_new(void)
{
	struct label_list *l = xcalloc(1, sizeof *l);
	l->names = intern_new(NULL);
	buf_init(&l->bytes);
	return l;
}

void label_list_free(struct label_list *l)
{
	if (!l)
		return;
	for (u32 i = 0; i < l->n_names; i++)
		free(l->name[i]);
	free(l->name);
	intern_free(l->names);
	buf_release(&l->bytes);
	free(l->items);
	free(l->out);
	free(l);
}

/* Names beyond what a table of them holds are cut or become the first. */
static u32 name_of(struct label_list *l, const char *s)
{
	u32 had = intern_count(l->names);
	size_t n = s ? MIN(strlen(s), INTERN_LONGEST) : 0;
	i64 id = intern_add(l->names, n ? s : "", n, NULL);
	if (id == had) {
		l->name = xreallocarray(l->name, had + 1, sizeof *l->name);
		l->name[had] = xstrndup(n ? s : "", n);
		l->n_names = had + 1;
	}
	return id < 0 ? 0 : (u32)id;
}

/* As a base holds it: two texts that would be one there are one here. */
static size_t add_text(struct buf *b, struct span text)
{
	size_t from = b->n;
	utf8_add_valid(b, (const char *)text.p, text.n);
	for (size_t i = from; i < b->n; i++)
		if (b->s[i] == '\n' || b->s[i] == '\r')
			b->s[i] = ' ';
	return b->n - from;
}

void label_list_add(struct label_list *l, const struct label *x)
{
	if (l->n == l->cap) {
		l->cap = 2 * l->cap + 1024;
		l->items = xreallocarray(l->items, l->cap, sizeof *l->items);
	}
	l->items[l->n] = (struct item){*x, l->bytes.n, l->n, name_of(l, x->source), name_of(l, x->model),
				       name_of(l, x->author)};
	l->items[l->n].label.text.n = add_text(&l->bytes, x->text);
	l->n++;
}

void label_list_add_base(struct label_list *l, const struct labels *base)
{
	u64 n = base ? labels_count(base) : 0;
	for (u64 i = 0; i < n; i++) {
		struct label x;
		labels_at(base, i, &x);
		label_list_add(l, &x);
	}
}

static _Thread_local const char *bytes_of; /* qsort has no context */

static int compare(u64 x, u64 y)
{
	return (x > y) - (x < y);
}

static int by_content(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	const u64 keys[][2] = {{x->label.feature, y->label.feature}, {x->label.kind, y->label.kind},
			       {x->source, y->source},               {x->model, y->model},
			       {x->author, y->author},               {x->label.text.n, y->label.text.n}};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i][0] != keys[i][1])
			return compare(keys[i][0], keys[i][1]);
	int order = memcmp(bytes_of + x->text, bytes_of + y->text, x->label.text.n);
	return order ? order : compare(x->order, y->order);
}

static bool same(const struct item *x, const struct item *y)
{
	struct item z = *y;
	z.order = x->order;
	return !by_content(x, &z);
}

static int by_feature(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	if (x->label.feature != y->label.feature)
		return compare(x->label.feature, y->label.feature);
	return compare(x->order, y->order);
}

void label_list_settle(struct label_list *l)
{
	u64 n = 0;
	if (!l->n)
		return;
	bytes_of = l->bytes.s;
	qsort(l->items, l->n, sizeof *l->items, by_content);
	for (u64 i = 0; i < l->n; i++)
		if (n && same(&l->items[n - 1], &l->items[i]))
			l->items[n - 1].label.score = l->items[i].label.score;
		else
			l->items[n++] = l->items[i];
	l->n = n;
	qsort(l->items, l->n, sizeof *l->items, by_feature);
}

const struct label *label_list_items(const struct label_list *l, u64 *n)
{
	struct label_list *own = (struct label_list *)(uintptr_t)l;
	own->out = xreallocarray(own->out, l->n + 1, sizeof *l->out);
	for (u64 i = 0; i < l->n; i++) {
		const struct item *x = &l->items[i];
		l->out[i] = x->label;
		l->out[i].text.p = (const u8 *)l->bytes.s + x->text;
		l->out[i].source = l->name[x->source];
		l->out[i].model = l->name[x->model];
		l->out[i].author = l->name[x->author];
	}
	*n = l->n;
	return l->out;
}
