/* SPDX-License-Identifier: MIT */
/* gzip.c - a file's bytes, inflated where they must be. */
#include "io/gzip.h"

#include "base/mem.h"
#include "base/outfile.h"

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

enum { PIECE = 1 << 16, LEVEL = 5 /* as the exports that are about */, WRAPPER = 16 /* gzip, not zlib */ };

struct gzip_writer {
	struct outfile *file;
	z_stream z;
	u8 out[PIECE];
};

struct gzip_writer *gzip_writer_new(const char *path, struct err *e)
{
	struct gzip_writer *w = xcalloc(1, sizeof *w);
	w->file = outfile_new(path, e);
	if (w->file &&
	    deflateInit2(&w->z, LEVEL, Z_DEFLATED, MAX_WBITS + WRAPPER, 8, Z_DEFAULT_STRATEGY) == Z_OK)
		return w;
	if (w->file)
		err_set(e, ERR_FAILED, "cannot allocate memory to compress '%s'", path);
	gzip_writer_abandon(w);
	return NULL;
}

/* Gives all that is ready to the file, until the input is used up (or, with Z_FINISH, to the end). */
static int drain(struct gzip_writer *w, int flush, struct err *e)
{
	do {
		w->z.next_out = w->out;
		w->z.avail_out = PIECE;
		deflate(&w->z, flush);
		if (outfile_add(w->file, w->out, PIECE - w->z.avail_out, e))
			return -1;
	} while (!w->z.avail_out);
	return 0;
}

int gzip_writer_add(struct gzip_writer *w, const void *p, size_t n, struct err *e)
{
	const u8 *from = p;
	while (n) {
		size_t now = MIN(n, (size_t)1 << 30);
		w->z.next_in = (u8 *)(uintptr_t)from; /* which zlib only reads */
		w->z.avail_in = (uInt)now;
		if (drain(w, Z_NO_FLUSH, e))
			return -1;
		from += now;
		n -= now;
	}
	return 0;
}

int gzip_writer_commit(struct gzip_writer *w, struct err *e)
{
	w->z.avail_in = 0;
	if (drain(w, Z_FINISH, e)) {
		gzip_writer_abandon(w);
		return -1;
	}
	struct outfile *file = w->file;
	w->file = NULL;
	gzip_writer_abandon(w);
	return outfile_commit(file, e);
}

void gzip_writer_abandon(struct gzip_writer *w)
{
	if (!w)
		return;
	deflateEnd(&w->z);
	outfile_abandon(w->file);
	free(w);
}
