/* SPDX-License-Identifier: MIT */
/* clones.h - functions that are compiled for several processors; the one at hand chooses at start.
 *
 * The choice is glibc's ifunc, which runs before a sanitizer is ready: there is one of each then.
 */
#ifndef FEATLAS_CLONES_H
#define FEATLAS_CLONES_H

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__) && \
	!defined(__SANITIZE_ADDRESS__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

#endif
