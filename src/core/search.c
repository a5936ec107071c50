/* SPDX-License-Identifier: MIT */
/* search.c - labels by the chunk: literals find the candidates, the regex decides. */
#include "core/search.h"

#include "base/bits.h"
#include "base/mem.h"
#include "core/regex.h"
#include "core/search_scan.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	CHUNK = 16384, /* labels */
	BATCH = 64,    /* candidates */
	AHEAD = 6,     /* candidates */
	NEAR = 16,     /* labels */
	SAMPLES = 32,
	SAMPLE = 2048, /* bytes */
	LOOK_UP = 256, /* labels are scanned in the time that it takes to look up a feature */
};

struct search_pattern {
	struct regex *regex;
	struct literals literals;
};

struct search_pattern *search_compile(const char *pattern, enum search_case c, size_t *offset, struct err *e)
{
	bool ignore = c == SEARCH_IGNORE || (c == SEARCH_SMART && !regex_has_capital(pattern));
	struct regex *r = regex_new(pattern, ignore, offset, e);
	if (!r)
		return NULL;
	struct search_pattern *p = xcalloc(1, sizeof *p);
	p->regex = r;
	literals_find(pattern, ignore, &p->literals);
	return p;
}

void search_pattern_free(struct search_pattern *p)
{
	if (!p)
		return;
	regex_free(p->regex);
	free(p);
}

int search_match(const struct search_pattern *p, const char *s, size_t n, size_t *start, size_t *end)
{
	struct regex_room *room = regex_room_new(p->regex, false);
	size_t from, to;
	int r = regex_match(p->regex, room, s, n, 0, regex_is_ascii(s, n));
	if (r == 1) {
		regex_found(room, s, n, &from, &to);
		if (start)
			*start = from;
		if (end)
			*end = to;
	}
	regex_room_free(room);
	return r;
}

bool search_refines(const struct search_pattern *p, const struct search_pattern *before,
		    const struct search_result *hits, const struct labels *base)
{
	return base && hits->complete && hits->n_hits <= labels_count(base) / LOOK_UP &&
	       literals_imply(&p->literals, &before->literals);
}

/* Results. */

int search_result_init(struct search_result *r, u32 n_features, struct err *e)
{
	*r = (struct search_result){.budget_ms = r->budget_ms};
	r->bits = mem_try(n_features / 64 + 1, sizeof *r->bits, "the hits", e);
	return r->bits ? 0 : -1;
}

void search_result_release(struct search_result *r)
{
	free(r->bits);
	*r = (struct search_result){0};
}

u32 search_next(const struct search_result *r, u32 n_features, u64 from)
{
	for (u64 i = from / 64; i * 64 < n_features; i++) {
		u64 word = search_word(r, i);
		if (i == from / 64)
			word &= ~(u64)0 << (from % 64);
		if (word) {
			u64 f = i * 64 + (u64)__builtin_ctzll(word);
			return f < n_features ? (u32)f : UINT32_MAX;
		}
	}
	return UINT32_MAX;
}

/* Scanning. */

struct candidate {
	u64 label, start, end, at;
	bool sure;
};

struct worker { /* one a thread */
	struct regex_room *room;
	u64 word, word_at; /* hits of one word of the result, not yet in it */
	u64 found, gave_up;
	u64 n_texts; /* that the regex saw */
	struct scan_hit places[BATCH];
	struct candidate candidates[BATCH];
};

struct scan {
	const struct search_pattern *pattern;
	struct worker *workers; /* [threads] */
	struct scanner scanner;
	bool has_scanner;
	struct labels_raw base;
	const struct label *extra;
	size_t n_extra;
	const u64 *hidden;
	u32 n_features;
	const struct search_result *within; /* or NULL: all features */
	struct search_result *result;
	struct progress *progress;
	u8 *done; /* [tasks] */
	size_t n_tasks, n_settled;
	f64 deadline; /* 0: none */
	bool late;
};

static f64 now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (f64)t.tv_sec * 1e3 + (f64)t.tv_nsec / 1e6;
}

static bool stopped(const void *context)
{
	const struct scan *s = context;
	return progress_cancelled(s->progress) || __atomic_load_n(&s->late, __ATOMIC_RELAXED);
}

/* Neighbouring chunks may share a word, and a feature may have labels in both. */
static void flush(struct scan *s, struct worker *w)
{
	if (w->word) {
		u64 old = __atomic_fetch_or(&s->result->bits[w->word_at], w->word, __ATOMIC_RELAXED);
		w->found += (u64)__builtin_popcountll(w->word & ~old);
		w->word = 0;
	}
	if (w->found)
		__atomic_fetch_add(&s->result->n_hits, w->found, __ATOMIC_RELAXED);
	if (w->gave_up)
		__atomic_fetch_add(&s->result->n_gave_up, w->gave_up, __ATOMIC_RELAXED);
	w->found = w->gave_up = 0;
}

static void add_hit(struct scan *s, struct worker *w, u32 feature)
{
	if (w->word && w->word_at != feature / 64) {
		u64 old = __atomic_fetch_or(&s->result->bits[w->word_at], w->word, __ATOMIC_RELAXED);
		w->found += (u64)__builtin_popcountll(w->word & ~old);
		w->word = 0;
	}
	w->word_at = feature / 64;
	w->word |= (u64)1 << (feature % 64);
}

static bool is_wanted(const struct scan *s, u32 feature)
{
	return feature < s->n_features && !(s->hidden && bits_has(s->hidden, feature));
}

/* from: no match begins before, where the text is plain. */
static void try_text(struct scan *s, struct worker *w, u32 feature, const char *text, size_t n, size_t from)
{
	bool ascii = regex_is_ascii(text, n);
	int r = regex_match(s->pattern->regex, w->room, text, n, ascii ? from : 0, ascii);
	if (r > 0)
		add_hit(s, w, feature);
	w->gave_up += r < 0;
	if (++w->n_texts % 16 && r >= 0)
		return;
	flush(s, w);
	if (s->deadline > 0 && now_ms() > s->deadline)
		__atomic_store_n(&s->late, true, __ATOMIC_RELAXED);
}

/* The file is mapped and may lie: features and offsets are checked as they are used. */
static void scan_each(struct scan *s, struct worker *w, u64 from, u64 to)
{
	u64 start = labels_raw_offset(&s->base, from);
	for (u64 i = from; i < to && !stopped(s); i++) {
		u64 end = labels_raw_offset(&s->base, i + 1), at = start;
		u32 feature = labels_raw_feature(&s->base, i);
		start = end;
		if (at <= end && is_wanted(s, feature))
			try_text(s, w, feature, (const char *)s->base.bytes.p + at, end - at, 0);
	}
}

/* Of the NEAR labels from first on, how many begin at or before place. */
static unsigned n_begun(const struct labels_raw *l, u64 first, u64 place)
{
	unsigned n = 0;
#pragma GCC unroll 16
	for (u64 i = 0; i < NEAR; i++)
		n += labels_raw_offset(l, first + i) <= place;
	return n;
}

/* The last label of [low, high) that begins at or before place; low does.  Labels are of about one
 * length, so that a guess by it is a few off: it costs a cache line or two, not a search's many, and the few
 * are counted, as nobody foresees how many they are. */
static u64 label_of(const struct labels_raw *l, u64 low, u64 high, u64 place, f32 labels_per_byte)
{
	f32 guess = (f32)(place - labels_raw_offset(l, low)) * labels_per_byte;
	u64 at = low + MIN((u64)guess, high - 1 - low), step = 1;
	u64 first = MAX(at, low + NEAR / 2) - NEAR / 2;
	if (high - first >= NEAR) {
		unsigned n = n_begun(l, first, place);
		if (n && n < NEAR && labels_raw_offset(l, first + n - 1) <= place) /* not so where damaged */
			return first + n - 1;
	}
	if (labels_raw_offset(l, at) <= place) {
		for (low = at; low + step < high && labels_raw_offset(l, low + step) <= place; step *= 2)
			low += step;
		high = MIN(high, low + step);
	} else {
		for (high = at; high - low > step && labels_raw_offset(l, high - step) > place; step *= 2)
			high -= step;
		low = high - low > step ? high - step : low;
	}
	while (high - low > 1) {
		u64 middle = low + (high - low) / 2;
		if (labels_raw_offset(l, middle) <= place)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* How far before place a match with a literal there can begin. */
static size_t earliest(const struct scan *s, const u8 *text, size_t place)
{
	const u64 *before = s->pattern->literals.before.bits;
	while (place && text[place - 1] < 128 && before[text[place - 1] / 64] >> (text[place - 1] % 64) & 1)
		place--;
	return place;
}

struct cursor {
	u64 label, to;    /* of the chunk, still to be seen */
	u64 decided;      /* places before belong to labels that are */
	f32 labels_per_byte;
};

/* Where the offsets of the label at a later place may be, a few labels off. */
static void fetch_offsets(const struct scan *s, const struct cursor *c, u64 from, u64 place)
{
	u64 guess = c->label + (u64)((f32)(place - from) * c->labels_per_byte);
	__builtin_prefetch(s->base.offset + MIN(guess > 4 ? guess - 4 : 0, c->to) * 8);
	__builtin_prefetch(s->base.offset + MIN(guess + 4, c->to) * 8);
}

/* The labels that the places are in, once each. */
static size_t find_candidates(struct scan *s, struct worker *w, struct cursor *c, size_t n_places)
{
	bool pure = s->pattern->literals.pure;
	size_t n = 0;
	for (size_t i = 0; i < n_places; i++) {
		struct scan_hit h = w->places[i];
		if (h.at < c->decided)
			continue;
		u64 label = label_of(&s->base, c->label, c->to, h.at, c->labels_per_byte);
		struct candidate k = {.label = label, .at = h.at, .sure = pure && h.n};
		k.start = labels_raw_offset(&s->base, label);
		k.end = labels_raw_offset(&s->base, label + 1);
		c->label = label;
		if (i + AHEAD < n_places)
			fetch_offsets(s, c, h.at, w->places[i + AHEAD].at);
		/* not in the label: damaged offsets, or a literal that runs into the next one */
		if (h.at < k.start || h.at >= k.end || (k.sure && h.at + h.n > k.end))
			continue;
		__builtin_prefetch(s->base.feature + label * 4);
		c->decided = k.end;
		w->candidates[n++] = k;
	}
	return n;
}

static void try_candidates(struct scan *s, struct worker *w, size_t n)
{
	for (size_t i = 0; i < n && !stopped(s); i++) {
		const struct candidate *k = &w->candidates[i];
		u32 feature = labels_raw_feature(&s->base, k->label);
		const u8 *text = s->base.bytes.p + k->start;
		if (!is_wanted(s, feature))
			continue;
		if (k->sure)
			add_hit(s, w, feature);
		else
			try_text(s, w, feature, (const char *)text, k->end - k->start,
				 earliest(s, text, k->at - k->start));
	}
}

static void scan_chunk(struct scan *s, struct worker *w, u64 from, u64 to)
{
	u64 at = labels_raw_offset(&s->base, from), end = labels_raw_offset(&s->base, to);
	if (!s->has_scanner || at > end) {
		scan_each(s, w, from, to);
		return;
	}
	struct cursor c = {from, to, at, (f32)(to - from) / ((f32)(end - at) + 1)};
	while (at < end && !stopped(s)) {
		size_t n = scan_find(&s->scanner, s->base.bytes.p, s->base.bytes.n, &at, end, w->places, BATCH);
		try_candidates(s, w, find_candidates(s, w, &c, n));
	}
}

/* The same decision as find_candidates and try_candidates make; patterns that refine have a scanner. */
static void try_label(struct scan *s, struct worker *w, u32 feature, u64 start, u64 end)
{
	u64 at = start;
	if (start > end || !scan_find(&s->scanner, s->base.bytes.p, s->base.bytes.n, &at, end, w->places, 1))
		return;
	if (w->places[0].n)
		add_hit(s, w, feature);
	else
		try_text(s, w, feature, (const char *)s->base.bytes.p + start, end - start, 0);
}

/* Chunk by chunk of features, those that were hits before. */
static void scan_within(struct scan *s, struct worker *w, u64 from, u64 to, const struct labels *base)
{
	u32 f;
	for (; (f = search_next(s->within, (u32)to, from)) != UINT32_MAX && !stopped(s); from = (u64)f + 1) {
		u64 first, n = is_wanted(s, f) ? labels_of(base, f, &first) : 0;
		for (u64 i = first; i < first + n; i++)
			try_label(s, w, f, labels_raw_offset(&s->base, i), labels_raw_offset(&s->base, i + 1));
	}
}

static void scan_extra(struct scan *s, struct worker *w)
{
	for (size_t i = 0; i < s->n_extra && !stopped(s); i++) {
		const struct label *l = &s->extra[i];
		if (l->feature < s->n_features)
			try_text(s, w, l->feature, (const char *)l->text.p, l->text.n, 0);
	}
}

/* Where all tasks before one are done, the features before its first label are settled. */
static void settle(struct scan *s, size_t task)
{
	__atomic_store_n(&s->done[task], 1, __ATOMIC_RELEASE);
	size_t at = __atomic_load_n(&s->n_settled, __ATOMIC_ACQUIRE);
	while (at < s->n_tasks && __atomic_load_n(&s->done[at], __ATOMIC_ACQUIRE)) {
		if (!__atomic_compare_exchange_n(&s->n_settled, &at, at + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			continue;
		at++;
		u64 label = at ? (u64)(at - 1) * CHUNK : 0;
		u64 features = label < s->base.n ? labels_raw_feature(&s->base, label) : s->n_features;
		u64 old = __atomic_load_n(&s->result->n_settled, __ATOMIC_RELAXED);
		while (old < features && !__atomic_compare_exchange_n(&s->result->n_settled, &old, features, false,
								      __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			;
	}
}

/* Task 0 is what people wrote: it is short, and what one wrote oneself should be found first. */
static void scan_task(void *context, size_t task, unsigned thread)
{
	struct scan *s = context;
	struct worker *w = &s->workers[thread];
	if (stopped(s))
		return;
	u64 from = (u64)(task - 1) * CHUNK, to = MIN(from + CHUNK, s->base.n);
	if (!task)
		scan_extra(s, w);
	else
		scan_chunk(s, w, from, to);
	flush(s, w);
	if (stopped(s))
		return;
	settle(s, task);
	progress_add(s->progress, task ? to - from : s->n_extra);
}

struct refining {
	struct scan *scan;
	const struct labels *base;
};

static void refine_task(void *context, size_t task, unsigned thread)
{
	struct refining *r = context;
	struct scan *s = r->scan;
	struct worker *w = &s->workers[thread];
	if (stopped(s))
		return;
	u64 from = (u64)(task - 1) * CHUNK, to = MIN(from + CHUNK, (u64)s->n_features);
	if (!task)
		scan_extra(s, w);
	else
		scan_within(s, w, from, to, r->base);
	flush(s, w);
	progress_add(s->progress, task ? to - from : s->n_extra);
}

/* Bytes are counted here and there, for which of them are rare. */
static void choose_scanner(struct scan *s)
{
	const struct literals *l = &s->pattern->literals;
	const struct span *b = &s->base.bytes;
	u32 counts[256] = {0};
	u64 n = 0;
	if (!l->n || !s->base.n)
		return;
	for (u64 i = 0; i < SAMPLES; i++) {
		u64 at = b->n > (u64)SAMPLES * SAMPLE ? b->n / SAMPLES * i : i * SAMPLE;
		for (u64 end = MIN(at + SAMPLE, b->n); at < end; at++, n++)
			counts[b->p[at]]++;
	}
	scan_init(&s->scanner, l, counts, n, scan_best());
	/* where most labels are candidates, asking each of them is less work */
	s->has_scanner = l->pure || s->scanner.rate * (f64)b->n / (f64)s->base.n < 0.7;
}

static int run(struct scan *s, struct pool *pool, size_t n_tasks, void (*task)(void *, size_t, unsigned),
	       void *context, struct err *e)
{
	unsigned threads = pool_threads(pool);
	s->n_tasks = n_tasks;
	s->workers = mem_try(threads, sizeof *s->workers, "the search", e);
	s->done = s->workers ? mem_try(n_tasks, 1, "the search", e) : NULL;
	if (s->done) {
		if (s->result->budget_ms)
			s->deadline = now_ms() + s->result->budget_ms;
		for (unsigned i = 0; i < threads; i++) {
			s->workers[i].room = regex_room_new(s->pattern->regex, true);
			regex_room_ask(s->workers[i].room, stopped, s);
		}
		pool_each(pool, n_tasks, task, context);
		for (unsigned i = 0; i < threads; i++)
			regex_room_free(s->workers[i].room);
	}
	bool ran = s->done;
	free(s->workers);
	free(s->done);
	if (!ran)
		return -1;
	s->result->complete = !stopped(s);
	if (s->result->complete)
		__atomic_store_n(&s->result->n_settled, s->n_features, __ATOMIC_RELEASE);
	return progress_cancelled(s->progress) ? err_set(e, ERR_CANCELLED, "the search was stopped") : 0;
}

int search_labels(const struct search_pattern *p, struct pool *pool, const struct labels *base,
		  const struct label *extra, size_t n_extra, const u64 *hidden, u32 n_features,
		  struct search_result *r, struct progress *progress, struct err *e)
{
	if (!r->bits && search_result_init(r, n_features, e))
		return -1;
	struct scan s = {
		.pattern = p,
		.extra = extra,
		.n_extra = extra ? n_extra : 0,
		.hidden = hidden,
		.n_features = n_features,
		.result = r,
		.progress = progress,
	};
	if (base)
		s.base = labels_raw(base);
	choose_scanner(&s);
	progress_start(progress, "searching", "labels", s.base.n + s.n_extra);
	return run(&s, pool, 1 + (s.base.n + CHUNK - 1) / CHUNK, scan_task, &s, e);
}

int search_refine(const struct search_pattern *p, struct pool *pool, const struct labels *base,
		  const struct label *extra, size_t n_extra, const u64 *hidden, u32 n_features,
		  const struct search_result *within, struct search_result *r, struct progress *progress,
		  struct err *e)
{
	if (!r->bits && search_result_init(r, n_features, e))
		return -1;
	struct scan s = {
		.pattern = p,
		.extra = extra,
		.n_extra = extra ? n_extra : 0,
		.hidden = hidden,
		.n_features = n_features,
		.within = within,
		.result = r,
		.progress = progress,
		.base = labels_raw(base),
	};
	choose_scanner(&s);
	struct refining refining = {&s, base};
	progress_start(progress, "searching", "features", n_features + s.n_extra);
	return run(&s, pool, 1 + ((size_t)n_features + CHUNK - 1) / CHUNK, refine_task, &refining, e);
}
