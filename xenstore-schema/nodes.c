/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xenstore-schema/nodes.h"

#include <string.h>

#include "xenstore-schema/form.h"

/* The words of nodes.def. */
#define WHERE_BACKEND      SCHEMA_IN_BACKEND
#define WHERE_FRONTEND     SCHEMA_IN_FRONTEND
#define WHERE_GUEST        SCHEMA_IN_GUEST
#define WHERE_SHARED       SCHEMA_IN_SHARED
#define WHERE_MANAGER      SCHEMA_IN_MANAGER
#define WHERE_VBD_BACKEND  SCHEMA_IN_VBD_BACKEND
#define WHERE_VBD_FRONTEND SCHEMA_IN_VBD_FRONTEND
#define REQUIRED           UINT64_MAX

static const struct schema_rule rules[SCHEMA_NR_NODES] = {
#define NODE(identifier, name, place, kind, low, high, otherwise, writer)                          \
    [SCHEMA_##identifier] = {                                                                      \
        .key = name,                                                                               \
        .where = WHERE_##place,                                                                    \
        .type = SCHEMA_##kind,                                                                     \
        .owner = SCHEMA_##writer,                                                                  \
        .min = low,                                                                                \
        .max = high,                                                                               \
        .required = (otherwise) == REQUIRED,                                                       \
        .absent = (otherwise) == REQUIRED ? 0 : (otherwise),                                       \
    },
#include "xenstore-schema/nodes.def"
#undef NODE
};

const struct schema_rule *schema_rule(enum schema_node node)
{
    return &rules[node];
}

/* ---- building ---- */

/* Text that grows at @at, NUL-terminated; what does not fit is cut off. */
struct builder {
    char *at, *end;
};

static struct builder begin(char path_out[SCHEMA_PATH_LEN])
{
    path_out[0] = '\0';
    return (struct builder){path_out, path_out + SCHEMA_PATH_LEN - 1};
}

static void add_bytes(struct builder *b, const char *bytes, size_t len)
{
    size_t room = (size_t)(b->end - b->at);

    if (len > room)
        len = room;
    memcpy(b->at, bytes, len);
    b->at += len;
    *b->at = '\0';
}

static void add(struct builder *b, const char *text)
{
    add_bytes(b, text, strlen(text));
}

static void add_number(struct builder *b, uint32_t number)
{
    char text[SCHEMA_NUMBER_LEN];

    schema_format_number(text, number);
    add(b, text);
}

static const char *find_place(const char *key)
{
    return memchr(key, '%', strlen(key));
}

static void add_key(struct builder *b, enum schema_node node, uint32_t number)
{
    const char *key = rules[node].key;
    const char *place = find_place(key);
    bool is_pair = place && find_place(place + 1);

    for (; place; place = find_place(key)) {
        add_bytes(b, key, (size_t)(place - key));
        add_number(b, is_pair ? number >> 16 : number);
        number &= 0xffff; /* the second of a pair */
        is_pair = false;
        key = place + 2; /* past "%u" */
    }
    add(b, key);
}

static void add_home(struct builder *b, uint32_t domid)
{
    add(b, "/local/domain/");
    add_number(b, domid);
}

static void add_two_numbers(struct builder *b, uint32_t first, uint32_t second)
{
    add(b, "/");
    add_number(b, first);
    add(b, "/");
    add_number(b, second);
}

/* Below the manager's home. */
static const char backends[] = "/backend/tmem";
static const char vbds[] = "/backend/vbd";
static const char policies[] = "/xentmem";
static const char guests[] = "/xentmem/guest";
static const char shared_pools[] = "/xentmem/shared";
static const char announcements[] = "/data/xentmem";
/* Below the guest's home. */
static const char frontends[] = "/device/tmem/";
static const char vbd_frontends[] = "/device/vbd/";

static void add_folder(struct builder *b, const struct schema_place *place, enum schema_where where)
{
    bool is_guests = where == SCHEMA_IN_FRONTEND || where == SCHEMA_IN_VBD_FRONTEND;

    add_home(b, is_guests ? place->guest : place->manager);
    switch (where) {
    case SCHEMA_IN_BACKEND:
        add(b, backends);
        add_two_numbers(b, place->guest, place->device);
        break;
    case SCHEMA_IN_FRONTEND:
        add(b, frontends);
        add_number(b, place->device);
        break;
    case SCHEMA_IN_GUEST:
        add(b, guests);
        add_two_numbers(b, place->guest, place->device);
        break;
    case SCHEMA_IN_SHARED:
        add(b, shared_pools);
        break;
    case SCHEMA_IN_MANAGER:
        add(b, announcements);
        break;
    case SCHEMA_IN_VBD_BACKEND:
        add(b, vbds);
        add_two_numbers(b, place->guest, place->device);
        break;
    case SCHEMA_IN_VBD_FRONTEND:
        add(b, vbd_frontends);
        add_number(b, place->device);
        break;
    }
}

void schema_folder(char path_out[SCHEMA_PATH_LEN], const struct schema_place *place,
                   enum schema_where where)
{
    struct builder b = begin(path_out);

    add_folder(&b, place, where);
}

void schema_path(char path_out[SCHEMA_PATH_LEN], const struct schema_place *place,
                 enum schema_node node, uint32_t number)
{
    struct builder b = begin(path_out);

    add_folder(&b, place, rules[node].where);
    add(&b, "/");
    add_key(&b, node, number);
}

static void add_shared_folder(struct builder *b, uint32_t manager,
                              const uint8_t uuid[TMEMIF_UUID_LEN])
{
    char text[SCHEMA_UUID_TEXT_LEN];

    schema_format_uuid(text, uuid);
    add_home(b, manager);
    add(b, shared_pools);
    add(b, "/");
    add(b, text);
}

void schema_shared_folder(char path_out[SCHEMA_PATH_LEN], uint32_t manager,
                          const uint8_t uuid[TMEMIF_UUID_LEN])
{
    struct builder b = begin(path_out);

    add_shared_folder(&b, manager, uuid);
}

void schema_shared_path(char path_out[SCHEMA_PATH_LEN], uint32_t manager,
                        const uint8_t uuid[TMEMIF_UUID_LEN], enum schema_node node, uint32_t number)
{
    struct builder b = begin(path_out);

    add_shared_folder(&b, manager, uuid);
    add(&b, "/");
    add_key(&b, node, number);
}

static void build_below_home(char path_out[SCHEMA_PATH_LEN], uint32_t manager, const char *folder)
{
    struct builder b = begin(path_out);

    add_home(&b, manager);
    add(&b, folder);
}

void schema_backends(char path_out[SCHEMA_PATH_LEN], uint32_t manager)
{
    build_below_home(path_out, manager, backends);
}

void schema_vbds(char path_out[SCHEMA_PATH_LEN], uint32_t manager)
{
    build_below_home(path_out, manager, vbds);
}

void schema_policies(char path_out[SCHEMA_PATH_LEN], uint32_t manager)
{
    build_below_home(path_out, manager, policies);
}

void schema_shared_pools(char path_out[SCHEMA_PATH_LEN], uint32_t manager)
{
    build_below_home(path_out, manager, shared_pools);
}

void schema_key(char key_out[SCHEMA_PATH_LEN], enum schema_node node, uint32_t number)
{
    struct builder b = begin(key_out);

    add_key(&b, node, number);
}

/* ---- taking apart ---- */

bool schema_is_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    return strlen(path) >= len && memcmp(path, folder, len) == 0 &&
           (path[len] == '\0' || path[len] == '/');
}

/* What follows "<@manager's home><@folder>/" in @path, or NULL. */
static const char *below(const char *path, uint32_t manager, const char *folder)
{
    char prefix[SCHEMA_PATH_LEN];
    size_t len;

    build_below_home(prefix, manager, folder);
    len = strlen(prefix);
    if (strlen(path) <= len || memcmp(path, prefix, len) != 0 || path[len] != '/')
        return NULL;
    return path + len + 1;
}

/* Bytes up to the next '/' or the end. */
static size_t name_len(const char *text)
{
    const char *end = memchr(text, '/', strlen(text));

    return end ? (size_t)(end - text) : strlen(text);
}

/* Take "<number>" up to the next '/' or the end; NULL if it is none. */
static const char *take_number(const char *text, uint32_t *number_out)
{
    size_t len = name_len(text);
    uint64_t number;

    if (!schema_scan_number(text, len, &number) || number > UINT32_MAX)
        return NULL;
    *number_out = (uint32_t)number;
    return text + len;
}

static bool take_place(const char *rest, uint32_t manager, struct schema_place *place_out)
{
    struct schema_place place = {.manager = manager};

    if (!rest)
        return false;
    rest = take_number(rest, &place.guest);
    if (!rest || *rest != '/')
        return false;
    rest = take_number(rest + 1, &place.device);
    if (!rest)
        return false;
    *place_out = place;
    return true;
}

bool schema_folder_of(const char *path, uint32_t manager, enum schema_where where,
                      struct schema_place *place_out)
{
    switch (where) {
    case SCHEMA_IN_BACKEND:
        return take_place(below(path, manager, backends), manager, place_out);
    case SCHEMA_IN_VBD_BACKEND:
        return take_place(below(path, manager, vbds), manager, place_out);
    case SCHEMA_IN_GUEST:
        return take_place(below(path, manager, guests), manager, place_out);
    default:
        return false;
    }
}

bool schema_shared_of(const char *path, uint32_t manager, uint8_t uuid_out[TMEMIF_UUID_LEN])
{
    const char *rest = below(path, manager, shared_pools);

    return rest && schema_scan_uuid(rest, name_len(rest), uuid_out);
}
