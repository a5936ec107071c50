/* SPDX-License-Identifier: MIT */
/* import.c - the folder that an unfinished import lives in. */
#include "core/import_impl.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse_atlas(const char *out, struct err *e)
{
	char *path = xasprintf("%s/atlas.json", out);
	int bad = access(path, F_OK) ? 0 : err_set(e, ERR_FAILED, "'%s' is there already", path);
	free(path);
	return bad;
}

/* The lock is on a file that stays: two imports of one folder must not meet. */
static int take_lock(struct import *im, struct err *e)
{
	char *path = xasprintf("%s/lock", im->folder);
	im->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	int bad = im->lock < 0 ? err_os(e, "cannot create '%s'", path) : 0;
	if (!bad && flock(im->lock, LOCK_EX | LOCK_NB))
		bad = err_set(e, ERR_FAILED, "another import is writing into '%s'", im->folder);
	free(path);
	return bad;
}

static int check_key(struct import *im, const json_t *key, struct err *e)
{
	char *path = xasprintf("%s/import.json", im->folder);
	int bad = 0;
	if (access(path, F_OK)) {
		bad = json_write_file(path, key, e);
	} else {
		json_t *had = json_read_file(path, e);
		if (!had)
			bad = -1;
		else if (!json_equal(had, (json_t *)(uintptr_t)key))
			bad = err_set(
				e, ERR_FAILED,
				"'%s' holds an unfinished import of another source, or of this one before it "
				"changed: remove that folder first",
				im->folder);
		json_decref(had);
	}
	free(path);
	return bad;
}

struct import *import_new(const char *out, const json_t *key, struct err *e)
{
	size_t n = strlen(out);
	while (n > 1 && out[n - 1] == '/')
		n--;
	struct import *im = xcalloc(1, sizeof *im);
	im->lock = -1;
	im->out = xstrndup(out, n);
	im->folder = xasprintf("%s.part", im->out);
	int bad = refuse_atlas(im->out, e);
	if (!bad && mkdir(im->folder, 0777) && errno != EEXIST)
		bad = err_os(e, "cannot make '%s'", im->folder);
	if (!bad && !take_lock(im, e) && !check_key(im, key, e))
		return im;
	import_free(im);
	return NULL;
}

void import_free(struct import *im)
{
	if (!im)
		return;
	if (im->lock >= 0)
		close(im->lock);
	intern_free(im->base);
	free(im->out);
	free(im->folder);
	free(im);
}

char *import_batch_path(const struct import *im, u32 number)
{
	return xasprintf("%s/batch-%06u", im->folder, number);
}

bool import_has(const struct import *im, u32 batch)
{
	char *path = import_batch_path(im, batch);
	bool has = !access(path, F_OK);
	free(path);
	return has;
}

int import_share(struct import *im, struct err *e)
{
	char *path = import_batch_path(im, 0);
	struct import_part p = {0};
	struct intern *base = intern_new(NULL);
	int bad = import_part_open(&p, path, e) || import_part_strings(&p, base, e);
	import_part_release(&p);
	free(path);
	if (bad) {
		intern_free(base);
		return -1;
	}
	im->base = base;
	return 0;
}
