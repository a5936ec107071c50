/* SPDX-License-Identifier: MIT */
#include "base/outfile.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 1 << 18 };

struct outfile {
	char *path, *part;
	int fd;
	u64 size;
	size_t n; /* bytes waiting in buffer */
	u8 buffer[BUFFER];
};

static void free_all(struct outfile *o)
{
	if (o->fd >= 0)
		close(o->fd);
	free(o->path);
	free(o->part);
	free(o);
}

struct outfile *outfile_new(const char *path, struct err *e)
{
	struct outfile *o = xmalloc(sizeof *o);
	o->path = xstrdup(path);
	o->part = xasprintf("%s.part-%ld", path, (long)getpid());
	o->size = 0;
	o->n = 0;
	o->fd = open(o->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (o->fd < 0) {
		err_os(e, "cannot create '%s'", path);
		free_all(o);
		return NULL;
	}
	return o;
}

static int write_fully(struct outfile *o, const u8 *p, size_t n, struct err *e)
{
	while (n) {
		ssize_t r = write(o->fd, p, n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_os(e, "cannot write '%s'", o->path);
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

static int flush(struct outfile *o, struct err *e)
{
	int r = write_fully(o, o->buffer, o->n, e);
	o->n = 0;
	return r;
}

int outfile_add(struct outfile *o, const void *p, size_t n, struct err *e)
{
	o->size += n;
	if (n > BUFFER - o->n && flush(o, e))
		return -1;
	if (n >= BUFFER)
		return write_fully(o, p, n, e);
	memcpy(o->buffer + o->n, p, n);
	o->n += n;
	return 0;
}

u64 outfile_size(const struct outfile *o)
{
	return o->size;
}

static void sync_folder(const char *path)
{
	char *folder = xstrdup(path), *slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = 0;
	int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		/* some file systems refuse; the rename itself has happened */
		(void)!fsync(fd);
		close(fd);
	}
	free(folder);
}

int outfile_commit(struct outfile *o, struct err *e)
{
	int r = flush(o, e);
	if (!r && fsync(o->fd))
		r = err_os(e, "cannot write '%s'", o->path);
	if (!r && rename(o->part, o->path))
		r = err_os(e, "cannot put '%s' in place", o->path);
	if (r)
		unlink(o->part);
	else
		sync_folder(o->path);
	free_all(o);
	return r;
}

void outfile_abandon(struct outfile *o)
{
	if (!o)
		return;
	unlink(o->part);
	free_all(o);
}

int outfile_write_all(const char *path, const void *p, size_t n, struct err *e)
{
	struct outfile *o = outfile_new(path, e);
	if (!o)
		return -1;
	if (outfile_add(o, p, n, e)) {
		outfile_abandon(o);
		return -1;
	}
	return outfile_commit(o, e);
}
