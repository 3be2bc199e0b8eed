/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/control/counters.h"

#include <string.h>

#include "daemon/util/bug.h"

#define COUNTER 0u
#define GAUGE   1u

/* store_usage names its members differently from what an operator reads. */
#define frames_limit limit
static uint64_t read_engine(const struct counters *from, uint32_t number)
{
    const uint64_t values[] = {
#define X(name, kind, what) from->engine.name,
        ENGINE_METRICS(X)
#undef X
    };

    return values[number];
}

static uint64_t read_store(const struct counters *from, uint32_t number)
{
    const uint64_t values[] = {
#define X(name, kind, what) from->store.name,
        STORE_METRICS(X)
#undef X
    };

    return values[number];
}
#undef frames_limit

static uint64_t read_control(const struct counters *from, uint32_t number)
{
    const uint64_t values[] = {
#define X(name, kind, what) from->control.name,
        CONTROL_METRICS(X)
#undef X
    };

    return values[number];
}

struct counter_text {
    const char *name, *help;
    uint32_t gauge;
};

#define X(counter, kind, what) {.name = #counter, .help = what, .gauge = kind},
static const struct counter_text engine_texts[] = {ENGINE_METRICS(X)};
static const struct counter_text store_texts[] = {STORE_METRICS(X)};
static const struct counter_text control_texts[] = {CONTROL_METRICS(X)};
#undef X

/* What is sent must fit; a longer text is found here, not cut off there. */
#define X(name, kind, what)                                                                        \
    _Static_assert(sizeof(#name) <= TMEMCTL_NAME_LEN, #name);                                      \
    _Static_assert(sizeof(what) <= TMEMCTL_HELP_LEN, #name);
ENGINE_METRICS(X)
STORE_METRICS(X)
CONTROL_METRICS(X)
#undef X

static const struct group {
    const struct counter_text *texts;
    uint32_t nr;
    uint64_t (*read)(const struct counters *from, uint32_t number);
} groups[] = {
    {engine_texts, sizeof(engine_texts) / sizeof(engine_texts[0]), read_engine},
    {store_texts, sizeof(store_texts) / sizeof(store_texts[0]), read_store},
    {control_texts, sizeof(control_texts) / sizeof(control_texts[0]), read_control},
};
#define NR_GROUPS (sizeof(groups) / sizeof(groups[0]))

uint32_t counters_nr(void)
{
    uint32_t nr = 0;

    for (unsigned g = 0; g < NR_GROUPS; g++)
        nr += groups[g].nr;
    return nr;
}

void counter_get(const struct counters *from, uint32_t number, struct tmemctl_counter *counter_out)
{
    const struct group *group = groups;

    BUG_UNLESS(number < counters_nr());
    for (; number >= group->nr; group++)
        number -= group->nr;
    memset(counter_out, 0, sizeof(*counter_out));
    strcpy(counter_out->name, group->texts[number].name);
    strcpy(counter_out->help, group->texts[number].help);
    counter_out->gauge = group->texts[number].gauge;
    counter_out->value = group->read(from, number);
}
