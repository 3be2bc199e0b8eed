/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * history.h - was what several threads saw of one handle possible? (rule C19)
 *
 * Each operation is noted with the moments between which it ran. The history of
 * a handle is linearizable if every operation can be given one moment of its own
 * between these two so that, in that order, each saw what a single register
 * would have shown it. Handles are independent, so each is judged alone.
 *
 *     begun       ended                 a register holds the last page put, or none:
 *       |--- put 7 ---|                   put 7       then 7
 *            |----- get: 7 ------|        put refused then none (rule C6)
 *                 |- flush -|             flush       then none
 *                                         hit 7       only if it is 7
 *                                         miss        only if it is none; of an ephemeral
 *                                                     pool always, and then none (rules C4, C8)
 *
 * The judge goes through the moments in order and keeps every state in which
 * the register may be, together with which of the operations under way have
 * had their moment: G. Lowe, "Testing for linearizability", 2017, section 4
 * (just-in-time linearization), after Wing and Gong, 1993.
 */
#ifndef TESTS_HISTORY_H
#define TESTS_HISTORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum history_kind { HISTORY_PUT, HISTORY_REFUSED, HISTORY_FLUSH, HISTORY_HIT, HISTORY_MISS };

/* An operation that was never answered: it has happened, or has not, or does later. */
#define HISTORY_NEVER UINT64_MAX

struct history_event {
    enum history_kind kind;
    uint64_t value; /* PUT: what was put; HIT: what was found; not 0, and put once only */
    uint64_t begun, ended;
};

/* Operations of one handle under way at once. */
#define HISTORY_MOST_AT_ONCE 16u

/*
 * Judge the @nr events of one handle; they are sorted in the course of it. @lossy: the
 * pool is ephemeral. NULL: it was possible; else *@at_out is an event that no
 * order explains, and a sentence is returned.
 */
const char *history_judge(struct history_event *events, size_t nr, bool lossy,
                          struct history_event *at_out);

/* ---- taking notes: one thread's notes of many handles ---- */

struct history_note {
    uint32_t handle;
    struct history_event event;
};

struct history_notes {
    struct history_note *notes;
    size_t nr, room;
};

/* The clock of a history: each moment once. All threads of a history use the same. */
static inline uint64_t history_now(_Atomic uint64_t *clock)
{
    return atomic_fetch_add(clock, 1) + 1;
}

/* The event ends now. No memory stops the program. */
void history_note(struct history_notes *n, _Atomic uint64_t *clock, uint32_t handle,
                  enum history_kind kind, uint64_t value, uint64_t begun);

/*
 * Judge the notes of @nr_threads threads, handle by handle. False: it prints which
 * handle could not have been so, and what stood around the event.
 */
bool history_judge_all(const struct history_notes *threads, unsigned nr_threads,
                       uint32_t nr_handles, bool lossy);
void history_free(struct history_notes *threads, unsigned nr_threads);

#endif /* TESTS_HISTORY_H */
