/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* account.h - whom memory is charged to: who an attachment is and what the operator granted it. */
#ifndef XTM_ENGINE_ACCOUNT_H
#define XTM_ENGINE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "protocol/tmemif.h"

enum account_kind {
    ACCOUNT_XEN = 1,   /* id is a domid */
    ACCOUNT_LOCAL = 2, /* id is a uid */
    /* of the manager itself, for daemon/blk/: nobody attaches as one */
    ACCOUNT_DISK = 3,  /* id is the number of a layer of disks */
    ACCOUNT_CACHE = 4, /* id is the number of a cache of a device */
};

struct account_key {
    enum account_kind kind;
    uint32_t id;
    uint32_t device;
    uint8_t uuid[TMEMIF_UUID_LEN]; /* of the guest; zero for local clients */
};

static inline bool account_is_guests(const struct account_key *key)
{
    return key->kind == ACCOUNT_XEN || key->kind == ACCOUNT_LOCAL;
}

static inline bool account_key_is(const struct account_key *a, const struct account_key *b)
{
    return a->kind == b->kind && a->id == b->id && a->device == b->device &&
           memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0;
}

#define PAGES_UNLIMITED UINT64_MAX

/* What the operator grants a guest, or a shared pool. Pages of 4096 bytes. */
struct policy {
    uint64_t quota_pages; /* persistent pages it may hold */
    uint64_t min_pages;   /* ephemeral pages that are never evicted for others; memory for them is
                             kept from persistent pages */
    uint64_t max_pages;   /* ephemeral pages it may hold */
    uint32_t weight;      /* share of what is contended, against the others' weights; not 0 */
};

/* A member's right to a shared pool. */
enum pool_right {
    RIGHT_NONE = 0, /* default */
    RIGHT_READ = 1, /* get */
    RIGHT_FILL = 2, /* get, put, flush */
};

#endif /* XTM_ENGINE_ACCOUNT_H */
