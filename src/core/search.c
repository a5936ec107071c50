/* SPDX-License-Identifier: MIT */
/* search.c - PCRE2 over labels: chunks for the pool, a matcher a thread, a limit a label. */
#include "core/search.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

/* A match counts steps; JIT takes about a nanosecond for one, so that the worst label costs
 * some 50 microseconds, and no honest pattern comes near it on a line of text. */
enum { MATCH_LIMIT = 50000, HEAP_LIMIT_KIB = 1024, CHUNK = 16384 };

struct search_pattern {
	pcre2_code *code;
	pcre2_match_context *context; /* limits; for single matches */
	bool jit;
	size_t min_length; /* bytes that a match has at least */
};

/* Compiling. */

static pcre2_code *compile(const char *pattern, u32 options, size_t *offset, struct err *e)
{
	int code;
	PCRE2_SIZE at = 0;
	pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
				       PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | options, &code, &at, NULL);
	if (re)
		return re;
	PCRE2_UCHAR text[256];
	pcre2_get_error_message(code, text, sizeof text);
	if (offset)
		*offset = at;
	err_set(e, ERR_USAGE, "bad pattern at offset %zu: %s", (size_t)at, (char *)text);
	return NULL;
}

static size_t after(const char *s, size_t i, char end)
{
	const char *found = strchr(s + i, end);
	return found ? (size_t)(found - s) + 1 : strlen(s);
}

/* What a pattern says literally, roughly: without escapes, group names and verbs. */
static void add_literals(struct buf *out, const char *s)
{
	for (size_t i = 0; s[i];) {
		if (s[i] == '\\' && s[i + 1] == 'Q') {
			const char *end = strstr(s + i + 2, "\\E");
			size_t n = end ? (size_t)(end - (s + i + 2)) : strlen(s + i + 2);
			buf_add(out, s + i + 2, n);
			i += 2 + n + (end ? 2 : 0);
		} else if (s[i] == '\\' && s[i + 1]) {
			i += 2;
			if (s[i] == '{')
				i = after(s, i, '}');
		} else if (s[i] == '(' && s[i + 1] == '*') {
			i = after(s, i, ')');
		} else if (s[i] == '(' && s[i + 1] == '?') {
			i += 2;
			if (s[i] == 'P' && (s[i + 1] == '<' || s[i + 1] == '=' || s[i + 1] == '>'))
				i++;
			if (s[i] == '<' && s[i + 1] != '=' && s[i + 1] != '!')
				i = after(s, i, '>');
			else
				i += strspn(s + i, "imsxnJUR^-");
		} else {
			buf_addc(out, s[i++]);
		}
	}
}

static bool has_capital(const char *pattern)
{
	struct buf b = BUF_INIT;
	add_literals(&b, pattern);
	pcre2_code *re = compile("[\\p{Lu}\\p{Lt}]", 0, NULL, NULL);
	pcre2_match_data *m = pcre2_match_data_create(1, NULL);
	/* what is not UTF-8 is refused when the pattern itself is compiled */
	bool found = pcre2_match(re, (PCRE2_SPTR)b.s, b.n, 0, 0, m, NULL) > 0;
	pcre2_match_data_free(m);
	pcre2_code_free(re);
	buf_release(&b);
	return found;
}

struct search_pattern *search_compile(const char *pattern, enum search_case c, size_t *offset, struct err *e)
{
	bool ignore = c == SEARCH_IGNORE || (c == SEARCH_SMART && !has_capital(pattern));
	pcre2_code *re = compile(pattern, ignore ? PCRE2_CASELESS : 0, offset, e);
	if (!re)
		return NULL;
	struct search_pattern *p = xcalloc(1, sizeof *p);
	p->code = re;
	p->context = pcre2_match_context_create(NULL);
	pcre2_set_match_limit(p->context, MATCH_LIMIT);
	pcre2_set_heap_limit(p->context, HEAP_LIMIT_KIB);
	/* (*NO_JIT) and exotic patterns fall back to the interpreter */
	size_t size = 0;
	u32 min = 0;
	pcre2_jit_compile(re, PCRE2_JIT_COMPLETE);
	pcre2_pattern_info(re, PCRE2_INFO_JITSIZE, &size);
	pcre2_pattern_info(re, PCRE2_INFO_MINLENGTH, &min);
	p->jit = size > 0;
	p->min_length = min; /* in characters, so at least as many bytes */
	return p;
}

void search_pattern_free(struct search_pattern *p)
{
	if (!p)
		return;
	pcre2_match_context_free(p->context);
	pcre2_code_free(p->code);
	free(p);
}

/* Matching. */

struct matcher { /* one a thread */
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
};

static void matcher_init(struct matcher *m, const struct search_pattern *p)
{
	m->data = pcre2_match_data_create(1, NULL);
	m->context = pcre2_match_context_copy(p->context);
	m->stack = pcre2_jit_stack_create(32 << 10, 1 << 20, NULL);
	pcre2_jit_stack_assign(m->context, NULL, m->stack);
}

static void matcher_release(struct matcher *m)
{
	pcre2_match_data_free(m->data);
	pcre2_match_context_free(m->context);
	pcre2_jit_stack_free(m->stack);
}

/* s is valid UTF-8.  1, 0, or -1: gave up. */
static int match(const struct search_pattern *p, pcre2_match_data *data, pcre2_match_context *context, const char *s,
		 size_t n)
{
	if (n < p->min_length)
		return 0;
	int r = p->jit ? pcre2_jit_match(p->code, (PCRE2_SPTR)s, n, 0, PCRE2_NO_UTF_CHECK, data, context)
		       : pcre2_match(p->code, (PCRE2_SPTR)s, n, 0, PCRE2_NO_UTF_CHECK, data, context);
	return r >= 0 ? 1 : r == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

static bool is_ascii(const char *s, size_t n)
{
	u64 any = 0, word;
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		memcpy(&word, s + i, 8);
		any |= word;
	}
	for (; i < n; i++)
		any |= (u8)s[i];
	return !(any & 0x8080808080808080u);
}

/* As match, for bytes that come from a file: PCRE2 must never see broken UTF-8. */
static int match_any(const struct search_pattern *p, pcre2_match_data *data, pcre2_match_context *context,
		     const char *s, size_t n)
{
	if (is_ascii(s, n) || utf8_is_valid(s, n))
		return match(p, data, context, s, n);
	struct buf b = BUF_INIT;
	utf8_add_valid(&b, s, n);
	int r = match(p, data, context, b.s, b.n);
	buf_release(&b);
	return r;
}

/* Where byte at of the cleaned text lies in the text as given. */
static size_t unclean(const char *s, size_t n, size_t at)
{
	size_t i = 0, cleaned = 0;
	while (i < n && cleaned < at) {
		i32 cp;
		char c[4];
		i += utf8_next(s + i, n - i, &cp);
		cleaned += utf8_encode(cp, c);
	}
	return i;
}

int search_match(const struct search_pattern *p, const char *s, size_t n, size_t *start, size_t *end)
{
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	int r = match_any(p, data, p->context, s, n);
	if (r == 1) {
		const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
		bool valid = utf8_is_valid(s, n);
		size_t from = at[0], to = at[1];
		if (start)
			*start = valid ? from : unclean(s, n, from);
		if (end)
			*end = valid ? to : unclean(s, n, to);
	}
	pcre2_match_data_free(data);
	return r;
}

/* Results. */

int search_result_init(struct search_result *r, u32 n_features, struct err *e)
{
	*r = (struct search_result){0};
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

/* Neighbouring chunks may share a word, and a feature may have labels in both. */
static void add_hit(struct search_result *r, u32 feature)
{
	u64 bit = (u64)1 << (feature % 64);
	u64 *word = &r->bits[feature / 64];
	if (__atomic_load_n(word, __ATOMIC_RELAXED) & bit)
		return;
	if (!(__atomic_fetch_or(word, bit, __ATOMIC_RELAXED) & bit))
		__atomic_fetch_add(&r->n_hits, 1, __ATOMIC_RELAXED);
}

/* Scanning. */

struct scan {
	const struct search_pattern *pattern;
	struct matcher *matchers; /* [threads] */
	const struct labels *base;
	struct span blob;
	u64 n_base;
	const struct label *extra;
	size_t n_extra;
	const u64 *hidden;
	u32 n_features;
	struct search_result *result;
	struct progress *progress;
};

static void try_label(struct scan *s, struct matcher *m, u32 feature, const char *text, size_t n)
{
	int r = match_any(s->pattern, m->data, m->context, text, n);
	if (r > 0)
		add_hit(s->result, feature);
	else if (r < 0)
		__atomic_fetch_add(&s->result->n_gave_up, 1, __ATOMIC_RELAXED);
}

/* The file is mapped and may lie: features and offsets are checked as they are used. */
static void scan_base(struct scan *s, struct matcher *m, u64 from, u64 to)
{
	u64 start = labels_offset(s->base, from);
	for (u64 i = from; i < to && !progress_cancelled(s->progress); i++) {
		u64 end = labels_offset(s->base, i + 1), at = start;
		u32 feature = labels_feature(s->base, i);
		start = end;
		if (feature >= s->n_features || at > end || end > s->blob.n)
			continue;
		if (s->hidden && s->hidden[feature / 64] >> (feature % 64) & 1)
			continue;
		try_label(s, m, feature, (const char *)s->blob.p + at, end - at);
	}
}

static void scan_extra(struct scan *s, struct matcher *m)
{
	for (size_t i = 0; i < s->n_extra && !progress_cancelled(s->progress); i++) {
		const struct label *l = &s->extra[i];
		if (l->feature < s->n_features)
			try_label(s, m, l->feature, (const char *)l->text.p, l->text.n);
	}
}

/* Task 0 is what people wrote: it is short, and what one wrote oneself should be found first. */
static void scan_task(void *context, size_t task, unsigned thread)
{
	struct scan *s = context;
	struct matcher *m = &s->matchers[thread];
	if (progress_cancelled(s->progress))
		return;
	if (!task) {
		scan_extra(s, m);
		progress_add(s->progress, s->n_extra);
		return;
	}
	u64 from = (u64)(task - 1) * CHUNK, to = MIN(from + CHUNK, s->n_base);
	scan_base(s, m, from, to);
	progress_add(s->progress, to - from);
}

int search_labels(const struct search_pattern *p, struct pool *pool, const struct labels *base,
		  const struct label *extra, size_t n_extra, const u64 *hidden, u32 n_features,
		  struct search_result *r, struct progress *progress, struct err *e)
{
	if (!r->bits && search_result_init(r, n_features, e))
		return -1;
	struct scan s = {
		.pattern = p,
		.base = base,
		.n_base = base ? labels_count(base) : 0,
		.extra = extra,
		.n_extra = extra ? n_extra : 0,
		.hidden = hidden,
		.n_features = n_features,
		.result = r,
		.progress = progress,
	};
	if (base)
		s.blob = labels_blob(base);
	unsigned threads = pool_threads(pool);
	s.matchers = xcalloc(threads, sizeof *s.matchers);
	for (unsigned i = 0; i < threads; i++)
		matcher_init(&s.matchers[i], p);
	progress_start(progress, "searching", "labels", s.n_base + s.n_extra);
	pool_each(pool, 1 + (s.n_base + CHUNK - 1) / CHUNK, scan_task, &s);
	for (unsigned i = 0; i < threads; i++)
		matcher_release(&s.matchers[i]);
	free(s.matchers);
	r->complete = !progress_cancelled(progress);
	return r->complete ? 0 : err_set(e, ERR_CANCELLED, "the search was stopped");
}
