/* SPDX-License-Identifier: MIT */
/* import_load.c - the records of one feature, from all batches, in their order. */
#include "core/import_load.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPEN_FILES = 64, MOST_LABELS = 4096 };

struct run {
	u32 feature, part;
	u64 offset;
	u32 bytes;
};

struct loader {
	struct import_part *parts;
	u32 n_parts;
	struct intern *tokens;
	struct run *runs; /* by feature, part and offset */
	u64 n_runs;
	struct { u32 part; int fd; } open[OPEN_FILES]; /* fd -1: none */
	u8 *bytes; /* of the feature at hand */
	size_t cap;
};

u32 cursor_u32(struct cursor *c)
{
	u32 v = 0;
	const u8 *p = cursor_bytes(c, sizeof v);
	if (p)
		memcpy(&v, p, sizeof v);
	return v;
}

u64 cursor_u64(struct cursor *c)
{
	u64 v = 0;
	const u8 *p = cursor_bytes(c, sizeof v);
	if (p)
		memcpy(&v, p, sizeof v);
	return v;
}

f32 cursor_f32(struct cursor *c)
{
	f32 v = 0;
	const u8 *p = cursor_bytes(c, sizeof v);
	if (p)
		memcpy(&v, p, sizeof v);
	return v;
}

const u8 *cursor_bytes(struct cursor *c, u64 n)
{
	const u8 *p = c->p;
	if (n > (u64)(c->end - c->p)) {
		c->bad = true;
		return NULL;
	}
	c->p += n;
	return p;
}

static int by_feature(const void *a, const void *b)
{
	const struct run *x = a, *y = b;
	if (x->feature != y->feature)
		return x->feature < y->feature ? -1 : 1;
	if (x->part != y->part)
		return x->part < y->part ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int add_runs(struct loader *l, u32 part, struct err *e)
{
	const struct import_part *p = &l->parts[part];
	struct import_run run[512];
	int fd = open(p->path, O_RDONLY | O_CLOEXEC),
	    bad = fd < 0 ? err_os(e, "cannot open '%s'", p->path) : 0;
	for (u64 i = 0; !bad && i < p->tail.n_runs; i += ARRAY_LEN(run)) {
		u64 n = MIN(p->tail.n_runs - i, ARRAY_LEN(run));
		bad = import_part_read(p, fd, p->tail.runs + i * sizeof *run, run, n * sizeof *run, e);
		for (u64 k = 0; !bad && k < n; k++) {
			if (run[k].feature >= IMPORT_MAX_FEATURES || run[k].offset > p->tail.strings ||
			    run[k].bytes > p->tail.strings - run[k].offset)
				bad = err_set(e, ERR_DAMAGED,
					      "'%s' is damaged; remove it, and the import makes it again",
					      p->path);
			else
				l->runs[l->n_runs++] =
					(struct run){run[k].feature, part, run[k].offset, run[k].bytes};
		}
	}
	if (fd >= 0)
		close(fd);
	return bad;
}

static int open_parts(struct loader *l, const struct import *im, u32 n_parts, struct err *e)
{
	u64 n = 0;
	for (u32 i = 0; i < n_parts; i++) {
		char *path = import_batch_path(im, i);
		struct import_part *p = &l->parts[i];
		int bad = import_part_open(p, path, e);
		l->n_parts++;
		free(path);
		if (bad || import_part_strings(p, l->tokens, e))
			return -1;
		if (p->tail.n_base > l->parts[0].tail.n_strings)
			return err_set(e, ERR_DAMAGED, "'%s' and '%s' are not of one import", p->path,
				       l->parts[0].path);
		n += p->tail.n_runs;
	}
	if (!(l->runs = mem_try(n, sizeof *l->runs, "the order of features", e)))
		return -1;
	for (u32 i = 0; i < n_parts; i++)
		if (add_runs(l, i, e))
			return -1;
	qsort(l->runs, l->n_runs, sizeof *l->runs, by_feature);
	return 0;
}

struct loader *loader_new(const struct import *im, u32 n_parts, struct err *e)
{
	struct loader *l = xcalloc(1, sizeof *l);
	l->parts = xcalloc(n_parts + 1, sizeof *l->parts);
	l->tokens = intern_new(NULL);
	for (size_t i = 0; i < OPEN_FILES; i++)
		l->open[i].fd = -1;
	if (!open_parts(l, im, n_parts, e))
		return l;
	loader_free(l);
	return NULL;
}

void loader_free(struct loader *l)
{
	if (!l)
		return;
	for (u32 i = 0; i < l->n_parts; i++)
		import_part_release(&l->parts[i]);
	for (size_t i = 0; i < OPEN_FILES; i++)
		if (l->open[i].fd >= 0)
			close(l->open[i].fd);
	intern_free(l->tokens);
	free(l->parts);
	free(l->runs);
	free(l->bytes);
	free(l);
}

const struct intern *loader_tokens(const struct loader *l)
{
	return l->tokens;
}

const struct import_part *loader_part(const struct loader *l, u32 i)
{
	return &l->parts[i];
}

u32 loader_n_features(const struct loader *l)
{
	return l->n_runs ? l->runs[l->n_runs - 1].feature + 1 : 0;
}

void loaded_release(struct loaded *x)
{
	free(x->contexts);
	free(x->labels);
	*x = (struct loaded){0};
}

u32 import_part_token(const struct import_part *p, u32 id)
{
	if (id < p->tail.n_base)
		return id;
	id -= (u32)p->tail.n_base;
	return id < p->tail.n_strings ? p->ids[id] : UINT32_MAX;
}

u32 loaded_token(const struct loaded_context *c, u32 i)
{
	u32 id = 0;
	u16 half;
	if (c->narrow) {
		memcpy(&half, c->tokens + 2 * (size_t)i, 2);
		id = half;
	} else {
		memcpy(&id, c->tokens + 4 * (size_t)i, 4);
	}
	return import_part_token(c->part, id);
}

static int file_of(struct loader *l, u32 part, struct err *e)
{
	size_t at = part % OPEN_FILES;
	if (l->open[at].fd >= 0 && l->open[at].part == part)
		return l->open[at].fd;
	if (l->open[at].fd >= 0)
		close(l->open[at].fd);
	l->open[at].part = part;
	l->open[at].fd = open(l->parts[part].path, O_RDONLY | O_CLOEXEC);
	return l->open[at].fd < 0 ? err_os(e, "cannot open '%s'", l->parts[part].path) : l->open[at].fd;
}

static void find_peak(struct loaded_context *c)
{
	for (u32 i = 0; i < c->n_act; i++) {
		u32 at;
		f32 act;
		memcpy(&at, c->act + 8 * (size_t)i, 4);
		memcpy(&act, c->act + 8 * (size_t)i + 4, 4);
		if (act > c->peak) {
			c->peak = act;
			c->at = MIN(at, c->n - 1);
		}
	}
}

static void add_context(struct loaded *x, const struct import_head *h, struct cursor *c,
			const struct import_part *p)
{
	struct loaded_context k = {
		.id = cursor_u64(c), .kind = MIN(h->kind, CONTEXT_RANDOM), .bin = cursor_f32(c)};
	k.n = cursor_u32(c);
	k.n_act = cursor_u32(c);
	k.narrow = h->narrow;
	k.part = p;
	k.tokens = cursor_bytes(c, (u64)k.n * (k.narrow ? 2 : 4));
	k.act = cursor_bytes(c, 8 * (u64)k.n_act);
	k.order = x->n_contexts;
	c->bad |= !k.n;
	if (c->bad)
		return;
	find_peak(&k);
	if (x->n_contexts == x->cap_contexts) {
		x->cap_contexts = 2 * x->cap_contexts + 64;
		x->contexts = xreallocarray(x->contexts, x->cap_contexts, sizeof *x->contexts);
	}
	x->contexts[x->n_contexts++] = k;
}

static struct span text(struct cursor *c)
{
	u32 n = cursor_u32(c);
	const u8 *p = cursor_bytes(c, (u64)n + 1); /* a 0 behind it */
	return p && !p[n] ? (struct span){p, n} : (c->bad = true, (struct span){(const u8 *)"", 0});
}

static const char *string(struct cursor *c)
{
	return (const char *)text(c).p;
}

static void add_label(struct loaded *x, const struct import_head *h, struct cursor *c)
{
	struct loaded_label k = {.id = cursor_u64(c)};
	k.label.feature = h->feature;
	k.label.kind = MIN(h->kind, LABEL_PERSON);
	k.label.score = cursor_f32(c);
	k.label.source = string(c);
	k.label.model = string(c);
	k.label.author = string(c);
	k.label.text = text(c);
	if (x->n_labels == x->cap_labels) {
		x->cap_labels = 2 * x->cap_labels + 16;
		x->labels = xreallocarray(x->labels, x->cap_labels, sizeof *x->labels);
	}
	if (!c->bad)
		x->labels[x->n_labels++] = k;
}

/* The records of one run. */
static bool decode(struct loaded *x, const u8 *p, size_t n, u32 feature, const struct import_part *part)
{
	struct cursor all = {p, p + n, false};
	while (!all.bad && all.p < all.end) {
		struct import_head h = {0};
		const u8 *at = cursor_bytes(&all, sizeof h);
		if (at)
			memcpy(&h, at, sizeof h);
		const u8 *body = cursor_bytes(&all, h.bytes);
		struct cursor one = {body, body ? body + h.bytes : NULL, !body || h.feature != feature};
		if (!one.bad && h.record == IMPORT_CONTEXT)
			add_context(x, &h, &one, part);
		else if (!one.bad && h.record == IMPORT_LABEL)
			add_label(x, &h, &one);
		else if (!one.bad && h.record == IMPORT_FEATURE) {
			x->n_repeated += x->numbers != NULL;
			x->numbers = body;
			x->n_numbers = h.bytes;
			x->numbers_part = part;
		}
		all.bad |= one.bad;
	}
	return !all.bad;
}

static int same_id(const void *a, const void *b)
{
	const struct loaded_context *x = a, *y = b;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Top, then intervals from the highest, then random; what repeats an id gives way to the last. */
static int by_rank(const void *a, const void *b)
{
	const struct loaded_context *x = a, *y = b;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->kind == CONTEXT_INTERVAL && x->bin != y->bin)
		return x->bin > y->bin ? -1 : 1;
	if (x->kind != CONTEXT_RANDOM && x->peak != y->peak)
		return x->peak > y->peak ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void number_intervals(struct loaded *x)
{
	size_t end = x->n_contexts, from = 0, bins = 0;
	while (from < end && x->contexts[from].kind == CONTEXT_TOP)
		from++;
	while (end > from && x->contexts[end - 1].kind == CONTEXT_RANDOM)
		end--;
	for (size_t i = end; i-- > from;) {
		bins += i + 1 < end && x->contexts[i].bin != x->contexts[i + 1].bin;
		x->contexts[i].interval = (u8)MIN(bins, UINT8_MAX);
	}
}

static void order_contexts(struct loaded *x)
{
	size_t n = 0;
	if (!x->n_contexts)
		return;
	qsort(x->contexts, x->n_contexts, sizeof *x->contexts, same_id);
	for (size_t i = 0; i < x->n_contexts; i++) {
		bool again = i + 1 < x->n_contexts && x->contexts[i].id &&
			     x->contexts[i].id == x->contexts[i + 1].id;
		x->n_repeated += again;
		if (!again)
			x->contexts[n++] = x->contexts[i];
	}
	x->n_contexts = n;
	qsort(x->contexts, n, sizeof *x->contexts, by_rank);
	number_intervals(x);
}

static void order_labels(struct loaded *x)
{
	size_t n = 0;
	for (size_t i = 0; i < x->n_labels; i++) {
		bool again = false;
		for (size_t k = i + 1; k < x->n_labels && x->labels[i].id && !again; k++)
			again = x->labels[k].id == x->labels[i].id;
		x->n_repeated += again;
		if (!again)
			x->labels[n++] = x->labels[i];
	}
	x->n_labels = n;
}

static u64 first_run(const struct loader *l, u32 feature)
{
	u64 from = 0, to = l->n_runs;
	while (from < to) {
		u64 middle = from + (to - from) / 2;
		if (l->runs[middle].feature < feature)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

int loader_feature(struct loader *l, u32 feature, struct loaded *out, struct err *e)
{
	u64 from = first_run(l, feature), to = from, total = 0, at = 0;
	for (; to < l->n_runs && l->runs[to].feature == feature; to++)
		total += l->runs[to].bytes;
	out->n_contexts = out->n_labels = 0;
	out->n_repeated = 0;
	out->numbers = NULL;
	if (total > IMPORT_MAX_FEATURE)
		return err_set(e, ERR_DAMAGED, "feature %u has more than %d MiB of records", feature,
			       IMPORT_MAX_FEATURE >> 20);
	if (total > l->cap) {
		l->cap = total + total / 4;
		free(l->bytes);
		l->bytes = xmalloc(l->cap);
	}
	for (u64 i = from; i < to; i++) {
		const struct run *r = &l->runs[i];
		int fd = file_of(l, r->part, e);
		const struct import_part *p = &l->parts[r->part];
		if (fd < 0 || import_part_read(p, fd, r->offset, l->bytes + at, r->bytes, e))
			return -1;
		if (!decode(out, l->bytes + at, r->bytes, feature, p))
			return err_set(e, ERR_DAMAGED,
				       "'%s' is damaged; remove it, and the import makes it again", p->path);
		at += r->bytes;
	}
	if (out->n_labels > MOST_LABELS)
		return err_set(e, ERR_DAMAGED, "feature %u has %zu labels", feature, out->n_labels);
	order_contexts(out);
	order_labels(out);
	return 0;
}
