/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spoil.h - one thing of a frontend that is ready, made wrong: a node, or what a node refers to. */
#ifndef TESTS_HOSTILE_SPOIL_H
#define TESTS_HOSTILE_SPOIL_H

#include "tests/xen/hostile/handshake.h"

struct wrong_node {
    enum schema_node node;
    const char *value; /* NULL: removed */
    unsigned len;      /* 0: a string */
    const char *reason;
};

void spoil_node(struct handshake *h, const struct wrong_node *wrong);

/* @node says a page that the manager may only read, or that is for dom0; or a channel for dom0. */
void spoil_with_read_only_page(struct handshake *h, enum schema_node node);
void spoil_with_others_page(struct handshake *h, enum schema_node node);
void spoil_with_others_port(struct handshake *h, enum schema_node node);

#endif /* TESTS_HOSTILE_SPOIL_H */
