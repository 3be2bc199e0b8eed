/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base.h - bases, and what turns a disk into one and back.
 *
 *   freeze DISK NAME    top layer of DISK -> base NAME     rollback DISK
 *                       DISK: new, empty top over it       DISK: new, empty top, the old one goes
 *
 *      [ top L ]              [ top M, empty ]                [ top L ]       [ top M, empty ]
 *      [ base P ]     ->      [ base NAME: L ]                [ base P ]  ->  [ base P ]
 *                             [ base P       ]
 *
 * No page moves. The entry of the disk is the moment at which it happens, for a
 * restart as for workers: they are sent to the new top only when the entry stands, so
 * whatever was acknowledged is in a layer that a restart finds under the disk. Writes
 * that are under way end in the old top; the operator is answered when the last has.
 *
 * Control thread only.
 */
#ifndef XTM_BLK_BASE_H
#define XTM_BLK_BASE_H

#include "daemon/blk/disks.h"

/*
 * The disk @ref as it is now is the base @name. Every acknowledged write is in it; of those under
 * way each is or is not. A repeated message has the same @token, not 0, and
 * finds the work done.
 *   NOT_FOUND  no such disk
 *   BUSY       there is another base of this name
 *   BAD_KIND   it is a cache; or pages of the disk, or what lies below it, were lost
 *   TOO_MANY   it has as many layers as can be, or there are as many disks
 *   NO_MEMORY
 */
enum tmemif_status base_freeze(struct disks *t, const struct disk_ref *ref, const char *name,
                               uint64_t token);

/*
 * The disk is what lies below its top, a swap disk empty. NOT_FOUND, TOO_MANY,
 * NO_MEMORY; BAD_KIND: it is a cache, or what lies below was lost.
 */
enum tmemif_status base_rollback(struct disks *t, const struct disk_ref *ref);

/* NOT_FOUND; BUSY: disks or bases lie on it, or it is being imported. */
enum tmemif_status base_remove(struct disks *t, const char *name);

/*
 * An import: begin, pages in any order, end. It is @from's, which is only compared; when that one
 * vanishes, base_import_drop() removes what it has not ended. Pages not written are zeros.
 *   begin   BUSY: the name is taken; TOO_MANY, NO_MEMORY
 *   write   NOT_FOUND: no such import; BAD_REQUEST: beyond the largest disk; NO_MEMORY: some of
 *           the pages are in
 *   end     NOT_FOUND, NO_MEMORY; BAD_REQUEST: there are pages beyond @nr_pages. From now on there
 *           is a base of that name and size.
 */
enum tmemif_status base_import_begin(struct disks *t, const char *name, uint64_t token,
                                     const void *from);
enum tmemif_status base_import_write(struct disks *t, uint64_t token, uint32_t first,
                                     uint32_t nr_pages, const void *pages);
enum tmemif_status base_import_end(struct disks *t, uint64_t token, uint32_t nr_pages);
void base_import_drop(struct disks *t, const void *from);

#endif /* XTM_BLK_BASE_H */
