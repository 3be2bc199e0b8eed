/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* size.h - amounts of memory as people write them. */
#ifndef XTM_UTIL_SIZE_H
#define XTM_UTIL_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Bytes in @text: a decimal number, then K, M, G or T (powers of 1024); or 0. False: it is
 * anything else, or does not fit. A number alone is refused: whoever writes 5000 for a memory
 * does not mean bytes.
 */
bool size_parse(const char *text, uint64_t *bytes_out);

/* A decimal number from @min to @max, whole @text. */
bool number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *number_out);

#endif /* XTM_UTIL_SIZE_H */
