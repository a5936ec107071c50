/* SPDX-License-Identifier: MIT */
/* import_part.c - a committed batch, read again. */
#include "core/import_impl.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int damaged(const struct import_part *p, struct err *e)
{
	return err_set(e, ERR_DAMAGED, "'%s' is damaged; remove it, and the import makes it again", p->path);
}

int import_part_read(const struct import_part *p, int fd, u64 offset, void *out, size_t n, struct err *e)
{
	if (offset > p->size || n > p->size - offset)
		return damaged(p, e);
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(fd, (u8 *)out + done, n - done, (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_os(e, "cannot read '%s'", p->path);
		if (!got)
			return damaged(p, e);
		done += (size_t)got;
	}
	return 0;
}

static int read_tail(struct import_part *p, int fd, struct err *e)
{
	struct import_tail *t = &p->tail;
	if (p->size < sizeof *t || import_part_read(p, fd, p->size - sizeof *t, t, sizeof *t, e))
		return damaged(p, e);
	u64 end = p->size - sizeof *t;
	if (memcmp(t->magic, IMPORT_MAGIC, sizeof t->magic) || t->strings > t->runs || t->runs > t->about ||
	    t->about > end || t->n_about != end - t->about ||
	    t->n_runs > (t->about - t->runs) / sizeof(struct import_run) ||
	    t->n_strings > (t->runs - t->strings) / sizeof(u32) || t->n_about > 1 << 20)
		return damaged(p, e);
	char *text = xmalloc(t->n_about + 1);
	int bad = import_part_read(p, fd, t->about, text, t->n_about, e);
	if (!bad && !(p->about = json_parse(text, t->n_about, p->path, e)))
		bad = -1;
	free(text);
	return bad;
}

int import_part_open(struct import_part *p, const char *path, struct err *e)
{
	*p = (struct import_part){.path = xstrdup(path)};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_os(e, "cannot open '%s'", path);
	off_t size = lseek(fd, 0, SEEK_END);
	p->size = size > 0 ? (u64)size : 0;
	int bad = read_tail(p, fd, e);
	close(fd);
	return bad;
}

void import_part_release(struct import_part *p)
{
	json_decref(p->about);
	free(p->path);
	free(p->ids);
	*p = (struct import_part){0};
}

static int add_strings(struct import_part *p, const u8 *s, size_t n, struct intern *t, struct err *e)
{
	size_t at = 0;
	for (u64 i = 0; i < p->tail.n_strings; i++) {
		u32 length;
		if (n - at < sizeof length)
			return damaged(p, e);
		memcpy(&length, s + at, sizeof length);
		at += sizeof length;
		if (length > n - at)
			return damaged(p, e);
		i64 id = intern_add(t, (const char *)s + at, length, e);
		if (id < 0)
			return -1;
		p->ids[i] = (u32)id;
		at += length;
	}
	return 0;
}

int import_part_strings(struct import_part *p, struct intern *t, struct err *e)
{
	size_t n = p->tail.runs - p->tail.strings;
	u8 *s = mem_try(n, 1, "tokens", e);
	p->ids = mem_try(p->tail.n_strings, sizeof *p->ids, "tokens", e);
	int fd = open(p->path, O_RDONLY | O_CLOEXEC);
	int bad = fd < 0 ? err_os(e, "cannot open '%s'", p->path) : s && p->ids ? 0 : -1;
	if (!bad)
		bad = import_part_read(p, fd, p->tail.strings, s, n, e) || add_strings(p, s, n, t, e);
	if (fd >= 0)
		close(fd);
	free(s);
	return bad ? -1 : 0;
}
