/* SPDX-License-Identifier: MIT */
/* fuzz.h - what a fuzz target is: libFuzzer's entry, which standalone.c calls too. */
#ifndef FEATLAS_FUZZ_H
#define FEATLAS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
