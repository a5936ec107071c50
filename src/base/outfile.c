/* SPDX-License-Identifier: MIT */
#include "base/outfile.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 1 << 18 };

struct outfile {
	char *path;
	char *to, *part; /* where the links of path lead, and what lies beside it; part NULL: written directly */
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
	free(o->to);
	free(o->part);
	free(o);
}

/* ---- what a path stands for ---- */

/* The number in "/dev/fd/N" and its like, or -1. */
static int descriptor_of(const char *path)
{
	static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		const char *s = path + strlen(folders[i]);
		if (!strncmp(path, folders[i], strlen(folders[i])) && *s && strspn(s, "0123456789") == strlen(s) &&
		    strlen(s) < 7)
			return atoi(s);
	}
	return -1;
}

/* Where the link at path leads, owned; NULL where it is none. */
static char *step_along(const char *path)
{
	char link[PATH_MAX];
	ssize_t n = readlink(path, link, sizeof link - 1);
	if (n <= 0)
		return NULL;
	link[n] = 0;
	const char *slash = strrchr(path, '/');
	return link[0] == '/' || !slash ? xstrdup(link) : xasprintf("%.*s/%s", (int)(slash - path), path, link);
}

/* Follows the links of o->to, but not those of a descriptor, which lead to no place: *fd is that, or -1. */
static int follow(struct outfile *o, int *fd)
{
	enum { MOST_LINKS = 40 };
	for (int i = 0; i < MOST_LINKS; i++) {
		char *next = (*fd = descriptor_of(o->to)) < 0 ? step_along(o->to) : NULL;
		if (!next)
			return 0;
		free(o->to);
		o->to = next;
	}
	errno = ELOOP;
	return -1;
}

/* A copy of a descriptor that was handed to the program; its own ones close on exec and are none of a path's matter. */
static int share(int fd)
{
	int own = fcntl(fd, F_GETFD), mode = fcntl(fd, F_GETFL);
	if (own < 0 || mode < 0 || own & FD_CLOEXEC || (mode & O_ACCMODE) == O_RDONLY) {
		errno = EBADF;
		return -1;
	}
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* The descriptor to write to, or -1 and errno. */
static int open_target(struct outfile *o)
{
	struct stat st;
	int shared;
	if (follow(o, &shared))
		return -1;
	if (shared >= 0)
		return share(shared);
	if (!*o->to || (!stat(o->to, &st) && !S_ISREG(st.st_mode))) /* where a folder is, that is an error */
		return open(o->to, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	o->part = xasprintf("%s.part-%ld", o->to, (long)getpid());
	return open(o->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

struct outfile *outfile_new(const char *path, struct err *e)
{
	struct outfile *o = xmalloc(sizeof *o);
	o->path = xstrdup(path);
	o->to = xstrdup(path);
	o->part = NULL;
	o->size = 0;
	o->n = 0;
	o->fd = open_target(o);
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

/* Pipes and devices cannot be synced. */
static int sync_file(const struct outfile *o)
{
	return fsync(o->fd) && (o->part || (errno != EINVAL && errno != EROFS && errno != ENOTSUP)) ? -1 : 0;
}

int outfile_commit(struct outfile *o, struct err *e)
{
	int r = flush(o, e);
	if (!r && sync_file(o))
		r = err_os(e, "cannot write '%s'", o->path);
	if (!r && o->part && rename(o->part, o->to))
		r = err_os(e, "cannot put '%s' in place", o->path);
	if (r && o->part)
		unlink(o->part);
	else if (o->part)
		sync_folder(o->to);
	free_all(o);
	return r;
}

void outfile_abandon(struct outfile *o)
{
	if (!o)
		return;
	if (o->part)
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
