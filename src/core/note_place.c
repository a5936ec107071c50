/* SPDX-License-Identifier: MIT */
/* note_place.c - beside the atlas where that is local and may be written, else in one's own data folder. */
#include "core/note_place.h"

#include "base/mem.h"
#include "base/xdg.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

bool place_is_local(const char *path)
{
	struct statfs fs;
	if (statfs(path, &fs))
		return false;
	switch ((u32)fs.f_type) {
	case 0x6969:     /* NFS */
	case 0x65735546: /* FUSE */
	case 0x517b:     /* SMB */
	case 0xfe534d42: /* SMB2 */
	case 0xff534d42: /* CIFS */
	case 0x01021997: /* 9P */
	case 0x00c36400: /* Ceph */
	case 0x73757245: /* Coda */
	case 0x5346414f: /* AFS */
	case 0x0bd00bd0: /* Lustre */
	case 0x7461636f: /* OCFS2 */
	case 0x47504653: /* GPFS */
		return false;
	}
	return true;
}

bool place_may_write(const char *path)
{
	return !faccessat(AT_FDCWD, path, W_OK, AT_EACCESS);
}

bool place_is_there(const char *path)
{
	struct stat st;
	return path && !lstat(path, &st);
}

char *place_choose(const char *folder, const char *uuid)
{
	char *beside = xasprintf("%s/labels.db", *folder ? folder : "."), *name = xasprintf("%s.db", uuid);
	char *own = xdg_data(name);
	free(name);
	if (!*folder && own) {
		free(beside);
		return own;
	}
	bool writable = place_may_write(folder);
	bool stay = place_is_there(beside) ? !place_is_there(own) || (writable && place_may_write(beside))
				     : !place_is_there(own) && writable && place_is_local(folder);
	if (stay || !own) {
		free(own);
		return beside;
	}
	free(beside);
	return own;
}

char *place_refused(const char *path)
{
	if (place_is_there(path))
		return NULL;
	char *copy = xstrdup(path), *folder = dirname(copy), *why = NULL;
	/* the folders of one's own data are made when they are needed */
	while (!place_is_there(folder) && strcmp(folder, "/") && strcmp(folder, "."))
		folder = dirname(folder);
	if (!place_may_write(folder))
		why = xasprintf("there is no place to keep edits: '%s' may not be written", folder);
	free(copy);
	return why;
}
