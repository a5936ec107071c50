/* SPDX-License-Identifier: MIT */
/* sparse_npz.h - a dictionary of Gemma Scope's form and any size, on no disk space: for tests and benchmarks. */
#ifndef FEATLAS_SPARSE_NPZ_H
#define FEATLAS_SPARSE_NPZ_H

#include "base/types.h"

/* Writes params.npz as numpy.savez does (stored, zip64): W_enc [d, n], W_dec [n, d], b_enc [n], b_dec [d],
 * threshold [n], all f32.  Everything is a hole but the last element of each array, which is 1, 2, 3, 4, 5.
 * The checksums are 0, and wrong.  0, or -1 with errno. */
int sparse_npz(const char *path, u64 n, u64 d);

#endif
