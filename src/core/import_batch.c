/* SPDX-License-Identifier: MIT */
/* import_batch.c - records as they come, into a batch's file. */
#include "core/import_impl.h"

#include "base/mem.h"
#include "base/outfile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_RUN = 1 << 20 };

struct import_batch {
	struct intern *tokens;
	struct outfile *file;
	struct buf record, held;
	struct import_run *runs;
	u64 n_runs, cap_runs;
	json_t *about;
	u32 most_bins, most_promoted, most_suppressed, most_near, width, top_feature;
	u64 n_contexts, n_tokens, n_features, n_labels, n_negative, n_counted;
};

struct import_batch *import_batch_new(struct import *im, u32 number, struct err *e)
{
	char *path = import_batch_path(im, number);
	struct outfile *file = outfile_new(path, e);
	free(path);
	if (!file)
		return NULL;
	struct import_batch *b = xcalloc(1, sizeof *b);
	b->file = file;
	b->tokens = intern_new(im->base);
	b->about = json_object();
	buf_init(&b->record);
	buf_init(&b->held);
	return b;
}

static void batch_free(struct import_batch *b)
{
	intern_free(b->tokens);
	buf_release(&b->record);
	buf_release(&b->held);
	json_decref(b->about);
	free(b->runs);
	free(b);
}

void import_batch_abandon(struct import_batch *b)
{
	if (!b)
		return;
	outfile_abandon(b->file);
	batch_free(b);
}

i64 import_token(struct import_batch *b, const char *s, size_t n, struct err *e)
{
	return intern_add(b->tokens, s, n, e);
}

static void add_run(struct import_batch *b, u32 feature, u32 bytes)
{
	u64 at = outfile_size(b->file);
	struct import_run *last = b->n_runs ? &b->runs[b->n_runs - 1] : NULL;
	if (last && last->feature == feature && last->bytes < LONGEST_RUN) {
		last->bytes += bytes;
		return;
	}
	if (b->n_runs == b->cap_runs) {
		b->cap_runs = 2 * b->cap_runs + 1024;
		b->runs = xreallocarray(b->runs, b->cap_runs, sizeof *b->runs);
	}
	b->runs[b->n_runs++] = (struct import_run){feature, bytes, at};
}

static int check_feature(u32 feature, struct err *e)
{
	return feature < IMPORT_MAX_FEATURES ? 0
					     : err_set(e, ERR_DAMAGED, "feature %u is beyond the largest, %d",
						       feature, IMPORT_MAX_FEATURES - 1);
}

static struct import_head *begin(struct import_batch *b, enum import_record record, u8 kind)
{
	buf_clear(&b->record);
	buf_add(&b->record, &(struct import_head){.record = (u8)record, .kind = kind},
		sizeof(struct import_head));
	return (struct import_head *)(void *)b->record.s;
}

static int put(struct import_batch *b, u32 feature, struct err *e)
{
	struct buf *r = &b->record;
	struct import_head *h = (struct import_head *)(void *)r->s;
	if (r->n > IMPORT_MAX_FEATURE)
		return err_set(e, ERR_DAMAGED, "a record is longer than %d MiB", IMPORT_MAX_FEATURE >> 20);
	h->bytes = (u32)(r->n - sizeof *h);
	h->feature = feature;
	if (feature == IMPORT_LATER) {
		if (b->held.n + r->n > IMPORT_MAX_FEATURE)
			return err_set(e, ERR_DAMAGED,
				       "%d MiB go by before it is said which feature they are of",
				       IMPORT_MAX_FEATURE >> 20);
		buf_add(&b->held, r->s, r->n);
		return 0;
	}
	if (check_feature(feature, e))
		return -1;
	b->top_feature = MAX(b->top_feature, feature);
	add_run(b, feature, (u32)r->n);
	return outfile_add(b->file, r->s, r->n, e);
}

int import_settle(struct import_batch *b, u32 feature, struct err *e)
{
	if (check_feature(feature, e))
		return -1;
	for (size_t at = 0; at < b->held.n;) {
		struct import_head h;
		memcpy(&h, b->held.s + at, sizeof h);
		size_t n = sizeof h + h.bytes;
		h.feature = feature;
		memcpy(b->held.s + at, &h, sizeof h);
		b->top_feature = MAX(b->top_feature, feature);
		add_run(b, feature, (u32)n);
		if (outfile_add(b->file, b->held.s + at, n, e))
			return -1;
		at += n;
	}
	buf_clear(&b->held);
	return 0;
}

/* FNV-1a; 0 is kept for no id. */
static u64 id_of(struct span s)
{
	u64 h = 0xcbf29ce484222325u;
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ s.p[i]) * 0x100000001b3u;
	return s.n ? h | !h : 0;
}

static void add_u64(struct buf *b, u64 v)
{
	buf_add(b, &v, sizeof v);
}

static void add_u32(struct buf *b, u32 v)
{
	buf_add(b, &v, sizeof v);
}

static void add_f32(struct buf *b, f32 v)
{
	buf_add(b, &v, sizeof v);
}

static void add_tokens(struct buf *r, const u32 *tokens, size_t n, bool narrow)
{
	u16 half[512];
	if (!narrow)
		buf_add(r, tokens, n * sizeof *tokens);
	for (size_t i = 0; narrow && i < n; i += ARRAY_LEN(half)) {
		size_t k = MIN(n - i, ARRAY_LEN(half));
		for (size_t j = 0; j < k; j++)
			half[j] = (u16)tokens[i + j];
		buf_add(r, half, k * sizeof *half);
	}
}

int import_context(struct import_batch *b, const struct import_context *c, struct err *e)
{
	if (!c->n || c->n > IMPORT_MAX_TOKENS)
		return err_set(e, ERR_DAMAGED, "a text has %zu tokens", c->n);
	u32 n_act = 0, largest = 0;
	for (size_t i = 0; i < c->n; i++) {
		if (!isfinite(c->act[i]))
			return err_set(e, ERR_DAMAGED, "an activation is no finite number");
		n_act += c->act[i] > 0;
		b->n_negative += c->act[i] < 0;
		largest = MAX(largest, c->tokens[i]);
	}
	begin(b, IMPORT_CONTEXT, (u8)c->kind)->narrow = largest <= UINT16_MAX;
	struct buf *r = &b->record;
	add_u64(r, id_of(c->id));
	add_f32(r, c->bin);
	add_u32(r, (u32)c->n);
	add_u32(r, n_act);
	add_tokens(r, c->tokens, c->n, largest <= UINT16_MAX);
	for (u32 i = 0; i < c->n; i++)
		if (c->act[i] > 0) {
			add_u32(r, i);
			add_f32(r, c->act[i]);
		}
	b->n_contexts++;
	b->n_tokens += c->n;
	return put(b, c->feature, e);
}

static int add_list(struct buf *r, const void *p, size_t n, size_t size, const char *what, u32 *most,
		    struct err *e)
{
	if (n > IMPORT_MAX_LIST)
		return err_set(e, ERR_DAMAGED, "a feature has %zu %s", n, what);
	*most = MAX(*most, (u32)n);
	add_u32(r, (u32)n);
	if (n)
		buf_add(r, p, n * size);
	return 0;
}

int import_feature(struct import_batch *b, const struct import_feature *f, struct err *e)
{
	struct buf *r = &b->record;
	u32 width = 0;
	begin(b, IMPORT_FEATURE, 0);
	add_f32(r, f->max);
	add_f32(r, f->density);
	add_f32(r, f->mean);
	add_u64(r, f->n_tokens);
	if (add_list(r, f->height, f->n_bins, sizeof *f->height, "bins", &b->most_bins, e))
		return -1;
	if (f->n_bins)
		buf_add(r, f->edge, (f->n_bins + 1) * sizeof *f->edge);
	if (add_list(r, f->promoted, f->n_promoted, sizeof *f->promoted, "promoted tokens", &b->most_promoted,
		     e) ||
	    add_list(r, f->suppressed, f->n_suppressed, sizeof *f->suppressed, "suppressed tokens",
		     &b->most_suppressed, e) ||
	    add_list(r, f->near, f->n_near, sizeof *f->near, "neighbours", &b->most_near, e) ||
	    add_list(r, f->vector, f->n_vector, sizeof *f->vector, "numbers in its vector", &width, e))
		return -1;
	if (width && b->width && width != b->width)
		return err_set(e, ERR_DAMAGED, "a vector has %u numbers, those before it %u", width,
			       b->width);
	b->width = MAX(b->width, width);
	b->n_features++;
	b->n_counted = MAX(b->n_counted, f->n_tokens);
	return put(b, f->feature, e);
}

static void add_string(struct buf *r, struct span s)
{
	add_u32(r, (u32)s.n);
	buf_add(r, s.p, s.n);
	buf_addc(r, 0);
}

int import_label(struct import_batch *b, const struct import_label *l, struct err *e)
{
	struct buf *r = &b->record;
	if (!l->text.n)
		return 0;
	begin(b, IMPORT_LABEL, (u8)l->kind);
	add_u64(r, id_of(l->id));
	add_f32(r, l->score);
	add_string(r, l->source);
	add_string(r, l->model);
	add_string(r, l->author);
	add_string(r, l->text);
	b->n_labels++;
	return put(b, l->feature, e);
}

int import_about(struct import_batch *b, const char *what, struct span value, struct err *e)
{
	const json_t *had = json_object_get(b->about, what);
	if (!value.n)
		return 0;
	if (had && (json_string_length(had) != value.n || memcmp(json_string_value(had), value.p, value.n)))
		return err_set(e, ERR_DAMAGED, "the %s is '%.*s', that of records before it '%.64s'", what,
			       (int)MIN(value.n, 64), (const char *)value.p, json_string_value(had));
	if (!had)
		json_object_set_new(b->about, what, json_text((const char *)value.p, value.n));
	return 0;
}

static void note_counts(struct import_batch *b)
{
	const struct {
		const char *name;
		u64 n;
	} counts[] = {{"bins", b->most_bins},
		      {"promoted", b->most_promoted},
		      {"suppressed", b->most_suppressed},
		      {"near", b->most_near},
		      {"width", b->width},
		      {"top_feature", b->top_feature},
		      {"n_contexts", b->n_contexts},
		      {"n_tokens", b->n_tokens},
		      {"n_features", b->n_features},
		      {"n_labels", b->n_labels},
		      {"n_negative", b->n_negative},
		      {"n_counted", b->n_counted}};
	json_t *about = b->about;
	b->about = json_object();
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		json_object_set_new(b->about, counts[i].name, json_integer((json_int_t)counts[i].n));
	json_object_set_new(b->about, "about", about);
}

static int write_end(struct import_batch *b, struct err *e)
{
	struct import_tail t = {.n_runs = b->n_runs, .n_base = intern_n_base(b->tokens)};
	memcpy(t.magic, IMPORT_MAGIC, sizeof t.magic);
	t.n_strings = intern_count(b->tokens) - t.n_base;
	t.strings = outfile_size(b->file);
	for (u32 i = 0; i < t.n_strings; i++) {
		struct span s = intern_at(b->tokens, (u32)t.n_base + i);
		u32 n = (u32)s.n;
		if (outfile_add(b->file, &n, sizeof n, e) || outfile_add(b->file, s.p, s.n, e))
			return -1;
	}
	t.runs = outfile_size(b->file);
	if (outfile_add(b->file, b->runs ? (const void *)b->runs : "", b->n_runs * sizeof *b->runs, e))
		return -1;
	note_counts(b);
	struct buf text = BUF_INIT;
	json_add_line(&text, b->about);
	t.about = outfile_size(b->file);
	t.n_about = text.n;
	int bad = outfile_add(b->file, text.s, text.n, e) || outfile_add(b->file, &t, sizeof t, e);
	buf_release(&text);
	return bad ? -1 : 0;
}

int import_batch_commit(struct import_batch *b, struct err *e)
{
	int bad = b->held.n
			  ? err_set(e, ERR_DAMAGED, "records end before it is said which feature they are of")
			  : write_end(b, e);
	if (bad)
		outfile_abandon(b->file);
	else
		bad = outfile_commit(b->file, e);
	batch_free(b);
	return bad;
}
