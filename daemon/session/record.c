/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/session/record.h"

#include <string.h>

/* Stores in program order: a kill loses none that came before, the compiler must not swap them. */
#define STORE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)

void record_begin(struct ring_rec *rec, uint32_t number)
{
    if (!rec)
        return;
    STORE(rec->phase, RECORD_IDLE);
    STORE(rec->op, 0);
    /* before the number moves on, or the last batch's count would speak of this request */
    STORE(rec->answered, 0);
    STORE(rec->element, 0);
    STORE(rec->number, number);
}

void record_begin_element(struct ring_rec *rec, uint32_t element)
{
    if (!rec)
        return;
    STORE(rec->phase, RECORD_IDLE);
    STORE(rec->element, element);
}

void record_set_answered(struct ring_rec *rec, uint32_t nr)
{
    if (rec)
        STORE(rec->answered, nr);
}

void record_finish(struct ring_rec *rec, enum tmemif_status status, uint64_t value)
{
    if (!rec)
        return;
    STORE(rec->status, (uint16_t)status);
    STORE(rec->value, value);
    STORE(rec->phase, RECORD_DONE);
}

bool record_is_done(const struct ring_rec *rec)
{
    return rec && rec->phase == RECORD_DONE && rec->answered <= rec->element;
}

struct tmemif_response record_answer(const struct ring_rec *rec)
{
    return (struct tmemif_response){.status = rec->status, .value = rec->value};
}

void record_begin_pools(struct ring_rec *rec, enum tmemif_op op, uint32_t pool_id,
                        uint64_t pools_before)
{
    if (!rec)
        return;
    STORE(rec->first, pool_id);
    /* where no answer will be written before the request is done */
    STORE(rec->pools_before, pools_before);
    /* from here on the record says that the request may have run */
    STORE(rec->op, (uint16_t)op);
}

void record_put_off_pools(struct ring_rec *rec)
{
    if (rec)
        STORE(rec->op, 0);
}

void record_resolve_pools(struct ring_rec *rec, uint64_t pools_now)
{
    uint64_t gained, lost;

    if (!rec || rec->phase != RECORD_IDLE)
        return;
    gained = pools_now & ~rec->pools_before;
    lost = rec->pools_before & ~pools_now;

    switch (rec->op) {
    case TMEMIF_OP_POOL_CREATE:
    case TMEMIF_OP_POOL_JOIN:
        if (gained)
            record_finish(rec, TMEMIF_OK, (uint64_t)__builtin_ctzll(gained));
        break;
    case TMEMIF_OP_POOL_LEAVE:
    case TMEMIF_OP_POOL_DESTROY:
        if (rec->first < TMEMIF_MAX_POOLS && (lost >> rec->first & 1))
            record_finish(rec, TMEMIF_OK, 0);
        break;
    default:
        break;
    }
}

static bool is_of(const struct ring_rec *rec, account_nr account)
{
    return rec->live != LIVE_DEAD && rec->account == account;
}

struct ring_rec *record_find(struct store *s, account_nr account, uint32_t ring)
{
    struct ring_rec *recs = store_rings(s);

    for (uint32_t i = 0; i < store_super(s)->nr_rings; i++) {
        if (is_of(&recs[i], account) && recs[i].ring == ring)
            return &recs[i];
    }
    return NULL;
}

struct ring_rec *record_open(struct store *s, account_nr account, uint32_t ring, uint64_t session)
{
    struct ring_rec *rec = record_find(s, account, ring);

    if (rec)
        record_close(rec);
    else
        rec = store_dead_ring(s);
    if (!rec)
        return NULL;
    memset(rec, 0, sizeof(*rec));
    rec->account = account;
    rec->ring = ring;
    rec->session = session;
    ring_rec_make_live(rec);
    return rec;
}

void record_close(struct ring_rec *rec)
{
    if (rec)
        rec_make_dead(&rec->live);
}

void record_close_all(struct store *s, account_nr account)
{
    struct ring_rec *recs = store_rings(s);

    for (uint32_t i = 0; i < store_super(s)->nr_rings; i++) {
        if (is_of(&recs[i], account))
            record_close(&recs[i]);
    }
}

bool record_resume_at(const struct ring_rec *rec, uint64_t session, uint32_t rsp_prod,
                      uint32_t *number_out, bool *begun_out)
{
    uint32_t answered = rsp_prod - rec->number;

    if (rec->session != session || answered > 1)
        return false;
    *number_out = rsp_prod;
    *begun_out = answered == 0;
    return true;
}
