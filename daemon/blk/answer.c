/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/answer.h"

#include <string.h>

/* Stores in program order: a kill loses none that came before, the compiler must not swap them. */
#define STORE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)

/* In disk.lost, which is 0 otherwise. */
#define ANSWER_LOST UINT64_MAX

static uint64_t owner_word(const struct answer_owner *owner)
{
    return (uint64_t)owner->domid << 32 | owner->device;
}

static bool is_disk_rec(const struct ring_rec *rec)
{
    return rec->live != LIVE_DEAD && rec->account == LAYOUT_NONE;
}

struct ring_rec *answer_rec_find(struct store *s, const struct answer_owner *owner, uint32_t queue)
{
    struct ring_rec *recs = store_rings(s);

    for (uint32_t i = 0; i < store_super(s)->nr_rings; i++) {
        if (is_disk_rec(&recs[i]) && recs[i].ring == queue &&
            recs[i].disk.owner == owner_word(owner))
            return &recs[i];
    }
    return NULL;
}

struct ring_rec *answer_rec_open(struct store *s, const struct answer_owner *owner, uint32_t queue,
                                 uint64_t session, uint32_t rsp_prod, bool lost)
{
    struct ring_rec *rec = answer_rec_find(s, owner, queue);

    if (rec)
        answer_rec_close(rec);
    else
        rec = store_dead_ring(s);
    if (!rec)
        return NULL;
    memset(rec, 0, sizeof(*rec));
    rec->account = LAYOUT_NONE;
    rec->ring = queue;
    rec->disk.owner = owner_word(owner);
    rec->disk.lost = lost ? ANSWER_LOST : 0;
    rec->session = session;
    rec->number = rsp_prod;
    ring_rec_make_live(rec);
    return rec;
}

void answer_rec_close(struct ring_rec *rec)
{
    if (rec)
        rec_make_dead(&rec->live);
}

void answer_rec_set_lost(struct ring_rec *rec)
{
    STORE(rec->disk.lost, ANSWER_LOST);
}

bool answer_rec_is_lost(const struct ring_rec *rec)
{
    return rec->disk.lost == ANSWER_LOST;
}

bool answer_rec_next(struct store *s, uint32_t *cursor, struct answer_owner *owner_out)
{
    const struct ring_rec *recs = store_rings(s);

    for (; *cursor < store_super(s)->nr_rings; (*cursor)++) {
        const struct ring_rec *rec = &recs[*cursor];

        if (!is_disk_rec(rec))
            continue;
        *owner_out = (struct answer_owner){.domid = (uint32_t)(rec->disk.owner >> 32),
                                           .device = (uint32_t)rec->disk.owner};
        (*cursor)++;
        return true;
    }
    return false;
}

void answer_rec_store(struct ring_rec *rec, uint32_t number, const struct answer *answer)
{
    STORE(rec->phase, RECORD_IDLE);
    STORE(rec->number, number);
    STORE(rec->value, answer->id);
    STORE(rec->op, answer->op);
    STORE(rec->status, (uint16_t)answer->status);
    STORE(rec->phase, RECORD_DONE);
}

bool answer_rec_resume(const struct ring_rec *rec, uint64_t session, uint32_t rsp_prod,
                       bool *owed_out, struct answer *answer_out)
{
    uint32_t published = rsp_prod - rec->number;

    if (rec->session != session || published > 1)
        return false;
    *owed_out = rec->phase == RECORD_DONE && published == 0;
    *answer_out = (struct answer){.id = rec->value,
                                  .op = (uint8_t)rec->op,
                                  .status = (enum blkif_status)(int16_t)rec->status};
    return true;
}
