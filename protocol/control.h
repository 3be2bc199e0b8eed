/* SPDX-License-Identifier: MIT */
/*
 * control.h - what an operator may ask a manager, over a privileged session.
 *
 * A message is one struct of TMEMCTL_COMMANDS; it lies in the data area of a
 * CONTROL request (tmemif.h). The reply is a struct tmemctl_reply with @count
 * records behind it. The outcome is the status of the CONTROL response.
 *
 *   message  | head | body          | BASE_PAGES: pages | 8-byte aligned
 *   reply    | reply | record 0 | record 1 | ...        | 8-byte aligned
 *
 * Lists come in parts: a reply holds what fits, and its cursor, which is
 * opaque, is what the next message of the same kind sends to go on; 0 says
 * that nothing is left. What comes or goes meanwhile may be missed.
 *
 * protocol/CONTROL.md is the authority where the two differ. All fields are
 * little-endian; reserved fields must be zero and are refused otherwise.
 */
#ifndef TMEMCTL_H
#define TMEMCTL_H

#ifndef __KERNEL__
#include <stddef.h>
#endif

#include "tmemif.h"

/* Bounds of one message and of one reply, in bytes. */
#define TMEMCTL_MAX_MESSAGE 65536u
#define TMEMCTL_MAX_REPLY   65536u

struct tmemctl_head {
    uint32_t command; /* enum tmemctl_command */
    uint32_t length;  /* bytes of the whole message, this head included */
    uint64_t cursor;  /* lists: 0, or from the reply before; else 0 */
};

struct tmemctl_reply {
    uint32_t command;      /* of the message that this answers */
    uint32_t length;       /* bytes of the whole reply, this head included */
    uint64_t cursor;       /* lists: where to go on; 0: that was all */
    uint32_t count;        /* records */
    uint32_t record_bytes; /* bytes of one record */
};

enum tmemctl_kind {
    TMEMCTL_XEN = 1,   /* id is a domid */
    TMEMCTL_LOCAL = 2, /* id is a uid, the guest's uuid is zero */
};

/* A guest; or, with TMEMCTL_EVERY_DEVICE, all attachments of one. */
struct tmemctl_who {
    uint32_t kind; /* enum tmemctl_kind */
    uint32_t id;
    uint32_t device;
    uint32_t reserved;
    uint8_t uuid[TMEMIF_UUID_LEN];
};
#define TMEMCTL_EVERY_DEVICE 0xffffffffu

/* Pages of 4096 bytes. */
struct tmemctl_policy {
    uint64_t quota_pages; /* persistent pages it may hold */
    uint64_t min_pages;   /* ephemeral pages that are never evicted for others */
    uint64_t max_pages;   /* ephemeral pages it may hold; TMEMCTL_UNLIMITED */
    uint32_t weight;      /* 1..TMEMCTL_MAX_WEIGHT */
    uint32_t fields;      /* SET_*: which of them to change; in a record: 0 */
};
#define TMEMCTL_UNLIMITED  0xffffffffffffffffull
#define TMEMCTL_MAX_WEIGHT 65536u

#define TMEMCTL_SET_QUOTA  0x1u
#define TMEMCTL_SET_MIN    0x2u
#define TMEMCTL_SET_MAX    0x4u
#define TMEMCTL_SET_WEIGHT 0x8u
#define TMEMCTL_SET_FIELDS 0xfu

enum tmemctl_right {
    TMEMCTL_RIGHT_READ = 1, /* get */
    TMEMCTL_RIGHT_FILL = 2, /* get, put, flush */
};

/* Values are those of syslog(3). */
enum tmemctl_level {
    TMEMCTL_LOG_ERROR = 3,
    TMEMCTL_LOG_WARNING = 4,
    TMEMCTL_LOG_NOTICE = 5,
    TMEMCTL_LOG_INFO = 6,
    TMEMCTL_LOG_DEBUG = 7,
};

/* ---- messages ---- */

struct tmemctl_plain {
    struct tmemctl_head head;
};

struct tmemctl_shared {
    struct tmemctl_head head;
    uint8_t uuid[TMEMIF_UUID_LEN]; /* of a shared pool; not zero */
};

struct tmemctl_set_guest {
    struct tmemctl_head head;
    struct tmemctl_who guest;
    struct tmemctl_policy policy;
};

struct tmemctl_set_shared {
    struct tmemctl_head head;
    uint8_t uuid[TMEMIF_UUID_LEN];
    struct tmemctl_policy policy;
};

struct tmemctl_allow {
    struct tmemctl_head head;
    uint8_t uuid[TMEMIF_UUID_LEN];
    struct tmemctl_who guest;
    uint32_t right; /* enum tmemctl_right; DENY: 0 */
    uint32_t reserved;
};

/* Either a guest (uuid zero) or a shared pool (guest zero). */
struct tmemctl_target {
    struct tmemctl_head head;
    struct tmemctl_who guest;
    uint8_t uuid[TMEMIF_UUID_LEN];
};

struct tmemctl_log {
    struct tmemctl_head head;
    uint32_t level; /* enum tmemctl_level: this and what is graver is logged */
    uint32_t reserved;
};

/* A name of a base or a kept disk: a letter or digit, then letters, digits, '.', '_', '-'. */
#define TMEMCTL_DISK_NAME_LEN 64u /* with the NUL; NULs to the end */

/* A disk by its name, the rest zero; or with no name by the guest that has it. */
struct tmemctl_disk_ref {
    char name[TMEMCTL_DISK_NAME_LEN];
    uint32_t domid;
    uint32_t vdev; /* number of the guest's virtual device (xen/io/blkif.h) */
};

struct tmemctl_base {
    struct tmemctl_head head;
    char name[TMEMCTL_DISK_NAME_LEN];
};

struct tmemctl_base_import {
    struct tmemctl_head head;
    char name[TMEMCTL_DISK_NAME_LEN];
    uint64_t token; /* chosen at random by the sender; not 0 */
};

/* Followed by @count pages of 4096 bytes, which head.length counts. */
struct tmemctl_base_pages {
    struct tmemctl_head head;
    uint64_t token; /* of the import */
    uint32_t first;
    uint32_t count; /* 0..TMEMCTL_MAX_PAGES */
};
#define TMEMCTL_MAX_PAGES 15u

struct tmemctl_base_end {
    struct tmemctl_head head;
    uint64_t token;    /* of the import */
    uint32_t nr_pages; /* of the base: above every page that was sent, not 0 */
    uint32_t reserved;
};

struct tmemctl_disk_add {
    struct tmemctl_head head;
    char name[TMEMCTL_DISK_NAME_LEN];
    char base[TMEMCTL_DISK_NAME_LEN];
};

struct tmemctl_disk_freeze {
    struct tmemctl_head head;
    struct tmemctl_disk_ref disk;
    char name[TMEMCTL_DISK_NAME_LEN]; /* of the base to be */
    uint64_t token;                   /* chosen at random by the sender; not 0 */
};

struct tmemctl_disk {
    struct tmemctl_head head;
    struct tmemctl_disk_ref disk;
};

struct tmemctl_disk_resize {
    struct tmemctl_head head;
    struct tmemctl_disk_ref disk;
    uint32_t nr_pages; /* to be; not 0 */
    uint32_t reserved;
};

/* ---- records ---- */

struct tmemctl_guest {
    struct tmemctl_who guest;
    struct tmemctl_policy policy;
    uint64_t ephemeral_pages;  /* in its private pools */
    uint64_t persistent_pages; /* in its private pools */
    uint32_t frozen;           /* 1: by the operator */
    uint32_t attached;         /* 1: a session is open; the rest speaks of it */
    uint32_t nr_rings;
    uint32_t fenced;     /* 1: silent for longer than half its fence time */
    uint64_t data_bytes; /* of its data area */
    uint64_t requests;   /* answered; elements of batches count */
};

struct tmemctl_pool {
    struct tmemctl_who owner; /* zero for a shared pool */
    uint32_t pool_id;         /* the owner's; 0 for a shared pool */
    uint32_t nr_members;      /* joined */
    struct tmemctl_policy policy;
    struct tmemif_pool_info info;
};

struct tmemctl_member {
    struct tmemctl_who guest;
    uint32_t right;  /* enum tmemctl_right; 0: joined, and denied since */
    uint32_t joined; /* 1: has the pool open */
};

enum tmemctl_disk_kind {
    TMEMCTL_DISK_SWAP = 1,
    TMEMCTL_DISK_CLONE = 2,
    TMEMCTL_DISK_BASE = 3,
    TMEMCTL_DISK_CACHE = 4, /* base names the device; own_pages are the device's, for all guests */
};

#define TMEMCTL_DISK_OPEN      0x1u /* a guest has it */
#define TMEMCTL_DISK_IMPORTING 0x2u /* a base to be */
#define TMEMCTL_DISK_SUSPECT   0x4u /* pages were lost: absent ones cannot be read */
#define TMEMCTL_DISK_LOST      0x8u /* it cannot be opened */

struct tmemctl_disk_info {
    char name[TMEMCTL_DISK_NAME_LEN]; /* empty: it ends when it is detached */
    char base[TMEMCTL_DISK_NAME_LEN]; /* that it lies on, or empty */
    uint32_t kind;                    /* enum tmemctl_disk_kind */
    uint32_t flags;                   /* TMEMCTL_DISK_OPEN... */
    uint32_t domid, vdev;             /* of a disk that is open or has no name */
    uint64_t nr_pages;                /* its size */
    uint64_t own_pages;               /* that it holds itself */
    uint32_t nr_above;                /* of a base: disks and bases on it */
    uint32_t reserved;
    uint64_t hits, misses; /* of a cache: pages that its guest has read */
};

#define TMEMCTL_NAME_LEN 32u
#define TMEMCTL_HELP_LEN 64u
struct tmemctl_counter {
    char name[TMEMCTL_NAME_LEN]; /* [a-z_]+, NUL-padded */
    char help[TMEMCTL_HELP_LEN]; /* ASCII, NUL-padded */
    uint32_t gauge;              /* 0: it only grows; 1: a state */
    uint32_t reserved;
    uint64_t value;
};

#define TMEMCTL_VERDICT_LEN 120u
struct tmemctl_verdict {
    uint32_t whole; /* 1: every counter and index agrees with a full scan */
    uint32_t reserved;
    char what[TMEMCTL_VERDICT_LEN]; /* else the first thing that does not; NUL-terminated */
};

/*
 * The commands. A list may carry a cursor. Commands that change something are
 * logged. "none": the reply has no records.
 *
 * value name           message     bytes record  list change  first version, what
 */
/* clang-format off */
#define TMEMCTL_COMMANDS(X)                                                    \
    X(1,  LIST_GUESTS,  plain,      16, guest,   1, 0)/* 1: attachments, with policy and use  */ \
    X(2,  LIST_POOLS,   plain,      16, pool,    1, 0)/* 1: pools, private and shared         */ \
    X(3,  LIST_MEMBERS, shared,     32, member,  1, 0)/* 1: who may join a shared pool        */ \
    X(4,  STATS,        plain,      16, counter, 1, 0)/* 1: counters of the whole manager     */ \
    X(5,  CHECK,        plain,      16, verdict, 0, 0)/* 1: compare counters with a full scan */ \
    X(6,  LIST_DISKS,   plain,      16, disk_info, 1, 0)/* 1: disks and bases                 */ \
    X(16, SET_GUEST,    set_guest,  80, none,    0, 1)/* 1: policy of a guest                 */ \
    X(17, SET_SHARED,   set_shared, 64, none,    0, 1)/* 1: policy of a shared pool           */ \
    X(18, ALLOW,        allow,      72, none,    0, 1)/* 1: let a guest join a shared pool    */ \
    X(19, DENY,         allow,      72, none,    0, 1)/* 1: take that back; holds at once     */ \
    X(20, FREEZE,       target,     64, none,    0, 1)/* 1: refuse puts (rule C17)            */ \
    X(21, THAW,         target,     64, none,    0, 1)/* 1: end of FREEZE                     */ \
    X(22, REMOVE,       shared,     32, none,    0, 1)/* 1: destroy a shared pool             */ \
    X(23, LOG,          log,        24, none,    0, 1)/* 1: level of the manager's log        */ \
    X(24, BASE_IMPORT,  base_import, 88, none,   0, 1)/* 1: begin a base                      */ \
    X(25, BASE_PAGES,   base_pages, 32, none,    0, 0)/* 1: pages of it, behind the message   */ \
    X(26, BASE_END,     base_end,   32, none,    0, 1)/* 1: it is whole                       */ \
    X(27, BASE_REMOVE,  base,       80, none,    0, 1)/* 1: destroy a base                    */ \
    X(28, DISK_ADD,     disk_add,  144, none,    0, 1)/* 1: a kept clone of a base            */ \
    X(29, DISK_FREEZE,  disk_freeze, 160, none,  0, 1)/* 1: a base of what a disk is now      */ \
    X(30, DISK_ROLLBACK, disk,      88, none,    0, 1)/* 1: a disk to what lies below it      */ \
    X(31, DISK_REMOVE,  disk,       88, none,    0, 1)/* 1: destroy a disk                    */ \
    X(32, DISK_RESIZE,  disk_resize, 96, none,   0, 1)/* 1: make a disk larger                */
/* clang-format on */

enum tmemctl_command {
#define X(value, name, message, bytes, record, list, change) TMEMCTL_##name = value,
    TMEMCTL_COMMANDS(X)
#undef X
};

/* Every message; which member holds is said by head.command. */
union tmemctl_message {
    struct tmemctl_head head;
    struct tmemctl_plain plain;
    struct tmemctl_shared shared;
    struct tmemctl_set_guest set_guest;
    struct tmemctl_set_shared set_shared;
    struct tmemctl_allow allow;
    struct tmemctl_target target;
    struct tmemctl_log log;
    struct tmemctl_base base;
    struct tmemctl_base_import base_import;
    struct tmemctl_base_pages base_pages;
    struct tmemctl_base_end base_end;
    struct tmemctl_disk_add disk_add;
    struct tmemctl_disk_freeze disk_freeze;
    struct tmemctl_disk disk;
    struct tmemctl_disk_resize disk_resize;
};

/*
 * Check a private copy of a message of @length bytes, whole. OK: *message_out
 * is it, without the pages that BASE_PAGES has behind sizeof(struct
 * tmemctl_base_pages), and every field lies in its documented range. Otherwise
 * *message_out is unchanged:
 *   BAD_OP       the command is unknown
 *   BAD_REQUEST  any other violation of CONTROL.md
 * Pure, no alignment needed.
 */
enum tmemif_status tmemctl_decode(const void *untrusted, uint32_t length,
                                  union tmemctl_message *message_out);

/*
 * Is @reply, a private copy of @length bytes, a whole reply to @command? The
 * other end's check: records may then be read from (reply + 1).
 */
enum tmemif_status tmemctl_reply_check(const void *reply, uint32_t length, uint32_t command);

/* Is @text, from first to last, a name of a disk or base? */
int tmemctl_is_name(const char *text, size_t length);

/* Is @name, TMEMCTL_DISK_NAME_LEN bytes, such a name with NULs to the end? */
int tmemctl_name_is_valid(const char *name);

/* "SET_GUEST" for 16; "unknown" for what is no command. Never NULL. */
const char *tmemctl_command_name(uint32_t command);

/* Bytes of a record of a reply to @command; 0: it has none. */
uint32_t tmemctl_record_bytes(uint32_t command);

#ifndef __KERNEL__
#define X(value, name, message, bytes, record, list, change)                                       \
    TMEMIF_ASSERT(sizeof(struct tmemctl_##message) == (bytes));                                    \
    TMEMIF_ASSERT((bytes) <= TMEMCTL_MAX_MESSAGE);
TMEMCTL_COMMANDS(X)
#undef X
TMEMIF_ASSERT(sizeof(struct tmemctl_head) == 16);
TMEMIF_ASSERT(sizeof(struct tmemctl_reply) == 24);
TMEMIF_ASSERT(sizeof(struct tmemctl_who) == 32);
TMEMIF_ASSERT(sizeof(struct tmemctl_policy) == 32);
TMEMIF_ASSERT(sizeof(struct tmemctl_guest) == 112);
TMEMIF_ASSERT(sizeof(struct tmemctl_pool) == 208);
TMEMIF_ASSERT(sizeof(struct tmemctl_member) == 40);
TMEMIF_ASSERT(sizeof(struct tmemctl_counter) == 112);
TMEMIF_ASSERT(sizeof(struct tmemctl_verdict) == 128);
TMEMIF_ASSERT(sizeof(struct tmemctl_disk_info) == 184);
TMEMIF_ASSERT(sizeof(struct tmemctl_base_pages) + TMEMCTL_MAX_PAGES * 4096 <= TMEMCTL_MAX_MESSAGE);
#endif

#endif /* TMEMCTL_H */
