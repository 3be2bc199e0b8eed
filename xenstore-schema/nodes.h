/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nodes.h - nodes.def as a table, and the paths of the nodes.
 *
 * Pure: bytes in, bytes out. What a node means and who may write it when:
 * SCHEMA.md.
 */
#ifndef XTM_SCHEMA_NODES_H
#define XTM_SCHEMA_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/tmemif.h"

enum schema_node {
#define NODE(identifier, key, where, type, min, max, absent, owner) SCHEMA_##identifier,
#include "xenstore-schema/nodes.def"
#undef NODE
    SCHEMA_NR_NODES,
};

enum schema_where {
    SCHEMA_IN_BACKEND,
    SCHEMA_IN_FRONTEND,
    SCHEMA_IN_GUEST,
    SCHEMA_IN_SHARED,
    SCHEMA_IN_MANAGER,
    SCHEMA_IN_VBD_BACKEND,
    SCHEMA_IN_VBD_FRONTEND,
};

enum schema_type { SCHEMA_NUMBER, SCHEMA_TEXT, SCHEMA_REFS };

enum schema_owner { SCHEMA_TOOLSTACK, SCHEMA_MANAGER_DOMAIN, SCHEMA_GUEST_DOMAIN };

struct schema_rule {
    const char *key; /* "%u" in it: numbered; twice: by a pair */
    enum schema_where where;
    enum schema_type type;
    enum schema_owner owner;
    uint64_t min, max; /* NUMBER: range; TEXT: bytes; REFS: how many */
    bool required;
    uint64_t absent; /* not required: what holds without the node */
};

const struct schema_rule *schema_rule(enum schema_node node);

/* The number of a key that has two: each at most 65535. */
#define SCHEMA_PAIR(first, second) ((uint32_t)(first) << 16 | (uint32_t)(second))

/* Longer than any path that can be built here; see the test. */
#define SCHEMA_PATH_LEN 192u

/* One attachment, or one disk. */
struct schema_place {
    uint32_t manager, guest; /* domids */
    uint32_t device;         /* of a disk: its number in the guest, such as 51728 for xvdb */
};

/* Of an attachment. What lies above means no single one. */
#define SCHEMA_MAX_DEVICE 4294967293u

/* The folder of @where in the homes of @place; not SCHEMA_IN_SHARED. No '/' at the end. */
void schema_folder(char path_out[SCHEMA_PATH_LEN], const struct schema_place *place,
                   enum schema_where where);
/* A node of it. @number: for a key that is numbered, else ignored. */
void schema_path(char path_out[SCHEMA_PATH_LEN], const struct schema_place *place,
                 enum schema_node node, uint32_t number);

/* The same for a shared pool. */
void schema_shared_folder(char path_out[SCHEMA_PATH_LEN], uint32_t manager,
                          const uint8_t uuid[TMEMIF_UUID_LEN]);
void schema_shared_path(char path_out[SCHEMA_PATH_LEN], uint32_t manager,
                        const uint8_t uuid[TMEMIF_UUID_LEN], enum schema_node node,
                        uint32_t number);

/* The folders above them, which hold one folder a guest or a pool; and all of the policy. */
void schema_backends(char path_out[SCHEMA_PATH_LEN], uint32_t manager);
void schema_vbds(char path_out[SCHEMA_PATH_LEN], uint32_t manager);
void schema_policies(char path_out[SCHEMA_PATH_LEN], uint32_t manager);
void schema_shared_pools(char path_out[SCHEMA_PATH_LEN], uint32_t manager);

/* The key of @node with its number, for messages. */
void schema_key(char key_out[SCHEMA_PATH_LEN], enum schema_node node, uint32_t number);

/* Is @path @folder, or a node below it? */
bool schema_is_below(const char *path, const char *folder);
/*
 * Whose folder of @where does @path lie in, or name? For the folders of the manager that
 * are one for each guest and device. False: none; *place_out is unchanged.
 */
bool schema_folder_of(const char *path, uint32_t manager, enum schema_where where,
                      struct schema_place *place_out);
/* The same for a shared pool's. */
bool schema_shared_of(const char *path, uint32_t manager, uint8_t uuid_out[TMEMIF_UUID_LEN]);

#endif /* XTM_SCHEMA_NODES_H */
