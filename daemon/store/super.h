/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * super.h - the superblock, and where everything lies that it speaks of.
 *
 *   META  | superblock | accounts | pools | tombstones | ring records |
 *           each table begins at a multiple of 64 bytes
 */
#ifndef XTM_STORE_SUPER_H
#define XTM_STORE_SUPER_H

#include <stddef.h>

#include "daemon/store/layout.h"
#include "daemon/store/store.h"

struct geometry {
    size_t accounts, pools, tombstones, rings; /* offsets in META, bytes */
    size_t len_bytes[STORE_NR_SEGMENTS];
};

/* NULL: *super_out is a first incarnation of that size. Else why there is none. */
const char *super_init(struct layout_super *super_out, const struct store_config *config);

/* NULL: a copy found in a segment can be believed. Else why not. */
const char *super_why_refused(const struct layout_super *super);

/* Of a superblock that can be believed. */
void super_geometry(const struct layout_super *super, struct geometry *geometry_out);

/* The check sum that @super ought to have. */
uint64_t super_check(const struct layout_super *super);

#endif /* XTM_STORE_SUPER_H */
