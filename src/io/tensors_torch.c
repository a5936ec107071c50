/* SPDX-License-Identifier: MIT */
/* tensors_torch.c - a torch zip file: its pickle walked for tensors and plain values. */
#include "io/tensors_impl.h"

#include "base/mem.h"
#include "io/torch_rebuild.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64, MAX_VISITS = 1 << 20, MAX_TEXT = 64 << 20 };

struct walk {
	struct torch_file file;
	struct buf path;
	const struct pickle_value *inside[MAX_DEPTH]; /* what is being visited, outermost first */
	int depth, n_visits;
	size_t n_text; /* bytes of names and values */
	struct err *e;
};

static int visit(struct walk *w, const struct pickle_value *v);

/* One step further in: ".KEY" is on the path while v is visited. */
static int visit_below(struct walk *w, const char *key, size_t n, const struct pickle_value *v)
{
	size_t before = w->path.n;
	if (memchr(key, 0, n))
		return err_set(w->e, ERR_DAMAGED, "%s: the key at byte %u has a NUL in it", w->file.what,
			       v->offset);
	if (n > 1000 || before > 4000)
		return err_set(w->e, ERR_DAMAGED, "%s: the key before byte %u is too long", w->file.what,
			       v->offset);
	if (before)
		buf_addc(&w->path, '.');
	buf_add(&w->path, key, n);
	int r = visit(w, v);
	buf_remove(&w->path, before, w->path.n - before);
	return r;
}

/* A module's parameters and parts are named without the dictionaries that hold them, as state_dict() names
 * them. */
static bool is_transparent(const struct pickle_value *key)
{
	return pickle_is_text(key, "_parameters") || pickle_is_text(key, "_buffers") ||
	       pickle_is_text(key, "_modules");
}

static int visit_pairs(struct walk *w, const struct pickle_value *dict, bool object)
{
	for (size_t i = 0; i + 1 < dict->n_items; i += 2) {
		const struct pickle_value *key = dict->items[i], *v = dict->items[i + 1];
		char number[24];
		int r;
		if (object && is_transparent(key)) {
			r = visit(w, v);
		} else if (key->kind == PICKLE_TEXT) {
			r = visit_below(w, (const char *)key->s.p, key->s.n, v);
		} else if (key->kind == PICKLE_INT) {
			snprintf(number, sizeof number, "%lld", (long long)key->i);
			r = visit_below(w, number, strlen(number), v);
		} else {
			r = err_set(w->e, ERR_DAMAGED,
				    "%s: the key at byte %u is neither text nor a whole number", w->file.what,
				    key->offset);
		}
		if (r)
			return r;
	}
	return 0;
}

static int visit_list(struct walk *w, const struct pickle_value *v)
{
	for (size_t i = 0; i < v->n_items; i++) {
		char number[24];
		snprintf(number, sizeof number, "%zu", i);
		if (visit_below(w, number, strlen(number), v->items[i]))
			return -1;
	}
	return 0;
}

/* An object of a class that is not known: its attributes, and its items if it is a dictionary or list too.
 * The state is a dictionary, or (dictionary or None, slots). */
static int visit_object(struct walk *w, const struct pickle_value *v)
{
	const struct pickle_value *state = v->call.state;
	if (state && state->kind == PICKLE_TUPLE && state->n_items == 2) {
		const struct pickle_value *slots = state->items[1];
		if (slots->kind == PICKLE_DICT && visit_pairs(w, slots, true))
			return -1;
		state = state->items[0];
	}
	if (state && state->kind == PICKLE_DICT && visit_pairs(w, state, true))
		return -1;
	return v->items_are_pairs ? visit_pairs(w, v, false) : visit_list(w, v);
}

static int add_value(struct walk *w, const struct pickle_value *v)
{
	const struct tensors *s = w->file.s;
	json_t *j = torch_plain(v);
	if (!j)
		return err_set(w->e, ERR_DAMAGED, "%s: what '%.100s' is (byte %u) is not understood here",
			       w->file.what, w->path.s, v->offset);
	if (json_object_get(s->values, w->path.s)) {
		json_decref(j);
		return err_set(w->e, ERR_DAMAGED, "%s: '%.100s' is there twice", w->file.what, w->path.s);
	}
	json_object_set_new(s->values, w->path.s, j);
	return 0;
}

static bool is_call(const struct pickle_value *v, const char *name)
{
	return v->kind == PICKLE_CALL && pickle_is_global(v->call.callee, name);
}

static int visit_kind(struct walk *w, const struct pickle_value *v)
{
	struct tensors_item item;
	int r = torch_tensor(&w->file, v, &item, w->e);
	if (r < 0)
		return -1;
	if (r) {
		item.t.name = w->path.n ? w->path.s : "tensor";
		return tensors_add(w->file.s, &item, w->e);
	}
	v = torch_unwrap(v);
	switch (v->kind) {
	case PICKLE_DICT:
		return visit_pairs(w, v, false);
	case PICKLE_LIST:
	case PICKLE_TUPLE:
	case PICKLE_SET:
		return visit_list(w, v);
	case PICKLE_OBJECT:
		return visit_object(w, v);
	default:
		/* an OrderedDict's own attributes ("_metadata") are of no use here */
		if (is_call(v, "collections OrderedDict") || is_call(v, "collections defaultdict"))
			return visit_pairs(w, v, false);
		if (is_call(v, "copyreg _reconstructor") || is_call(v, "copy_reg _reconstructor"))
			return visit_object(w, v);
		return add_value(w, v);
	}
}

static int visit(struct walk *w, const struct pickle_value *v)
{
	/* values are shared, and may hold themselves: a small file can stand for any number of paths */
	w->n_text += w->path.n + (v->kind == PICKLE_TEXT || v->kind == PICKLE_BYTES ? v->s.n : 0);
	if (w->depth == MAX_DEPTH)
		return err_set(w->e, ERR_DAMAGED, "%s: '%.100s...' is nested deeper than %d levels",
			       w->file.what, w->path.s, MAX_DEPTH);
	if (++w->n_visits > MAX_VISITS || w->n_text > MAX_TEXT)
		return err_set(w->e, ERR_DAMAGED, "%s: it stands for more than %d values or %d MiB of text",
			       w->file.what, MAX_VISITS, MAX_TEXT >> 20);
	/* what leads back to where it lies (a part to its parent) says nothing new */
	for (int i = 0; i < w->depth; i++)
		if (w->inside[i] == v)
			return 0;
	w->inside[w->depth++] = v;
	int r = visit_kind(w, v);
	w->depth--;
	return r;
}

static int keep(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)e;
	buf_add(ctx, p, n);
	return 0;
}

static int check_byte_order(const struct tensors *s, const char *folder, struct err *e)
{
	size_t i;
	struct buf order = BUF_INIT;
	char *entry = xasprintf("%s/byteorder", folder);
	int r = 0;
	if (zip_find(s->zip, entry, &i)) {
		r = zip_read(s->zip, i, 16, keep, &order, e);
		if (!r && strcmp(order.s, "little"))
			r = err_set(e, ERR_DAMAGED,
				    "'%s': its byteorder is '%.16s', and only 'little' is read here", s->path,
				    order.s);
	}
	buf_release(&order);
	free(entry);
	return r;
}

static int read_pickle(struct tensors *s, const char *folder, struct span data, struct err *e)
{
	char *what = xasprintf("'%s': data.pkl", s->path);
	struct walk w = {.file = {s, folder, what}, .path = BUF_INIT, .e = e};
	struct pickle *p = pickle_parse(data, what, torch_calls, e);
	int r = p ? visit(&w, pickle_root(p)) : -1;
	pickle_free(p);
	buf_release(&w.path);
	free(what);
	return r;
}

int tensors_open_torch(struct tensors *s, size_t data_pkl, struct err *e)
{
	const struct zip_entry *x = zip_at(s->zip, data_pkl);
	struct buf inflated = BUF_INIT;
	s->kind = TENSORS_TORCH;
	if (x->size > PICKLE_MAX_BYTES)
		return err_set(e, ERR_DAMAGED, "'%s': entry '%.100s' is longer than %d MiB", s->path, x->name,
			       PICKLE_MAX_BYTES >> 20);
	char *folder = xstrndup(x->name, strlen(x->name) - strlen("/data.pkl"));
	struct span data = x->stored ? zip_stored(s->zip, data_pkl) : (struct span){0};
	int r = check_byte_order(s, folder, e);
	if (!r) /* to its end, whose checksum must agree */
		r = zip_read(s->zip, data_pkl, UINT64_MAX, x->stored ? NULL : keep, &inflated, e);
	if (!x->stored)
		data = (struct span){(const u8 *)inflated.s, inflated.n};
	if (!r)
		r = read_pickle(s, folder, data, e);
	free(folder);
	buf_release(&inflated);
	return r;
}
