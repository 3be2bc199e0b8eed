/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * layout.h - what lies in the memory segments that outlive the daemon.
 *
 *   META    superblock | accounts | pools | tombstones | ring records
 *   DESCS   one struct desc per page the store can hold
 *   FRAMES  4096 bytes for each of the first nr_frames descriptors
 *
 * Descriptor n < nr_frames owns frame n; the rest, up to nr_descs, stand for
 * same-filled pages, which need no frame. Everything here is numbers and
 * offsets, never a pointer. At a restart every byte is hostile input.
 *
 * Every record ends its life and begins it with one 64-bit store to its
 * @live word: a record whose live word is 0 does not exist, whatever the rest
 * says. The live word is a generation (48 bits) and a check sum of the record
 * (16 bits), so a record half written when the daemon was killed is either
 * dead still or whole. A kill loses no store that came before it: the order
 * of stores in the program, kept by release stores, is the order found.
 */
#ifndef XTM_STORE_LAYOUT_H
#define XTM_STORE_LAYOUT_H

#include <stdint.h>

#include "protocol/tmemif.h"

#define LAYOUT_MAGIC 0x786d656d746e6578ull /* "xentmemx" */
/*
 * The layout version. Whoever changes a struct here gives it a new number and
 * says in super.c how the older one is read (docs/DECISIONS.md, "Layout
 * versions").
 */
#define LAYOUT_VERSION 1u

#define LAYOUT_NONE           UINT32_MAX /* "no descriptor" */
#define LAYOUT_NO_SLOT        UINT16_MAX /* "no pool" in a pool id table */
#define LAYOUT_MAX_POOLS      4096u      /* pool slots; fits desc.pool */
#define LAYOUT_MAX_ACCOUNTS   1024u
#define LAYOUT_MAX_RINGS      4096u
#define LAYOUT_MAX_TOMBSTONES 4096u

/* live words */
#define LIVE_DEAD           0ull
#define LIVE_GENERATION_MAX ((1ull << 48) - 1)
static inline uint64_t live_word(uint64_t generation, uint16_t check)
{
    return generation << 16 | check;
}
static inline uint64_t live_generation(uint64_t word)
{
    return word >> 16;
}
static inline uint16_t live_check(uint64_t word)
{
    return (uint16_t)word;
}

struct layout_super {
    uint64_t magic;
    uint32_t version;
    uint32_t incarnation; /* daemons that have used these segments; see back_epoch */
    uint32_t nr_frames;
    uint32_t nr_descs;
    uint32_t nr_accounts;
    uint32_t nr_pools;
    uint32_t nr_tombstones;
    uint32_t nr_rings;
    uint64_t check; /* of the fields above but incarnation */
};

/* What a descriptor stands for. */
enum desc_kind {
    DESC_FRAME = 1,  /* the page is in its frame; sum is the page's check sum */
    DESC_FILLED = 2, /* the page is one 32-bit word over and over; see desc.sum */
};

/* One page. 48 bytes: two thirds of the whole budget for metadata (docs/PERFORMANCE.md). */
struct desc {
    uint64_t object[3];
    uint32_t index;
    uint16_t pool; /* slot in the pool table */
    uint8_t kind;  /* enum desc_kind */
    uint8_t use;   /* the engine's (use.h); not checked, void after a restart */
    /*
     * DESC_FRAME: XXH3 of the page, seeded with object, index, pool and
     * generation, so that a page never passes for another handle's.
     * DESC_FILLED: the word in the low half, a check sum of it with the same
     * seed in the high half.
     */
    uint64_t sum;
    uint64_t live;
};
_Static_assert(sizeof(struct desc) == 48, "the overhead figure depends on it");

/* One attachment: who it is and the pools it sees. Its policy lives in dom0. */
struct account_rec {
    uint32_t kind;   /* enum account_kind, engine/account.h */
    uint32_t id;     /* domid, uid of a local client, or a layer of disks */
    uint32_t device; /* attachment number of that guest */
    uint32_t reserved;
    uint8_t uuid[TMEMIF_UUID_LEN];    /* of the guest; a domid is used again, this is not */
    uint16_t pools[TMEMIF_MAX_POOLS]; /* pool id -> pool slot or LAYOUT_NO_SLOT; each
                                         entry stored alone, not under the check sum */
    uint64_t reserved2[3];
    uint64_t live;
};
_Static_assert(sizeof(struct account_rec) == 192, "layout");

struct pool_rec {
    uint8_t uuid[TMEMIF_UUID_LEN]; /* zero: private */
    uint32_t flags;                /* TMEMIF_POOL_* */
    uint32_t account;              /* owner's slot; LAYOUT_NONE: shared */
    /* the two below change in life, each with one store, and are not under the check sum */
    uint64_t floor; /* pages with a generation below are dead (destroy, new epoch) */
    uint32_t epoch; /* of leases; counts up over all pools */
    uint32_t reserved;
    uint64_t reserved2[2];
    uint64_t live;
};
_Static_assert(sizeof(struct pool_rec) == 64, "layout");
/* A pool whose floor is this has been destroyed; every page of it is dead. */
#define FLOOR_DESTROYED (LIVE_GENERATION_MAX + 1)

/*
 * A long flush that has been answered: pages of @pool and @object from @first
 * to @last with a generation below that of the live word are dead, and slices
 * reclaim them later.
 */
struct tombstone_rec {
    uint64_t object[3];
    uint32_t pool;
    uint32_t first, last;
    uint32_t reserved[3];
    uint64_t reserved2;
    uint64_t live;
};
_Static_assert(sizeof(struct tombstone_rec) == 64, "layout");

/*
 * What a ring's worker was doing (replay after a crash). Stored under the lock
 * of the handle: RECORD_INTENT with everything needed to finish the operation,
 * then the operation, then RECORD_DONE with its outcome. At a restart an intent is finished from
 * this record before anyone is served, so a request runs exactly once.
 *
 * Of a queue of a disk (account LAYOUT_NONE) the record holds the last answer, from before it is on
 * the ring (daemon/blk/answer.h): @value is the answer's identifier, @session tells the
 * connection, @disk whose it is and whether that is lost; there is no intent.
 */
enum record_phase {
    RECORD_IDLE = 0,   /* nothing of request @number has happened */
    RECORD_INTENT = 1, /* it may have happened in part: finish it */
    RECORD_DONE = 2,   /* it has happened: @status is the answer, do not run it again */
};

struct ring_rec {
    uint32_t account;    /* slot; with @ring names whose record this is; LAYOUT_NONE: a disk's */
    uint32_t ring;       /* ring number of that account */
    uint32_t number;     /* request number of the ring */
    uint32_t element;    /* element of a BATCH that the fields below speak of; else 0 */
    uint16_t phase;      /* enum record_phase; stored last */
    uint16_t op;         /* TMEMIF_OP_* of the request or element */
    uint16_t status;     /* RECORD_DONE: enum tmemif_status */
    uint16_t pool;       /* pool slot */
    uint64_t generation; /* PAGE_PUT: of the descriptor it was to make live */
    union {
        uint64_t object[3];    /* of the handle */
        uint64_t pools_before; /* POOL_*: ids that the account had, as a bit map */
        struct {
            uint64_t owner; /* guest and device */
            uint64_t lost;
        } disk; /* account LAYOUT_NONE */
    };
    uint32_t first, last; /* indexes; one page: the same; POOL_*: @first is the pool's id */
    uint64_t reserved0[2];
    uint64_t value;    /* RECORD_DONE: of the response */
    uint32_t answered; /* elements of a BATCH whose answers are written: [0, answered) */
    uint32_t reserved1;
    uint64_t session; /* tmemif_ring.front_session of the ring; another's is not resumed */
    uint64_t reserved2[2];
    uint64_t live;
};
_Static_assert(sizeof(struct ring_rec) == 128, "layout");

#endif /* XTM_STORE_LAYOUT_H */
