/* SPDX-License-Identifier: MIT */
/* gzip.c - a file's bytes, inflated where they must be. */
#include "io/gzip.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

struct gzip {
	gzFile file;
	char *path;
};

struct gzip *gzip_open(const char *path, struct err *e)
{
	errno = 0;
	gzFile f = gzopen(path, "re");
	if (!f) {
		errno = errno ? errno : ENOMEM;
		err_os(e, "cannot open '%s'", path);
		return NULL;
	}
	gzbuffer(f, 1 << 17);
	struct gzip *g = xmalloc(sizeof *g);
	*g = (struct gzip){f, xstrdup(path)};
	return g;
}

i64 gzip_read(struct gzip *g, void *p, size_t n, struct err *e)
{
	errno = 0;
	int got = gzread(g->file, p, (unsigned)MIN(n, (size_t)1 << 30)), code = Z_OK;
	const char *why = gzerror(g->file, &code);
	/* cut off: all there is has been given, and the end is not the stream's */
	if (code == Z_BUF_ERROR)
		return err_set(e, ERR_DAMAGED, "'%s' is cut off: its compressed data end too soon", g->path);
	if (got >= 0)
		return got;
	if (code == Z_ERRNO)
		return err_os(e, "cannot read '%s'", g->path);
	return err_set(e, ERR_DAMAGED, "'%s' is damaged: %s", g->path, why);
}

u64 gzip_taken(const struct gzip *g)
{
	z_off_t at = gzoffset(g->file);
	return at > 0 ? (u64)at : 0;
}

void gzip_free(struct gzip *g)
{
	if (!g)
		return;
	gzclose_r(g->file);
	free(g->path);
	free(g);
}
