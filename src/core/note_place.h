/* SPDX-License-Identifier: MIT */
/* note_place.h - where an atlas's labels.db lies, or would.  Thread-safe. */
#ifndef FEATLAS_NOTE_PLACE_H
#define FEATLAS_NOTE_PLACE_H

#include "base/err.h"

/* An existing database wins; of two, the one that can be written; else beside the atlas where that is local and may be
 * written, else $XDG_DATA_HOME/featlas/UUID.db.  A folder of "" leaves the latter.  Owned. */
char *place_choose(const char *folder, const char *uuid);
/* Why no file can be made at path: an owned sentence, or NULL. */
char *place_refused(const char *path);
bool place_is_there(const char *path); /* a broken link is there too; NULL is not */
bool place_may_write(const char *path);
/* Not on a network: there a write-ahead log, which is shared memory, does not work. */
bool place_is_local(const char *path);

#endif
