/* SPDX-License-Identifier: MIT */
/* session.c - opening an atlas with all that belongs to it, and which label is shown. */
#include "session/session.h"

#include "base/bits.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct session_labels {
	bool loaded;
	u64 revision; /* of the notes these were read at */
	struct label *items;
	size_t n, cap;
	u64 *hidden; /* NULL: nothing is rejected */
};

struct session *session_open(const char *folder, const char *backend_spec, struct err *e)
{
	return session_open_with(folder, NULL, backend_spec, e);
}

struct session *session_open_with(const char *folder, const struct dict_options *o, const char *backend_spec, struct err *e)
{
	struct session *s = xcalloc(1, sizeof *s);
	s->labels = xcalloc(1, sizeof *s->labels);
	s->backend_spec = backend_spec ? xstrdup(backend_spec) : NULL;
	s->atlas = atlas_open_with(folder, o, e);
	if (s->atlas)
		s->note = note_open(s->atlas->notes, s->atlas->uuid, e);
	if (!s->note) {
		session_free(s);
		return NULL;
	}
	s->pool = pool_new(0);
	return s;
}

static void clear_labels(struct session_labels *l)
{
	for (size_t i = 0; i < l->n; i++)
		free((void *)(uintptr_t)l->items[i].text.p);
	free(l->hidden);
	l->hidden = NULL;
	l->n = 0;
	l->loaded = false;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	backend_free(s->backend);
	if (s->pool)
		pool_free(s->pool);
	note_free(s->note);
	if (s->atlas)
		atlas_free(s->atlas);
	clear_labels(s->labels);
	free(s->labels->items);
	free(s->labels);
	free(s->backend_spec);
	json_decref(s->ranges);
	free(s);
}

struct backend *session_backend(struct session *s, struct err *e)
{
	if (!s->backend)
		s->backend = backend_new(s->backend_spec, e);
	return s->backend;
}

static void add_person(void *context, u32 feature, const char *text, i64 when)
{
	(void)when;
	struct session *s = context;
	struct session_labels *l = s->labels;
	u32 n_features = s->atlas->n_features;
	if (feature >= n_features)
		return;
	if (!text[0]) {
		if (!l->hidden)
			l->hidden = xcalloc(bits_words(n_features), sizeof *l->hidden);
		l->hidden[feature / 64] |= (u64)1 << (feature % 64);
		return;
	}
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 64;
		l->items = xreallocarray(l->items, l->cap, sizeof *l->items);
	}
	l->items[l->n++] = (struct label){
		.text = {(const u8 *)xstrdup(text), strlen(text)},
		.feature = feature,
		.kind = LABEL_PERSON,
		.source = "person",
		.score = NAN,
	};
}

/* Read again after an edit, here or in another program. */
static const struct session_labels *people(struct session *s)
{
	struct session_labels *l = s->labels;
	u64 revision = note_revision(s->note);
	if (l->loaded && l->revision == revision)
		return l;
	clear_labels(l);
	l->loaded = true;
	l->revision = revision;
	note_each_label(s->note, add_person, s, NULL); /* what is wrong stands in note_read_only */
	return l;
}

const struct label *session_people(struct session *s, size_t *n, const u64 **hidden)
{
	const struct session_labels *l = people(s);
	*n = l->n;
	if (hidden)
		*hidden = l->hidden;
	return l->items;
}

void session_people_copy(struct session *s, struct session_people *out)
{
	const struct session_labels *l = people(s);
	size_t words = bits_words(s->atlas->n_features);
	*out = (struct session_people){
		.n = l->n, .items = xcalloc(l->n + 1, sizeof *out->items), .revision = l->revision};
	for (size_t i = 0; i < l->n; i++) {
		out->items[i] = l->items[i];
		out->items[i].text.p = (const u8 *)xstrndup((const char *)l->items[i].text.p, l->items[i].text.n);
	}
	if (l->hidden)
		out->hidden = memcpy(xcalloc(words, sizeof *out->hidden), l->hidden, words * sizeof *out->hidden);
}

void session_people_release(struct session_people *p)
{
	for (size_t i = 0; i < p->n; i++)
		free((void *)(uintptr_t)p->items[i].text.p);
	free(p->items);
	free(p->hidden);
	*p = (struct session_people){0};
}

static bool is_hidden(const struct session_labels *l, u32 feature)
{
	return l->hidden && bits_has(l->hidden, feature);
}

bool session_is_rejected(struct session *s, u32 feature)
{
	return feature < s->atlas->n_features && is_hidden(people(s), feature);
}

static int by_feature(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = ((const struct label *)b)->feature;
	return x < y ? -1 : x > y;
}

static const struct label *of_person(const struct session_labels *l, u32 feature)
{
	return l->n ? bsearch(&feature, l->items, l->n, sizeof *l->items, by_feature) : NULL;
}

/* Higher kind first, then higher score, a missing score last, then the earlier one. */
static bool is_better(const struct label *a, const struct label *b)
{
	if (a->kind != b->kind)
		return a->kind > b->kind;
	return isnan(b->score) ? !isnan(a->score) : a->score > b->score;
}

/* The index of the best base label, or UINT64_MAX. */
static u64 best_base(const struct labels *base, u32 feature, struct label *out)
{
	u64 first = 0, n = base ? labels_of(base, feature, &first) : 0, best = UINT64_MAX;
	for (u64 i = first; i < first + n; i++) {
		struct label l;
		labels_at(base, i, &l);
		if (best == UINT64_MAX || is_better(&l, out)) {
			*out = l;
			best = i;
		}
	}
	return best;
}

bool session_label(struct session *s, u32 feature, struct label *out)
{
	const struct session_labels *l = people(s);
	if (feature >= s->atlas->n_features || is_hidden(l, feature))
		return false;
	const struct label *own = of_person(l, feature);
	if (own)
		*out = *own;
	return own || best_base(s->atlas->labels, feature, out) != UINT64_MAX;
}

char *session_label_text(struct session *s, u32 feature)
{
	struct label l;
	struct buf b = BUF_INIT;
	if (session_label(s, feature, &l))
		utf8_add_safe(&b, (const char *)l.text.p, l.text.n);
	return buf_take(&b);
}

void session_each_label(struct session *s, u32 feature, void (*fn)(void *, const struct label *), void *context)
{
	const struct label *own = of_person(people(s), feature);
	const struct labels *base = s->atlas->labels;
	struct label l;
	u64 first = 0, n = base ? labels_of(base, feature, &first) : 0, best = best_base(base, feature, &l);
	if (own)
		fn(context, own);
	if (best != UINT64_MAX)
		fn(context, &l);
	for (u64 i = first; i < first + n; i++) {
		if (i == best)
			continue;
		labels_at(base, i, &l);
		fn(context, &l);
	}
}

int session_parse_id(const struct session *s, const char *text, u32 *id, struct err *e)
{
	const char *digits = text, *hash = strrchr(text, '#');
	if (hash) {
		size_t n = (size_t)(hash - text);
		if (n && (strlen(s->atlas->name) != n || strncmp(s->atlas->name, text, n)))
			return err_set(e, ERR_NOT_FOUND, "'%.*s' is not open; the atlas here is '%s'", (int)MIN(n, 200),
				       text, s->atlas->name);
		digits = hash + 1;
	}
	char *end = NULL;
	errno = 0;
	unsigned long long v = digits[0] >= '0' && digits[0] <= '9' ? strtoull(digits, &end, 10) : 0;
	if (!end || *end)
		return err_set(e, ERR_USAGE, "'%s' is not a feature's number", text);
	if (errno || v >= s->atlas->n_features)
		return err_set(e, ERR_NOT_FOUND, "there is no feature %s: the atlas has 0 to %u", text,
			       s->atlas->n_features - 1);
	*id = (u32)v;
	return 0;
}

void session_add_token(const struct session *s, struct buf *out, u32 token)
{
	struct span t = s->atlas->vocab ? vocab_bytes(s->atlas->vocab, token) : (struct span){0};
	if (t.n)
		utf8_add_safe(out, (const char *)t.p, t.n);
	else
		buf_addf(out, "<%u>", token);
}
