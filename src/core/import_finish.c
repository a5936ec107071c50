/* SPDX-License-Identifier: MIT */
/* import_finish.c - all batches, merged by feature into the files of an atlas. */
#include "core/import_load.h"

#include "base/half.h"
#include "base/mem.h"
#include "core/dict_write.h"
#include "core/index.h"
#include "core/vocab.h"
#include "io/safetensors.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A tensor as it grows, feature by feature, in a scratch file. */
enum column {
	TEXT_PTR, FEATURE_PTR, COUNT, HIST_COUNT, CTX_PTR, ACT_POS, SCALE, DENSITY, LARGEST, MEAN, HIST_EDGE, CTX_POS,
	CTX_VAL, ACT_VAL, CTX_KIND, CTX_INTERVAL,
	PROMOTED, PROMOTED_VALUE, SUPPRESSED, SUPPRESSED_VALUE, NEAR, NEAR_SCORE, W_DEC,
	N_COLUMNS, TOKENS = N_COLUMNS, FLAGS
};

static const struct {
	const char *name;
	enum dtype dtype;
	bool is_table; /* [F][*] */
} columns[N_COLUMNS] = {
	[TEXT_PTR] = {"text_ptr", DTYPE_U64, false},
	[FEATURE_PTR] = {"feature_ptr", DTYPE_U64, false},
	[COUNT] = {"count", DTYPE_U64, false},
	[HIST_COUNT] = {"hist_count", DTYPE_U64, true},
	[CTX_PTR] = {"ctx_ptr", DTYPE_U64, false},
	[ACT_POS] = {"act_pos", DTYPE_U32, false},
	[SCALE] = {"act_scale", DTYPE_F32, false},
	[DENSITY] = {"density", DTYPE_F32, false},
	[LARGEST] = {"max", DTYPE_F32, false},
	[MEAN] = {"mean", DTYPE_F32, false},
	[HIST_EDGE] = {"hist_edge", DTYPE_F32, true},
	[CTX_POS] = {"ctx_pos", DTYPE_U32, false},
	[CTX_VAL] = {"ctx_val", DTYPE_F32, false},
	[ACT_VAL] = {"act_val", DTYPE_F16, false},
	[CTX_KIND] = {"ctx_kind", DTYPE_U8, false},
	[CTX_INTERVAL] = {"ctx_interval", DTYPE_U8, false},
	[PROMOTED] = {"promoted_token", DTYPE_U32, true},
	[PROMOTED_VALUE] = {"promoted_value", DTYPE_F16, true},
	[SUPPRESSED] = {"suppressed_token", DTYPE_U32, true},
	[SUPPRESSED_VALUE] = {"suppressed_value", DTYPE_F16, true},
	[NEAR] = {"neighbour_id", DTYPE_U32, true},
	[NEAR_SCORE] = {"neighbour_score", DTYPE_F16, true},
	[W_DEC] = {"W_dec", DTYPE_F32, true},
};

struct label_store { /* labels wait in memory until all are known */
	struct label *items;
	u64 *text; /* offsets, as bytes may move */
	u64 n, cap;
	struct buf bytes;
	struct intern *names;
	char **name; /* [intern_count(names)] */
	u32 n_names;
};

struct merge {
	const struct import *im;
	const struct import_options *o;
	struct loader *l;
	struct progress *progress;
	struct import_report *report;
	FILE *column[N_COLUMNS];
	u32 n_features, bins, n_promoted, n_suppressed, n_near, width;
	u64 n_texts, n_counted, n_numbers;
	struct label_store labels;
	struct loaded x;
	json_t *json;
};

static int add(struct merge *m, enum column c, const void *p, size_t n, struct err *e)
{
	size_t size = dtype_size(columns[c].dtype);
	if (!n || fwrite(p, size, n, m->column[c]) == n)
		return 0;
	return err_os(e, "cannot write a scratch file");
}

static int add_u64(struct merge *m, enum column c, u64 v, struct err *e)
{
	return add(m, c, &v, 1, e);
}

static int add_f32(struct merge *m, enum column c, f32 v, struct err *e)
{
	return add(m, c, &v, 1, e);
}

/* ---- one feature ---- */

struct numbers { /* a feature record, decoded; lists unaligned */
	f32 max, density, mean;
	u64 n_tokens;
	u32 n_bins, n_promoted, n_suppressed, n_near, n_vector;
	const u8 *height, *edge, *promoted, *suppressed, *near, *vector;
};

static int read_numbers(const struct loaded *x, struct numbers *n, struct err *e)
{
	struct cursor c = {x->numbers, x->numbers + x->n_numbers, false};
	*n = (struct numbers){.max = NAN, .density = NAN, .mean = NAN};
	if (!x->numbers)
		return 0;
	n->max = cursor_f32(&c);
	n->density = cursor_f32(&c);
	n->mean = cursor_f32(&c);
	n->n_tokens = cursor_u64(&c);
	n->n_bins = cursor_u32(&c);
	n->height = cursor_bytes(&c, 8 * (u64)n->n_bins);
	n->edge = cursor_bytes(&c, n->n_bins ? 4 * ((u64)n->n_bins + 1) : 0);
	n->n_promoted = cursor_u32(&c);
	n->promoted = cursor_bytes(&c, sizeof(struct atlas_token) * (u64)n->n_promoted);
	n->n_suppressed = cursor_u32(&c);
	n->suppressed = cursor_bytes(&c, sizeof(struct atlas_token) * (u64)n->n_suppressed);
	n->n_near = cursor_u32(&c);
	n->near = cursor_bytes(&c, sizeof(struct atlas_neighbour) * (u64)n->n_near);
	n->n_vector = cursor_u32(&c);
	n->vector = cursor_bytes(&c, 4 * (u64)n->n_vector);
	return c.bad ? err_set(e, ERR_DAMAGED, "'%s' is damaged; remove it, and the import makes it again",
			       x->numbers_part->path)
		     : 0;
}

/* Its texts: where each begins, what fires in it, and which place stands for it. */
static int add_context(struct merge *m, const struct loaded_context *c, f32 scale, u64 *n_act, struct err *e)
{
	u64 first = m->report->n_tokens;
	u8 kind = (u8)c->kind;
	if (first + c->n >= UINT32_MAX)
		return err_set(e, ERR_FAILED, "there are more tokens than a segment of the store holds");
	for (u32 i = 0; i < c->n_act; i++) {
		u32 at, pos;
		f32 act;
		memcpy(&at, c->act + 8 * (size_t)i, 4);
		memcpy(&act, c->act + 8 * (size_t)i + 4, 4);
		pos = (u32)first + MIN(at, c->n - 1);
		u16 half = f32_to_f16(act / scale);
		if (add(m, ACT_POS, &pos, 1, e) || add(m, ACT_VAL, &half, 1, e))
			return -1;
	}
	u32 peak = (u32)first + c->at;
	*n_act += c->n_act;
	m->report->n_tokens += c->n;
	m->n_texts++;
	m->report->n_contexts++;
	return add_u64(m, TEXT_PTR, m->report->n_tokens, e) || add(m, CTX_POS, &peak, 1, e) ||
	       add_f32(m, CTX_VAL, c->peak, e) || add(m, CTX_KIND, &kind, 1, e) ||
	       add(m, CTX_INTERVAL, &c->interval, 1, e);
}

/* Bins beyond a feature's own have no width and hold nothing. */
static int add_histogram(struct merge *m, const struct numbers *n, u64 *count, f64 *mean, struct err *e)
{
	f64 sum = 0;
	f32 edge = 0, next = 0;
	*count = 0;
	if (n->n_bins)
		memcpy(&next, n->edge, 4);
	edge = next;
	if (m->bins && add_f32(m, HIST_EDGE, edge, e))
		return -1;
	for (u32 i = 0; i < m->bins; i++) {
		f64 height = 0;
		if (i < n->n_bins) {
			memcpy(&height, n->height + 8 * (size_t)i, 8);
			memcpy(&next, n->edge + 4 * (size_t)i + 4, 4);
		}
		u64 whole = height > 0 && height < 0x1p60 ? (u64)(height + 0.5) : 0;
		*count += whole;
		sum += (f64)whole * ((f64)edge + next) / 2;
		edge = MAX(edge, next);
		if (add_u64(m, HIST_COUNT, whole, e) || add_f32(m, HIST_EDGE, edge, e))
			return -1;
	}
	*mean = *count ? sum / (f64)*count : 0;
	return 0;
}

static int add_statistics(struct merge *m, const struct numbers *n, f32 scale, f32 max, u64 n_act, struct err *e)
{
	u64 count;
	f64 mean;
	if (add_histogram(m, n, &count, &mean, e))
		return -1;
	f32 density = n->density >= 0 && n->density <= 1 ? n->density : 0;
	if (!count && n->n_tokens)
		count = (u64)((f64)density * (f64)n->n_tokens + 0.5);
	if (!(density > 0) && n->n_tokens)
		density = (f32)((f64)count / (f64)n->n_tokens);
	if (n->mean > 0 && n->mean < INFINITY)
		mean = (f64)n->mean;
	m->report->n_activations += n_act;
	return add_f32(m, SCALE, scale, e) || add_f32(m, DENSITY, density, e) || add_f32(m, LARGEST, max, e) ||
	       add_f32(m, MEAN, (f32)mean, e) || add_u64(m, COUNT, MAX(count, n_act), e) ||
	       add_u64(m, FEATURE_PTR, m->report->n_activations, e) || add_u64(m, CTX_PTR, m->report->n_contexts, e);
}

static int strongest(const void *a, const void *b)
{
	const struct atlas_token *x = a, *y = b;
	if (x->value != y->value)
		return x->value > y->value ? -1 : 1;
	return 0;
}

static int nearest(const void *a, const void *b)
{
	const struct atlas_neighbour *x = a, *y = b;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static u16 to_half(f32 v)
{
	return f32_to_f16(v > 65504 ? 65504 : v < -65504 ? -65504 : v);
}

/* A row of ids and values; where there are fewer than places, no id and the last value. */
static int add_pairs(struct merge *m, enum column c, const struct atlas_token *t, u32 n, u32 places, struct err *e)
{
	u16 half = 0;
	u32 none = UINT32_MAX;
	for (u32 i = 0; i < places; i++) {
		half = i < n ? to_half(t[i].value) : half;
		if (add(m, c, i < n ? &t[i].token : &none, 1, e) || add(m, c + 1, &half, 1, e))
			return -1;
	}
	return 0;
}

static int add_tokens(struct merge *m, enum column c, const u8 *list, u32 n, u32 places, bool rising, struct err *e)
{
	struct atlas_token *t = xcalloc(n + 1, sizeof *t);
	u32 kept = 0;
	for (u32 i = 0; i < n; i++) {
		memcpy(&t[kept], list + i * sizeof *t, sizeof *t);
		t[kept].token = import_part_token(m->x.numbers_part, t[kept].token);
		t[kept].value = rising ? -t[kept].value : t[kept].value;
		kept += t[kept].token != UINT32_MAX && isfinite(t[kept].value);
	}
	/* mergesort in glibc, but nothing promises that: equal values keep the order they came in */
	for (u32 i = 1; i < kept; i++)
		for (u32 k = i; k > 0 && strongest(&t[k - 1], &t[k]) > 0; k--) {
			struct atlas_token swap = t[k];
			t[k] = t[k - 1];
			t[k - 1] = swap;
		}
	for (u32 i = 0; rising && i < kept; i++)
		t[i].value = -t[i].value;
	int bad = add_pairs(m, c, t, kept, places, e);
	free(t);
	return bad;
}

static int add_near(struct merge *m, u32 feature, const struct numbers *n, struct err *e)
{
	struct atlas_neighbour *t = xcalloc(n->n_near + 1, sizeof *t);
	u32 kept = 0;
	for (u32 i = 0; i < n->n_near; i++) {
		memcpy(&t[kept], n->near + i * sizeof *t, sizeof *t);
		kept += t[kept].id != feature && t[kept].id < m->n_features && isfinite(t[kept].score);
	}
	qsort(t, kept, sizeof *t, nearest);
	struct atlas_token *pairs = xcalloc(kept + 1, sizeof *pairs);
	for (u32 i = 0; i < kept; i++)
		pairs[i] = (struct atlas_token){t[i].id, t[i].score};
	int bad = add_pairs(m, NEAR, pairs, kept, m->n_near, e);
	free(pairs);
	free(t);
	return bad;
}

static int add_tables(struct merge *m, u32 feature, const struct numbers *n, struct err *e)
{
	f32 zero = 0;
	if (m->n_promoted + m->n_suppressed &&
	    (add_tokens(m, PROMOTED, n->promoted, n->n_promoted, m->n_promoted, false, e) ||
	     add_tokens(m, SUPPRESSED, n->suppressed, n->n_suppressed, m->n_suppressed, true, e)))
		return -1;
	if (m->n_near && add_near(m, feature, n, e))
		return -1;
	for (u32 i = 0; i < m->width; i++)
		if (add(m, W_DEC, i < n->n_vector ? n->vector + 4 * (size_t)i : (const u8 *)&zero, 1, e))
			return -1;
	return 0;
}

static u32 name_of(struct label_store *s, struct span text)
{
	u32 had = intern_count(s->names);
	i64 id = intern_add(s->names, (const char *)text.p, MIN(text.n, INTERN_LONGEST), NULL);
	if (id < 0)
		return 0;
	if (id == had) {
		s->name = xreallocarray(s->name, had + 1, sizeof *s->name);
		s->name[had] = xstrndup((const char *)text.p, MIN(text.n, INTERN_LONGEST));
		s->n_names = had + 1;
	}
	return (u32)id;
}

static void keep_label(struct label_store *s, const struct import_label *l)
{
	if (s->n == s->cap) {
		s->cap = 2 * s->cap + 1024;
		s->items = xreallocarray(s->items, s->cap, sizeof *s->items);
		s->text = xreallocarray(s->text, s->cap, sizeof *s->text);
	}
	s->text[s->n] = s->bytes.n;
	buf_add(&s->bytes, l->text.p, l->text.n);
	u32 source = name_of(s, l->source), model = name_of(s, l->model), author = name_of(s, l->author);
	s->items[s->n++] = (struct label){.text = {NULL, l->text.n}, .feature = l->feature, .kind = l->kind,
					  .source = s->name[source], .model = s->name[model], .author = s->name[author],
					  .score = l->score};
}

static int add_feature(struct merge *m, u32 feature, struct err *e)
{
	struct numbers n;
	if (loader_feature(m->l, feature, &m->x, e) || read_numbers(&m->x, &n, e))
		return -1;
	f32 max = n.max > 0 && n.max < INFINITY ? n.max : 0;
	for (size_t i = 0; i < m->x.n_contexts; i++)
		max = MAX(max, m->x.contexts[i].peak);
	f32 scale = index_scale(max);
	u64 n_act = 0;
	for (size_t i = 0; i < m->x.n_contexts; i++)
		if (add_context(m, &m->x.contexts[i], scale, &n_act, e))
			return -1;
	for (size_t i = 0; i < m->x.n_labels; i++)
		keep_label(&m->labels, &m->x.labels[i].label);
	m->report->n_repeated += m->x.n_repeated;
	return add_statistics(m, &n, scale, max, n_act, e) || add_tables(m, feature, &n, e);
}

/* ---- files ---- */

static int copy_column(struct safetensors_writer *w, FILE *f, struct err *e)
{
	enum { STEP = 1 << 18 };
	u8 *b = xmalloc(STEP);
	int bad = fflush(f) || fseeko(f, 0, SEEK_SET) ? err_os(e, "cannot read a scratch file") : 0;
	for (size_t n; !bad && (n = fread(b, 1, STEP, f));)
		bad = safetensors_writer_add(w, b, n, e);
	if (!bad && ferror(f))
		bad = err_os(e, "cannot read a scratch file");
	free(b);
	return bad;
}

/* The token ids, in the order in which the contexts were written. */
static int emit_tokens(struct merge *m, struct safetensors_writer *w, bool narrow, struct err *e)
{
	struct buf b = BUF_INIT;
	int bad = 0;
	progress_start(m->progress, "writing texts", "features", m->n_features);
	for (u32 f = 0; f < m->n_features && !bad; f++) {
		bad = loader_feature(m->l, f, &m->x, e);
		buf_clear(&b);
		for (size_t i = 0; !bad && i < m->x.n_contexts; i++)
			for (u32 k = 0; k < m->x.contexts[i].n; k++) {
				u32 id = loaded_token(&m->x.contexts[i], k);
				u16 half = (u16)id;
				buf_add(&b, narrow ? (const void *)&half : &id, narrow ? 2 : 4);
			}
		if (!bad)
			bad = safetensors_writer_add(w, b.s, b.n, e);
		progress_add(m->progress, 1);
		if (!bad && progress_cancelled(m->progress))
			bad = err_set(e, ERR_CANCELLED, "stopped on request");
	}
	buf_release(&b);
	return bad;
}

static int emit_zeros(struct safetensors_writer *w, u64 n, struct err *e)
{
	static const u8 zeros[4096];
	for (u64 i = 0; i < n; i += sizeof zeros)
		if (safetensors_writer_add(w, zeros, MIN(n - i, sizeof zeros), e))
			return -1;
	return 0;
}

static void declare(struct safetensors_writer *w, const struct merge *m, enum column c)
{
	u64 n = (u64)MAX(ftello(m->column[c]), 0) / dtype_size(columns[c].dtype);
	u64 table[] = {m->n_features, m->n_features ? n / m->n_features : 0};
	safetensors_writer_declare(w, columns[c].name, columns[c].dtype, columns[c].is_table ? 2 : 1,
				   columns[c].is_table ? table : &n);
}

static int column_named(const char *name, enum column from, enum column to)
{
	for (enum column c = from; c <= to; c++)
		if (!strcmp(columns[c].name, name))
			return (int)c;
	return -1;
}

/* A file of columns [from, to], with tokens and flags where it is the store's. */
static int write_columns(struct merge *m, const char *file, enum column from, enum column to, const char *const *meta,
			 struct err *e)
{
	char *path = xasprintf("%s/%s", m->im->out, file);
	struct safetensors_writer *w = safetensors_writer_new(path, e);
	free(path);
	if (!w)
		return -1;
	bool is_store = from == TEXT_PTR, narrow = m->report->n_vocab <= UINT16_MAX + 1u;
	for (; *meta; meta += 2)
		safetensors_writer_meta(w, meta[0], meta[1]);
	for (enum column c = from; c <= to; c++)
		declare(w, m, c);
	if (is_store) {
		safetensors_writer_declare(w, "tokens", narrow ? DTYPE_U16 : DTYPE_U32, 1, &m->report->n_tokens);
		safetensors_writer_declare(w, "token_flags", DTYPE_U8, 1, &m->report->n_tokens);
	}
	int bad = safetensors_writer_begin(w, e);
	for (const char *name; !bad && (name = safetensors_writer_next(w));) {
		int c = column_named(name, from, to);
		if (c >= 0)
			bad = copy_column(w, m->column[c], e);
		else if (!strcmp(name, "tokens"))
			bad = emit_tokens(m, w, narrow, e);
		else
			bad = emit_zeros(w, m->report->n_tokens, e);
	}
	if (!bad)
		return safetensors_writer_commit(w, e);
	safetensors_writer_abandon(w);
	return -1;
}

static int note_part(struct merge *m, const char *part, const char *file, struct err *e)
{
	return atlas_note_part(m->json, m->im->out, part, file, "import", json_incref(m->o->details), e);
}

static int write_store(struct merge *m, struct err *e)
{
	char number[32];
	snprintf(number, sizeof number, "%llu", (unsigned long long)m->n_counted);
	const char *meta[] = {"uuid", atlas_json_uuid(m->json), "build_id", atlas_json_build_id(m->json), "coverage",
			      "examples", "statistics", "imported", "n_tokens_indexed", number, "n_tokens_kept", number,
			      "first_token", "0", NULL};
	if (!m->report->n_contexts && !m->n_numbers)
		return 0;
	return write_columns(m, "activations.safetensors", TEXT_PTR, CTX_INTERVAL, meta, e) ||
	       note_part(m, "store", "activations.safetensors", e);
}

static int write_tables(struct merge *m, struct err *e)
{
	const char *meta[] = {"uuid", atlas_json_uuid(m->json), "build_id", atlas_json_build_id(m->json), NULL};
	if (m->n_promoted + m->n_suppressed &&
	    (write_columns(m, "logits.safetensors", PROMOTED, SUPPRESSED_VALUE, meta, e) ||
	     note_part(m, "logits", "logits.safetensors", e)))
		return -1;
	if (m->n_near && (write_columns(m, "graph.safetensors", NEAR, NEAR_SCORE, meta, e) ||
			  note_part(m, "graph", "graph.safetensors", e)))
		return -1;
	return 0;
}

static int write_vocab(struct merge *m, struct err *e)
{
	const struct intern *t = loader_tokens(m->l);
	u32 n = m->report->n_vocab;
	if (!n)
		return 0;
	struct span *tokens = mem_try(n, sizeof *tokens, "the vocabulary", e);
	u8 *special = tokens ? mem_try(n, 1, "the vocabulary", e) : NULL;
	for (u32 i = 0; special && i < n; i++)
		tokens[i] = intern_at(t, i);
	char *path = xasprintf("%s/vocab.safetensors", m->im->out);
	int bad = special ? vocab_write(path, tokens, special, n, atlas_json_uuid(m->json),
					atlas_json_build_id(m->json), e)
			  : -1;
	free(path);
	free(tokens);
	free(special);
	return bad || note_part(m, "vocab", "vocab.safetensors", e) ? -1 : 0;
}

static int write_labels(struct merge *m, struct err *e)
{
	struct label_store *s = &m->labels;
	m->report->n_labels = s->n;
	if (!s->n)
		return 0;
	for (u64 i = 0; i < s->n; i++)
		s->items[i].text.p = (const u8 *)s->bytes.s + s->text[i];
	char *path = xasprintf("%s/labels.safetensors", m->im->out);
	int bad = labels_write(path, s->items, s->n, atlas_json_uuid(m->json), atlas_json_build_id(m->json), e);
	free(path);
	return bad || note_part(m, "labels", "labels.safetensors", e) ? -1 : 0;
}

/* The stand-in: decoder rows if they came along. */
static int write_dictionary(struct merge *m, struct err *e)
{
	const char *meta[] = {"format", "pt", "uuid", atlas_json_uuid(m->json), "build_id", atlas_json_build_id(m->json),
			      NULL};
	json_t *cfg = json_pack("{s:s, s:i, s:i, s:b, s:s, s:{s:s, s:s}}", "architecture", "none", "d_in", (int)m->width,
				"d_sae", (int)m->n_features, "apply_b_dec_to_input", 0, "normalize_activations", "none",
				"metadata", "model_name", m->o->model ? m->o->model : "", "hook_name",
				m->o->hook ? m->o->hook : "");
	char *path = xasprintf("%s/cfg.json", m->im->out);
	int bad = json_write_file(path, cfg, e);
	free(path);
	json_decref(cfg);
	return bad || write_columns(m, "sae_weights.safetensors", W_DEC, W_DEC, meta, e) ||
	       note_part(m, "dictionary", "sae_weights.safetensors", e);
}

/* ---- all of it ---- */

static u64 count_of(const struct import_part *p, const char *name)
{
	return json_opt_u64(p->about, name, 0);
}

static int sum_parts(struct merge *m, u32 n_parts, json_t *about, struct err *e)
{
	for (u32 i = 0; i < n_parts; i++) {
		const struct import_part *p = loader_part(m->l, i);
		u32 width = (u32)count_of(p, "width");
		const char *key;
		json_t *v;
		m->bins = MAX(m->bins, (u32)count_of(p, "bins"));
		m->n_promoted = MAX(m->n_promoted, (u32)count_of(p, "promoted"));
		m->n_suppressed = MAX(m->n_suppressed, (u32)count_of(p, "suppressed"));
		m->n_near = MAX(m->n_near, (u32)count_of(p, "near"));
		m->n_counted = MAX(m->n_counted, count_of(p, "n_counted"));
		m->n_numbers += count_of(p, "n_features");
		m->report->n_negative += count_of(p, "n_negative");
		if (width && m->width && width != m->width)
			return err_set(e, ERR_DAMAGED, "vectors have %u numbers in one batch and %u in another", m->width, width);
		m->width = MAX(m->width, width);
		json_object_foreach(json_object_get(p->about, "about"), key, v) {
			const json_t *had = json_object_get(about, key);
			if (had && !json_equal((json_t *)(uintptr_t)had, v))
				return err_set(e, ERR_DAMAGED,
					       "the source is of more than one dictionary: its %s is '%.64s' and '%.64s'", key,
					       json_string_value(had), json_string_value(v));
			json_object_set(about, key, v);
		}
	}
	return 0;
}

static int count_features(struct merge *m, struct err *e)
{
	u32 n = loader_n_features(m->l);
	m->n_features = m->o->n_features ? m->o->n_features : n;
	m->report->n_features = m->n_features;
	m->report->n_vocab = intern_count(loader_tokens(m->l));
	if (n > m->n_features)
		return err_set(e, ERR_DAMAGED, "the source has feature %u, but the dictionary only %u", n - 1, m->n_features);
	return n ? 0 : err_set(e, ERR_DAMAGED, "the source says nothing of any feature");
}

static int merge_features(struct merge *m, struct err *e)
{
	for (enum column c = 0; c < N_COLUMNS; c++)
		if (!(m->column[c] = index_scratch(m->im->folder, e)))
			return -1;
	if (add_u64(m, TEXT_PTR, 0, e) || add_u64(m, FEATURE_PTR, 0, e) || add_u64(m, CTX_PTR, 0, e))
		return -1;
	progress_start(m->progress, "merging", "features", m->n_features);
	for (u32 f = 0; f < m->n_features; f++) {
		if (add_feature(m, f, e))
			return -1;
		progress_add(m->progress, 1);
		if (progress_cancelled(m->progress))
			return err_set(e, ERR_CANCELLED, "stopped on request");
	}
	return 0;
}

static json_t *text_or(const char *given, const json_t *about, const char *key)
{
	const json_t *v = json_object_get(about, key);
	if (given)
		return json_text(given, strlen(given));
	return v ? json_incref((json_t *)(uintptr_t)v) : json_string("");
}

/* The layer in "blocks.22.hook_resid_post", or at the head of "20-gemmascope-res-16k". */
static u32 layer_of(const char *s)
{
	while (*s && (*s < '0' || *s > '9'))
		s++;
	return (u32)MIN(strtoul(s, NULL, 10), UINT16_MAX);
}

static void describe(struct merge *m, const json_t *about)
{
	json_t *model = text_or(m->o->model, about, "model"), *hook = text_or(m->o->hook, about, "hook");
	const char *place = json_string_length(hook) ? json_string_value(hook) : json_opt_str(about, "source", "");
	json_object_set_new(m->json, "model", json_pack("{s:o, s:s, s:s, s:i, s:i, s:i}", "name", model, "sha256", "",
							"tokenizer", "", "d_model", (int)m->width, "n_layers", 0, "n_vocab",
							0));
	json_object_set_new(m->json, "hook", json_pack("{s:O, s:i, s:s}", "name", hook, "layer", (int)layer_of(place),
						       "place", ""));
	json_object_set_new(m->json, "norm_median", json_null());
	json_object_set_new(m->json, "template", json_string(""));
	json_object_set_new(m->json, "corpus", text_or(NULL, about, "dataset"));
	json_object_set(m->json, "imported", (json_t *)(uintptr_t)about);
	json_decref(hook);
}

static u32 count_batches(const struct import *im)
{
	u32 n = 0;
	while (import_has(im, n))
		n++;
	return n;
}

static void remove_folder(const char *folder)
{
	DIR *d = opendir(folder);
	for (struct dirent *x; d && (x = readdir(d));) {
		char *path = xasprintf("%s/%s", folder, x->d_name);
		if (strcmp(x->d_name, ".") && strcmp(x->d_name, ".."))
			unlink(path);
		free(path);
	}
	if (d)
		closedir(d);
	rmdir(folder);
}

static int write_all(struct merge *m, struct err *e)
{
	if (mkdir(m->im->out, 0777) && errno != EEXIST)
		return err_os(e, "cannot make '%s'", m->im->out);
	return write_dictionary(m, e) || write_store(m, e) || write_tables(m, e) || write_vocab(m, e) ||
	       write_labels(m, e) || atlas_commit(m->json, m->im->out, e);
}

int import_finish(struct import *im, const struct import_options *o, struct progress *progress,
		  struct import_report *report, struct err *e)
{
	*report = (struct import_report){0};
	struct merge m = {.im = im, .o = o, .progress = progress, .report = report};
	json_t *about = json_object();
	u32 n = count_batches(im);
	buf_init(&m.labels.bytes);
	m.labels.names = intern_new(NULL);
	m.json = atlas_json_new(o->name);
	int bad = !(m.l = loader_new(im, n, e)) || sum_parts(&m, n, about, e) || count_features(&m, e);
	if (!bad) {
		describe(&m, about);
		bad = merge_features(&m, e) || write_all(&m, e);
	}
	if (!bad)
		remove_folder(im->folder);
	for (enum column c = 0; c < N_COLUMNS; c++)
		if (m.column[c])
			fclose(m.column[c]);
	for (u32 i = 0; i < m.labels.n_names; i++)
		free(m.labels.name[i]);
	free(m.labels.name);
	free(m.labels.items);
	free(m.labels.text);
	buf_release(&m.labels.bytes);
	intern_free(m.labels.names);
	loaded_release(&m.x);
	loader_free(m.l);
	json_decref(m.json);
	json_decref(about);
	return bad ? -1 : 0;
}
