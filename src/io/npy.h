/* SPDX-License-Identifier: MIT */
/* npy.h - the header of a .npy array, versions 1 to 3 (numpy.lib.format's specification). */
#ifndef FEATLAS_NPY_H
#define FEATLAS_NPY_H

#include "io/safetensors.h"

enum { NPY_HEADER_MAX = 1 << 16 };

struct npy {
	bool numbers; /* false: text or Python objects, of which nothing below is read but header */
	enum dtype dtype;
	bool fortran; /* the first index moves fastest */
	int n_dims;
	u64 shape[TENSOR_MAX_DIMS];
	u64 n;	    /* elements */
	u64 header; /* bytes before the data */
};

/* start: at least the first NPY_HEADER_MAX bytes, or all there are.  Reads the dictionary that numpy writes,
 * keys in any order, and no other Python.  Big-endian, complex and structured arrays are refused, and
 * headers longer than NPY_HEADER_MAX.  what: how errors name the array ("'x.npz': array 'W'"). */
int npy_parse(struct span start, const char *what, struct npy *out, struct err *e);

#endif
