/* SPDX-License-Identifier: MIT */
/* intern.c - an open table over one arena of bytes. */
#include "core/intern.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct slot {
	u32 hash, id; /* id + 1; 0: free */
};

struct intern {
	const struct intern *base;
	u32 n_base, n;
	struct slot *slots;
	u32 n_slots; /* a power of two, never more than two thirds full */
	u32 *end;    /* [n] in bytes */
	u32 cap;
	struct buf bytes;
};

struct intern *intern_new(const struct intern *base)
{
	struct intern *t = xcalloc(1, sizeof *t);
	t->base = base;
	t->n_base = base ? intern_count(base) : 0;
	t->n_slots = 1024;
	t->slots = xcalloc(t->n_slots, sizeof *t->slots);
	buf_init(&t->bytes);
	return t;
}

void intern_free(struct intern *t)
{
	if (!t)
		return;
	buf_release(&t->bytes);
	free(t->slots);
	free(t->end);
	free(t);
}

u32 intern_count(const struct intern *t)
{
	return t->n_base + t->n;
}

u32 intern_n_base(const struct intern *t)
{
	return t->n_base;
}

struct span intern_at(const struct intern *t, u32 id)
{
	if (id < t->n_base)
		return intern_at(t->base, id);
	id -= t->n_base;
	if (id >= t->n)
		return (struct span){(const u8 *)"", 0};
	u32 from = id ? t->end[id - 1] : 0;
	return (struct span){(const u8 *)t->bytes.s + from, t->end[id] - from};
}

/* FNV-1a (Fowler, Noll, Vo), its upper bits folded in. */
static u32 hash_of(const char *s, size_t n)
{
	u64 h = 0xcbf29ce484222325u;
	for (size_t i = 0; i < n; i++)
		h = (h ^ (u8)s[i]) * 0x100000001b3u;
	return (u32)(h ^ h >> 32);
}

/* The slot that holds the string, or the free one where it would go. */
static struct slot *find(const struct intern *t, const char *s, size_t n, u32 hash)
{
	for (u32 i = hash;; i++) {
		struct slot *slot = &t->slots[i & (t->n_slots - 1)];
		if (!slot->id)
			return slot;
		if (slot->hash != hash)
			continue;
		u32 at = slot->id - 1, from = at ? t->end[at - 1] : 0;
		if (t->end[at] - from == n && !memcmp(t->bytes.s + from, s, n))
			return slot;
	}
}

static void widen(struct intern *t)
{
	struct slot *old = t->slots;
	u32 n = t->n_slots;
	t->n_slots *= 2;
	t->slots = xcalloc(t->n_slots, sizeof *t->slots);
	for (u32 i = 0; i < n; i++) {
		u32 at = old[i].hash;
		if (!old[i].id)
			continue;
		while (t->slots[at & (t->n_slots - 1)].id)
			at++;
		t->slots[at & (t->n_slots - 1)] = old[i];
	}
	free(old);
}

i64 intern_add(struct intern *t, const char *s, size_t n, struct err *e)
{
	u32 hash = hash_of(s, n);
	for (const struct intern *b = t->base; b; b = b->base) {
		const struct slot *slot = find(b, s, n, hash);
		if (slot->id)
			return b->n_base + slot->id - 1;
	}
	struct slot *slot = find(t, s, n, hash);
	if (slot->id)
		return t->n_base + slot->id - 1;
	if (n > INTERN_LONGEST)
		return err_set(e, ERR_DAMAGED, "a token of %zu bytes is longer than %d", n, INTERN_LONGEST);
	if (intern_count(t) >= INTERN_MAX || t->bytes.n + n > INTERN_BYTES)
		return err_set(e, ERR_DAMAGED,
			       "there are more than %d different tokens, or they are too long", INTERN_MAX);
	if (t->n == t->cap) {
		t->cap = 2 * t->cap + 1024;
		t->end = xreallocarray(t->end, t->cap, sizeof *t->end);
	}
	buf_add(&t->bytes, s, n);
	t->end[t->n++] = (u32)t->bytes.n;
	*slot = (struct slot){hash, t->n};
	if (t->n > t->n_slots / 3 * 2)
		widen(t);
	return t->n_base + t->n - 1;
}
