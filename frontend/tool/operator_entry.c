/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/operator_entry.h"

#include "frontend/tool/operator_attach.h"

bool entry_is_at(struct xs_handle *xs, const struct book_guest *entry, unsigned guest,
                 unsigned manager)
{
    const struct schema_place where = {.manager = manager, .guest = guest, .device = entry->device};

    return guest != DOMID_NONE && attach_has_policy(xs, &where, entry->uuid);
}

bool entry_find_manager(struct xs_handle *xs, const struct book_guest *entry, unsigned guest,
                        struct domain *manager_out)
{
    char why[XEN_WHY_LEN];
    struct domain any;
    bool named = domain_find_manager(xs, entry->manager, manager_out, why);

    if (named && entry_is_at(xs, entry, guest, manager_out->domid))
        return true;
    if (guest == DOMID_NONE || !attach_find_any(xs, guest, entry->device, entry->uuid, &any))
        return named;
    *manager_out = any;
    return true;
}

bool entry_is_managed_by(struct xs_handle *xs, const struct book_guest *entry, unsigned guest,
                         const char *name)
{
    struct domain named, own;
    char why[XEN_WHY_LEN];

    return !name || (entry_find_manager(xs, entry, guest, &own) &&
                     domain_find_manager(xs, name, &named, why) && named.domid == own.domid);
}
