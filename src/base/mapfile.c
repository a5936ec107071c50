/* SPDX-License-Identifier: MIT */
#include "base/mapfile.h"

#include "base/mem.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_MAPS = 256 };

struct mapfile {
	char *path;
	struct span span;
};

/* What the signal handler may look at: slots are claimed once and never moved. */
static _Atomic(struct mapfile *) open_maps[MAX_MAPS];
static void (*sigbus_restore)(void);

struct mapfile *mapfile_open(const char *path, struct err *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		err_os(e, "cannot open '%s'", path);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(e, ERR_FAILED, "cannot open '%s': not a regular file", path);
		close(fd);
		return NULL;
	}
	void *p = NULL;
	if (st.st_size > 0)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		err_os(e, "cannot map '%s'", path);
		close(fd);
		return NULL;
	}
	close(fd);
	struct mapfile *m = xmalloc(sizeof *m);
	*m = (struct mapfile){xstrdup(path), {p, (size_t)st.st_size}};
	for (int i = 0; i < MAX_MAPS; i++) {
		struct mapfile *none = NULL;
		if (atomic_compare_exchange_strong(&open_maps[i], &none, m))
			break;
	}
	return m;
}

void mapfile_free(struct mapfile *m)
{
	if (!m)
		return;
	for (int i = 0; i < MAX_MAPS; i++) {
		struct mapfile *me = m;
		if (atomic_compare_exchange_strong(&open_maps[i], &me, NULL))
			break;
	}
	if (m->span.n)
		munmap((void *)(uintptr_t)m->span.p, m->span.n);
	free(m->path);
	free(m);
}

struct span mapfile_span(const struct mapfile *m)
{
	return m->span;
}

const char *mapfile_path(const struct mapfile *m)
{
	return m->path;
}

static void say(const char *s)
{
	if (write(2, s, strlen(s)) < 0)
		_exit(3);
}

static void on_sigbus(int sig, siginfo_t *info, void *ucontext)
{
	(void)sig;
	(void)ucontext;
	if (sigbus_restore)
		sigbus_restore();
	const u8 *at = info->si_addr;
	for (int i = 0; i < MAX_MAPS; i++) {
		struct mapfile *m = atomic_load(&open_maps[i]);
		if (m && at >= m->span.p && at < m->span.p + m->span.n) {
			say("featlas: '");
			say(m->path);
			say("' was truncated while it was open\n");
			_exit(3);
		}
	}
	say("featlas: a mapped file was truncated while it was open\n");
	_exit(3);
}

void mapfile_on_sigbus(void (*restore)(void))
{
	sigbus_restore = restore;
	struct sigaction sa = {.sa_flags = SA_SIGINFO};
	sa.sa_sigaction = on_sigbus;
	sigemptyset(&sa.sa_mask);
	sigaction(SIGBUS, &sa, NULL);
}
