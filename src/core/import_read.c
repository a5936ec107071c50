/* SPDX-License-Identifier: MIT */
/* import_read.c - a foreign file's values, gathered into records. */
#include "core/import_read.h"

#include "base/mem.h"
#include "core/import_formats.h"
#include "io/jstream.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct numbers {
	f64 *p;
	size_t n, cap;
};

struct reader {
	const struct import_table *table;
	struct import_batch *batch;
	u32 index, fixed;   /* IMPORT_LATER: not said yet; fixed: by the file's name */
	int open;           /* records that are open, one in the other */
	/* the context at hand */
	struct { u32 *p; size_t n, cap; } tokens;
	struct numbers values;
	struct buf id;
	f64 bin_min, bin_contains;
	u32 group;          /* quantiles so far */
	/* the feature */
	f64 max, density, mean, n_prompts, n_per_prompt;
	struct numbers bin_values, heights, promoted_values, suppressed_values, near_ids, near_scores, vector;
	struct { u32 *p; size_t n, cap; } promoted, suppressed;
	/* the label */
	struct buf text, type, model, author;
	f64 score;
	char names[4][64];
	unsigned n_names;
};

/* A slot's field as the file calls it; the last few names stay. */
static const char *name_of(struct reader *r, int slot)
{
	for (size_t i = 0; i < r->table->n; i++) {
		const char *path = r->table->paths[i].path, *dot = strrchr(path, '.');
		if (r->table->paths[i].id != slot || !dot)
			continue;
		char *name = r->names[r->n_names++ % ARRAY_LEN(r->names)];
		snprintf(name, sizeof r->names[0], "%.*s", (int)strcspn(dot + 1, "["), dot + 1);
		return name;
	}
	return "the record";
}

static void push(struct numbers *x, f64 v)
{
	if (x->n == x->cap) {
		x->cap = 2 * x->cap + 64;
		x->p = xreallocarray(x->p, x->cap, sizeof *x->p);
	}
	x->p[x->n++] = v;
}

static int add_number(struct reader *r, struct numbers *x, const struct jstream_event *v, size_t most,
		      struct err *e)
{
	f64 number;
	if (x->n >= most)
		return err_set(e, ERR_DAMAGED, "'%s' has more than %zu items", name_of(r, v->id), most);
	if (jstream_f64(v, "", &number, NULL)) /* its name is looked up only where it is said */
		return jstream_f64(v, name_of(r, v->id), &number, e);
	push(x, number);
	return 0;
}

static int add_token(struct reader *r, u32 **p, size_t *n, size_t *cap, size_t most,
		     const struct jstream_event *v, struct err *e)
{
	if (v->kind != JSTREAM_STRING)
		return err_set(e, ERR_DAMAGED, "an item of '%s' is no string", name_of(r, v->id));
	if (*n >= most)
		return err_set(e, ERR_DAMAGED, "'%s' has more than %zu items", name_of(r, v->id), most);
	if (*n == *cap) {
		*cap = 2 * *cap + 256;
		*p = xreallocarray(*p, *cap, sizeof **p);
	}
	i64 id = import_token(r->batch, v->s, v->n, e);
	if (id < 0)
		return -1;
	(*p)[(*n)++] = (u32)id;
	return 0;
}

/* null is as good as absent. */
static int get_number(struct reader *r, f64 *out, const struct jstream_event *v, struct err *e)
{
	return v->kind == JSTREAM_NULL ? 0 : jstream_f64(v, name_of(r, v->id), out, e);
}

static int get_text(struct reader *r, struct buf *out, const struct jstream_event *v, struct err *e)
{
	buf_clear(out);
	if (v->kind == JSTREAM_STRING || v->kind == JSTREAM_NUMBER)
		buf_add(out, v->s, v->n);
	else if (v->kind != JSTREAM_NULL)
		return err_set(e, ERR_DAMAGED, "'%s' is no string", name_of(r, v->id));
	return 0;
}

static struct span span_of(const struct buf *b)
{
	return (struct span){(const u8 *)b->s, b->n};
}

static void new_context(struct reader *r)
{
	r->tokens.n = r->values.n = 0;
	r->bin_min = r->bin_contains = NAN;
	buf_clear(&r->id);
}

static void new_feature(struct reader *r)
{
	r->max = r->density = r->mean = NAN;
	r->n_prompts = r->n_per_prompt = 0;
	r->bin_values.n = r->heights.n = r->promoted_values.n = r->suppressed_values.n = 0;
	r->near_ids.n = r->near_scores.n = r->vector.n = r->promoted.n = r->suppressed.n = 0;
	r->group = 0;
}

static void new_label(struct reader *r)
{
	buf_clear(&r->text);
	buf_clear(&r->type);
	buf_clear(&r->model);
	buf_clear(&r->author);
	buf_clear(&r->id);
	r->score = NAN;
}

/* Neuronpedia and SAEDashboard mark the top group by a lower end of -1; without bins all are top ones. */
static enum context_kind kind_of(const struct reader *r, int slot, f32 *bin)
{
	*bin = 0;
	if (slot == SLOT_RANDOM)
		return CONTEXT_RANDOM;
	if (slot == SLOT_INTERVAL || slot == SLOT_QUANTILE) {
		/* OpenAI's quantiles rise, circuit-tracer's fall after the top ones */
		*bin = slot == SLOT_INTERVAL ? (f32)r->group : -(f32)r->group;
		return slot == SLOT_QUANTILE && r->group <= 1 ? CONTEXT_TOP : CONTEXT_INTERVAL;
	}
	if (slot == SLOT_TOP || isnan(r->bin_min) || r->bin_min == -1 || r->bin_contains == -1)
		return CONTEXT_TOP;
	*bin = (f32)r->bin_min;
	return CONTEXT_INTERVAL;
}

static int end_context(struct reader *r, int slot, struct err *e)
{
	size_t n = r->tokens.n;
	if (r->values.n != n)
		return err_set(e, ERR_DAMAGED, "'%s' has %zu items, but '%s' %zu", name_of(r, SLOT_TOKEN), n,
			       name_of(r, SLOT_VALUE), r->values.n);
	if (!n)
		return err_set(e, ERR_DAMAGED, "'%s' is missing or empty", name_of(r, SLOT_TOKEN));
	f32 *act = xmalloc(n * sizeof *act);
	for (size_t i = 0; i < n; i++)
		act[i] = (f32)r->values.p[i];
	struct import_context c = {
		.feature = r->index, .tokens = r->tokens.p, .act = act, .n = n, .id = span_of(&r->id)};
	c.kind = kind_of(r, slot, &c.bin);
	int bad = import_context(r->batch, &c, e);
	free(act);
	return bad;
}

static int check_pair(struct reader *r, size_t a, size_t b, int first, int second, struct err *e)
{
	if (a == b)
		return 0;
	return err_set(e, ERR_DAMAGED, "'%s' has %zu items, but '%s' %zu", name_of(r, first), a,
		       name_of(r, second), b);
}

static struct atlas_token *pairs(const u32 *ids, const struct numbers *values, size_t n)
{
	struct atlas_token *t = xcalloc(n + 1, sizeof *t);
	for (size_t i = 0; i < n; i++)
		t[i] = (struct atlas_token){ids[i], i < values->n ? (f32)values->p[i] : 0};
	return t;
}

/* Bars are given by their middles, which stand at equal distances; without them there is no histogram. */
static f32 *edges_of(const struct reader *r)
{
	const struct numbers *v = &r->bin_values;
	f64 half = v->n > 1 ? (v->p[1] - v->p[0]) / 2 : 0;
	if (!(half > 0))
		return NULL;
	f32 *edge = xcalloc(v->n + 1, sizeof *edge);
	for (size_t i = 0; i <= v->n; i++) {
		f64 x = i < v->n ? v->p[i] - half : v->p[i - 1] + half;
		edge[i] = (f32)MAX(x, 0);
		if (i && !(edge[i] >= edge[i - 1])) {
			free(edge);
			return NULL;
		}
	}
	return edge;
}

static int near_of(struct reader *r, struct atlas_neighbour **out, struct err *e)
{
	struct atlas_neighbour *t = xcalloc(r->near_ids.n + 1, sizeof *t);
	*out = t;
	for (size_t i = 0; i < r->near_ids.n; i++) {
		f64 id = r->near_ids.p[i];
		if (!(id >= 0 && id < IMPORT_MAX_FEATURES) || floor(id) != id)
			return err_set(e, ERR_DAMAGED, "'%s' holds %g, which is no feature",
				       name_of(r, SLOT_NEAR_ID), id);
		t[i] = (struct atlas_neighbour){(u32)id, (f32)r->near_scores.p[i]};
	}
	return 0;
}

static int check_lists(struct reader *r, struct err *e)
{
	if (!isnan(r->density) && !(r->density >= 0 && r->density <= 1.001))
		return err_set(e, ERR_DAMAGED, "'%s' is %g, no share of the tokens", name_of(r, SLOT_DENSITY),
			       r->density);
	if (check_pair(r, r->bin_values.n, r->heights.n, SLOT_BIN_VALUE, SLOT_HEIGHT, e) ||
	    check_pair(r, r->near_ids.n, r->near_scores.n, SLOT_NEAR_ID, SLOT_NEAR_SCORE, e))
		return -1;
	bool bare = r->table->format == IMPORT_CIRCUIT; /* it gives tokens without values */
	if (!bare &&
	    (check_pair(r, r->promoted.n, r->promoted_values.n, SLOT_PROMOTED, SLOT_PROMOTED_VALUE, e) ||
	     check_pair(r, r->suppressed.n, r->suppressed_values.n, SLOT_SUPPRESSED, SLOT_SUPPRESSED_VALUE,
			e)))
		return -1;
	return 0;
}

static int end_feature(struct reader *r, struct err *e)
{
	struct import_feature f = {.feature = r->index,
				   .max = (f32)r->max,
				   .density = (f32)MIN(r->density, 1),
				   .mean = (f32)r->mean};
	if (check_lists(r, e))
		return -1;
	f64 tokens = r->n_prompts * r->n_per_prompt;
	f.n_tokens = tokens > 0 && tokens < 0x1p53 ? (u64)tokens : 0;
	if (isnan(r->density))
		f.density = NAN;
	f32 *edge = edges_of(r), *vector = xcalloc(r->vector.n + 1, sizeof *vector);
	f.edge = edge;
	f.n_bins = edge ? r->heights.n : 0;
	f.height = r->heights.p;
	for (size_t i = 0; i < r->vector.n; i++)
		vector[i] = (f32)r->vector.p[i];
	f.vector = vector;
	f.n_vector = r->vector.n;
	struct atlas_token *up = pairs(r->promoted.p, &r->promoted_values, r->promoted.n),
			   *down = pairs(r->suppressed.p, &r->suppressed_values, r->suppressed.n);
	struct atlas_neighbour *near;
	f.promoted = up;
	f.suppressed = down;
	f.n_promoted = r->promoted.n;
	f.n_suppressed = r->suppressed.n;
	int bad = near_of(r, &near, e);
	f.near = near;
	f.n_near = r->near_ids.n;
	if (!bad)
		bad = import_feature(r->batch, &f, e);
	free(edge);
	free(vector);
	free(up);
	free(down);
	free(near);
	return bad;
}

static int end_label(struct reader *r, struct err *e)
{
	struct span type = span_of(&r->type);
	const char *source = r->table->source;
	if (!type.n)
		type = (struct span){(const u8 *)source, strlen(source)};
	struct import_label l = {.feature = r->index,
				 .kind = LABEL_MACHINE,
				 .text = span_of(&r->text),
				 .source = type,
				 .model = span_of(&r->model),
				 .author = span_of(&r->author),
				 .id = span_of(&r->id),
				 .score = (f32)r->score};
	return import_label(r->batch, &l, e);
}

static int open_record(struct reader *r, int slot)
{
	if (!r->open++)
		r->index = r->fixed;
	if (slot == SLOT_FEATURE)
		new_feature(r);
	else if (slot == SLOT_LABEL)
		new_label(r);
	else if (slot != SLOT_OWNER)
		new_context(r);
	return 0;
}

static int close_record(struct reader *r, int slot, struct err *e)
{
	int bad = 0;
	if (slot == SLOT_FEATURE)
		bad = end_feature(r, e);
	else if (slot == SLOT_LABEL)
		bad = end_label(r, e);
	else if (slot != SLOT_OWNER)
		bad = end_context(r, slot, e);
	if (bad || --r->open)
		return bad;
	if (r->index == IMPORT_LATER)
		return err_set(e, ERR_DAMAGED, "'%s' is missing", name_of(r, SLOT_INDEX));
	return import_settle(r->batch, r->index, e);
}

static int on_record(struct reader *r, const struct jstream_event *v, struct err *e)
{
	if (v->kind == JSTREAM_CLOSE && !v->is_array)
		return close_record(r, v->id, e);
	if (v->kind == JSTREAM_OPEN && !v->is_array)
		return open_record(r, v->id);
	return err_set(e, ERR_DAMAGED, "%s is no object", name_of(r, v->id));
}

static int get_index(struct reader *r, const struct jstream_event *v, struct err *e)
{
	u64 index;
	if (jstream_u64(v, name_of(r, v->id), IMPORT_MAX_FEATURES - 1, &index, e))
		return -1;
	if (r->index != IMPORT_LATER && r->index != (u32)index)
		return err_set(e, ERR_DAMAGED, "'%s' is %llu here and %u before", name_of(r, v->id),
			       (unsigned long long)index, r->index);
	r->index = (u32)index;
	return 0;
}

static int get_about(struct reader *r, const char *what, const struct jstream_event *v, struct err *e)
{
	struct buf b = BUF_INIT;
	int bad = get_text(r, &b, v, e);
	if (!bad)
		bad = import_about(r->batch, what, span_of(&b), e);
	buf_release(&b);
	return bad;
}

static int on_list(struct reader *r, const struct jstream_event *v, struct err *e)
{
	switch (v->id) {
	case SLOT_TOKEN:
		return add_token(r, &r->tokens.p, &r->tokens.n, &r->tokens.cap, IMPORT_MAX_TOKENS, v, e);
	case SLOT_VALUE:
		return add_number(r, &r->values, v, IMPORT_MAX_TOKENS, e);
	case SLOT_PROMOTED:
		return add_token(r, &r->promoted.p, &r->promoted.n, &r->promoted.cap, IMPORT_MAX_LIST, v, e);
	case SLOT_SUPPRESSED:
		return add_token(r, &r->suppressed.p, &r->suppressed.n, &r->suppressed.cap, IMPORT_MAX_LIST,
				 v, e);
	case SLOT_PROMOTED_VALUE:
		return add_number(r, &r->promoted_values, v, IMPORT_MAX_LIST, e);
	case SLOT_SUPPRESSED_VALUE:
		return add_number(r, &r->suppressed_values, v, IMPORT_MAX_LIST, e);
	case SLOT_BIN_VALUE:
		return add_number(r, &r->bin_values, v, IMPORT_MAX_LIST, e);
	case SLOT_HEIGHT:
		return add_number(r, &r->heights, v, IMPORT_MAX_LIST, e);
	case SLOT_NEAR_ID:
		return add_number(r, &r->near_ids, v, IMPORT_MAX_LIST, e);
	case SLOT_NEAR_SCORE:
		return add_number(r, &r->near_scores, v, IMPORT_MAX_LIST, e);
	default:
		return add_number(r, &r->vector, v, IMPORT_MAX_LIST, e);
	}
}

static int on_number(struct reader *r, const struct jstream_event *v, struct err *e)
{
	f64 *const to[] = {[SLOT_MAX] = &r->max,           [SLOT_DENSITY] = &r->density,
			   [SLOT_MEAN] = &r->mean,         [SLOT_PROMPTS] = &r->n_prompts,
			   [SLOT_PER_PROMPT] = &r->n_per_prompt, [SLOT_BIN_MIN] = &r->bin_min,
			   [SLOT_BIN_CONTAINS] = &r->bin_contains, [SLOT_SCORE] = &r->score};
	return get_number(r, to[v->id], v, e);
}

static int on_text(struct reader *r, const struct jstream_event *v, struct err *e)
{
	switch (v->id) {
	case SLOT_ID:
		return get_text(r, &r->id, v, e);
	case SLOT_TEXT:
		return get_text(r, &r->text, v, e);
	case SLOT_TYPE:
		return get_text(r, &r->type, v, e);
	case SLOT_LABEL_MODEL:
		return get_text(r, &r->model, v, e);
	case SLOT_AUTHOR:
		return get_text(r, &r->author, v, e);
	case SLOT_MODEL:
		return get_about(r, "model", v, e);
	case SLOT_SOURCE:
		return get_about(r, "source", v, e);
	case SLOT_HOOK:
		return get_about(r, "hook", v, e);
	default:
		return get_about(r, "dataset", v, e);
	}
}

static int on_skipped(struct reader *r, const struct jstream_event *v, struct err *e)
{
	struct import_feature f = {.max = NAN, .density = NAN, .mean = NAN};
	u64 index;
	if (jstream_u64(v, name_of(r, v->id), IMPORT_MAX_FEATURES - 1, &index, e))
		return -1;
	f.feature = (u32)index;
	return import_feature(r->batch, &f, e);
}

static int on_event(void *context, const struct jstream_event *v, struct err *e)
{
	struct reader *r = context;
	if (v->id >= SLOT_TOKEN)
		return on_list(r, v, e);
	if (v->id == SLOT_INDEX)
		return get_index(r, v, e);
	if (v->id >= SLOT_FIRST_NUMBER)
		return on_number(r, v, e);
	if (v->id >= SLOT_FIRST_TEXT)
		return on_text(r, v, e);
	if (v->id == SLOT_GROUP) {
		r->group += v->kind == JSTREAM_OPEN;
		return 0;
	}
	if (v->id == SLOT_SKIPPED)
		return on_skipped(r, v, e);
	return on_record(r, v, e);
}

static void reader_release(struct reader *r)
{
	struct numbers *lists[] = {
		&r->values,   &r->bin_values,  &r->heights, &r->promoted_values, &r->suppressed_values,
		&r->near_ids, &r->near_scores, &r->vector};
	struct buf *texts[] = {&r->id, &r->text, &r->type, &r->model, &r->author};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		free(lists[i]->p);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		buf_release(texts[i]);
	free(r->tokens.p);
	free(r->promoted.p);
	free(r->suppressed.p);
}

/* The number that a file is named by: "12.json". */
static int index_of_file(const char *path, u32 *out, struct err *e)
{
	const char *name = strrchr(path, '/');
	name = name ? name + 1 : path;
	size_t n = strspn(name, "0123456789");
	struct jstream_event v = {.kind = JSTREAM_STRING, .s = name, .n = n};
	u64 index;
	if (name[n] != '.' || jstream_u64(&v, "name", IMPORT_MAX_FEATURES - 1, &index, e))
		return err_set(e, ERR_DAMAGED, "'%s': such a file is named by its feature, as in 12.json",
			       path);
	*out = (u32)index;
	return 0;
}

static int read_file(struct import_batch *b, const struct import_file *f, struct progress *progress,
		     struct err *e)
{
	struct reader r = {
		.table = &import_tables[f->format], .batch = b, .index = IMPORT_LATER, .fixed = IMPORT_LATER};
	struct buf *texts[] = {&r.id, &r.text, &r.type, &r.model, &r.author};
	for (size_t k = 0; k < ARRAY_LEN(texts); k++)
		buf_init(texts[k]);
	if (f->format == IMPORT_VIEWER && index_of_file(f->path, &r.fixed, e))
		return -1;
	int bad = jstream_file(f->path, r.table->paths, r.table->n, on_event, &r, progress, e);
	reader_release(&r);
	return bad;
}

static int read_batch(struct import *im, const struct import_plan *p, u32 i, struct progress *progress,
		      struct err *e)
{
	struct import_batch *b = import_batch_new(im, i, e);
	if (!b)
		return -1;
	for (u32 k = p->first[i]; k < p->first[i + 1]; k++)
		if (read_file(b, &p->files[k], progress, e)) {
			import_batch_abandon(b);
			return -1;
		}
	return import_batch_commit(b, e);
}

struct job {
	struct import *im;
	const struct import_plan *plan;
	struct progress *progress;
	pthread_mutex_t lock;
	struct err err; /* of the earliest batch that failed */
	u32 failed;     /* that one, or UINT32_MAX */
};

static void read_task(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct job *j = context;
	struct err e = {0};
	u32 i = (u32)task + 1;
	pthread_mutex_lock(&j->lock);
	bool stop = j->failed != UINT32_MAX;
	pthread_mutex_unlock(&j->lock);
	if (stop || import_has(j->im, i) || !read_batch(j->im, j->plan, i, j->progress, &e))
		return;
	pthread_mutex_lock(&j->lock);
	if (i < j->failed) {
		j->failed = i;
		j->err = e;
	}
	pthread_mutex_unlock(&j->lock);
}

int import_read(struct import *im, const struct import_plan *p, struct pool *pool, struct progress *progress,
		struct err *e)
{
	u64 bytes = 0;
	for (u32 i = 0; i < p->n_batches; i++)
		for (u32 k = p->first[i]; k < p->first[i + 1] && !import_has(im, i); k++)
			bytes += p->files[k].bytes;
	progress_start(progress, "reading", "bytes", bytes);
	/* the tokens of the first batch are common to all, so it goes alone */
	if ((!import_has(im, 0) && read_batch(im, p, 0, progress, e)) || import_share(im, e))
		return -1;
	struct job j = {im, p, progress, PTHREAD_MUTEX_INITIALIZER, {0}, UINT32_MAX};
	pool_each(pool, p->n_batches - 1, read_task, &j);
	pthread_mutex_destroy(&j.lock);
	if (j.failed == UINT32_MAX)
		return 0;
	if (e)
		*e = j.err;
	return -1;
}
