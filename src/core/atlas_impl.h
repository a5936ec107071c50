/* SPDX-License-Identifier: MIT */
/* atlas_impl.h - what atlas.c takes from atlas_link.c. */
#ifndef FEATLAS_ATLAS_IMPL_H
#define FEATLAS_ATLAS_IMPL_H

#include "core/atlas.h"

/* What atlas.json would say of a bare dictionary; a new reference. */
json_t *atlas_bare_json(const char *path, const struct dict *d, struct err *e);
/* The dictionary that parts.dictionary names by "at"; ERR_DAMAGED where it is another now. */
struct dict *atlas_open_link(const json_t *entry, const char *folder, struct err *e);

#endif
