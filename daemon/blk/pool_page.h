/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_page.h - pages by their number, in the one pool that an account has.
 *
 * All pages of an object are in one shard, so neighbours are spread over many
 * objects; and each costs some bytes, so they are not small.
 *
 * Worker's code.
 */
#ifndef XTM_BLK_POOL_PAGE_H
#define XTM_BLK_POOL_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/engine.h"

/* Its only pool, the first that it made or joined. */
#define POOL_PAGE_POOL 0u

/* Pages that are flushed at one time, at most: few enough to be gone at once, without a tombstone.
 */
#define POOL_PAGE_FLUSH 64u

struct page_op pool_page_op(unsigned worker, account_nr account, uint32_t page, bool firm);

/* The engine's answer; OK: @buffer, DISK_PAGE_SIZE bytes, is the page. */
enum tmemif_status pool_page_read(struct engine *e, const struct page_op *op, void *buffer);
/* Is there a page, whatever it is like? */
bool pool_page_is_there(struct engine *e, const struct page_op *op);
enum tmemif_status pool_page_write(struct engine *e, const struct page_op *op, const void *buffer);
/* Up to POOL_PAGE_FLUSH pages from @op's on, at most @nr; *@done_out of them are absent now. */
enum tmemif_status pool_page_flush(struct engine *e, const struct page_op *op, uint32_t nr,
                                   uint32_t *done_out);

#endif /* XTM_BLK_POOL_PAGE_H */
