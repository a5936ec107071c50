/* SPDX-License-Identifier: MIT */
/* xdg.h - where a user's files go.  Each returns an owned path below .../featlas and makes
 * no folder; NULL when neither the variable nor $HOME is set. */
#ifndef FEATLAS_XDG_H
#define FEATLAS_XDG_H

#include "base/err.h"

char *xdg_config(const char *name); /* $XDG_CONFIG_HOME/featlas/NAME */
char *xdg_data(const char *name);   /* $XDG_DATA_HOME */
char *xdg_state(const char *name);  /* $XDG_STATE_HOME */
char *xdg_cache(const char *name);  /* $XDG_CACHE_HOME */
/* Makes the folders above a path. */
int xdg_make_parents(const char *path, struct err *e);

#endif
