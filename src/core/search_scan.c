/* SPDX-License-Identifier: MIT */
/* search_scan.c - 64 places at once, with what the processor has. */
#include "core/search_scan.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_X86 1
#include <immintrin.h>
#endif

/* U+017F, an s to caseless patterns, is C5 BF; U+212A, a k, is E2 84 AA. */
static bool is_trap(const u8 *p, u64 n)
{
	return (n >= 2 && p[0] == 0xc5 && p[1] == 0xbf) || (n >= 3 && p[0] == 0xe2 && p[1] == 0x84 && p[2] == 0xaa);
}

static bool is_lower(u8 c)
{
	return c >= 'a' && c <= 'z';
}

/* Each skip goes on from at by 64 until some place of text[at..at + 64) may be one, or end is reached;
 * bit i of *mask is text[at + i].  text may be read to end + 64 + reach. */

static u64 skip_one(const struct scanner *s, const u8 *text, u64 at, u64 end, u64 *mask)
{
	u8 b0 = s->byte[0], b1 = s->byte[1], c0 = s->case_bit[0], c1 = s->case_bit[1], found[64];
	for (; at < end; at += 64) {
		const u8 *p = text + at + s->at[0], *q = text + at + s->at[1];
		u8 any = 0, wide = 0;
		for (int i = 0; i < 64; i++) {
			found[i] = ((p[i] | c0) == b0) & ((q[i] | c1) == b1);
			any |= found[i];
		}
		if (s->trap)
			for (int i = 0; i < 64; i++)
				wide |= text[at + (u64)i];
		u64 m = 0;
		for (unsigned i = 0; any && i < 64; i++)
			m |= (u64)found[i] << i;
		for (unsigned i = 0; wide >= 0x80 && i < 64; i++)
			m |= (u64)is_trap(text + at + i, 3) << i;
		if (m) {
			*mask = m;
			return at;
		}
	}
	*mask = 0;
	return end;
}

static u8 buckets(const struct scanner *s, const u8 *p)
{
	u8 b = 0xff;
	for (size_t i = 0; i < s->n_window; i++)
		b &= s->low[i][p[s->window + i] & 15] & s->high[i][p[s->window + i] >> 4];
	return b;
}

static u64 skip_many(const struct scanner *s, const u8 *text, u64 at, u64 end, u64 *mask)
{
	for (; at < end; at += 64) {
		u64 m = 0;
		for (unsigned i = 0; i < 64; i++)
			if (buckets(s, text + at + i) || (s->trap && is_trap(text + at + i, 3)))
				m |= (u64)1 << i;
		if (m) {
			*mask = m;
			return at;
		}
	}
	*mask = 0;
	return end;
}

#ifdef HAVE_X86
#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f,avx512bw")))

AVX2 static inline __m256i load256(const u8 *p)
{
	return _mm256_loadu_si256((const void *)p);
}

AVX2 static inline __m256i equal256(const u8 *p, u8 byte)
{
	return _mm256_cmpeq_epi8(load256(p), _mm256_set1_epi8((char)byte));
}

AVX2 static inline u32 bits256(__m256i x)
{
	return (u32)_mm256_movemask_epi8(x);
}

AVX2 static inline u32 traps256(const u8 *p)
{
	if (!bits256(load256(p)))
		return 0;
	__m256i s = _mm256_and_si256(equal256(p, 0xc5), equal256(p + 1, 0xbf));
	__m256i k = _mm256_and_si256(equal256(p, 0xe2), equal256(p + 1, 0x84));
	k = _mm256_and_si256(k, equal256(p + 2, 0xaa));
	return bits256(_mm256_or_si256(s, k));
}

AVX2 static inline u32 one256(const struct scanner *s, const u8 *p)
{
	__m256i x = _mm256_or_si256(load256(p + s->at[0]), _mm256_set1_epi8((char)s->case_bit[0]));
	__m256i y = _mm256_or_si256(load256(p + s->at[1]), _mm256_set1_epi8((char)s->case_bit[1]));
	x = _mm256_cmpeq_epi8(x, _mm256_set1_epi8((char)s->byte[0]));
	y = _mm256_cmpeq_epi8(y, _mm256_set1_epi8((char)s->byte[1]));
	return bits256(_mm256_and_si256(x, y)) | (s->trap ? traps256(p) : 0);
}

AVX2 static inline __m256i table256(const u8 *t)
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)t));
}

AVX2 static inline u32 many256(const struct scanner *s, const u8 *p)
{
	const __m256i nibble = _mm256_set1_epi8(15);
	__m256i all = _mm256_set1_epi8(-1);
	for (size_t i = 0; i < s->n_window; i++) {
		__m256i x = load256(p + s->window + i);
		__m256i low = _mm256_shuffle_epi8(table256(s->low[i]), _mm256_and_si256(x, nibble));
		__m256i upper = _mm256_and_si256(_mm256_srli_epi16(x, 4), nibble);
		__m256i high = _mm256_shuffle_epi8(table256(s->high[i]), upper);
		all = _mm256_and_si256(all, _mm256_and_si256(low, high));
	}
	return ~bits256(_mm256_cmpeq_epi8(all, _mm256_setzero_si256())) | (s->trap ? traps256(p) : 0);
}

AVX2 static u64 skip_one_avx2(const struct scanner *s, const u8 *text, u64 at, u64 end, u64 *mask)
{
	for (; at < end; at += 64) {
		u64 m = one256(s, text + at) | (u64)one256(s, text + at + 32) << 32;
		if (m) {
			*mask = m;
			return at;
		}
	}
	*mask = 0;
	return end;
}

AVX2 static u64 skip_many_avx2(const struct scanner *s, const u8 *text, u64 at, u64 end, u64 *mask)
{
	for (; at < end; at += 64) {
		u64 m = many256(s, text + at) | (u64)many256(s, text + at + 32) << 32;
		if (m) {
			*mask = m;
			return at;
		}
	}
	*mask = 0;
	return end;
}

AVX512 static inline u64 equal512(const u8 *p, u8 byte)
{
	return _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(p), _mm512_set1_epi8((char)byte));
}

AVX512 static inline u64 traps512(const u8 *p)
{
	if (!_mm512_movepi8_mask(_mm512_loadu_si512(p)))
		return 0;
	return (equal512(p, 0xc5) & equal512(p + 1, 0xbf)) |
	       (equal512(p, 0xe2) & equal512(p + 1, 0x84) & equal512(p + 2, 0xaa));
}

AVX512 static u64 skip_one_avx512(const struct scanner *s, const u8 *text, u64 at, u64 end, u64 *mask)
{
	const __m512i b0 = _mm512_set1_epi8((char)s->byte[0]), b1 = _mm512_set1_epi8((char)s->byte[1]);
	const __m512i c0 = _mm512_set1_epi8((char)s->case_bit[0]), c1 = _mm512_set1_epi8((char)s->case_bit[1]);
	const u8 *p = text + s->at[0], *q = text + s->at[1];
	bool trap = s->trap;
	for (; at < end; at += 64) {
		__m512i x = _mm512_or_si512(_mm512_loadu_si512(p + at), c0);
		__m512i y = _mm512_or_si512(_mm512_loadu_si512(q + at), c1);
		u64 m = _mm512_mask_cmpeq_epi8_mask(_mm512_cmpeq_epi8_mask(x, b0), y, b1);
		if (trap)
			m |= traps512(text + at);
		if (m) {
			*mask = m;
			return at;
		}
	}
	*mask = 0;
	return end;
}

AVX512 static inline __m512i table512(const u8 *t)
{
	return _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)t));
}

AVX512 static inline __m512i window512(__m512i low, __m512i high, const u8 *p)
{
	const __m512i nibble = _mm512_set1_epi8(15);
	__m512i x = _mm512_loadu_si512(p);
	__m512i l = _mm512_shuffle_epi8(low, _mm512_and_si512(x, nibble));
	__m512i h = _mm512_shuffle_epi8(high, _mm512_and_si512(_mm512_srli_epi16(x, 4), nibble));
	return _mm512_and_si512(l, h);
}

AVX512 static u64 skip_many_avx512(const struct scanner *s, const u8 *text, u64 at, u64 end, u64 *mask)
{
	const __m512i l0 = table512(s->low[0]), l1 = table512(s->low[1]), l2 = table512(s->low[2]);
	const __m512i h0 = table512(s->high[0]), h1 = table512(s->high[1]), h2 = table512(s->high[2]);
	const u8 *p = text + s->window;
	size_t n = s->n_window;
	bool trap = s->trap;
	for (; at < end; at += 64) {
		__m512i x = window512(l0, h0, p + at);
		if (n > 1)
			x = _mm512_and_si512(x, window512(l1, h1, p + at + 1));
		if (n > 2)
			x = _mm512_and_si512(x, window512(l2, h2, p + at + 2));
		u64 m = _mm512_test_epi8_mask(x, x);
		if (trap)
			m |= traps512(text + at);
		if (m) {
			*mask = m;
			return at;
		}
	}
	*mask = 0;
	return end;
}
#endif

enum scan_isa scan_best(void)
{
#ifdef HAVE_X86
	if (__builtin_cpu_supports("avx512bw"))
		return SCAN_AVX512;
	if (__builtin_cpu_supports("avx2"))
		return SCAN_AVX2;
#endif
	return SCAN_PLAIN;
}

static void choose_skip(struct scanner *s, enum scan_isa isa)
{
	bool one = s->n == 1;
	s->skip = one ? skip_one : skip_many;
#ifdef HAVE_X86
	isa = MIN(isa, scan_best());
	if (isa == SCAN_AVX2)
		s->skip = one ? skip_one_avx2 : skip_many_avx2;
	else if (isa == SCAN_AVX512)
		s->skip = one ? skip_one_avx512 : skip_many_avx512;
#else
	(void)isa;
#endif
}

/* Making. */

struct counted {
	const u32 *counts;
	f64 n;
	bool fold;
};

static f64 share(const struct counted *c, u8 byte)
{
	u64 n = c->counts[byte];
	if (c->fold && is_lower(byte))
		n += c->counts[byte ^ 32];
	return ((f64)n + 0.5) / (c->n + 128);
}

static void choose_bytes(struct scanner *s, const struct counted *c)
{
	const struct literal *l = &s->of[0];
	f64 best[2] = {2, 2};
	for (size_t i = 0; i < l->n; i++) {
		f64 x = share(c, l->s[i]);
		if (x < best[0]) {
			best[1] = best[0];
			s->at[1] = s->at[0];
			best[0] = x;
			s->at[0] = i;
		} else if (x < best[1]) {
			best[1] = x;
			s->at[1] = i;
		}
	}
	if (l->n == 1)
		s->at[1] = s->at[0];
	for (int i = 0; i < 2; i++) {
		s->byte[i] = l->s[s->at[i]];
		s->case_bit[i] = s->fold && is_lower(s->byte[i]) ? 32 : 0;
	}
	s->reach = MAX(s->at[0], s->at[1]);
	s->rate = l->n == 1 ? best[0] : best[0] * best[1];
}

static f64 window_rate(const struct scanner *s, const struct counted *c, size_t window)
{
	f64 sum = 0;
	for (size_t k = 0; k < s->n; k++) {
		f64 product = 1;
		for (size_t i = 0; i < s->n_window; i++)
			product *= share(c, s->of[k].s[window + i]);
		sum += product;
	}
	return sum;
}

static void add_to_tables(struct scanner *s, size_t i, u8 byte, u8 bit)
{
	s->low[i][byte & 15] |= bit;
	s->high[i][byte >> 4] |= bit;
}

static void choose_window(struct scanner *s, const struct counted *c)
{
	size_t shortest = s->of[0].n;
	s->n_window = MIN(shortest, (size_t)3);
	s->rate = window_rate(s, c, 0);
	for (size_t w = 1; w + s->n_window <= shortest; w++) {
		f64 rate = window_rate(s, c, w);
		if (rate < s->rate) {
			s->rate = rate;
			s->window = w;
		}
	}
	for (size_t k = 0; k < s->n; k++) {
		s->bucket[k] = (u8)(1u << (k % 8));
		for (size_t i = 0; i < s->n_window; i++) {
			u8 byte = s->of[k].s[s->window + i];
			add_to_tables(s, i, byte, s->bucket[k]);
			if (s->fold && is_lower(byte))
				add_to_tables(s, i, byte ^ 32, s->bucket[k]);
		}
	}
	s->reach = s->window + s->n_window;
}

static void sort_by_length(struct scanner *s)
{
	for (size_t i = 1; i < s->n; i++) {
		struct literal l = s->of[i];
		size_t k = i;
		for (; k && s->of[k - 1].n > l.n; k--)
			s->of[k] = s->of[k - 1];
		s->of[k] = l;
	}
}

static void set_head(struct scanner *s, size_t k)
{
	u8 mask[8] = {0}, bits[8] = {0}, head[8] = {0};
	for (size_t i = 0; i < MIN(s->of[k].n, 8); i++) {
		head[i] = s->of[k].s[i];
		mask[i] = 0xff;
		bits[i] = s->fold && is_lower(head[i]) ? 32 : 0;
	}
	memcpy(&s->head[k], head, 8);
	memcpy(&s->head_mask[k], mask, 8);
	memcpy(&s->head_case[k], bits, 8);
}

void scan_init(struct scanner *s, const struct literals *l, const u32 *counts, u64 n, enum scan_isa isa)
{
	struct counted c = {counts, (f64)n, l->fold};
	*s = (struct scanner){.n = l->n, .fold = l->fold};
	memcpy(s->of, l->of, l->n * sizeof *l->of);
	sort_by_length(s);
	for (size_t k = 0; s->fold && k < s->n; k++)
		if (memchr(s->of[k].s, 's', s->of[k].n) || memchr(s->of[k].s, 'k', s->of[k].n))
			s->trap = true;
	if (s->n == 1)
		choose_bytes(s, &c);
	else
		choose_window(s, &c);
	s->reach = MAX(s->reach, (size_t)3);
	for (size_t k = 0; k < s->n; k++)
		set_head(s, k);
	choose_skip(s, isa);
}

/* Finding. */

/* n bytes from p on may be read. */
static bool stands_at(const struct scanner *s, size_t k, const u8 *p, u64 n)
{
	const struct literal *l = &s->of[k];
	if (n >= 8) {
		u64 head;
		memcpy(&head, p, 8);
		if (((head | s->head_case[k]) & s->head_mask[k]) != s->head[k])
			return false;
		if (l->n <= 8)
			return true;
	}
	if (!s->fold)
		return !memcmp(p, l->s, l->n);
	for (size_t i = 0; i < l->n; i++)
		if (p[i] != l->s[i] && !(is_lower(l->s[i]) && (p[i] | 32) == l->s[i]))
			return false;
	return true;
}

/* n bytes from p on are the text's.  0: nothing here, and no trap either. */
static bool look_at(const struct scanner *s, const u8 *p, u64 n, struct scan_hit *out)
{
	u8 b = s->n > 1 && s->window + s->n_window <= n ? buckets(s, p) : 0;
	for (size_t k = 0; k < s->n && s->of[k].n <= n; k++) {
		if ((s->n == 1 || (s->bucket[k] & b)) && stands_at(s, k, p, n)) {
			out->n = s->of[k].n;
			return true;
		}
	}
	out->n = 0;
	return s->trap && is_trap(p, n);
}

size_t scan_find(const struct scanner *s, const u8 *text, u64 size, u64 *from, u64 to, struct scan_hit *out,
		 size_t cap)
{
	size_t n = 0;
	u64 at = *from;
	/* blocks that may be read in full, with what is looked at behind them */
	u64 margin = 128 + s->reach, end = size > margin ? MIN(to, size - margin) : 0, mask;
	while (at < end) {
		at = s->skip(s, text, at, end, &mask);
		if (!mask)
			break;
		for (; mask; mask &= mask - 1) {
			u64 place = at + (u64)__builtin_ctzll(mask);
			if (place >= to)
				break;
			if (!look_at(s, text + place, to - place, &out[n]))
				continue;
			out[n++].at = place;
			if (n == cap) {
				*from = place + 1;
				return n;
			}
		}
		at += 64;
	}
	at = MIN(at, to);
	for (; at < to && n < cap; at++)
		if (look_at(s, text + at, to - at, &out[n]))
			out[n++].at = at;
	*from = at;
	return n;
}
