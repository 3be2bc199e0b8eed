/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record.h - what a ring was doing, so that a request runs exactly once over a kill.
 *
 * Order of a request: record_begin, the operation (the engine stores INTENT
 * and DONE), the answer on the ring. The answer is out before the next
 * record_begin, so at a restart the record's request is either the last one
 * answered or the one to take up; the ring's rsp_prod tells which. Gets that run together begin one
 * after the other only as they are answered: the engine records nothing of a get, so there is
 * nothing to miss, and what is not answered runs again. A peer that
 * lies there has its own request run twice or not at all, which it could ask
 * for anyway.
 *
 * One thread uses a record at a time. A session without account has none:
 * every function takes NULL and does nothing.
 */
#ifndef XTM_SESSION_RECORD_H
#define XTM_SESSION_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/engine.h"
#include "daemon/store/store.h"
#include "protocol/tmemif.h"

/* Request @number begins; nothing of it has happened. */
void record_begin(struct ring_rec *rec, uint32_t number);
/* So does element @element of it; elements before it are answered. */
void record_begin_element(struct ring_rec *rec, uint32_t element);
/* The answers of @nr elements stand in the data area. */
void record_set_answered(struct ring_rec *rec, uint32_t nr);
/* A request that the engine does not record is done. */
void record_finish(struct ring_rec *rec, enum tmemif_status status, uint64_t value);

bool record_is_done(const struct ring_rec *rec);
/* The answer that a done record holds; but for number and count. */
struct tmemif_response record_answer(const struct ring_rec *rec);

/*
 * Requests that change an account's pools are not recorded by the engine.
 * Instead the record holds what pool ids there were before, and the
 * difference tells at a restart whether the request had run. One of them at a
 * time may be under way in an account.
 */
void record_begin_pools(struct ring_rec *rec, enum tmemif_op op, uint32_t pool_id,
                        uint64_t pools_before);
/* It has changed nothing and will begin again; until then others may change the account's pools. */
void record_put_off_pools(struct ring_rec *rec);
/* After a restart, before the account's rings are served: finish or forget such a request. */
void record_resolve_pools(struct ring_rec *rec, uint64_t pools_now);

/* The live record of (account, ring), or NULL. */
struct ring_rec *record_find(struct store *s, account_nr account, uint32_t ring);
/*
 * A record at request 0 of a ring made with number @session (front_session):
 * the one there is, or a new one. NULL: none is left.
 */
struct ring_rec *record_open(struct store *s, account_nr account, uint32_t ring, uint64_t session);
void record_close(struct ring_rec *rec);
/* All records of @account: before the account is closed. */
void record_close_all(struct store *s, account_nr account);

/*
 * At which request a ring is taken up that was in use with an earlier daemon:
 * @session and @rsp_prod as they stand in it. *@begun_out: the record speaks of
 * that request. False: the record and the ring do not belong together.
 */
bool record_resume_at(const struct ring_rec *rec, uint64_t session, uint32_t rsp_prod,
                      uint32_t *number_out, bool *begun_out);

#endif /* XTM_SESSION_RECORD_H */
