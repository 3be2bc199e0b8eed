/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* where.h - what the first argument of xentmem_open() names. Pure. */
#ifndef XENTMEM_LIB_WHERE_H
#define XENTMEM_LIB_WHERE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define WHERE_DEFAULT_PATH "/run/xentmem/socket"

enum where_kind { WHERE_XEN, WHERE_LOCAL };

struct where {
    enum where_kind kind;
    uint32_t device;
    char path[PATH_MAX]; /* WHERE_LOCAL */
};

/* "xen:N" or "local:[PATH][:N]". False: neither. */
bool where_parse(const char *text, struct where *where_out);

#endif /* XENTMEM_LIB_WHERE_H */
