/* SPDX-License-Identifier: MIT */
/* shell.h - command lines that can be pasted into a POSIX shell: one line each, safe for a terminal. */
#ifndef FEATLAS_SHELL_H
#define FEATLAS_SHELL_H

#include "base/buf.h"

/* Appends s as one word: bare if no shell reads anything in it as its own, else in single quotes.  If a
 * byte of it must not reach a terminal (utf8_is_unsafe, broken UTF-8) the word is $'...' with such bytes
 * in octal, which POSIX has since 2024: bash, zsh, ksh and busybox read it, dash does not. */
void shell_add_word(struct buf *out, const char *s);
/* The same for what must not be taken for an option: a path gets "./" before its "-", another argument
 * "-- ", behind which no option can follow. */
void shell_add_path(struct buf *out, const char *path);
void shell_add_argument(struct buf *out, const char *s);

#endif
