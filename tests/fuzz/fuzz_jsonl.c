/* SPDX-License-Identifier: MIT */
/* fuzz_jsonl.c - any bytes as a batch of every format, imported to the end, and as a file of labels. */
#include "fuzz.h"

#include "base/mem.h"
#include "base/outfile.h"
#include "core/import_read.h"
#include "core/label_list.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/mman.h>
#include <unistd.h>

static void empty(const char *folder)
{
	DIR *d = opendir(folder);
	for (struct dirent *x; d && (x = readdir(d));) {
		char *path = xasprintf("%s/%s", folder, x->d_name);
		if (x->d_name[0] != '.')
			unlink(path);
		free(path);
	}
	if (d)
		closedir(d);
	rmdir(folder);
}

static void must_say(int bad, const struct err *e)
{
	if (bad && !*e->msg)
		abort();
}

static void import_as(const char *path, enum import_format format, const char *out)
{
	struct import_file file = {.path = (char *)(uintptr_t)path, .format = format};
	u32 first[] = {0, 1};
	struct import_plan plan = {
		.name = "fuzz", .files = &file, .n_files = 1, .first = first, .n_batches = 1};
	struct import_options o = {.name = "fuzz"};
	struct import_report report;
	struct err e = {0};
	json_t *key = json_object();
	struct import *im = import_new(out, key, &e);
	if (!im)
		abort();
	int bad = import_read(im, &plan, NULL, NULL, &e);
	must_say(bad, &e);
	if (!bad) {
		bad = import_finish(im, &o, NULL, &report, &e);
		must_say(bad, &e);
	}
	import_free(im);
	json_decref(key);
	if (!bad) {
		struct atlas *a = atlas_open(out, &e);
		if (!a)
			abort(); /* what an import makes opens */
		atlas_free(a);
	}
}

static void read_labels(const char *path)
{
	struct label_list *l = label_list_new();
	struct label_reading r = {.n_features = 100, .layer = 7, .source = "x"};
	struct err e = {0};
	u64 n;
	int bad = label_list_read(l, path, &r, &e);
	must_say(bad, &e);
	label_list_settle(l);
	const struct label *items = label_list_items(l, &n);
	for (u64 i = 0; i < n; i++)
		if (items[i].feature >= 100 || !items[i].text.n ||
		    (i && items[i].feature < items[i - 1].feature))
			abort();
	label_list_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char root[] = "/dev/shm/featlas-fuzz-XXXXXX";
	static char *out, *part;
	if (!out) {
		if (!mkdtemp(root))
			abort();
		out = xasprintf("%s/x", root);
		part = xasprintf("%s/x.part", root);
	}
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	char *path = xasprintf("/proc/self/fd/%d", fd);
	struct err e = {0};
	int format = import_look(path, &e);
	must_say(format < 0, &e);
	if (format >= 0 && format != IMPORT_VIEWER)
		import_as(path, (enum import_format)format, out);
	read_labels(path);
	empty(part);
	empty(out);
	rmdir(root);
	mkdir(root, 0777);
	free(path);
	close(fd);
	return 0;
}
