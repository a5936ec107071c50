/* SPDX-License-Identifier: MIT */
/* info.h - what featlas info says of things that are no atlas. */
#ifndef FEATLAS_CMD_INFO_H
#define FEATLAS_CMD_INFO_H

#include "cmd/cmd.h"

/* A line "name      words", the words made safe. */
void info_line(const char *name, const char *fmt, ...) FORMAT_PRINTF(2, 3);

/* Whether path is the folder of a harvest and not that of an atlas. */
bool info_is_acts(const char *path);
/* Prints it; an exit status, or -1. */
int info_acts(const char *path, bool json, struct err *e);

#endif
