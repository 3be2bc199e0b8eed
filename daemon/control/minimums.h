/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * minimums.h - are the minimums that the operator promises to be had?
 *
 *   memory >= minimums of all who are here + persistent pages and disks
 *
 * A message that asks for more than that is refused: nothing persistent of anybody would be taken
 * from then on. What is there already, since a node or an option says it, or since there was more
 * memory once, is kept and told: a promise is not lost because the next start had less.
 *
 * Control thread only.
 */
#ifndef XTM_CONTROL_MINIMUMS_H
#define XTM_CONTROL_MINIMUMS_H

#include "daemon/control/policy.h"
#include "daemon/engine/engine.h"
#include "daemon/util/log.h"
#include "daemon/util/pace.h"

/*
 * May the minimum of @guest, one device or every one, become @pages? Less than it was always may.
 * A guest that is not here counts as one attachment. False: it was logged, with the numbers.
 */
bool minimums_admit_guest(const struct policy_book *book, struct engine *engine, struct log *log,
                          const struct account_key *guest, uint64_t pages);
/* The same for a shared pool. */
bool minimums_admit_shared(const struct policy_book *book, struct engine *engine, struct log *log,
                           const uint8_t uuid[TMEMIF_UUID_LEN], uint64_t pages);

/* Zero has told nothing. */
struct minimums_teller {
    uint64_t told; /* minimums that were more than there is; 0: they are not */
    struct pace pace;
};
/* Log it, once, if there is more promised than there is. */
void minimums_tell(struct minimums_teller *t, struct engine *engine, struct log *log,
                   uint64_t now_ms);

#endif /* XTM_CONTROL_MINIMUMS_H */
