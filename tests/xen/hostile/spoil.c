/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/xen/hostile/spoil.h"

#include <string.h>

#define DOM0 0u

void spoil_node(struct handshake *h, const struct wrong_node *wrong)
{
    if (!wrong->value)
        handshake_remove(h, wrong->node);
    else
        handshake_write(h, wrong->node, wrong->value,
                        wrong->len ? wrong->len : (unsigned)strlen(wrong->value));
}

static void say_page_for(struct handshake *h, enum schema_node node, uint32_t domid, int writable)
{
    uint32_t ref;

    if (!xengntshr_share_pages(h->grants, domid, 1, &ref, writable))
        hostile_give_up("grant of another page");
    handshake_write_number(h, node, ref);
}

void spoil_with_read_only_page(struct handshake *h, enum schema_node node)
{
    say_page_for(h, node, h->place.manager, 0);
}

void spoil_with_others_page(struct handshake *h, enum schema_node node)
{
    say_page_for(h, node, DOM0, 1);
}

void spoil_with_others_port(struct handshake *h, enum schema_node node)
{
    xenevtchn_port_or_error_t port = xenevtchn_bind_unbound_port(h->channels, DOM0);

    if (port < 0)
        hostile_give_up("channel to dom0");
    handshake_write_number(h, node, (uint64_t)port);
}
