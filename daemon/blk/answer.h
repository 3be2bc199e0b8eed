/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * answer.h - the last answer on a block ring, where a kill does not reach it.
 *
 * A response takes its request's slot. Killed between that and the new rsp_prod, the next
 * daemon would take half of a response for a request. So the answer is in the ring's record first
 * (layout.h), then in the slot, then rsp_prod says so; requests after it are whole in the ring
 * and are served again, which does no harm: nobody has been told of them.
 *
 * A record of a disk belongs to no account; it names guest, device and queue, and the
 * connection that it was made for.
 */
#ifndef XTM_BLK_ANSWER_H
#define XTM_BLK_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/blk/blkif.h"
#include "daemon/store/store.h"

struct answer {
    uint64_t id;
    uint8_t op;
    enum blkif_status status;
};

struct answer_owner {
    uint32_t domid, device;
};

/* A record of no answer from response @rsp_prod on, in place of the one there was. NULL: none is
 * left. */
struct ring_rec *answer_rec_open(struct store *s, const struct answer_owner *owner, uint32_t queue,
                                 uint64_t session, uint32_t rsp_prod, bool lost);
/* The record of that queue, or NULL. */
struct ring_rec *answer_rec_find(struct store *s, const struct answer_owner *owner, uint32_t queue);
void answer_rec_close(struct ring_rec *rec);

/*
 * Its disk is lost: the frontend is served errors, also by the next daemon, whatever disk of the
 * same name there may be by then.
 */
void answer_rec_set_lost(struct ring_rec *rec);
bool answer_rec_is_lost(const struct ring_rec *rec);
/* Every owner that has a record, perhaps more than once: call with *cursor = 0 until false. */
bool answer_rec_next(struct store *s, uint32_t *cursor, struct answer_owner *owner_out);

/* Response @number is going to be published. */
void answer_rec_store(struct ring_rec *rec, uint32_t number, const struct answer *answer);

/*
 * Where is a ring taken up, whose rsp_prod says @rsp_prod? *@owed_out: first of all *answer_out
 * is published as response @rsp_prod. False: the record is of another connection, or ring.
 */
bool answer_rec_resume(const struct ring_rec *rec, uint64_t session, uint32_t rsp_prod,
                       bool *owed_out, struct answer *answer_out);

#endif /* XTM_BLK_ANSWER_H */
