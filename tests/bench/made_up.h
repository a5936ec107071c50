/* SPDX-License-Identifier: MIT */
/* made_up.h - neighbours and a map for an atlas that has none, in seconds: drawn by chance, so that screens have
 * as much to read and to draw as if they had been computed. */
#ifndef FEATLAS_MADE_UP_H
#define FEATLAS_MADE_UP_H

#include "base/err.h"

/* Adds what is missing of the two to the atlas in a folder: 0, or -1. */
int made_up_parts(const char *folder, struct err *e);

#endif
