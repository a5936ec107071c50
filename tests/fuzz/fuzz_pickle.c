/* SPDX-License-Identifier: MIT */
/* fuzz_pickle.c - any bytes as the data.pkl of a torch file, whose storages hold one byte and nothing else
 * does. */
#include "fuzz.h"

#include "base/buf.h"
#include "base/mem.h"
#include "io/pickle.h"
#include "io/tensors.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STORED = 0xa5, N_STORAGES = 20 };

static char folder[] = "/dev/shm/featlas-fuzz-XXXXXX";
static char *file, *arrays;

static void clean_cache(void)
{
	DIR *d = opendir(arrays);
	for (struct dirent *x; d && (x = readdir(d));)
		if (x->d_name[0] != '.')
			unlinkat(dirfd(d), x->d_name, 0);
	if (d)
		closedir(d);
}

static void clean_up(void)
{
	clean_cache();
	rmdir(arrays);
	*strrchr(arrays, '/') = 0;
	rmdir(arrays);
	unlink(file);
	rmdir(folder);
	free(arrays);
	free(file);
}

static void set_up(void)
{
	if (file)
		return;
	if (!mkdtemp(folder) || setenv("XDG_CACHE_HOME", folder, 1))
		abort();
	file = xasprintf("%s/it.pt", folder);
	arrays = xasprintf("%s/featlas/arrays", folder);
	atexit(clean_up);
}

static void add(struct buf *b, u64 v, size_t n)
{
	buf_add(b, &v, n); /* little-endian */
}

/* A stored entry; nobody looks at its checksum before tensors_verify. */
static void add_entry(struct buf *zip, struct buf *directory, const char *name, const void *p, size_t n)
{
	u64 at = zip->n, length = strlen(name);
	static const u8 zeros[16];
	add(zip, 0x04034b50, 4);
	buf_add(zip, zeros, 14);
	add(zip, n, 4);
	add(zip, n, 4);
	add(zip, length, 4);
	buf_adds(zip, name);
	buf_add(zip, p, n);
	add(directory, 0x02014b50, 4);
	buf_add(directory, zeros, 16);
	add(directory, n, 4);
	add(directory, n, 4);
	add(directory, length, 4);
	buf_add(directory, zeros, 10);
	add(directory, at, 4);
	buf_adds(directory, name);
}

static void write_zip(const void *pickle, size_t size)
{
	/* what the seeds' storages hold: see tests/fuzz/corpus/make.py */
	struct buf zip = BUF_INIT, directory = BUF_INIT;
	u8 stored[256];
	char name[32];
	memset(stored, STORED, sizeof stored);
	add_entry(&zip, &directory, "a/data.pkl", pickle, size);
	for (int i = 0; i < N_STORAGES; i++) {
		static const u8 sizes[N_STORAGES] = {48, 6, 96, 4,  8, 2, 8,  4,  2, 1,
						     1,	 0, 48, 16, 4, 2, 48, 96, 8, 255};
		snprintf(name, sizeof name, "a/data/%d", i);
		add_entry(&zip, &directory, name, stored, sizes[i]);
	}
	u64 at = zip.n;
	buf_add(&zip, directory.s, directory.n);
	add(&zip, 0x06054b50, 4);
	add(&zip, 0, 4);
	add(&zip, N_STORAGES + 1, 2);
	add(&zip, N_STORAGES + 1, 2);
	add(&zip, directory.n, 4);
	add(&zip, at, 4);
	add(&zip, 0, 2);
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0 || write(fd, zip.s, zip.n) != (ssize_t)zip.n || close(fd))
		abort();
	buf_release(&zip);
	buf_release(&directory);
}

static void read_tensors(void)
{
	static u64 nth; /* files in the cache take most of the time: the first input makes them, and every eighth */
	bool may_make = nth++ % 8 == 0;
	struct err e = {0};
	struct tensors *s = tensors_open(file, &e);
	bool made = false;
	if (!s && (!*e.msg || !strstr(e.msg, file)))
		abort(); /* an error that does not say what and where */
	for (size_t i = 0; s && i < tensors_count(s); i++) {
		const struct tensor *t = tensors_at(s, i);
		if (t->n > 4096)
			continue;
		bool mapped = tensors_is_mapped(s, t->name);
		if (!mapped && !may_make)
			continue;
		made |= !mapped;
		t = tensors_data(s, t->name, &e);
		for (size_t k = 0; t && k < t->data.n; k++)
			if (t->data.p[k] != STORED)
				abort(); /* from outside its storage */
	}
	tensors_free(s);
	if (made)
		clean_cache();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const calls[] = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2",
					    NULL};
	set_up();
	struct err e = {0};
	u8 *exact = xmalloc(size + !size);
	memcpy(exact, data, size);
	struct pickle *p = pickle_parse((struct span){exact, size}, "it", calls, &e);
	if (!p && !strstr(e.msg, "it"))
		abort();
	pickle_free(p);
	free(exact);
	write_zip(data, size);
	read_tensors();
	return 0;
}
