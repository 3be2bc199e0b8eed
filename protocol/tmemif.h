/* SPDX-License-Identifier: MIT */
/*
 * tmemif.h - the wire format of transcendent memory served by a domain.
 *
 * A frontend (a guest, or a plain process over the local transport) shares
 * rings and one data area with a backend (the manager). It puts requests on a
 * ring, page contents in the data area, and reads responses:
 *
 *      frontend                                        backend
 *   +-------------+   ring 0: header|requests|responses  +----------+
 *   | grants all  |   ring 1: header|requests|responses  | maps all |
 *   | of it, once |   data area: page contents, batches  | of it    |
 *   +-------------+   one notification channel a ring     +----------+
 *
 * This header is a C reference for protocol/PROTOCOL.md, which is the
 * authority where the two differ. It builds freestanding, so that a kernel
 * frontend uses the same definitions. All fields are little-endian; a page is
 * 4096 bytes whatever the guest's own page size; reserved fields and unknown
 * flags must be zero and are refused otherwise.
 */
#ifndef TMEMIF_H
#define TMEMIF_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "this C reference reads little-endian fields as they are"
#endif

/* Protocol versions. A new number is made only for what a feature node cannot say. */
enum tmemif_version {
    TMEMIF_VERSION_1 = 1, /* first */
    TMEMIF_VERSION_MAX = TMEMIF_VERSION_1,
};

#define TMEMIF_PAGE_SIZE 4096u
#define TMEMIF_UUID_LEN  16u

/* Bounds that hold for every version-1 peer; nodes offer less, never more. */
#define TMEMIF_MAX_RINGS           64u
#define TMEMIF_MAX_RING_PAGE_ORDER 3u
#define TMEMIF_MAX_DATA_PAGES      65536u
#define TMEMIF_MAX_BATCH           512u   /* requests in one BATCH */
#define TMEMIF_MAX_POOLS           64u    /* pools of one attachment; a pool id is below this */
#define TMEMIF_MAX_CONTROL_BYTES   65536u /* of an operator's message, and of its reply */
#define TMEMIF_INDEX_MAX           0xffffffffu /* the last index of an object */

/*
 * Requests. Values 0..15 stay unused, so that a zeroed slot is no request;
 * 64 and up need a privileged session (dom0, or the daemon's own socket).
 *
 *    value name          body   first version, what
 */
/* clang-format off */
#define TMEMIF_OPS(X)                                                          \
    X(16, NOP,          none)  /* 1: answered OK; a barrier in ring order   */ \
    X(17, POOL_CREATE,  pool)  /* 1: a private pool; value = pool id        */ \
    X(18, POOL_JOIN,    pool)  /* 1: a shared pool by UUID; value = pool id */ \
    X(19, POOL_LEAVE,   none)  /* 1: leave a shared pool                    */ \
    X(20, POOL_DESTROY, none)  /* 1: destroy a private, leave a shared pool */ \
    X(21, POOL_INFO,    info)  /* 1: struct tmemif_pool_info to the data area */ \
    X(22, RESET,        none)  /* 1: destroy or leave every pool            */ \
    X(32, PAGE_PUT,     page)  /* 1: store one page                         */ \
    X(33, PAGE_GET,     page)  /* 1: copy one page out                      */ \
    X(34, PAGE_FLUSH,   page)  /* 1: forget one page                        */ \
    X(35, OBJECT_FLUSH, range) /* 1: forget all pages of an object          */ \
    X(36, RANGE_FLUSH,  range) /* 1: forget indexes first..last             */ \
    X(37, BATCH,        batch) /* 1: many page requests, one slot           */ \
    X(64, CONTROL,      control) /* 1: an operator's message                */
/* clang-format on */

enum tmemif_op {
#define X(value, name, body) TMEMIF_OP_##name = value,
    TMEMIF_OPS(X)
#undef X
};
#define TMEMIF_OP_FIRST_PRIVILEGED 64u

/*
 * Outcomes. OK means done, stored or hit, by request; MISS is an outcome and
 * no error. A put refused with QUOTA to BAD_GRANT (below 16) leaves neither the
 * old page nor the new one (rule C6); whatever is refused with 16 or more has
 * changed nothing.
 *
 *    value name          sentence
 */
/* clang-format off */
#define TMEMIF_STATUSES(X)                                                     \
    X(0,  OK,           "done")                                                \
    X(1,  MISS,         "no such page")                                        \
    X(2,  QUOTA,        "refused: the quota of the guest or pool is used up, or none was granted") \
    X(3,  NO_MEMORY,    "refused: the manager has no memory left to give")     \
    X(4,  FROZEN,       "refused: frozen by the operator")                     \
    X(5,  BAD_GRANT,    "refused: the guest's page could not be read or written") \
    X(16, NOT_ALLOWED,  "not allowed by the operator")                         \
    X(17, READ_ONLY,    "not allowed: this member may only read")              \
    X(18, STALE_LEASE,  "refused: the page changed since the lease was given") \
    X(19, NEED_LEASE,   "refused: this pool takes only puts with a lease")     \
    X(20, NO_POOL,      "no such pool")                                        \
    X(21, BAD_KIND,     "the pool is of another kind")                         \
    X(22, TOO_MANY,     "too many: a limit on pools, members, policies or attachments is reached") \
    X(23, BAD_OP,       "unknown request")                                     \
    X(24, BAD_REQUEST,  "malformed request: its fields or flags do not go together") \
    X(25, BAD_DATA,     "data reference outside what the guest has shared")    \
    X(26, NOT_SUPPORTED, "needs a feature that was not negotiated")            \
    X(27, NOT_FOUND,    "no such guest or pool")                               \
    X(28, BUSY,         "in use; try again later")
/* clang-format on */

enum tmemif_status {
#define X(value, name, sentence) TMEMIF_##name = value,
    TMEMIF_STATUSES(X)
#undef X
};

/* What a pool is; fixed when it is created. */
#define TMEMIF_POOL_PERSISTENT 0x1u /* accepted pages stay until flushed */
#define TMEMIF_POOL_SHARED     0x2u /* joined by UUID; set by POOL_JOIN only */
#define TMEMIF_POOL_INCLUSIVE  0x4u /* private ephemeral: a hit leaves the page */
#define TMEMIF_POOL_LEASED     0x8u /* takes only puts that carry a lease */
#define TMEMIF_POOL_FLAGS      0xfu

/* Request flags. */
#define TMEMIF_GET_WANT_LEASE 0x1u /* PAGE_GET: on a miss answer with a fill lease */
#define TMEMIF_PUT_LEASED     0x1u /* PAGE_PUT: @lease is to be honoured */

/* Response flags. */
#define TMEMIF_RSP_LEASE 0x1u /* @lease is valid */

/*
 * Where bytes lie. Kind 0: @offset and @length inside the data area, @ref is
 * zero. Kind 1: grant reference @ref of a page of the frontend, @offset and
 * @length inside that page; only if the backend offers feature-grant-copy.
 */
enum tmemif_data_kind {
    TMEMIF_DATA_AREA = 0,
    TMEMIF_DATA_GRANT = 1,
};

struct tmemif_data {
    uint16_t kind;
    uint16_t reserved;
    uint32_t ref;
    uint32_t offset; /* bytes */
    uint32_t length; /* bytes */
};

/*
 * A fill lease (rule C31): the state of the pool's epoch and of the counters
 * that this handle hashes to, seen at a miss. Opaque to a frontend.
 */
struct tmemif_lease {
    uint32_t epoch;
    uint32_t object;
    uint32_t handle;
};

/* PAGE_PUT, PAGE_GET, PAGE_FLUSH. A flush has no data: all zero. */
struct tmemif_page {
    uint64_t object[3];
    uint32_t index;
    struct tmemif_lease lease;
    struct tmemif_data data; /* length 4096 */
};

/* OBJECT_FLUSH (first 0, last 0xffffffff) and RANGE_FLUSH (both inclusive). */
struct tmemif_range {
    uint64_t object[3];
    uint32_t first;
    uint32_t last;
    uint64_t reserved[3];
};

/* POOL_CREATE (uuid all zero) and POOL_JOIN. The request's pool field is zero. */
struct tmemif_pool {
    uint8_t uuid[TMEMIF_UUID_LEN];
    uint32_t flags; /* TMEMIF_POOL_* */
    uint32_t reserved0;
    uint64_t reserved[4];
};

/* POOL_INFO: one struct tmemif_pool_info is written to @data. */
struct tmemif_info {
    struct tmemif_data data;
    uint64_t reserved[5];
};

/*
 * BATCH: @count request slots lie at @requests and are copied before they are
 * looked at; as many response slots are written at @responses, in order. Only
 * PAGE_PUT, PAGE_GET, PAGE_FLUSH, OBJECT_FLUSH and RANGE_FLUSH; both
 * references are of kind 0. The response's count says how many were done.
 */
struct tmemif_batch {
    struct tmemif_data requests;
    struct tmemif_data responses;
    uint32_t count;
    uint32_t reserved0;
    uint64_t reserved[2];
};

/* CONTROL: a message of control.h lies at @message, the reply goes to @reply. */
struct tmemif_control {
    struct tmemif_data message;
    struct tmemif_data reply;
    uint64_t reserved[3];
};

struct tmemif_request {
    uint16_t op;
    uint16_t flags;
    uint32_t pool;
    union {
        uint64_t none[7];
        struct tmemif_page page;
        struct tmemif_range range;
        struct tmemif_pool pool;
        struct tmemif_info info;
        struct tmemif_batch batch;
        struct tmemif_control control;
    } u;
};

/*
 * Requests of one ring are answered in ring order; @number is the index of
 * the request that this answers, and the slot is number modulo the ring size.
 * In a BATCH @number is the place of the element, from 0.
 */
struct tmemif_response {
    uint32_t number;
    uint16_t status; /* enum tmemif_status */
    uint16_t flags;  /* TMEMIF_RSP_* */
    struct tmemif_lease lease;
    uint32_t count; /* BATCH: elements answered; CONTROL: bytes of the reply; else 0 */
    uint64_t value; /* POOL_CREATE, POOL_JOIN: the pool id; else 0 */
};

/* What POOL_INFO writes. Page counts are pages of 4096 bytes. */
struct tmemif_pool_info {
    uint8_t uuid[TMEMIF_UUID_LEN]; /* zero for a private pool */
    uint32_t flags;                /* TMEMIF_POOL_* */
    uint32_t epoch;
    uint64_t nr_pages;    /* held now, all members together */
    uint64_t quota_pages; /* most it may hold; of the guest or of the pool */
    uint64_t puts, puts_refused;
    uint64_t gets, hits;
    uint64_t flushes;
    uint64_t evictions;
    uint32_t read_only; /* 1: this member may only read */
    uint32_t frozen;    /* 1: the operator has frozen it */
    uint64_t reserved[5];
};

/*
 * A ring: this header, then 32 << order request slots, then as many response
 * slots, in 1 << order pages. Indexes run freely; each is stored by one side
 * only, from a private copy, and read once by the other.
 *
 *   byte   0  64                128                128 + 64 n      128 + 96 n
 *        +---+-----------------+------------------+---------------+
 *        | F | B               | n requests       | n responses   |
 *        +---+-----------------+------------------+---------------+
 */
struct tmemif_ring {
    /* F: stored by the frontend */
    uint32_t req_prod;      /* requests put on the ring so far */
    uint32_t rsp_event;     /* notify me when rsp_prod passes this */
    uint32_t front_beat;    /* ring 0: heartbeat, any change says "alive" */
    uint32_t front_alive;   /* ring 0: TMEMIF_FRONT_ALIVE while attached */
    uint64_t front_session; /* a random number, new whenever the rings are; the same in all */
    uint32_t front_reserved[10];
    /* B: stored by the backend */
    uint32_t rsp_prod;   /* responses given so far */
    uint32_t req_event;  /* notify me when req_prod passes this */
    uint32_t back_beat;  /* ring 0: heartbeat */
    uint32_t back_epoch; /* incarnation of the manager, not 0; changes when it restarts */
    uint32_t back_reserved[12];
};

/*
 * front_alive. The end of a process clears its first octet by itself (an unmap
 * notice of the grant device); a frontend that leaves of its own will stores
 * TMEMIF_FRONT_LEFT before anything else, which outlives that.
 */
#define TMEMIF_FRONT_ALIVE 0x001u
#define TMEMIF_FRONT_LEFT  0x100u

#define TMEMIF_RING_HEADER_BYTES 128u
#define TMEMIF_RING_SLOTS(order) (32u << (order))

#ifdef __cplusplus
#define TMEMIF_ASSERT(c) static_assert(c, #c)
#else
#define TMEMIF_ASSERT(c) _Static_assert(c, #c)
#endif
TMEMIF_ASSERT(sizeof(struct tmemif_data) == 16);
TMEMIF_ASSERT(sizeof(struct tmemif_page) == 56);
TMEMIF_ASSERT(sizeof(struct tmemif_range) == 56);
TMEMIF_ASSERT(sizeof(struct tmemif_pool) == 56);
TMEMIF_ASSERT(sizeof(struct tmemif_info) == 56);
TMEMIF_ASSERT(sizeof(struct tmemif_batch) == 56);
TMEMIF_ASSERT(sizeof(struct tmemif_control) == 56);
TMEMIF_ASSERT(sizeof(struct tmemif_request) == 64);
TMEMIF_ASSERT(sizeof(struct tmemif_response) == 32);
TMEMIF_ASSERT(sizeof(struct tmemif_ring) == TMEMIF_RING_HEADER_BYTES);
TMEMIF_ASSERT(sizeof(struct tmemif_pool_info) == 136);

#endif /* TMEMIF_H */
