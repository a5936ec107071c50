/* SPDX-License-Identifier: MIT */
#include "base/xdg.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char *below(const char *variable, const char *fallback, const char *name)
{
	/* the specification ignores relative paths */
	const char *base = getenv(variable), *home = getenv("HOME");
	if (base && base[0] == '/')
		return xasprintf("%s/featlas/%s", base, name);
	if (home && home[0])
		return xasprintf("%s/%s/featlas/%s", home, fallback, name);
	return NULL;
}

char *xdg_config(const char *name)
{
	return below("XDG_CONFIG_HOME", ".config", name);
}

char *xdg_data(const char *name)
{
	return below("XDG_DATA_HOME", ".local/share", name);
}

char *xdg_state(const char *name)
{
	return below("XDG_STATE_HOME", ".local/state", name);
}

char *xdg_cache(const char *name)
{
	return below("XDG_CACHE_HOME", ".cache", name);
}

int xdg_make_parents(const char *path, struct err *e)
{
	char *p = xstrdup(path);
	int r = 0;
	for (char *s = p + 1; (s = strchr(s, '/')); s++) {
		*s = 0;
		if (mkdir(p, 0777) && errno != EEXIST) {
			r = err_os(e, "cannot make the folder '%s'", p);
			break;
		}
		*s = '/';
	}
	free(p);
	return r;
}
