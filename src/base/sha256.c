/* SPDX-License-Identifier: MIT */
#include "base/sha256.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdlib.h>
#include <unistd.h>

void sha256_bytes(const void *p, size_t n, char hex[65])
{
	SHA256Data(p, n, hex);
}

int sha256_file(const char *path, char hex[65], struct progress *progress, struct err *e)
{
	enum { STEP = 1 << 20 };
	int r = -1, fd = open(path, O_RDONLY | O_CLOEXEC);
	u8 *chunk = NULL;
	if (fd < 0)
		return err_os(e, "cannot open '%s'", path);
	chunk = xmalloc(STEP);
	SHA2_CTX c;
	SHA256Init(&c);
	for (;;) {
		if (progress && progress_cancelled(progress)) {
			err_set(e, ERR_CANCELLED, "stopped");
			goto out;
		}
		ssize_t n = read(fd, chunk, STEP);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err_os(e, "cannot read '%s'", path);
			goto out;
		}
		if (n == 0)
			break;
		SHA256Update(&c, chunk, (size_t)n);
		if (progress)
			progress_add(progress, (u64)n);
	}
	SHA256End(&c, hex);
	r = 0;
out:
	free(chunk);
	close(fd);
	return r;
}
