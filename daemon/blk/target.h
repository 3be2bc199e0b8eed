/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * target.h - what the operator wrote as a disk's target=.
 *
 *    swap/SIZE          an empty disk; SIZE is its quota as well
 *    clone/BASE         a copy-on-write disk over a base image, for as long as its guest lives
 *    clone/BASE/NAME    the same, kept until it is removed
 *    cache/DEVICE       a disk of the manager's domain, shared; DEVICE is names with '/' between
 *
 * Pure.
 */
#ifndef XTM_BLK_TARGET_H
#define XTM_BLK_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/control.h"

enum target_kind { TARGET_SWAP, TARGET_CLONE, TARGET_CACHE };

/* As messages carry it: with its NUL. tmemctl_is_name() says what a name is. */
#define TARGET_NAME_SIZE TMEMCTL_DISK_NAME_LEN

struct target {
    enum target_kind kind;
    uint32_t nr_pages;             /* SWAP: at least 1 */
    char base[TARGET_NAME_SIZE];   /* CLONE */
    char name[TARGET_NAME_SIZE];   /* CLONE; "": it ends when it is detached */
    char device[TARGET_NAME_SIZE]; /* CACHE */
};

/* False: *why_out is a static sentence, and *target_out is unspecified. */
bool target_parse(const char *text, size_t len, struct target *target_out, const char **why_out);

#endif /* XTM_BLK_TARGET_H */
