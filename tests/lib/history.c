/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The register is in one of so many states at once; each operation under way doubles them. */
#define MAX_STATES (1u << HISTORY_MOST_AT_ONCE)

/* What may be so at a moment. */
struct state {
    uint64_t value; /* of the register; 0: none */
    uint32_t done;  /* by place in judge.open: those under way that have had their moment */
};

struct states {
    struct state *list;
    size_t nr;
};

struct judge {
    bool lossy;
    const struct history_event *open[HISTORY_MOST_AT_ONCE]; /* under way, NULL: free */
    struct states now;
};

static bool states_add(struct states *s, struct state state)
{
    for (size_t i = 0; i < s->nr; i++) {
        if (s->list[i].value == state.value && s->list[i].done == state.done)
            return true;
    }
    if (s->nr == MAX_STATES)
        return false;
    s->list[s->nr++] = state;
    return true;
}

/* May the event have its moment when the register is *@value? Then *@value is what it leaves. */
static bool happens(const struct history_event *event, bool lossy, uint64_t *value)
{
    switch (event->kind) {
    case HISTORY_PUT:
        *value = event->value;
        return true;
    case HISTORY_REFUSED:
    case HISTORY_FLUSH:
        *value = 0;
        return true;
    case HISTORY_HIT:
        return *value == event->value;
    case HISTORY_MISS:
        if (!lossy)
            return *value == 0;
        *value = 0;
        return true;
    }
    return false;
}

/* Every state that is reached when some of those under way have their moment now. */
static bool spread(struct judge *j)
{
    for (size_t i = 0; i < j->now.nr; i++) {
        for (unsigned place = 0; place < HISTORY_MOST_AT_ONCE; place++) {
            struct state next = j->now.list[i];

            if (!j->open[place] || next.done >> place & 1)
                continue;
            next.done |= 1u << place;
            if (happens(j->open[place], j->lossy, &next.value) && !states_add(&j->now, next))
                return false;
        }
    }
    return true;
}

/* The event in @place has ended: states in which it has not had its moment were none. */
static void settle(struct judge *j, unsigned place)
{
    struct states kept = {.list = j->now.list};

    for (size_t i = 0, nr = j->now.nr; i < nr; i++) {
        struct state state = j->now.list[i];

        if (!(state.done >> place & 1))
            continue;
        state.done &= ~(1u << place);
        states_add(&kept, state); /* it has room: it is not longer than what was read */
    }
    j->now = kept;
    j->open[place] = NULL;
}

static bool place_for(struct judge *j, const struct history_event *event)
{
    for (unsigned place = 0; place < HISTORY_MOST_AT_ONCE; place++) {
        if (!j->open[place]) {
            j->open[place] = event;
            return true;
        }
    }
    return false;
}

/* The one of those under way that ends first and before @moment; HISTORY_MOST_AT_ONCE: none. */
static unsigned ends_before(const struct judge *j, uint64_t moment)
{
    unsigned first = HISTORY_MOST_AT_ONCE;

    for (unsigned place = 0; place < HISTORY_MOST_AT_ONCE; place++) {
        if (j->open[place] && j->open[place]->ended < moment) {
            moment = j->open[place]->ended;
            first = place;
        }
    }
    return first;
}

/* Let all end that do so before @moment. NULL, or why the one in *@at_out cannot. */
static const char *end_until(struct judge *j, uint64_t moment, struct history_event *at_out)
{
    unsigned place;

    while ((place = ends_before(j, moment)) < HISTORY_MOST_AT_ONCE) {
        *at_out = *j->open[place];
        if (!spread(j))
            return "too much was under way at once to judge";
        settle(j, place);
        if (j->now.nr == 0)
            return "no order of the operations explains it";
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const struct history_event *x = a, *y = b;

    return x->begun < y->begun ? -1 : x->begun > y->begun;
}

const char *history_judge(struct history_event *events, size_t nr, bool lossy,
                          struct history_event *at_out)
{
    struct judge j = {.lossy = lossy};
    const char *why = NULL;

    j.now.list = malloc(MAX_STATES * sizeof(*j.now.list));
    if (!j.now.list)
        return "no memory";
    states_add(&j.now, (struct state){0});
    if (nr > 0)
        qsort(events, nr, sizeof(*events), compare);
    for (size_t i = 0; i < nr && !why; i++) {
        why = end_until(&j, events[i].begun, at_out);
        if (!why && !place_for(&j, &events[i])) {
            *at_out = events[i];
            why = "too many operations were under way at once to judge";
        }
    }
    if (!why)
        why = end_until(&j, HISTORY_NEVER, at_out);
    free(j.now.list);
    return why;
}

/* ---- notes ---- */

void history_note(struct history_notes *n, _Atomic uint64_t *clock, uint32_t handle,
                  enum history_kind kind, uint64_t value, uint64_t begun)
{
    const struct history_event event = {kind, value, begun, history_now(clock)};

    if (n->nr == n->room) {
        n->room = n->room ? n->room * 2 : 1024;
        n->notes = realloc(n->notes, n->room * sizeof(*n->notes));
        if (!n->notes)
            abort();
    }
    n->notes[n->nr++] = (struct history_note){handle, event};
}

static void print_around(const struct history_event *events, size_t nr,
                         const struct history_event *at)
{
    static const char *const names[] = {"put", "put refused", "flush", "hit", "miss"};

    for (size_t i = 0; i < nr; i++) {
        if (events[i].begun > at->ended || events[i].ended + 200 < at->begun)
            continue;
        printf("    %llu..%llu %s %llx%s\n", (unsigned long long)events[i].begun,
               (unsigned long long)events[i].ended, names[events[i].kind],
               (unsigned long long)events[i].value,
               events[i].begun == at->begun ? "  <-- this one" : "");
    }
}

static size_t count_of(const struct history_notes *threads, unsigned nr_threads, uint32_t handle)
{
    size_t nr = 0;

    for (unsigned t = 0; t < nr_threads; t++)
        for (size_t i = 0; i < threads[t].nr; i++)
            nr += threads[t].notes[i].handle == handle;
    return nr;
}

bool history_judge_all(const struct history_notes *threads, unsigned nr_threads,
                       uint32_t nr_handles, bool lossy)
{
    bool possible = true;

    for (uint32_t handle = 0; handle < nr_handles; handle++) {
        size_t room = count_of(threads, nr_threads, handle), nr = 0;
        struct history_event *events = calloc(room + 1, sizeof(*events)), at;
        const char *why;

        if (!events)
            abort();
        for (unsigned t = 0; t < nr_threads; t++)
            for (size_t i = 0; i < threads[t].nr; i++)
                if (threads[t].notes[i].handle == handle)
                    events[nr++] = threads[t].notes[i].event;
        why = history_judge(events, nr, lossy, &at);
        if (why) {
            printf("handle %u, %zu operations: %s\n", handle, nr, why);
            print_around(events, nr, &at);
            possible = false;
        }
        free(events);
    }
    return possible;
}

void history_free(struct history_notes *threads, unsigned nr_threads)
{
    for (unsigned t = 0; t < nr_threads; t++) {
        free(threads[t].notes);
        threads[t] = (struct history_notes){0};
    }
}
