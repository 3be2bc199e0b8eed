/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * operator_book.h - what the operator has said, by UUID, in a file in dom0.
 *
 * Domids come and go with every start of a guest; what attach, set, allow and
 * deny said must not. The agent attaches guests again from this book.
 *
 *   { "version": 1,
 *     "guests": [ { "uuid": "...", "name": "g1", "device": 0, "manager": "xentmem",
 *                   "attach": true, "quota_pages": 16384, "min_pages": 0,
 *                   "max_pages": null, "weight": 256 } ],
 *     "shared": [ { "uuid": "...", "quota_pages": 0, "min_pages": 0, "max_pages": null,
 *                   "weight": 256, "allow": [ { "guest": "...", "right": "fill" } ] } ] }
 *
 * null is "unlimited". The file is replaced whole: written beside, synced,
 * renamed. A file that is not wholly understood is never written over.
 */
#ifndef XENTMEM_TOOL_OPERATOR_BOOK_H
#define XENTMEM_TOOL_OPERATOR_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend/tool/operator_grant.h"

#define BOOK_PATH_DEFAULT "/var/lib/xentmem/policy.json"
#define BOOK_NAME_LEN     128u
#define BOOK_WHY_LEN      512u
/* Entries of each kind that a book may have. */
#define BOOK_MAX 4096u

struct book_guest {
    uint8_t uuid[16];
    char name[BOOK_NAME_LEN]; /* when it was attached last; for people */
    uint32_t device;
    char manager[BOOK_NAME_LEN]; /* name of its domain; "" for the default */
    bool attach;                 /* the agent is to keep it attached */
    struct grant grant;
};

struct book_allow {
    uint8_t guest[16];
    bool fill; /* else it may only read */
};

struct book_shared {
    uint8_t uuid[16];
    struct grant grant;
    struct book_allow *allow;
    unsigned nr_allow;
};

/* Start with zero, or book_open(); book_clear() frees what it holds. */
struct book {
    char path[256];
    int lock_fd; /* book_open() */
    struct book_guest *guests;
    unsigned nr_guests;
    struct book_shared *shared;
    unsigned nr_shared;
};

/* NULL: there is none. Valid until the next entry is added or removed. */
struct book_guest *book_find_guest(const struct book *book, const uint8_t uuid[16],
                                   uint32_t device);
struct book_shared *book_find_shared(const struct book *book, const uint8_t uuid[16]);

/* The entry, made with defaults if there is none. NULL: no memory, or BOOK_MAX reached. */
struct book_guest *book_add_guest(struct book *book, const uint8_t uuid[16], uint32_t device);
struct book_shared *book_add_shared(struct book *book, const uint8_t uuid[16]);
bool book_allow_guest(struct book_shared *shared, const uint8_t guest[16], bool fill);
void book_deny_guest(struct book_shared *shared, const uint8_t guest[16]);
/*
 * What there is of the guest: its attachments, or that of *@device alone; and without @device its
 * rights. False: nothing.
 */
bool book_forget_guest(struct book *book, const uint8_t uuid[16], const uint32_t *device);
void book_remove_shared(struct book *book, const uint8_t uuid[16]);
/* No entries are left. */
void book_clear(struct book *book);

#endif /* XENTMEM_TOOL_OPERATOR_BOOK_H */
