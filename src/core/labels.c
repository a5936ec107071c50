/* SPDX-License-Identifier: MIT */
/* labels.c - the immutable base of labels. */
#include "core/labels.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/safetensors.h"

#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {
	[LABEL_LEXICAL] = "lexical", [LABEL_MACHINE] = "machine", [LABEL_PERSON] = "person"};

const char *const label_kind_words[N_LABEL_KINDS] = {"lexical", "machine", "person"};

struct labels {
	struct safetensors *file;
	const struct tensor *bytes, *offset, *feature, *source, *score;
	u64 n;
	u32 n_features;
	json_t *sources_json; /* owns the names */
	struct label_source *sources;
	size_t n_sources;
};

static int find_kind(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kinds[i], name))
			return (int)i;
	return -1;
}

static int read_sources(struct labels *l, struct err *e)
{
	const char *path = safetensors_path(l->file), *text = safetensors_metadata(l->file, "sources");
	if (!text)
		return err_set(e, ERR_DAMAGED, "'%s' does not say where its labels come from", path);
	char *what = xasprintf("'sources' in '%s'", path);
	l->sources_json = json_parse(text, strlen(text), what, e);
	free(what);
	if (!l->sources_json)
		return -1;
	l->n_sources = json_array_size(l->sources_json);
	l->sources = xcalloc(l->n_sources + 1, sizeof *l->sources);
	for (size_t i = 0; i < l->n_sources; i++) {
		const json_t *s = json_array_get(l->sources_json, i);
		int kind = find_kind(json_opt_str(s, "kind", NULL));
		const char *name = json_opt_str(s, "name", NULL);
		if (kind < 0 || !name)
			return err_set(e, ERR_DAMAGED, "'%s': source %zu of the labels has no name or no known kind", path, i);
		l->sources[i] = (struct label_source){name, (enum label_kind)kind, json_opt_str(s, "model", ""),
						      json_opt_str(s, "author", "")};
	}
	return 0;
}

static int find_tensors(struct labels *l, struct err *e)
{
	const struct safetensors *f = l->file;
	u64 any[] = {TENSOR_ANY};
	if (!(l->bytes = safetensors_need(f, "bytes", 1u << DTYPE_U8, 1, any, e)) ||
	    !(l->feature = safetensors_need(f, "feature", 1u << DTYPE_U32, 1, any, e)))
		return -1;
	l->n = l->feature->n;
	u64 n[] = {l->n}, n1[] = {l->n + 1};
	if (!(l->offset = safetensors_need(f, "offset", 1u << DTYPE_U64, 1, n1, e)) ||
	    !(l->source = safetensors_need(f, "source", 1u << DTYPE_U16, 1, n, e)) ||
	    !(l->score = safetensors_need(f, "score", 1u << DTYPE_F32, 1, n, e)))
		return -1;
	return 0;
}

struct labels *labels_open(const char *path, u32 n_features, struct err *e)
{
	struct safetensors *file = safetensors_open(path, e);
	if (!file)
		return NULL;
	struct labels *l = xcalloc(1, sizeof *l);
	l->file = file;
	l->n_features = n_features;
	if (find_tensors(l, e) || read_sources(l, e)) {
		labels_free(l);
		return NULL;
	}
	return l;
}

void labels_free(struct labels *l)
{
	if (!l)
		return;
	json_decref(l->sources_json);
	free(l->sources);
	safetensors_free(l->file);
	free(l);
}

u64 labels_count(const struct labels *l)
{
	return l->n;
}

struct labels_raw labels_raw(const struct labels *l)
{
	return (struct labels_raw){l->bytes->data, l->offset->data.p, l->feature->data.p, l->n, l->n_features};
}

u32 labels_feature(const struct labels *l, u64 i)
{
	struct labels_raw raw = labels_raw(l);
	return labels_raw_feature(&raw, i);
}

void labels_at(const struct labels *l, u64 i, struct label *out)
{
	struct labels_raw raw = labels_raw(l);
	u64 from = labels_raw_offset(&raw, i), to = labels_raw_offset(&raw, i + 1), source = tensor_u64(l->source, i);
	*out = (struct label){.feature = labels_raw_feature(&raw, i), .source = "", .score = tensor_f32(l->score, i),
			      .model = "", .author = ""};
	out->text = (struct span){l->bytes->data.p + from, to > from ? to - from : 0};
	if (source < l->n_sources) {
		out->kind = l->sources[source].kind;
		out->source = l->sources[source].name;
		out->model = l->sources[source].model;
		out->author = l->sources[source].author;
	}
}

/* The first label whose feature is at least id, looked for outwards from where it would be if every feature
 * had as many: where that is so one page is read, not twenty.  False if one it needs is not there. */
static bool lower_bound(const struct labels *l, u64 id, struct pages *w, u64 *out)
{
	u64 guess = l->n_features ? (u64)((f64)id / l->n_features * (f64)l->n) : 0, from = 0, to = l->n, step = 1;
	for (u64 at = MIN(guess, l->n - (l->n > 0)); from < to;) {
		if (!tensor_there(l->feature, at, 1, w))
			return false;
		if (tensor_u64(l->feature, at) < id)
			from = at + 1;
		else
			to = at;
		if (to == l->n) /* none has been at or above id yet */
			at = from + step < to ? from + step : from + (to - from) / 2;
		else if (!from)
			at = to > step ? to - step : 0;
		else
			at = from + (to - from) / 2;
		step *= 2;
	}
	*out = from;
	return true;
}

static bool find(const struct labels *l, u32 feature, struct pages *w, u64 *first, u64 *n)
{
	u64 from = 0, to = 0;
	if (!lower_bound(l, feature, w, &from) || !lower_bound(l, (u64)feature + 1, w, &to))
		return false;
	*first = from;
	*n = to > from ? to - from : 0;
	return true;
}

u64 labels_of(const struct labels *l, u32 feature, u64 *first)
{
	u64 n = 0;
	find(l, feature, NULL, first, &n);
	return n;
}

bool labels_there(const struct labels *l, u32 feature, struct pages *w)
{
	u64 first, n;
	if (!find(l, feature, w, &first, &n))
		return false;
	bool there = tensor_there(l->source, first, n, w) & tensor_there(l->score, first, n, w);
	if (!n || !tensor_there(l->offset, first, n + 1, w))
		return there && !n;
	struct labels_raw raw = labels_raw(l);
	u64 from = labels_raw_offset(&raw, first), to = labels_raw_offset(&raw, first + n);
	return (to <= from || pages_there(w, l->bytes->data.p + from, to - from)) && there;
}

struct writing {
	const struct label **sorted;
	struct buf bytes;
	u64 *offset;
	u32 *feature;
	u16 *source;
	f32 *score;
	json_t *sources;
	const struct label *before; /* whose source has the number before_source */
	int before_source;
};

static int by_feature(const void *a, const void *b)
{
	const struct label *x = *(const struct label *const *)a, *y = *(const struct label *const *)b;
	if (x->feature != y->feature)
		return x->feature < y->feature ? -1 : 1;
	return x < y ? -1 : x > y; /* as given */
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static bool same_source(const struct label *a, const struct label *b)
{
	return a->kind == b->kind && !strcmp(a->source, b->source) && !strcmp(or_empty(a->model), or_empty(b->model)) &&
	       !strcmp(or_empty(a->author), or_empty(b->author));
}

static json_t *source_json(const struct label *x)
{
	const char *model = or_empty(x->model), *author = or_empty(x->author);
	json_t *j = json_pack("{s:o, s:s}", "name", json_text(x->source, strlen(x->source)), "kind", kinds[x->kind]);
	if (*model)
		json_object_set_new(j, "model", json_text(model, strlen(model)));
	if (*author)
		json_object_set_new(j, "author", json_text(author, strlen(author)));
	return j;
}

static int source_number(struct writing *w, const struct label *x)
{
	if (w->before && same_source(w->before, x))
		return w->before_source;
	json_t *j = source_json(x);
	size_t n = json_array_size(w->sources), i = 0;
	while (i < n && !json_equal(json_array_get(w->sources, i), j))
		i++;
	w->before = x;
	w->before_source = i > UINT16_MAX ? -1 : (int)i;
	if (i == n && i <= UINT16_MAX)
		json_array_append(w->sources, j);
	json_decref(j);
	return w->before_source;
}

static void add_text(struct buf *b, struct span text)
{
	size_t from = b->n;
	utf8_add_valid(b, (const char *)text.p, text.n);
	for (size_t i = from; i < b->n; i++)
		if (b->s[i] == '\n' || b->s[i] == '\r')
			b->s[i] = ' ';
}

static int write_sorted(struct writing *w, const char *path, u64 n, const char *uuid, const char *build_id,
			struct err *e)
{
	for (u64 i = 0; i < n; i++) {
		const struct label *x = w->sorted[i];
		int source = source_number(w, x);
		if (source < 0)
			return err_set(e, ERR_FAILED, "cannot write '%s': more than 65,536 sources of labels", path);
		add_text(&w->bytes, x->text);
		w->offset[i + 1] = w->bytes.n;
		w->feature[i] = x->feature;
		w->source[i] = (u16)source;
		w->score[i] = x->score;
	}
	struct tensor_out out[] = {
		{"bytes", DTYPE_U8, 1, {w->bytes.n}, w->bytes.s}, {"offset", DTYPE_U64, 1, {n + 1}, w->offset},
		{"feature", DTYPE_U32, 1, {n}, w->feature},       {"source", DTYPE_U16, 1, {n}, w->source},
		{"score", DTYPE_F32, 1, {n}, w->score},
	};
	struct buf sources = BUF_INIT;
	json_add_line(&sources, w->sources);
	const char *meta[] = {"uuid", uuid, "build_id", build_id, "sources", sources.s, NULL};
	int r = safetensors_write_file(path, out, ARRAY_LEN(out), meta, e);
	buf_release(&sources);
	return r;
}

int labels_write(const char *path, const struct label *items, u64 n, const char *uuid, const char *build_id,
		 struct err *e)
{
	struct writing w = {.bytes = BUF_INIT, .sources = json_array()};
	int r = -1;
	if ((w.sorted = mem_try(n + 1, sizeof *w.sorted, "the labels", e)) &&
	    (w.offset = mem_try(n + 1, sizeof *w.offset, "the labels", e)) &&
	    (w.feature = mem_try(n + 1, sizeof *w.feature, "the labels", e)) &&
	    (w.source = mem_try(n + 1, sizeof *w.source, "the labels", e)) &&
	    (w.score = mem_try(n + 1, sizeof *w.score, "the labels", e))) {
		for (u64 i = 0; i < n; i++)
			w.sorted[i] = &items[i];
		qsort(w.sorted, n, sizeof *w.sorted, by_feature);
		r = write_sorted(&w, path, n, uuid, build_id, e);
	}
	buf_release(&w.bytes);
	json_decref(w.sources);
	free(w.sorted);
	free(w.offset);
	free(w.feature);
	free(w.source);
	free(w.score);
	return r;
}
