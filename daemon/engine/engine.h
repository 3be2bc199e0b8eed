/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * engine.h - pools, their pages, and who may have how many.
 *
 *            account (one attachment: pool ids, quota)
 *               |  pool id
 *            pool slot (flags, epoch, policy)
 *               |  object, index
 *            shard, by hash of (pool slot, object): lock, page index,
 *               |     object index, eviction queues, lease counters
 *            page (store.h)
 *
 * The engine has no way to reach the outside: no system call, clock, log or
 * global. It never touches a guest's memory: put and get come in two halves,
 * and the caller copies between them, with no lock held, from or to a frame
 * that the first half hands out. Frames of live pages are never written, so
 * whatever a get's first half found stays whole until its second.
 *
 * Threads: "worker" functions may be called by all workers at once, each with its own
 * number below config.nr_workers; "control" functions by one thread, beside
 * the workers. Nothing here blocks but for short locks.
 */
#ifndef XTM_ENGINE_H
#define XTM_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/account.h"
#include "daemon/store/page_copy.h"
#include "daemon/store/store.h"
#include "protocol/tmemif.h"

struct engine;
struct claim;

struct engine_config {
    unsigned nr_workers;
    unsigned nr_shards; /* power of two; 0: engine_shards_for(nr_workers) */
    uint64_t hash_seed; /* random: a guest must not be able to aim at one chain */
    bool emulated;      /* the processor has no cache: no look at requests behind, nor at frames */
};

/*
 * Descriptors of a store that an engine can take: an entry of the object index has a bit more than
 * a page number.
 */
#define ENGINE_DESCS_MOST (1u << 30)

/* For so many workers that are in the engine all the time; each shard costs some KiB. */
unsigned engine_shards_for(unsigned nr_workers);

/* The daemon's workers at most, and gets that one may have under way, which pin pages. */
#define ENGINE_WORKERS_MOST 64u
#define ENGINE_GETS_MOST    8u

/*
 * Over @store, which outlives the engine. Whatever live pages the store holds
 * are indexed again: persistent ones by scanning; of two pages of one handle
 * the higher generation wins; pages under a tombstone or a pool's floor are
 * reclaimed; private ephemeral pages are kept; shared ephemeral pools start
 * empty with a new epoch; intents in ring records are finished (layout.h). A page
 * found is compared with its check sum when it is first got: if its bytes are
 * others, it is dropped and counted, and the get is a miss.
 * NULL: no memory.
 */
struct engine *engine_create(struct store *store, const struct engine_config *config);
void engine_destroy(struct engine *e);

/*
 * Before anyone is served: at most @nr_frames from now on. Ephemeral pages above that go, whosever
 * they are. Persistent ones stay, and so does room for workers to replace them: the limit that
 * holds, which may be higher, is returned.
 */
uint32_t engine_set_limit(struct engine *e, uint32_t nr_frames);

/* ---- accounts and policy: control ---- */

typedef uint32_t account_nr; /* slot of the account record */

/*
 * The account of @key, made if there is none; one that a restart found again
 * has its pools. TOO_MANY: every slot is taken.
 */
enum tmemif_status engine_account_open(struct engine *e, const struct account_key *key,
                                       account_nr *account_out);
/*
 * The guest is gone: its private pools are destroyed, it leaves the shared
 * ones. No operation of the account may be under way or begin any more.
 */
void engine_account_close(struct engine *e, account_nr account);
/* Until then an account may hold nothing: quota and maximum are 0. */
void engine_account_set_policy(struct engine *e, account_nr account, const struct policy *policy);
/* From now on no put of it is stored, also of those under way; of a shared pool the same. */
void engine_account_set_frozen(struct engine *e, account_nr account, bool frozen);

/* Accounts that a restart found: call with *cursor = 0 until false. */
bool engine_account_next(struct engine *e, uint32_t *cursor, account_nr *account_out,
                         struct account_key *key_out);

/*
 * A shared pool's policy and members exist before the pool does, and grant
 * nothing by default. A member is one account: all of its key must be the same.
 * RIGHT_NONE takes the right away at once. TOO_MANY: table full.
 */
enum tmemif_status engine_shared_set_policy(struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN],
                                            const struct policy *policy);
enum tmemif_status engine_shared_allow(struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN],
                                       const struct account_key *member, enum pool_right right);
enum tmemif_status engine_shared_set_frozen(struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN],
                                            bool frozen);
/* No policy of it holds any more, and its name makes room, unless it has members or is a pool. */
void engine_shared_forget(struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN]);
/* Destroy a shared pool, persistent or not, for all members, or its name if that is all there is.
 * NOT_FOUND. */
enum tmemif_status engine_shared_remove(struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN]);
/*
 * A member that may fill was lost or fell silent: every shared ephemeral pool
 * in which @account may fill starts a new epoch, empty (rule C25).
 */
void engine_account_fence(struct engine *e, account_nr account);

/* ---- pools: worker. Pool ids are the account's, below TMEMIF_MAX_POOLS. ---- */

/*
 * BAD_REQUEST: flags that a private pool cannot have. TOO_MANY: no id or no slot is
 * free. BUSY: so many destroyed pools of the account wait to be reclaimed that it has
 * to wait, too; each call reclaims some. NO_MEMORY. NOT_FOUND: no such account.
 */
enum tmemif_status engine_pool_create(struct engine *e, account_nr account, uint32_t flags,
                                      uint32_t *pool_id_out);
/*
 * Join, or make, the shared pool of @uuid. NOT_ALLOWED, BAD_KIND, NO_POOL (a
 * reader does not make it), TOO_MANY: in this order; NO_MEMORY. BUSY, as above: the
 * pool would be made, and what it was before waits to be reclaimed. A member is told
 * the id that it has.
 */
enum tmemif_status engine_pool_join(struct engine *e, account_nr account,
                                    const uint8_t uuid[TMEMIF_UUID_LEN], uint32_t flags,
                                    uint32_t *pool_id_out);
/* Leave a shared pool; BAD_KIND for a private one. */
enum tmemif_status engine_pool_leave(struct engine *e, account_nr account, uint32_t pool_id);
/* Destroy a private pool, leave a shared one. */
enum tmemif_status engine_pool_destroy(struct engine *e, account_nr account, uint32_t pool_id);
/* The ids of those that @account has, whatever its rights, as a bit map. Any thread, no lock. */
uint64_t engine_account_pools(const struct engine *e, account_nr account);
/* Destroy or leave all of them. */
void engine_account_reset(struct engine *e, account_nr account);
enum tmemif_status engine_pool_info(struct engine *e, account_nr account, uint32_t pool_id,
                                    struct tmemif_pool_info *info_out);

/* ---- pages: worker ---- */

/* Who asks for what, and where the outcome is recorded for a replay. */
struct page_op {
    unsigned worker;
    account_nr account;
    uint32_t pool_id;
    uint64_t object[3];
    uint32_t index;
    const struct tmemif_lease *lease; /* put: to be honoured, or NULL */
    /*
     * As disks need it: a put that is refused changes nothing, against C6, and one that replaces
     * a page with a frame finds another one (reserve.h); a page that a get finds damaged stays,
     * and the answer is BAD_DATA until the page is put anew.
     */
    bool firm;
    /*
     * Other gets of this worker are under way. A page that any get has is BUSY to this one, and
     * nothing has happened: so a worker pins a page once, waits for nobody while it has others, and
     * finds what an end of its own may leave.
     */
    bool beside;
    /*
     * Record of the ring, with number, element and op set by the caller, or NULL.
     * The engine fills it under the handle's lock: INTENT before, DONE after; the
     * caller has stored RECORD_IDLE before it names a new request. A get, and what
     * changes nothing, leaves it so: it may be asked again after a restart.
     */
    struct ring_rec *record;
};

/*
 * A put in two halves. A worker has one put under way at a time. begin: *frame_out is
 * 4096 bytes to copy the guest's page into; who does that with page_copy(), put.seed and
 * &put.facts, and sets put.has_facts, spares the commit another look at the page. Then commit, or
 * abort if the guest's page could not be read (status BAD_GRANT). Every status but OK, of either
 * half, ends the put, and for a refusal up to BAD_GRANT an older page of the handle is gone (C6),
 * unless op.firm is set.
 */
struct engine_put {
    struct page_op op;
    page_nr page;
    uint16_t pool;
    bool persistent;
    bool charged; /* or it is to take over the charge of the page it replaces */
    bool counted; /* by claim_begin_put() */
    struct claim *claim;
    uint64_t pool_generation; /* the pool's record when the put began */
    uint64_t object_hash, page_hash;
    uint64_t generation; /* of the page, unless it is overtaken meanwhile */
    uint64_t seed;
    struct page_facts facts;
    bool has_facts;
};
enum tmemif_status engine_put_begin(struct engine *e, const struct page_op *op,
                                    struct engine_put *put_out, void **frame_out);
enum tmemif_status engine_put_commit(struct engine *e, struct engine_put *put);
enum tmemif_status engine_put_abort(struct engine *e, struct engine_put *put,
                                    enum tmemif_status why);

/*
 * A get in two halves; a worker may have ENGINE_GETS_MOST under way (op.beside). begin, on a hit:
 * either *frame_out is the page, which stays unchanged until end, or *frame_out is NULL and the
 * page is *filled_out repeated. On a MISS, if @lease_out is not NULL and the pool is shared or
 * leased, *lease_out is a fill lease and *leased_out true. BAD_DATA: only if op.firm is set. With
 * @frame_out and @filled_out NULL, whether there is a page is all that is asked.
 *
 * end: @copied says whether the guest has the page now; only then does an
 * exclusive pool forget it (C9, C12).
 */
struct engine_get {
    struct page_op op;
    page_nr page;
    uint16_t pool;
    uint64_t live; /* the descriptor's live word when it was found */
    uint64_t object_hash;
};
enum tmemif_status engine_get_begin(struct engine *e, const struct page_op *op,
                                    struct engine_get *get_out, const void **frame_out,
                                    uint32_t *filled_out, struct tmemif_lease *lease_out,
                                    bool *leased_out);
void engine_get_end(struct engine *e, struct engine_get *get, bool copied);

/*
 * What a worker will be asked for next, where it can know: requests that wait in a ring. Nothing
 * changes but that memory is on its way when it is needed, for there are three cache
 * misses in a row between a handle and a page. To be called between the halves of each
 * operation, so that this and the copy of a page wait for memory together; @op is what comes
 * ENGINE_AHEAD operations later, or NULL; of several that have begun, later than the last of them.
 * It is a guess: it may be anything, and never be asked for.
 */
#define ENGINE_AHEAD 3u
struct engine_foresight {
    uint64_t object_hash, page_hash;
    page_nr page;
    bool is_known, is_put;
};
struct engine_ahead {                           /* zero at first */
    struct engine_foresight next[ENGINE_AHEAD]; /* the first is copied next, or soon */
};
void engine_look_ahead(struct engine *e, struct engine_ahead *ahead, const struct page_op *op,
                       bool is_put);
/* False: engine_look_ahead() gains nothing, and is best left out. */
bool engine_looks_ahead(const struct engine *e);

/* Idempotent; never refused for want of resources (C16). */
enum tmemif_status engine_flush_page(struct engine *e, const struct page_op *op);
/*
 * All pages of op->object from @first to @last (op->index is not used). Small
 * ranges at once; a long one when its tombstone stands. BUSY: there is no room
 * for one yet, though some of what takes it has been reclaimed; ask again, no
 * reply meanwhile.
 */
enum tmemif_status engine_flush_range(struct engine *e, const struct page_op *op, uint32_t first,
                                      uint32_t last);

/*
 * Reclaim up to @nr_pages dead pages of long flushes and destroyed pools.
 * True: there is more. To be called between requests and when idle.
 */
bool engine_reclaim(struct engine *e, unsigned nr_pages);

/* ---- looking in: control ---- */

struct account_stats {
    struct account_key key;
    struct policy policy;
    uint64_t ephemeral_pages, persistent_pages; /* private pools'; shared pools' are the pools' */
    bool frozen;
};
struct pool_stats {     /* also private pools, told apart by info.uuid */
    account_nr account; /* owner, or LAYOUT_NONE */
    uint32_t pool_id;   /* the owner's id; 0 for a shared pool */
    uint32_t nr_members;
    struct policy policy;
    struct tmemif_pool_info info;
};
bool engine_account_stats(struct engine *e, account_nr account, struct account_stats *stats_out);
/* Every pool: call with *cursor = 0 until false. */
bool engine_pool_next(struct engine *e, uint32_t *cursor, struct pool_stats *stats_out);
/* Allowed members of a shared pool: call with *cursor = 0 until false. */
bool engine_member_next(struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN], uint32_t *cursor,
                        struct account_key *member_out, enum pool_right *right_out,
                        bool *joined_out);
/* Who has joined a shared pool and lost the right to it: call with *cursor = 0 until false. */
bool engine_denied_next(struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN], uint32_t *cursor,
                        struct account_key *denied_out);

/*
 * Memory that is spoken for, in pages: more new persistent ones are taken only while the latter two
 * are less than the first. What lies in a region of same-filled pages takes none of it.
 */
struct engine_reserve {
    uint64_t limit;    /* frames that there may be, but for those that workers hold for a moment */
    uint64_t minimums; /* of all accounts and shared pools; UINT32_MAX: that, or more */
    uint64_t persistent; /* pages that hold a frame, at most */
};
struct engine_reserve engine_reserve(const struct engine *e);

#define ENGINE_METRICS(M)                                                                          \
    M(puts, COUNTER, "pages offered")                                                              \
    M(puts_refused, COUNTER, "pages refused, for whatever reason")                                 \
    M(gets, COUNTER, "pages asked for")                                                            \
    M(hits, COUNTER, "pages found")                                                                \
    M(flushes, COUNTER, "flush requests")                                                          \
    M(evictions, COUNTER, "ephemeral pages dropped to make room")                                  \
    M(pages_damaged, COUNTER, "pages of an earlier daemon found damaged; on disks, each time")     \
    M(pages_ephemeral, GAUGE, "ephemeral pages held")                                              \
    M(pages_persistent, GAUGE, "persistent pages held")                                            \
    M(pages_filled, GAUGE, "of them, same-filled pages that take no frame")                        \
    M(pages_dead, GAUGE, "pages dead and not yet reclaimed, at most")                              \
    M(tombstones, GAUGE, "long flushes under way")                                                 \
    M(heap_bytes, GAUGE, "memory used beside the segments, in bytes")

struct engine_metrics {
#define X(name, kind, what) uint64_t name;
    ENGINE_METRICS(X)
#undef X
};
void engine_metrics(struct engine *e, struct engine_metrics *metrics_out);
/* Its pages_damaged alone, without a lock. */
uint64_t engine_nr_damaged(const struct engine *e);

/*
 * Count everything anew by a full scan and compare with every counter, queue
 * and index. No other thread may use the engine meanwhile. NULL: all agrees;
 * else a static sentence naming the first thing that does not. For tests and
 * for `xentmem stats --check`.
 */
const char *engine_check(struct engine *e);

#endif /* XTM_ENGINE_H */
