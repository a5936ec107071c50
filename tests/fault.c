/* SPDX-License-Identifier: MIT */
/* fault.c - a library to preload: the N-th call of a kind fails in the process, as a full disk, a broken one or want of memory
 * would have it fail.
 *
 *	FAULT=KIND:N    memory, write, sync, rename, open (for writing) or map; the N-th, from 1
 *	FAULT_MARK=F    an empty file is made when it has failed
 *
 * A disk that is full stays full: from the N-th write on, all fail.  Writes and syncs are of regular files only: what a
 * program says, and what it tells another, goes through.  Memory is what base/mem.h takes for arrays, which alone may fail without ending the
 * program.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { MEMORY, WRITE, SYNC, RENAME, OPEN, MAP, N_KINDS };
static const char *const names[N_KINDS] = {"memory", "write", "sync", "rename", "open", "map"};
static atomic_long count;
static int wanted = -1;
static long at;

__attribute__((constructor)) static void begin(void)
{
	const char *s = getenv("FAULT"), *colon = s ? strchr(s, ':') : NULL;
	for (int i = 0; colon && i < N_KINDS; i++)
		if (strlen(names[i]) == (size_t)(colon - s) && !strncmp(s, names[i], (size_t)(colon - s)))
			wanted = i;
	at = colon ? strtol(colon + 1, NULL, 10) : 0;
}

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static bool fails(enum kind kind)
{
	if ((int)kind != wanted)
		return false;
	long n = atomic_fetch_add(&count, 1) + 1;
	if (n == at) {
		const char *mark = getenv("FAULT_MARK");
		int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))next("open");
		int fd = mark ? real(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : -1;
		if (fd >= 0)
			close(fd);
	}
	return n == at || (kind == WRITE && n > at);
}

static bool is_file(int fd)
{
	struct stat st;
	return fd > STDERR_FILENO && !fstat(fd, &st) && S_ISREG(st.st_mode);
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))next(#name))

int posix_memalign(void **p, size_t align, size_t n)
{
	return fails(MEMORY) ? ENOMEM : REAL(int, posix_memalign, void **, size_t, size_t)(p, align, n);
}

ssize_t write(int fd, const void *p, size_t n)
{
	if (wanted == WRITE && is_file(fd) && fails(WRITE))
		return errno = ENOSPC, -1;
	return REAL(ssize_t, write, int, const void *, size_t)(fd, p, n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t o)
{
	if (wanted == WRITE && is_file(fd) && fails(WRITE))
		return errno = ENOSPC, -1;
	return REAL(ssize_t, pwrite, int, const void *, size_t, off_t)(fd, p, n, o);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t o)
{
	if (wanted == WRITE && is_file(fd) && fails(WRITE))
		return errno = ENOSPC, -1;
	return REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t)(fd, p, n, o);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	if (wanted == WRITE && is_file(fd) && fails(WRITE))
		return errno = ENOSPC, -1;
	return REAL(ssize_t, writev, int, const struct iovec *, int)(fd, v, n);
}

/* stdio writes past the functions above */
size_t fwrite(const void *p, size_t size, size_t n, FILE *f)
{
	if (wanted == WRITE && is_file(fileno(f)) && fails(WRITE))
		return errno = ENOSPC, 0;
	return REAL(size_t, fwrite, const void *, size_t, size_t, FILE *)(p, size, n, f);
}

int fflush(FILE *f)
{
	if (f && wanted == WRITE && is_file(fileno(f)) && fails(WRITE))
		return errno = ENOSPC, EOF;
	return REAL(int, fflush, FILE *)(f);
}

int fsync(int fd)
{
	return is_file(fd) && fails(SYNC) ? (errno = EIO, -1) : REAL(int, fsync, int)(fd);
}

int fdatasync(int fd)
{
	return is_file(fd) && fails(SYNC) ? (errno = EIO, -1) : REAL(int, fdatasync, int)(fd);
}

int rename(const char *a, const char *b)
{
	return fails(RENAME) ? (errno = EIO, -1) : REAL(int, rename, const char *, const char *)(a, b);
}

static int open_as(const char *name, const char *path, int flags, mode_t mode)
{
	if ((flags & O_ACCMODE) != O_RDONLY && !strncmp(path, "/dev/", 5) == 0 && fails(OPEN))
		return errno = ENOSPC, -1;
	return ((int (*)(const char *, int, mode_t))next(name))(path, flags, mode);
}

static mode_t mode_of(int flags, va_list list)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list list;
	va_start(list, flags);
	mode_t mode = mode_of(flags, list);
	va_end(list);
	return open_as("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list list;
	va_start(list, flags);
	mode_t mode = mode_of(flags, list);
	va_end(list);
	return open_as("open64", path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
	if (mode[0] != 'r' && fails(OPEN))
		return errno = ENOSPC, NULL;
	return REAL(FILE *, fopen, const char *, const char *)(path, mode);
}

void *mmap(void *p, size_t n, int prot, int flags, int fd, off_t o)
{
	if (fd >= 0 && fails(MAP))
		return errno = ENOMEM, MAP_FAILED;
	return REAL(void *, mmap, void *, size_t, int, int, int, off_t)(p, n, prot, flags, fd, o);
}

void *mmap64(void *p, size_t n, int prot, int flags, int fd, off64_t o)
{
	if (fd >= 0 && fails(MAP))
		return errno = ENOMEM, MAP_FAILED;
	return REAL(void *, mmap64, void *, size_t, int, int, int, off64_t)(p, n, prot, flags, fd, o);
}
