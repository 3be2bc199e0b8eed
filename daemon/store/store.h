/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * store.h - page frames and their descriptors in segments that outlive us.
 *
 * The store hands out pages (a descriptor, and for DESC_FRAME its frame),
 * makes them live and dead with the one order of stores that a kill at any
 * instruction leaves recoverable, and finds all of it again after a restart.
 * It knows nothing of pools' meaning, of quotas or of eviction: that is the
 * engine's. What is in the segments: layout.h.
 *
 * Threads: store_create/open/close by one thread; everything else by any thread. Only
 * store_page_alloc() and store_shrink() make system calls, the former once per STORE_CHUNK_PAGES
 * pages of growth: some 100 us, now and then milliseconds; others that need to grow wait for it.
 */
#ifndef XTM_STORE_H
#define XTM_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/store/layout.h"

/* Memory is taken from the system and given back in chunks of this many frames (2 MiB). */
#define STORE_CHUNK_PAGES 512u

enum store_segment { STORE_META, STORE_DESCS, STORE_FRAMES, STORE_NR_SEGMENTS };

/* Names under which a keeper (systemd's fd store, the stubdomain's init) holds the segments. */
extern const char *const store_segment_names[STORE_NR_SEGMENTS];

struct store;

/* How a page is called everywhere: by the number of its descriptor. */
typedef uint32_t page_nr;

struct store_config {
    uint32_t nr_frames; /* most frames ever; taken from the system only as they are used */
    uint32_t nr_filled; /* descriptors for same-filled pages beyond that */
};

/*
 * New, empty segments (memfd). The store owns the descriptors until
 * store_close(); store_fd() lends one, to be handed to a keeper.
 * False: *why_out is a sentence for the operator (static or strerror text).
 */
bool store_create(const struct store_config *config, struct store **store_out,
                  const char **why_out);

/*
 * Take up segments that an earlier daemon left. Takes ownership of @fds in
 * every case. Every byte is checked as hostile input: a superblock or size
 * that does not fit is a refusal with its reason; a record that fails its
 * check sum is dropped and counted (struct store_damage).
 */
struct store_damage {
    uint64_t descs;      /* descriptors dropped: bad check sum, kind or pool */
    uint64_t duplicates; /* pages dropped because two had one handle and generation */
    uint64_t records;    /* accounts, pools, tombstones, ring records dropped */
    /* Pools that those descriptors named, a bit each; LAYOUT_MAX_POOLS: one that is none. */
    uint64_t pools[LAYOUT_MAX_POOLS / 64 + 1];
};
bool store_open(const int fds[STORE_NR_SEGMENTS], struct store **store_out,
                struct store_damage *damage_out, const char **why_out);

/* What store_open() counted; the engine adds duplicates, which only an index shows. */
struct store_damage *store_damage(struct store *s);
/*
 * May a page of the pool in @slot have been lost with its descriptor? What a damaged one names
 * is believed if it is a pool at all, else it may have been any.
 */
bool store_damage_touches(struct store *s, uint32_t slot);
/* Pages of the pool in @slot were found to be lost, @nr of them, as two had one handle. */
void store_damage_duplicates(struct store *s, uint32_t slot, uint64_t nr);

void store_close(struct store *s);
int store_fd(const struct store *s, enum store_segment segment);

const struct layout_super *store_super(const struct store *s);
struct account_rec *store_accounts(struct store *s);     /* super->nr_accounts of them */
struct pool_rec *store_pools(struct store *s);           /* super->nr_pools */
struct tombstone_rec *store_tombstones(struct store *s); /* super->nr_tombstones */
struct ring_rec *store_rings(struct store *s);           /* super->nr_rings */
/* One of them that is dead, or NULL. */
struct ring_rec *store_dead_ring(struct store *s);

/*
 * A page of @kind, dead, for the caller to fill and make live; LAYOUT_NONE if
 * the limit is reached or the system has no memory (the caller evicts or
 * refuses). Its frame may hold what an earlier owner left: it is overwritten whole
 * before the page is made live, or given back.
 */
page_nr store_page_alloc(struct store *s, enum desc_kind kind);
/* Give a dead page back. */
void store_page_free(struct store *s, page_nr page);

/*
 * The first live page at or after @from, or LAYOUT_NONE. The only way to walk
 * all descriptors: most of a large store has no memory, and reading there
 * takes some. No other thread may use the store meanwhile.
 */
page_nr store_next_live(const struct store *s, page_nr from);

struct desc *store_desc(struct store *s, page_nr page);
/* The frame of a DESC_FRAME page: 4096 bytes, page-aligned. */
void *store_frame(struct store *s, page_nr page);

/* Frames that may be in use at most; lowering it takes effect as pages are freed. */
void store_set_limit(struct store *s, uint32_t nr_frames);

struct store_usage {
    uint32_t limit;        /* frames */
    uint32_t frames_used;  /* handed out */
    uint32_t filled_used;  /* same-filled descriptors handed out */
    uint32_t frames_taken; /* backed by memory of the system now */
};
struct store_usage store_usage(const struct store *s);

/*
 * Give the memory of up to @nr_chunks wholly free chunks back to the system.
 * Returns how many were given; a few system calls each, for the control thread.
 */
unsigned store_shrink(struct store *s, unsigned nr_chunks);

/* ---- live and dead: the only code that writes a live word ---- */

/* What a descriptor is made of. @sum: see desc_sum_page(), desc_sum_filled(). */
struct desc_key {
    uint64_t object[3];
    uint32_t index;
    uint16_t pool;
};

/* Of the sum of a page's bytes: see page_copy(). */
uint64_t desc_seed(const struct desc_key *key, uint64_t generation);
uint64_t desc_sum_page(const struct desc_key *key, uint64_t generation, const void *page);
uint64_t desc_sum_filled(const struct desc_key *key, uint64_t generation, uint32_t word);

/* Is the 4096-byte @page one 32-bit word over and over? */
bool page_is_filled(const void *page, uint32_t *word_out);

/* The key of a dead page that is the caller's: indexes compare it before the page lives. */
void desc_set_key(struct desc *d, const struct desc_key *key);
/*
 * The page exists from the last store of this on. @d must be dead, the
 * caller's, and of the kind that it was allocated as; desc.use is not touched.
 */
void desc_make_live(struct desc *d, const struct desc_key *key, enum desc_kind kind, uint64_t sum,
                    uint64_t generation);
/* The page is gone from the single store of this on. */
void desc_make_dead(struct desc *d);

/* Is @d whole: known kind, check sum right? Content is not looked at. */
bool desc_is_whole(const struct desc *d);
/* Does the content of a live page match its sum? @frame: for DESC_FRAME. */
bool desc_content_is_whole(const struct desc *d, const void *frame);

/* The same for the other records: fill the record, then make it live. */
void account_rec_make_live(struct account_rec *r, uint64_t generation);
void pool_rec_make_live(struct pool_rec *r, uint64_t generation);
void tombstone_rec_make_live(struct tombstone_rec *r, uint64_t generation);
void ring_rec_make_live(struct ring_rec *r);
void rec_make_dead(uint64_t *live);

#endif /* XTM_STORE_H */
