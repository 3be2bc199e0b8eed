/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xentmem.h - put pages into transcendent memory and get them back.
 *
 * A manager (a service domain, or a daemon on this machine) holds pages of
 * 4096 bytes for its guests, in pools. A handle is this process's way to it:
 *
 *     struct xentmem *t = xentmem_open(NULL, 0, NULL);
 *     uint32_t pool;
 *     struct xentmem_object object = { { inode, 0, 0 } };
 *
 *     if (!t || xentmem_pool_create(t, 0, &pool) != XENTMEM_OK)
 *         ...
 *     xentmem_put(t, pool, &object, 7, page);         // OK, or refused
 *     xentmem_get(t, pool, &object, 7, page);         // OK, or XENTMEM_MISS
 *     xentmem_close(t);                               // the pools stay
 *
 * Pools belong to the attachment (this guest and a device number), not to the
 * process: whoever attaches next sees the same ones. xentmem_reset() empties
 * them.
 *
 * RETURN VALUES. Unless it says otherwise a call returns what the manager
 * answered, one of enum xentmem_status (0 and up), or -1 with errno set when
 * there was no answer:
 *   EINVAL     bad argument; or the handle came here through fork()
 *   ETIMEDOUT  the manager did not answer within options.timeout_ms: the
 *              request may or may not be carried out later
 *   ENODEV     the manager, or the attachment, is gone for good
 *   EPROTO     the manager broke the protocol; only xentmem_close() is left
 *   ENOMEM     no memory
 *
 * THREADS. Every call but xentmem_open() and xentmem_close() may be made by
 * several threads on one handle at once. A handle must not be closed while
 * another thread is inside a call on it.
 *
 * FORK. A child must not use a handle it inherited, except for
 * xentmem_close(), which frees the child's copy and leaves the parent's
 * session as it is; every other call fails with EINVAL there. Descriptors
 * are closed on exec.
 *
 * RESTARTS. When the manager's daemon is restarted the library attaches again
 * by itself and requests under way are carried out exactly once; callers see
 * a delay.
 *
 * ORDER. Requests on one object are carried out in the order in which they
 * were submitted. Requests on different objects are ordered only if the
 * second was submitted after the first had returned or was reaped. A vector is
 * ordered in itself, and like a request on the object of its first operation.
 *
 * LOGS. Only through options.log; the library never prints.
 */
#ifndef XENTMEM_H
#define XENTMEM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XENTMEM_PAGE_SIZE 4096u
#define XENTMEM_UUID_LEN  16u

struct xentmem;

/*
 * What the manager answers. Never renumbered. A status that is not listed is a
 * refusal by a newer manager, after which an older page may be gone.
 */
enum xentmem_status {
    XENTMEM_OK = 0,   /* done, stored, or found */
    XENTMEM_MISS = 1, /* no such page; not an error */
    /* refused, and an older page under the same handle is gone too */
    XENTMEM_QUOTA = 2,     /* the quota of the guest or pool is used up, or zero */
    XENTMEM_NO_MEMORY = 3, /* the manager has no memory to give */
    XENTMEM_FROZEN = 4,    /* the operator has frozen the pool */
    XENTMEM_BAD_GRANT = 5, /* the page could not be read or written */
    /* refused, and nothing has changed */
    XENTMEM_NOT_ALLOWED = 16,   /* by the operator */
    XENTMEM_READ_ONLY = 17,     /* this member may only read */
    XENTMEM_STALE_LEASE = 18,   /* the page changed since the lease was given */
    XENTMEM_NEED_LEASE = 19,    /* this pool takes only puts with a lease */
    XENTMEM_NO_POOL = 20,       /* no such pool */
    XENTMEM_BAD_KIND = 21,      /* the pool has other flags, or is private and not shared */
    XENTMEM_TOO_MANY = 22,      /* a limit on pools, members, policies or attachments */
    XENTMEM_BAD_OP = 23,        /* the manager does not know the request */
    XENTMEM_BAD_REQUEST = 24,   /* malformed; flags that do not go together */
    XENTMEM_BAD_DATA = 25,      /* outside what is shared with the manager */
    XENTMEM_NOT_SUPPORTED = 26, /* a feature that was not negotiated */
    XENTMEM_NOT_FOUND = 27,     /* no such guest or pool (operator's messages) */
    XENTMEM_BUSY = 28           /* in use; try again later */
};

/* A sentence for a status: "refused: the quota of ...". Never NULL. Thread- and fork-safe. */
const char *xentmem_strstatus(int status);

/* "0.1.0", of the library that is running. Thread- and fork-safe. */
const char *xentmem_version(void);

/* ---- handles ---- */

/* xentmem_open() flags */
#define XENTMEM_OPEN_CONTROL 0x1u /* the operator's messages, no pools: xentmem_control() only */

/*
 * How to attach. Start from XENTMEM_OPTIONS_INIT, which chooses everything by
 * itself, and change what is to differ.
 */
struct xentmem_options {
    size_t size;            /* of this struct: tells library versions apart */
    unsigned nr_rings;      /* 0: chosen, at most 4; else up to 64, local 16 */
    int ring_page_order;    /* 32 << order requests under way on a ring; -1: chosen */
    unsigned nr_data_pages; /* pages under way on all rings; 0: 256, local 512. At least 8 */
    int poll_us;            /* longest time to look for an answer before sleeping; 0: sleep at
                               once; -1: chosen */
    int timeout_ms;         /* how long a request may wait for its answer, and
                               xentmem_open() for the manager; 0: 30000; -1: for ever */
    unsigned fence_ms;      /* fence time to ask for; 0: none. See xentmem(3), FENCING */
    unsigned reserved;
    void (*log)(void *log_arg, const char *sentence); /* why something failed; NULL: nowhere.
                                Called from any thread that uses the handle; must not call back */
    void *log_arg;
};

#define XENTMEM_OPTIONS_INIT                                                                       \
    {                                                                                              \
        sizeof(struct xentmem_options), 0, -1, 0, -1, 0, 0, 0, NULL, NULL                          \
    }

/*
 * Attach. @where says to which manager:
 *   NULL              "xen:0" in a Xen guest that has device/tmem/0, else "local:"
 *   "xen:N"           device N of this Xen guest
 *   "local:PATH[:N]"  attachment N (0) of this user at the daemon that listens on PATH
 *                     (/run/xentmem/socket if PATH is empty)
 * @options may be NULL. Blocks until the manager has accepted, at most
 * options.timeout_ms; not when there is no manager, which is found out at
 * once and before anything is allocated.
 *
 * Returns a handle, or NULL with errno set, and a sentence in options.log unless options.size is
 * wrong:
 *   ENODEV     no manager: no such device, nobody listens
 *   EBUSY      another process uses this attachment
 *   EACCES     the manager does not admit this user, or a file may not be opened
 *   ENOSPC     grants or shared pages ran out; the log sentence names the limit
 *   EINVAL     bad @where, flag or option
 *   ETIMEDOUT  the manager is there and does not answer
 *   ECONNREFUSED  the manager closed the attachment; the log sentence says why (Xen)
 *   EPROTO     it answers with what the protocol does not allow
 *   ENOMEM, EMFILE, ... from the system
 */
struct xentmem *xentmem_open(const char *where, unsigned flags,
                             const struct xentmem_options *options);

/*
 * Give everything back; the pools stay with the manager. Requests still under
 * way may or may not be carried out, their operations are not reaped any more.
 * NULL is allowed. On Xen it waits, at most two seconds, for the manager to let
 * go of the memory; else it does not block. Keeps errno.
 */
void xentmem_close(struct xentmem *t);

/* ---- pools ---- */

/* Pool flags */
#define XENTMEM_PERSISTENT 0x1u /* accepted pages stay until flushed; else any may vanish */
#define XENTMEM_SHARED     0x2u /* reported by xentmem_pool_info(); joining implies it */
#define XENTMEM_INCLUSIVE  0x4u /* private ephemeral: a hit leaves the page in the pool */
#define XENTMEM_LEASED     0x8u /* takes only puts that carry a lease */

/* A new private pool of this attachment. OK: *@pool_out is its number. Blocks. */
int xentmem_pool_create(struct xentmem *t, unsigned flags, uint32_t *pool_out);

/*
 * Join the shared pool @uuid, made by the first who joins. NOT_ALLOWED unless
 * the operator allowed this guest; BAD_KIND if it exists with other @flags.
 * Joining again gives the same number. Blocks.
 */
int xentmem_pool_join(struct xentmem *t, const uint8_t uuid[XENTMEM_UUID_LEN], unsigned flags,
                      uint32_t *pool_out);

/* Leave a shared pool. BAD_KIND for a private one. Blocks. */
int xentmem_pool_leave(struct xentmem *t, uint32_t pool);

/* Destroy a private pool with all its pages, leave a shared one. Blocks. */
int xentmem_pool_destroy(struct xentmem *t, uint32_t pool);

/* Destroy or leave every pool of the attachment. Blocks. */
int xentmem_reset(struct xentmem *t);

/* Pool numbers are below this. */
#define XENTMEM_MAX_POOLS 64u

struct xentmem_pool_info {
    uint8_t uuid[XENTMEM_UUID_LEN]; /* zero for a private pool */
    uint32_t flags;
    uint32_t read_only;   /* 1: this member may only get */
    uint32_t frozen;      /* 1: the operator has frozen it */
    uint32_t epoch;       /* of a shared ephemeral pool: grows when it was emptied */
    uint64_t nr_pages;    /* held now, by all members together */
    uint64_t quota_pages; /* most it, or its guest, may hold of its kind: quota of a persistent
                             pool, maximum of an ephemeral one; UINT64_MAX: no limit */
    uint64_t puts, puts_refused;
    uint64_t gets, hits;
    uint64_t flushes;
    uint64_t evictions;
};

/* Blocks. */
int xentmem_pool_info(struct xentmem *t, uint32_t pool, struct xentmem_pool_info *info_out);

/* ---- pages, one at a time ---- */

/* Opaque 192 bits chosen by the user: an inode number, a file handle, a swap slot. */
struct xentmem_object {
    uint64_t id[3];
};

/*
 * The right to fill one page that was missed: honoured only if nobody put or
 * flushed it since. Plain data, may be copied; belongs to no thread.
 */
struct xentmem_lease {
    uint32_t opaque[3];
};

/*
 * Store @page (XENTMEM_PAGE_SIZE bytes). Any put may be refused. Blocks; when
 * it returns @page is the caller's again.
 */
int xentmem_put(struct xentmem *t, uint32_t pool, const struct xentmem_object *object,
                uint32_t index, const void *page);

/* The same with a lease from xentmem_get_lease(). STALE_LEASE: the page changed since. */
int xentmem_put_leased(struct xentmem *t, uint32_t pool, const struct xentmem_object *object,
                       uint32_t index, const void *page, const struct xentmem_lease *lease);

/*
 * OK: @page_out is filled with the last page that was stored. Anything else:
 * @page_out is as it was. A hit in a private ephemeral pool takes the page out
 * of it unless the pool is INCLUSIVE. Blocks.
 */
int xentmem_get(struct xentmem *t, uint32_t pool, const struct xentmem_object *object,
                uint32_t index, void *page_out);

/*
 * The same; on a MISS *@lease_out is a lease to fill the page with, and
 * *@leased_out is 1 if the pool gives leases, else 0.
 */
int xentmem_get_lease(struct xentmem *t, uint32_t pool, const struct xentmem_object *object,
                      uint32_t index, void *page_out, struct xentmem_lease *lease_out,
                      int *leased_out);

/* Forget a page, an object, the pages @first to @last of an object. OK if absent too. Block. */
int xentmem_flush_page(struct xentmem *t, uint32_t pool, const struct xentmem_object *object,
                       uint32_t index);
int xentmem_flush_object(struct xentmem *t, uint32_t pool, const struct xentmem_object *object);
int xentmem_flush_range(struct xentmem *t, uint32_t pool, const struct xentmem_object *object,
                        uint32_t first, uint32_t last);

/* ---- many operations ---- */

enum xentmem_op_kind {
    XENTMEM_PUT = 1,
    XENTMEM_GET = 2,
    XENTMEM_FLUSH_PAGE = 3,
    XENTMEM_FLUSH_OBJECT = 4,
    XENTMEM_FLUSH_RANGE = 5
};

/* op flags */
#define XENTMEM_WANT_LEASE 0x1u /* GET: give a lease on a miss */
#define XENTMEM_WITH_LEASE 0x2u /* PUT: honour op.lease */
#define XENTMEM_HAS_LEASE  0x4u /* set in op.flags when op.lease was given; cleared otherwise */

struct xentmem_op {
    uint32_t kind; /* enum xentmem_op_kind */
    uint32_t flags;
    uint32_t pool;
    uint32_t index; /* of the page; FLUSH_RANGE: the first */
    uint32_t last;  /* FLUSH_RANGE: the last; else not used */
    struct xentmem_lease lease;
    struct xentmem_object object;
    void *page; /* PUT: read by the call; GET: written on a hit, when the op comes back */
    void *user; /* the caller's, untouched */
    /* outcome */
    int status; /* enum xentmem_status, or -1: see @error */
    int error;  /* an errno value when status is -1 */
};

/*
 * Carry out @nr_ops operations in order, many to a request. Each op has its
 * own outcome. Returns 0 when every op has a status, or -1 with errno set
 * (EINVAL: nothing was done; else ops with status -1 had no answer). Blocks.
 */
int xentmem_vector(struct xentmem *t, struct xentmem_op *ops, unsigned nr_ops);

/*
 * Start up to @nr_ops operations without waiting. Returns how many of them, from
 * the first on, were started: fewer when all room is in use (reap, then go on), or
 * before one that is not valid; -1 with errno if the first cannot be started
 * (EAGAIN: no room; EINVAL).
 * An op that was started is the library's until xentmem_reap() returns it. A PUT's
 * page may be used again at once. Does not block, but for short locks.
 */
int xentmem_submit(struct xentmem *t, struct xentmem_op *ops, unsigned nr_ops);

/*
 * Take up to @max finished operations, in any order. Waits for the first at most
 * @timeout_ms (0: not at all, -1: until there is one). Returns how many are in
 * @ops_out; 0 if none came, or if none is under way; -1 with errno once all have come
 * back and the handle is dead.
 */
int xentmem_reap(struct xentmem *t, struct xentmem_op **ops_out, unsigned max, int timeout_ms);

/*
 * A descriptor for poll(2): readable when xentmem_reap() has something to do, which need not
 * be a finished operation. To be polled only after xentmem_reap() returned fewer
 * than asked for. The handle's; do not read or close it. Never blocks.
 */
int xentmem_fd(struct xentmem *t);

/* ---- the operator ---- */

/*
 * Send a control message over a privileged attachment (dom0, or root on the
 * daemon's socket). *@reply_len is the room in @reply, and then what was
 * written. At most 65536 bytes there and back. NOT_ALLOWED if not privileged. Blocks.
 */
int xentmem_control(struct xentmem *t, const void *message, size_t message_len, void *reply,
                    size_t *reply_len);

#ifdef __cplusplus
}
#endif

#endif /* XENTMEM_H */
