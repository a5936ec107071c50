/* SPDX-License-Identifier: MIT */
/* test_search_scan.c - every way to scan finds what looking at each place finds, and reads no further. */
#include "base/mem.h"
#include "core/search_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAGE = 4096, TEXT = 3 * PAGE, ROUNDS = 4000 };

static u64 random_state = 88172645463325252u;

static u32 roll(u32 n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (u32)((random_state >> 24) % n);
}

/* Few different bytes, so that there is much to find; behind its end is nothing to read. */
static u8 *make_text(void)
{
	u8 *p = mmap(NULL, TEXT + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(p != MAP_FAILED);
	assert_int_equal(mprotect(p + TEXT, PAGE, PROT_NONE), 0);
	return p;
}

static void fill(u8 *p)
{
	static const char *const pieces[] = {"a", "b", "s", "k", "S", "K", "A", " ", "sk", "ſ", "\u212a", "\xc5", "\xe2\x84", "zz", "\xff"};
	u32 dense = 1 + roll(40);
	for (size_t i = 0; i < TEXT;) {
		const char *s = roll(dense) ? "-" : pieces[roll(ARRAY_LEN(pieces))];
		for (; *s && i < TEXT; s++)
			p[i++] = (u8)*s;
	}
}

static void make_literals(struct literals *l)
{
	static const char bytes[] = "absk zSA-\xc5\xbf\xe2\x84\xaa";
	*l = (struct literals){.n = roll(2) ? 1 : 2 + roll(LITERAL_MAX - 1), .fold = roll(2)};
	for (size_t k = 0; k < l->n; k++) {
		l->of[k].n = (u8)(1 + roll(roll(4) ? 4 : LITERAL_BYTES));
		for (size_t i = 0; i < l->of[k].n; i++) {
			u8 c = (u8)bytes[roll(sizeof bytes - 1)];
			l->of[k].s[i] = l->fold && c >= 'A' && c <= 'Z' ? c | 32 : c;
		}
	}
}

static bool stands(const struct literals *l, const struct literal *a, const u8 *p, u64 n)
{
	if (a->n > n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		u8 c = p[i];
		if (l->fold && c >= 'A' && c <= 'Z')
			c |= 32;
		if (c != a->s[i])
			return false;
	}
	return true;
}

static bool has_trap(const struct literals *l)
{
	for (size_t k = 0; l->fold && k < l->n; k++)
		for (size_t i = 0; i < l->of[k].n; i++)
			if (l->of[k].s[i] == 's' || l->of[k].s[i] == 'k')
				return true;
	return false;
}

/* The length of the shortest literal here, 0 for a character that folds to s or k, or UINT64_MAX. */
static u64 plainly(const struct literals *l, const u8 *p, u64 n)
{
	u64 shortest = UINT64_MAX;
	for (size_t k = 0; k < l->n; k++)
		if (stands(l, &l->of[k], p, n) && l->of[k].n < shortest)
			shortest = l->of[k].n;
	bool folds = (n > 1 && !memcmp(p, "ſ", 2)) || (n > 2 && !memcmp(p, "\u212a", 3));
	return shortest == UINT64_MAX && has_trap(l) && folds ? 0 : shortest;
}

static u64 compare(const struct literals *l, const u8 *text, enum scan_isa isa)
{
	struct scanner s;
	struct scan_hit hits[64];
	u32 counts[256] = {0};
	u64 size = TEXT, from = roll(300), to = size - (roll(2) ? roll(400) : 0), found = 0, at = from;
	const u8 *p = text;
	if (roll(2)) { /* a short one, at the very end of what may be read */
		p = text + TEXT - roll(500);
		size = (u64)(text + TEXT - p);
		from = at = MIN(from, size);
		to = size;
	}
	for (u64 i = 0; i < size; i++)
		counts[p[i]]++;
	scan_init(&s, l, counts, size, isa);
	for (u64 place = from; place < to;) {
		size_t cap = 1 + roll(ARRAY_LEN(hits)), n = scan_find(&s, p, size, &place, to, hits, cap);
		assert_true(n <= cap && (n == cap || place == to));
		for (size_t i = 0; i < n; i++, at++, found++) {
			while (at < hits[i].at && plainly(l, p + at, to - at) == UINT64_MAX)
				at++;
			assert_int_equal(at, hits[i].at);
			assert_int_equal(plainly(l, p + at, to - at), hits[i].n);
		}
	}
	for (; at < to; at++)
		assert_true(plainly(l, p + at, to - at) == UINT64_MAX);
	return found;
}

static void every_way_finds_the_same(void **state)
{
	(void)state;
	u8 *text = make_text();
	u64 found = 0;
	for (int round = 0; round < ROUNDS; round++) {
		static struct literals l;
		if (round % 50 == 0)
			fill(text);
		make_literals(&l);
		for (enum scan_isa isa = SCAN_PLAIN; isa <= scan_best(); isa++)
			found += compare(&l, text, isa);
	}
	assert_true(found > 100000);
	munmap(text, TEXT + PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_way_finds_the_same)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
