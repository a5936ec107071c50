/* SPDX-License-Identifier: MIT */
/* export.c - names, contexts and numbers of an atlas for other programs; bookmarks. */
#include "cmd/export.h"

#include "base/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CONTEXTS = 4096, BINS = 256, TOKENS = 20 };

/* A name that may stand in a path and before '@' and ':'. */
static char *slug(const char *s, size_t n)
{
	char *out = xstrndup(s, n);
	for (char *p = out; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			*p = '-';
	return out;
}

static const char *set_of(const char *source)
{
	size_t digits = strspn(source, "0123456789");
	return digits && source[digits] == '-' && source[digits + 1] ? source + digits + 1 : source;
}

static u32 highest_interval(const struct store *store, u32 n_features)
{
	u32 n = 0;
	struct store_context *c = xcalloc(CONTEXTS, sizeof *c);
	for (u32 f = 0; store && f < n_features; f++) {
		size_t have = MIN(store_contexts(store, f, c, CONTEXTS), (size_t)CONTEXTS);
		for (size_t i = 0; i < have; i++)
			if (c[i].kind == CONTEXT_INTERVAL)
				n = MAX(n, c[i].interval + 1u);
	}
	free(c);
	return n;
}

void export_init(struct export *x, struct session *s, const char *model, const char *source)
{
	const struct atlas *a = s->atlas;
	*x = (struct export){.s = s, .width = 128};
	const char *name = a->model.name && *a->model.name ? a->model.name : "unknown";
	x->model = model ? xstrdup(model) : slug(name, strcspn(name, ", "));
	char *own = slug(a->name, strlen(a->name));
	/* an atlas that was imported from there is already named so */
	bool whole = set_of(own) != own;
	x->source = source ? xstrdup(source) : whole ? xstrdup(own) : xasprintf("%u-%s", a->layer, own);
	x->set = xstrdup(set_of(x->source));
	x->n_intervals = highest_interval(a->store, a->n_features);
	free(own);
}

void export_release(struct export *x)
{
	free(x->model);
	free(x->source);
	free(x->set);
}

int export_folder(const char *folder, struct err *e)
{
	if (mkdir(folder, 0777) && errno != EEXIST)
		return err_os(e, "cannot make '%s'", folder);
	DIR *dir = opendir(folder);
	if (!dir)
		return err_os(e, "cannot open '%s'", folder);
	bool empty = true;
	for (const struct dirent *d; empty && (d = readdir(dir));)
		empty = !strcmp(d->d_name, ".") || !strcmp(d->d_name, "..");
	closedir(dir);
	return empty ? 0 : err_set(e, ERR_FAILED, "'%s' is there already and is not empty", folder);
}

static int take_away(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path) && errno != ENOENT ? -1 : 0;
}

void export_undo_folder(const char *folder)
{
	nftw(folder, take_away, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* The share of firing tokens between two activations, from the histogram. */
static f32 share(const struct store *store, u32 feature, f32 low, f32 high)
{
	f32 edges[BINS + 1];
	u64 counts[BINS], all = 0;
	f64 in = 0;
	size_t n = MIN(store_histogram(store, feature, edges, counts, BINS), (size_t)BINS);
	for (size_t i = 0; i < n; i++) {
		f64 from = fmax(edges[i], low), to = fmin(edges[i + 1], high), width = edges[i + 1] - edges[i];
		all += counts[i];
		if (to > from && width > 0)
			in += (f64)counts[i] * (to - from) / width;
	}
	return all ? (f32)(in / (f64)all) : 0;
}

static void set_bin(const struct export *x, u32 feature, f32 max, struct export_context *o)
{
	if (o->c.kind == CONTEXT_TOP) {
		o->bin_min = o->bin_contains = -1;
		o->bin_max = max;
	} else if (o->c.kind == CONTEXT_INTERVAL) {
		o->bin_min = max * (f32)o->c.interval / (f32)x->n_intervals;
		o->bin_max = max * (f32)(o->c.interval + 1) / (f32)x->n_intervals;
		o->bin_contains = share(x->s->atlas->store, feature, o->bin_min, o->bin_max);
	}
}

int export_each_context(struct export *x, u32 feature, void (*fn)(void *, const struct export_context *),
			void *context, struct err *e)
{
	const struct store *store = x->s->atlas->store;
	struct store_context *c = xcalloc(CONTEXTS, sizeof *c);
	f32 *act = mem_try(x->width + 2, sizeof *act, "a context", e);
	size_t n = act && store ? MIN(store_contexts(store, feature, c, CONTEXTS), (size_t)CONTEXTS) : 0;
	struct store_stats stats = {0};
	if (n)
		store_stats(store, feature, &stats);
	for (size_t i = 0; i < n; i++) {
		struct export_context o = {.c = c[i], .act = act};
		u64 start, end, peak = c[i].position;
		store_text_of(store, peak, &start, &end);
		o.from = peak - MIN(peak - start, x->width / 2);
		o.n = MIN(end, o.from + MAX(x->width, (u64)1)) - o.from;
		o.peak = peak - o.from;
		store_activations(store, feature, o.from, o.from + o.n, act);
		set_bin(x, feature, stats.max, &o);
		fn(context, &o);
	}
	bool failed = !act;
	free(act);
	free(c);
	return failed ? -1 : 0;
}

json_t *export_tokens(const struct export *x, u64 from, u64 n)
{
	json_t *list = json_array();
	for (u64 i = from; i < from + n; i++) {
		struct span b = vocab_bytes(x->s->atlas->vocab, store_token(x->s->atlas->store, i));
		json_array_append_new(list, json_text((const char *)b.p, b.n));
	}
	return list;
}

json_t *export_f32s(const f32 *v, size_t n)
{
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_f32(v[i]));
	return list;
}

static void set_logits(const struct export *x, u32 feature, int sign, json_t *j, const char *key_text,
		       const char *key_value)
{
	struct atlas_token t[TOKENS];
	size_t n = atlas_logits(x->s->atlas, feature, sign, t, TOKENS);
	json_t *text = json_array(), *value = json_array();
	for (size_t i = 0; i < n; i++) {
		struct span b = vocab_bytes(x->s->atlas->vocab, t[i].token);
		json_array_append_new(text, json_text((const char *)b.p, b.n));
		json_array_append_new(value, json_f32(t[i].value));
	}
	json_object_set_new(j, key_text, text);
	json_object_set_new(j, key_value, value);
}

/* Bars stand for their middles. */
static void set_histogram(const struct export *x, u32 feature, json_t *j)
{
	f32 edges[BINS + 1];
	u64 counts[BINS];
	const struct store *store = x->s->atlas->store;
	size_t n = store ? MIN(store_histogram(store, feature, edges, counts, BINS), (size_t)BINS) : 0;
	json_t *height = json_array(), *value = json_array();
	for (size_t i = 0; i < n; i++) {
		json_array_append_new(height, json_integer((json_int_t)counts[i]));
		json_array_append_new(value, json_f32((edges[i] + edges[i + 1]) / 2));
	}
	json_object_set_new(j, "freq_hist_data_bar_heights", height);
	json_object_set_new(j, "freq_hist_data_bar_values", value);
}

void export_set_numbers(const struct export *x, u32 feature, json_t *j)
{
	static const char *const unknown[] = {
		"neuron_alignment_indices", "neuron_alignment_values", "neuron_alignment_l1",
		"correlated_neurons_indices", "correlated_neurons_pearson", "correlated_neurons_l1",
		"correlated_features_indices", "correlated_features_pearson", "correlated_features_l1",
		"logits_hist_data_bar_heights", "logits_hist_data_bar_values", "decoder_weights_dist"};
	struct store_stats stats = {0};
	if (x->s->atlas->store)
		store_stats(x->s->atlas->store, feature, &stats);
	set_logits(x, feature, -1, j, "neg_str", "neg_values");
	set_logits(x, feature, 1, j, "pos_str", "pos_values");
	json_object_set_new(j, "frac_nonzero", json_f32(stats.density));
	set_histogram(x, feature, j);
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		json_object_set_new(j, unknown[i], json_array());
}

struct bookmarks {
	struct export *x;
	const char *format;
	struct buf out;
	size_t n;
};

static void add_bookmark(void *context, u32 feature, const char *name, const char *text, i64 when)
{
	struct bookmarks *b = context;
	const struct export *x = b->x;
	(void)text;
	(void)when;
	b->n++;
	if (!b->format) {
		buf_addf(&b->out, "%s@%s:%u\n", x->model, x->source, feature);
	} else if (!strcmp(b->format, "csv")) {
		buf_addf(&b->out, "%s,%s@%s:%u\n", name, x->model, x->source, feature);
	} else {
		json_t *j = json_pack("{s:s, s:s, s:s, s:i}", "bookmark", name, "model", x->model, "source", x->source,
				      "index", (int)feature);
		json_add_line(&b->out, j);
		buf_addc(&b->out, '\n');
		json_decref(j);
	}
}

int export_bookmarks(struct export *x, const char *format, size_t *n, struct err *e)
{
	struct bookmarks b = {.x = x, .format = format, .out = BUF_INIT};
	int bad = note_each(x->s->note, NOTE_BOOKMARK, add_bookmark, &b, e);
	if (!bad)
		cmd_flush(&b.out);
	*n = b.n;
	buf_release(&b.out);
	return bad;
}
