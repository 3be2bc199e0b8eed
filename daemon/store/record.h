/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record.h - what makes the records of META whole.
 *
 * A record's check sum covers what is fixed while it lives; fields that change
 * in life, each with one store of its own, are not under it (layout.h).
 */
#ifndef XTM_STORE_RECORD_H
#define XTM_STORE_RECORD_H

#include <stdbool.h>

#include "daemon/store/layout.h"

/* Live, and is the check sum right? A dead record is not whole. */
bool account_rec_is_whole(const struct account_rec *r);
bool pool_rec_is_whole(const struct pool_rec *r);
bool tombstone_rec_is_whole(const struct tombstone_rec *r);
bool ring_rec_is_whole(const struct ring_rec *r);

#endif /* XTM_STORE_RECORD_H */
