/* SPDX-License-Identifier: MIT */
/* zip.c - minizip finds and walks the directory, zlib inflates, both over mapped bytes. */
#include "io/zip.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <minizip/unzip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
	MAX_ENTRIES = 1 << 16,
	PIECE = 1 << 18,
	INPUT_PIECE = 1 << 30,
	CENTRAL = 0x02014b50,
	LOCAL = 0x04034b50
};

struct zip {
	struct span file;
	const char *path;
	struct zip_entry *entries;
	size_t n, cap;
	size_t *by_name;
};

/* What minizip reads: the mapped bytes. */
struct source {
	struct span file;
	u64 at;
};

static voidpf source_open(voidpf opaque, const void *name, int mode)
{
	(void)name;
	(void)mode;
	return opaque;
}

static uLong source_read(voidpf opaque, voidpf stream, void *to, uLong n)
{
	struct source *s = opaque;
	(void)stream;
	n = MIN(n, s->file.n - s->at);
	if (n)
		memcpy(to, s->file.p + s->at, n);
	s->at += n;
	return n;
}

static ZPOS64_T source_tell(voidpf opaque, voidpf stream)
{
	(void)stream;
	return ((struct source *)opaque)->at;
}

static long source_seek(voidpf opaque, voidpf stream, ZPOS64_T offset, int origin)
{
	struct source *s = opaque;
	(void)stream;
	u64 base = origin == ZLIB_FILEFUNC_SEEK_CUR   ? s->at
		   : origin == ZLIB_FILEFUNC_SEEK_END ? s->file.n
						      : 0;
	if (offset > s->file.n - base)
		return -1;
	s->at = base + offset;
	return 0;
}

static int source_close(voidpf opaque, voidpf stream)
{
	(void)opaque;
	(void)stream;
	return 0;
}

static int source_error(voidpf opaque, voidpf stream)
{
	(void)opaque;
	(void)stream;
	return 0;
}

static int damaged(const struct zip *z, const char *entry, const char *what, struct err *e)
{
	return err_set(e, ERR_DAMAGED, "'%s': entry '%.100s' %s", z->path, entry, what);
}

static int check_place(const struct zip *z, const struct zip_entry *x, struct err *e)
{
	char what[120];
	if (x->offset > z->file.n || x->packed > z->file.n - x->offset)
		return damaged(z, x->name, "reaches beyond the end of the file", e);
	if (x->stored && x->size != x->packed)
		return damaged(z, x->name, "is stored, but its two sizes differ", e);
	/* deflate cannot do better than 1032 to 1 */
	if (!x->stored && x->size / 1032 > x->packed) {
		snprintf(what, sizeof what, "says that %llu bytes hold %llu, more than deflate can",
			 (unsigned long long)x->packed, (unsigned long long)x->size);
		return damaged(z, x->name, what, e);
	}
	return 0;
}

static u64 number(const u8 *p, size_t n)
{
	u64 v = 0;
	memcpy(&v, p, n); /* little-endian, as configure demands of the machine */
	return v;
}

/* The sizes and the offset that did not fit into 32 bits are in the extra field 1, in this order. */
static int read_zip64(struct span extra, u64 *const fields[3])
{
	struct span wide = {0};
	for (size_t at = 0, n; at + 4 <= extra.n; at += 4 + n) {
		n = (size_t)number(extra.p + at + 2, 2);
		if (number(extra.p + at, 2) == 1 && n <= extra.n - at - 4)
			wide = (struct span){extra.p + at + 4, n};
	}
	for (int i = 0; i < 3; i++) {
		if (*fields[i] != UINT32_MAX)
			continue;
		if (wide.n < 8)
			return -1;
		*fields[i] = number(wide.p, 8);
		wide = (struct span){wide.p + 8, wide.n - 8};
	}
	return 0;
}

/* What lies in front of the contents: sets x->offset from the local header at `local`. */
static int read_local(const struct zip *z, struct zip_entry *x, u64 local, const u8 *central, struct err *e)
{
	u64 n_name = strlen(x->name);
	bool there = local <= z->file.n && z->file.n - local >= 30 + n_name;
	const u8 *p = z->file.p + (there ? local : 0);
	bool same = there && number(p, 4) == LOCAL && number(p + 8, 2) == number(central + 10, 2) &&
		    number(p + 26, 2) == n_name && !memcmp(p + 30, x->name, n_name);
	/* sizes are there, or too wide, or come after the contents (flag 3) */
	if (same && !(number(p + 6, 2) & 8))
		same = (number(p + 18, 4) == UINT32_MAX || number(p + 18, 4) == x->packed) &&
		       (number(p + 22, 4) == UINT32_MAX || number(p + 22, 4) == x->size) &&
		       number(p + 14, 4) == x->crc;
	if (!same)
		return damaged(z, x->name, "is not where the directory says, or not what it says", e);
	x->offset = local + 30 + n_name + number(p + 28, 2);
	return 0;
}

/* An entry of the directory, at `at` (APPNOTE 4.3.12).  It is read here because minizip 1.1 leaves the wide
 * sizes of zip64 unread where long has 64 bits. */
static int read_central(struct zip *z, struct zip_entry *x, u64 at, u64 *local, struct err *e)
{
	bool there = at <= z->file.n && z->file.n - at >= 46;
	const u8 *p = z->file.p + (there ? at : 0);
	there = there && number(p, 4) == CENTRAL;
	u64 n_name = there ? number(p + 28, 2) : 0, n_extra = there ? number(p + 30, 2) : 0;
	if (!there || z->file.n - at - 46 < n_name + n_extra)
		return err_set(e, ERR_DAMAGED, "'%s': entry %zu of its directory is damaged", z->path, z->n);
	if (memchr(p + 46, 0, n_name) || !utf8_is_valid((const char *)p + 46, n_name))
		return err_set(e, ERR_DAMAGED, "'%s': the name of entry %zu is not UTF-8", z->path, z->n);
	x->name = xstrndup((const char *)p + 46, n_name);
	x->crc = (u32)number(p + 16, 4);
	x->packed = number(p + 20, 4);
	x->size = number(p + 24, 4);
	*local = number(p + 42, 4);
	u64 method = number(p + 10, 2);
	x->stored = method == 0;
	if (number(p + 8, 2) & 1)
		return damaged(z, x->name, "is encrypted", e);
	if (method != 0 && method != Z_DEFLATED)
		return err_set(e, ERR_DAMAGED,
			       "'%s': entry '%.100s' is packed by method %llu, and not stored or deflated",
			       z->path, x->name, (unsigned long long)method);
	if (read_zip64((struct span){p + 46 + n_name, n_extra}, (u64 *const[]){&x->size, &x->packed, local}))
		return damaged(z, x->name, "has sizes beyond 4 GiB that are not given", e);
	return 0;
}

/* end: of the entry in the directory. */
static int read_entry(struct zip *z, u64 at, u64 *end, struct err *e)
{
	if (z->n == z->cap) {
		z->cap = z->cap ? 2 * z->cap : 16;
		z->entries = xreallocarray(z->entries, z->cap, sizeof *z->entries);
	}
	struct zip_entry *x = &z->entries[z->n];
	u64 local;
	*x = (struct zip_entry){0};
	if (read_central(z, x, at, &local, e) || read_local(z, x, local, z->file.p + at, e) ||
	    check_place(z, x, e)) {
		free((char *)(uintptr_t)x->name);
		return -1;
	}
	const u8 *p = z->file.p + at;
	*end = at + 46 + number(p + 28, 2) + number(p + 30, 2) + number(p + 32, 2);
	*end = MIN(*end, z->file.n);
	z->n++;
	return 0;
}

static int read_directory(struct zip *z, unzFile u, struct err *e)
{
	unz_global_info64 all;
	if (unzGetGlobalInfo64(u, &all) != UNZ_OK || all.number_entry > MAX_ENTRIES)
		return err_set(e, ERR_DAMAGED, "'%s': its directory counts more than %d entries", z->path,
			       MAX_ENTRIES);
	if (!all.number_entry)
		return 0;
	u64 end = 0;
	for (int at = unzGoToFirstFile(u); at == UNZ_OK && z->n < all.number_entry; at = unzGoToNextFile(u))
		if (read_entry(z, unzGetOffset64(u), &end, e))
			return -1;
	bool more = z->file.n - end >= 4 && number(z->file.p + end, 4) == CENTRAL;
	if (more || z->n != all.number_entry)
		return err_set(e, ERR_DAMAGED, "'%s': its directory counts %llu entries and lists %s%zu",
			       z->path, (unsigned long long)all.number_entry, more ? "more than " : "", z->n);
	return 0;
}

static int by_name(const void *a, const void *b, void *entries)
{
	const struct zip_entry *x = entries;
	return strcmp(x[*(const size_t *)a].name, x[*(const size_t *)b].name);
}

static int by_offset(const void *a, const void *b, void *entries)
{
	const struct zip_entry *x = (struct zip_entry *)entries + *(const size_t *)a,
			       *y = (struct zip_entry *)entries + *(const size_t *)b;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return (x->packed > y->packed) - (x->packed < y->packed);
}

/* No two entries share bytes or a name. */
static int check_together(struct zip *z, struct err *e)
{
	size_t *order = z->by_name = xcalloc(z->n + 1, sizeof *order);
	const struct zip_entry *x = z->entries;
	for (size_t i = 0; i < z->n; i++)
		order[i] = i;
	if (z->n)
		qsort_r(order, z->n, sizeof *order, by_offset, z->entries);
	for (size_t i = 1; i < z->n; i++)
		if (x[order[i - 1]].offset + x[order[i - 1]].packed > x[order[i]].offset)
			return damaged(z, x[order[i]].name, "overlaps another", e);
	if (z->n)
		qsort_r(order, z->n, sizeof *order, by_name, z->entries);
	for (size_t i = 1; i < z->n; i++)
		if (!strcmp(x[order[i - 1]].name, x[order[i]].name))
			return damaged(z, x[order[i]].name, "is there twice", e);
	return 0;
}

/* The end record is the file's last bytes, with the comment it announces. */
static bool ends_whole(struct span file)
{
	for (u64 n = 22; n <= MIN(file.n, (u64)22 + UINT16_MAX); n++) {
		const u8 *p = file.p + (file.n - n);
		if (number(p, 4) == 0x06054b50 && number(p + 20, 2) == n - 22)
			return true;
	}
	return false;
}

struct zip *zip_open(struct span file, const char *path, struct err *e)
{
	struct source source = {file, 0};
	zlib_filefunc64_def calls = {source_open, source_read,	NULL,	      source_tell,
				     source_seek, source_close, source_error, &source};
	unzFile u = ends_whole(file) ? unzOpen2_64(path, &calls) : NULL;
	if (!u) {
		err_set(e, ERR_DAMAGED,
			"'%s' is cut short or damaged: it begins as a zip file and ends without a directory",
			path);
		return NULL;
	}
	struct zip *z = xcalloc(1, sizeof *z);
	z->file = file;
	z->path = path;
	int bad = read_directory(z, u, e) || check_together(z, e);
	unzClose(u);
	if (bad) {
		zip_free(z);
		return NULL;
	}
	return z;
}

void zip_free(struct zip *z)
{
	if (!z)
		return;
	for (size_t i = 0; i < z->n; i++)
		free((char *)(uintptr_t)z->entries[i].name);
	free(z->entries);
	free(z->by_name);
	free(z);
}

size_t zip_count(const struct zip *z)
{
	return z->n;
}

const struct zip_entry *zip_at(const struct zip *z, size_t i)
{
	return &z->entries[i];
}

bool zip_find(const struct zip *z, const char *name, size_t *i)
{
	for (size_t low = 0, high = z->n; low < high;) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(name, z->entries[z->by_name[mid]].name);
		if (!order) {
			*i = z->by_name[mid];
			return true;
		}
		*(order < 0 ? &high : &low) = order < 0 ? mid : mid + 1;
	}
	return false;
}

struct span zip_stored(const struct zip *z, size_t i)
{
	return (struct span){z->file.p + z->entries[i].offset, z->entries[i].size};
}

static int check_crc(const struct zip *z, const struct zip_entry *x, u32 crc, struct err *e)
{
	return crc == x->crc ? 0 : damaged(z, x->name, "has contents that do not fit its checksum", e);
}

static int read_stored(const struct zip *z, size_t i, u64 limit, zip_sink *sink, void *ctx, struct err *e)
{
	const struct zip_entry *x = &z->entries[i];
	struct span all = zip_stored(z, i);
	uLong crc = crc32(0, NULL, 0);
	int r = 0;
	for (u64 at = 0, end = MIN(limit, x->size); !r && at < end;) {
		uInt n = (uInt)MIN(end - at, PIECE);
		crc = crc32(crc, all.p + at, n);
		r = sink ? sink(ctx, all.p + at, n, e) : 0;
		at += n;
	}
	return r || limit < x->size ? r : check_crc(z, x, (u32)crc, e);
}

struct inflating {
	z_stream s;
	struct span left; /* of the packed bytes, not yet given to zlib */
	u8 piece[PIECE];
};

/* Up to want bytes into piece; *ended is set with the last. */
static int inflate_piece(struct inflating *f, size_t want, bool *ended)
{
	f->s.next_out = f->piece;
	f->s.avail_out = (uInt)want;
	while (f->s.avail_out) {
		if (!f->s.avail_in) {
			f->s.next_in = (Bytef *)(uintptr_t)f->left.p;
			f->s.avail_in = (uInt)MIN(f->left.n, INPUT_PIECE);
			f->left.p += f->s.avail_in;
			f->left.n -= f->s.avail_in;
		}
		int r = inflate(&f->s, Z_NO_FLUSH);
		if (r == Z_STREAM_END) {
			*ended = true;
			return 0;
		}
		if (r != Z_OK)
			return -1;
	}
	return 0;
}

static int read_deflated(const struct zip *z, const struct zip_entry *x, u64 limit, struct inflating *f,
			 zip_sink *sink, void *ctx, struct err *e)
{
	uLong crc = crc32(0, NULL, 0);
	bool ended = false;
	for (u64 done = 0;;) {
		/* one byte more than is declared, to see that it does not come */
		size_t room = (size_t)MIN(MIN(limit, x->size) - done + (limit >= x->size), PIECE);
		if (!room)
			return 0;
		if (inflate_piece(f, room, &ended))
			return damaged(z, x->name, "does not inflate: it is damaged or cut short", e);
		size_t n = room - f->s.avail_out;
		if (n > x->size - done)
			return damaged(z, x->name, "inflates to more bytes than it declares", e);
		crc = crc32(crc, f->piece, (uInt)n);
		done += n;
		int r = sink && n ? sink(ctx, f->piece, n, e) : 0;
		if (r)
			return r;
		if (ended && done < MIN(limit, x->size))
			return damaged(z, x->name, "inflates to fewer bytes than it declares", e);
		if (ended)
			return limit < x->size ? 0 : check_crc(z, x, (u32)crc, e);
	}
}

int zip_read(const struct zip *z, size_t i, u64 limit, zip_sink *sink, void *ctx, struct err *e)
{
	const struct zip_entry *x = &z->entries[i];
	if (x->stored)
		return read_stored(z, i, limit, sink, ctx, e);
	struct inflating *f = xmalloc(sizeof *f);
	f->s = (z_stream){0};
	f->left = (struct span){z->file.p + x->offset, x->packed};
	int r = inflateInit2(&f->s, -MAX_WBITS) == Z_OK
			? read_deflated(z, x, limit, f, sink, ctx, e)
			: err_set(e, ERR_FAILED, "cannot inflate '%s': no memory", z->path);
	inflateEnd(&f->s);
	free(f);
	return r;
}
