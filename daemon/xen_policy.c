/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/xen_policy.h"

static enum tmemif_status set_guest(void *book, const struct account_key *guest,
                                    const struct policy *policy)
{
    if (policy)
        return policy_set_guest(book, guest, POLICY_ALL, policy);
    policy_forget_guest(book, guest);
    return TMEMIF_OK;
}

static enum tmemif_status set_shared(void *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                                     const struct policy *policy)
{
    return policy_set_shared(book, uuid, POLICY_ALL, policy);
}

static enum tmemif_status set_member(void *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                                     const struct account_key *guest, enum pool_right right)
{
    if (right != RIGHT_NONE)
        return policy_allow(book, uuid, guest, right);
    policy_forget_member(book, uuid, guest);
    return TMEMIF_OK;
}

const struct xen_policy_ops xen_policy_functions = {
    .guest = set_guest,
    .shared = set_shared,
    .member = set_member,
};
