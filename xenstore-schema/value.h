/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * value.h - values of nodes, written by somebody who may be hostile.
 *
 * A value is a run of bytes with a length, as xs_read() gives it: it may hold
 * NULs and anything else. What the rule of its node (nodes.def) does not allow
 * is refused. Pure.
 */
#ifndef XTM_SCHEMA_VALUE_H
#define XTM_SCHEMA_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenstore-schema/form.h"
#include "xenstore-schema/nodes.h"

enum schema_fault {
    SCHEMA_FINE = 0,
    SCHEMA_MISSING,
    SCHEMA_NOT_A_NUMBER,
    SCHEMA_OUT_OF_RANGE,
    SCHEMA_BAD_LENGTH,
    SCHEMA_NOT_TEXT,
    SCHEMA_NOT_REFS,
    SCHEMA_MORE_THAN_OFFERED,
    SCHEMA_NOT_OFFERED,
};

/* What is wrong with which node. */
struct schema_error {
    enum schema_fault fault;
    enum schema_node node;
    uint32_t number;
};

/* Fits the node `error`; a sentence, never with bytes of the value. */
#define SCHEMA_REASON_LEN 256u
void schema_error_text(char reason_out[SCHEMA_REASON_LEN], const struct schema_error *error);

/*
 * A decimal number without sign, spaces or leading zeros, in the range of
 * @node. @value NULL: the node is absent. On a fault *number_out is unchanged.
 */
enum schema_fault schema_parse_number(enum schema_node node, const char *value, size_t len,
                                      uint64_t *number_out);

/*
 * Exactly @nr grant references, each 1 to 4294967295, one space between. On a
 * fault refs_out is unspecified.
 */
enum schema_fault schema_parse_refs(enum schema_node node, const char *value, size_t len,
                                    unsigned nr, uint32_t *refs_out);

/* Printable ASCII of the length that @node allows. */
enum schema_fault schema_check_text(enum schema_node node, const char *value, size_t len);

/* Is @version one of the numbers in a `versions` node ("1,2")? */
bool schema_has_version(const char *value, size_t len, uint64_t version);

/* A right in a node `allow/<domid>`. False: neither word. */
bool schema_parse_right(const char *value, size_t len, bool *fill_out);

#endif /* XTM_SCHEMA_VALUE_H */
