/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/conformance/operator.h"

#include <string.h>

static int send(struct xentmem *t, const void *message, size_t length, void *reply, size_t room)
{
    return xentmem_control(t, message, length, reply, &room);
}

/* A message whose reply has no records. NOT_FOUND: there was nothing to do it to. */
static bool tell(struct xentmem *t, const void *message, size_t length)
{
    uint8_t reply[256];
    int status = send(t, message, length, reply, sizeof(reply));

    return status == TMEMIF_OK || status == TMEMIF_NOT_FOUND;
}

static struct tmemctl_policy all_of(const struct policy *policy)
{
    return (struct tmemctl_policy){.quota_pages = policy->quota_pages,
                                   .min_pages = policy->min_pages,
                                   .max_pages = policy->max_pages,
                                   .weight = policy->weight,
                                   .fields = TMEMCTL_SET_FIELDS};
}

bool operator_set_guest(struct xentmem *t, const struct tmemctl_who *who,
                        const struct policy *policy)
{
    struct tmemctl_set_guest m = {.head = {.command = TMEMCTL_SET_GUEST, .length = sizeof(m)},
                                  .guest = *who,
                                  .policy = all_of(policy)};

    return tell(t, &m, sizeof(m));
}

bool operator_set_shared(struct xentmem *t, const uint8_t *uuid, const struct policy *policy)
{
    struct tmemctl_set_shared m = {.head = {.command = TMEMCTL_SET_SHARED, .length = sizeof(m)},
                                   .policy = all_of(policy)};

    memcpy(m.uuid, uuid, sizeof(m.uuid));
    return tell(t, &m, sizeof(m));
}

bool operator_allow(struct xentmem *t, const uint8_t *uuid, const struct tmemctl_who *who,
                    enum pool_right right)
{
    struct tmemctl_allow m = {
        .head = {.command = right == RIGHT_NONE ? TMEMCTL_DENY : TMEMCTL_ALLOW,
                 .length = sizeof(m)},
        .guest = *who,
        .right = right,
    };

    memcpy(m.uuid, uuid, sizeof(m.uuid));
    return tell(t, &m, sizeof(m));
}

bool operator_freeze_guest(struct xentmem *t, const struct tmemctl_who *who, bool frozen)
{
    struct tmemctl_target m = {
        .head = {.command = frozen ? TMEMCTL_FREEZE : TMEMCTL_THAW, .length = sizeof(m)},
        .guest = *who,
    };

    return tell(t, &m, sizeof(m));
}

bool operator_freeze_shared(struct xentmem *t, const uint8_t *uuid, bool frozen)
{
    struct tmemctl_target m = {
        .head = {.command = frozen ? TMEMCTL_FREEZE : TMEMCTL_THAW, .length = sizeof(m)},
    };

    memcpy(m.uuid, uuid, sizeof(m.uuid));
    return tell(t, &m, sizeof(m));
}

bool operator_remove(struct xentmem *t, const uint8_t *uuid)
{
    struct tmemctl_shared m = {.head = {.command = TMEMCTL_REMOVE, .length = sizeof(m)}};

    memcpy(m.uuid, uuid, sizeof(m.uuid));
    return tell(t, &m, sizeof(m));
}

const char *operator_check(struct xentmem *t)
{
    struct tmemctl_plain m = {.head = {.command = TMEMCTL_CHECK, .length = sizeof(m)}};
    static struct {
        struct tmemctl_reply head;
        struct tmemctl_verdict verdict;
    } reply;

    if (send(t, &m, sizeof(m), &reply, sizeof(reply)) != TMEMIF_OK)
        return "CHECK was not answered";
    return reply.verdict.whole ? NULL : reply.verdict.what;
}
