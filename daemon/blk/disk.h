/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk.h - what a disk does with whole pages. Pages of 4096 bytes.
 *
 *        read                write
 *          |  has it?          |
 *          v                   v
 *     top layer, writable, the disk's own    --. no
 *     base, read-only, shared by its clones  --+ no
 *     base of that base ...                  --' no: zeros
 *
 * A swap disk is a top layer and no more. Whatever is refused changes nothing,
 * and a page whose bytes are not those that were written stays unreadable until it
 * is written anew: what lies below it is never shown in its place.
 */
#ifndef XTM_BLK_DISK_H
#define XTM_BLK_DISK_H

#include <stdint.h>

#define DISK_PAGE_SIZE 4096u

struct disk; /* one open disk: disks.h */

enum disk_status {
    DISK_OK = 0,
    DISK_FULL,    /* no memory: the page is as before */
    DISK_DAMAGED, /* the bytes are not those that were written, until the page is written anew */
    DISK_RANGE,   /* beyond the end */
    DISK_IO,      /* anything else */
};

/* Any thread. */
uint32_t disk_nr_pages(const struct disk *d);

/*
 * Worker, by any number of workers at once; none blocks. @buffer is private
 * memory of 4096 bytes. What is written is found by every read that begins
 * after the write has returned. Two writes of one page at once: either of them is last.
 */
enum disk_status disk_read(struct disk *d, unsigned worker, uint32_t page, void *buffer);
enum disk_status disk_write(struct disk *d, unsigned worker, uint32_t page, const void *buffer);

/*
 * Pages @first to @first + @nr - 1 read as zeros from now on; their memory is
 * given back. The work is bounded: *@done_out of them are done, call again for
 * the rest. Not OK: the page at @first + *@done_out is as before.
 */
enum disk_status disk_discard(struct disk *d, unsigned worker, uint32_t first, uint32_t nr,
                              uint32_t *done_out);

#endif /* XTM_BLK_DISK_H */
