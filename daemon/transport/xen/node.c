/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/node.h"

#include <errno.h>
#include <stdlib.h>

#include "xenstore-schema/states.h"

char *node_read(struct platform *p, const struct schema_place *place, enum schema_node node,
                uint32_t number, size_t *len_out)
{
    char path[SCHEMA_PATH_LEN];

    schema_path(path, place, node, number);
    return p->ops->read(p, path, len_out);
}

enum node_result node_read_number(struct platform *p, const char *path, enum schema_node node,
                                  uint64_t *number_out)
{
    size_t len = 0;
    char *value = p->ops->read(p, path, &len);
    enum schema_fault fault;

    if (!value && errno != ENOENT)
        return NODE_UNKNOWN;
    fault = schema_parse_number(node, value, len, number_out);
    free(value);
    if (fault == SCHEMA_MISSING)
        return NODE_ABSENT;
    return fault ? NODE_BAD : NODE_FINE;
}

bool node_write(struct platform *p, const struct schema_place *place, enum schema_node node,
                const char *text)
{
    char path[SCHEMA_PATH_LEN];

    schema_path(path, place, node, 0);
    return p->ops->write(p, path, text);
}

bool node_write_number(struct platform *p, const struct schema_place *place, enum schema_node node,
                       uint64_t number)
{
    char text[SCHEMA_NUMBER_LEN];

    schema_format_number(text, number);
    return node_write(p, place, node, text);
}

bool node_remove(struct platform *p, const struct schema_place *place, enum schema_node node)
{
    char path[SCHEMA_PATH_LEN];

    schema_path(path, place, node, 0);
    return p->ops->remove(p, path);
}

bool node_read_state(struct platform *p, const struct schema_place *place, enum schema_node node,
                     uint32_t *state_out)
{
    size_t len = 0;
    char *value = node_read(p, place, node, 0, &len);
    uint64_t state;

    if (!value)
        return false;
    *state_out = schema_parse_number(node, value, len, &state) == SCHEMA_FINE ? (uint32_t)state
                                                                              : XENBUS_GARBAGE;
    free(value);
    return true;
}

bool node_is_hidden(int error)
{
    return error == ENOENT || error == EACCES;
}
