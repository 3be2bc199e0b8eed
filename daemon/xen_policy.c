/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/xen_policy.h"

static enum tmemif_status set_guest(void *arg, const struct account_key *guest,
                                    const struct policy *policy)
{
    struct xen_policy *to = arg;

    if (policy)
        return policy_set_guest(to->book, guest, POLICY_ALL, policy);
    policy_forget_guest(to->book, guest);
    return TMEMIF_OK;
}

static enum tmemif_status set_shared(void *arg, const uint8_t uuid[TMEMIF_UUID_LEN],
                                     const struct policy *policy)
{
    struct xen_policy *to = arg;

    return policy_set_shared(to->book, uuid, POLICY_ALL, policy);
}

static enum tmemif_status set_member(void *arg, const uint8_t uuid[TMEMIF_UUID_LEN],
                                     const struct account_key *guest, enum pool_right right)
{
    struct xen_policy *to = arg;

    return engine_shared_allow(to->engine, uuid, guest, right);
}

const struct xen_policy_ops xen_policy_functions = {
    .guest = set_guest,
    .shared = set_shared,
    .member = set_member,
};
