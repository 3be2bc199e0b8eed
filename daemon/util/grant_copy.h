/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grant_copy.h - one of many copies between a guest's page and our memory. */
#ifndef XTM_UTIL_GRANT_COPY_H
#define XTM_UTIL_GRANT_COPY_H

#include <stdbool.h>
#include <stdint.h>

struct grant_copy {
    uint32_t ref;
    uint16_t offset, length; /* of the guest's page */
    bool to_guest;
    void *local;
    int16_t status; /* out: GNTST_*, 0 is done */
};

/* The status that XSM gives (GNTST_permission_denied of xen/grant_table.h). */
#define GRANT_COPY_DENIED (-8)

#endif /* XTM_UTIL_GRANT_COPY_H */
