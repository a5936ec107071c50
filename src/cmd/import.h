/* SPDX-License-Identifier: MIT */
/* import.h - what `featlas import` does where its last argument is an atlas. */
#ifndef FEATLAS_CMD_IMPORT_H
#define FEATLAS_CMD_IMPORT_H

#include "cmd/cmd.h"

int import_labels(const struct cmd_args *a, struct err *e);

#endif
