/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/operator_book_json.h"

#include <stdio.h>
#include <string.h>

/* ---- reading: whatever is not wholly understood is refused ---- */

static bool read_member(struct json_object *from, const char *key, enum json_type type,
                        struct json_object **value_out)
{
    return json_object_object_get_ex(from, key, value_out) && json_object_is_type(*value_out, type);
}

static bool read_text(struct json_object *from, const char *key, char *text_out, size_t size)
{
    struct json_object *value;

    if (!read_member(from, key, json_type_string, &value) ||
        (size_t)json_object_get_string_len(value) >= size)
        return false;
    memset(text_out, 0, size);
    memcpy(text_out, json_object_get_string(value), (size_t)json_object_get_string_len(value));
    return strlen(text_out) == (size_t)json_object_get_string_len(value);
}

static bool read_uuid(struct json_object *from, const char *key, uint8_t uuid_out[16])
{
    char text[TEXT_UUID_LEN];

    return read_text(from, key, text, sizeof(text)) && text_to_uuid(text, uuid_out);
}

static bool read_number(struct json_object *from, const char *key, uint64_t min, uint64_t max,
                        uint64_t *number_out)
{
    struct json_object *value;
    int64_t number;

    if (!read_member(from, key, json_type_int, &value))
        return false;
    number = json_object_get_int64(value);
    if ((uint64_t)number < min || (uint64_t)number > max)
        return false;
    *number_out = (uint64_t)number;
    return true;
}

/* null is "unlimited"; a missing key is not. */
static bool read_pages(struct json_object *from, const char *key, uint64_t *pages_out)
{
    struct json_object *value;

    if (json_object_object_get_ex(from, key, &value) && !value) {
        *pages_out = GRANT_UNLIMITED;
        return true;
    }
    return read_number(from, key, 0, GRANT_MAX_PAGES, pages_out);
}

static bool read_grant(struct json_object *from, struct grant *grant_out)
{
    struct grant grant = GRANT_DEFAULT;
    uint64_t weight;

    if (!read_pages(from, "quota_pages", &grant.quota_pages) ||
        !read_pages(from, "min_pages", &grant.min_pages) ||
        !read_pages(from, "max_pages", &grant.max_pages) ||
        !read_number(from, "weight", 1, GRANT_MAX_WEIGHT, &weight))
        return false;
    grant.weight = (uint32_t)weight;
    *grant_out = grant;
    return true;
}

static bool read_guest(struct book *book, struct json_object *from)
{
    struct json_object *attach;
    struct book_guest g = {0}, *guest;
    uint64_t device;

    if (!read_uuid(from, "uuid", g.uuid) || !read_text(from, "name", g.name, sizeof(g.name)) ||
        !read_number(from, "device", 0, UINT32_MAX, &device) ||
        !read_text(from, "manager", g.manager, sizeof(g.manager)) ||
        !read_member(from, "attach", json_type_boolean, &attach) || !read_grant(from, &g.grant))
        return false;
    /* what an earlier version wrote is no reason to lose the rest */
    text_mend_utf8(g.name);
    text_mend_utf8(g.manager);
    g.device = (uint32_t)device;
    g.attach = json_object_get_boolean(attach);
    if (book_find_guest(book, g.uuid, g.device))
        return false;
    guest = book_add_guest(book, g.uuid, g.device);
    if (guest)
        *guest = g;
    return guest;
}

static bool read_allow(struct book_shared *shared, struct json_object *from)
{
    uint8_t guest[16];
    char right[8];

    if (!read_uuid(from, "guest", guest) || !read_text(from, "right", right, sizeof(right)))
        return false;
    if (strcmp(right, "fill") && strcmp(right, "read"))
        return false;
    return book_allow_guest(shared, guest, right[0] == 'f');
}

static bool read_shared(struct book *book, struct json_object *from)
{
    struct json_object *allow;
    struct book_shared *shared;
    struct grant grant;
    uint8_t uuid[16];

    if (!read_uuid(from, "uuid", uuid) || book_find_shared(book, uuid) ||
        !read_grant(from, &grant) || !read_member(from, "allow", json_type_array, &allow))
        return false;
    shared = book_add_shared(book, uuid);
    if (!shared)
        return false;
    shared->grant = grant;
    for (size_t i = 0; i < json_object_array_length(allow); i++) {
        if (!read_allow(shared, json_object_array_get_idx(allow, i)))
            return false;
    }
    return true;
}

bool book_from_json(struct book *book, struct json_object *from, char why_out[BOOK_WHY_LEN])
{
    struct json_object *guests, *shared;
    uint64_t version;

    if (!read_number(from, "version", 1, UINT32_MAX, &version) ||
        !read_member(from, "guests", json_type_array, &guests) ||
        !read_member(from, "shared", json_type_array, &shared)) {
        snprintf(why_out, BOOK_WHY_LEN, "%s: not a policy file", book->path);
        return false;
    }
    if (version != 1) {
        snprintf(why_out, BOOK_WHY_LEN, "%s: written by a newer xentmem (version %llu)", book->path,
                 (unsigned long long)version);
        return false;
    }
    for (size_t i = 0; i < json_object_array_length(guests); i++) {
        if (!read_guest(book, json_object_array_get_idx(guests, i))) {
            snprintf(why_out, BOOK_WHY_LEN, "%s: entry %zu of guests is damaged", book->path, i);
            return false;
        }
    }
    for (size_t i = 0; i < json_object_array_length(shared); i++) {
        if (!read_shared(book, json_object_array_get_idx(shared, i))) {
            snprintf(why_out, BOOK_WHY_LEN, "%s: entry %zu of shared is damaged", book->path, i);
            return false;
        }
    }
    return true;
}

/* ---- writing ---- */

static bool add(struct json_object *to, const char *key, struct json_object *value)
{
    if (!value || json_object_object_add(to, key, value)) {
        json_object_put(value);
        return false;
    }
    return true;
}

static bool add_pages(struct json_object *to, const char *key, uint64_t pages)
{
    if (pages == GRANT_UNLIMITED)
        return json_object_object_add(to, key, NULL) == 0;
    return add(to, key, json_object_new_int64((int64_t)pages));
}

static bool add_uuid(struct json_object *to, const char *key, const uint8_t uuid[16])
{
    char text[TEXT_UUID_LEN];

    text_of_uuid(text, uuid);
    return add(to, key, json_object_new_string(text));
}

static bool add_grant(struct json_object *to, const struct grant *grant)
{
    return add_pages(to, "quota_pages", grant->quota_pages) &&
           add_pages(to, "min_pages", grant->min_pages) &&
           add_pages(to, "max_pages", grant->max_pages) &&
           add(to, "weight", json_object_new_int64(grant->weight));
}

/* Append @element, made by the caller and finished or not, to @array; false frees it. */
static bool append(struct json_object *array, struct json_object *element, bool finished)
{
    if (!finished || json_object_array_add(array, element)) {
        json_object_put(element);
        return false;
    }
    return true;
}

static bool add_guests(struct json_object *array, const struct book *book)
{
    for (unsigned i = 0; i < book->nr_guests; i++) {
        const struct book_guest *guest = &book->guests[i];
        struct json_object *o = json_object_new_object();

        if (!o || !append(array, o,
                          add_uuid(o, "uuid", guest->uuid) &&
                              add(o, "name", json_object_new_string(guest->name)) &&
                              add(o, "device", json_object_new_int64(guest->device)) &&
                              add(o, "manager", json_object_new_string(guest->manager)) &&
                              add(o, "attach", json_object_new_boolean(guest->attach)) &&
                              add_grant(o, &guest->grant)))
            return false;
    }
    return true;
}

static bool add_allow(struct json_object *array, const struct book_shared *shared)
{
    for (unsigned i = 0; i < shared->nr_allow; i++) {
        const struct book_allow *allow = &shared->allow[i];
        struct json_object *o = json_object_new_object();

        if (!o ||
            !append(array, o,
                    add_uuid(o, "guest", allow->guest) &&
                        add(o, "right", json_object_new_string(allow->fill ? "fill" : "read"))))
            return false;
    }
    return true;
}

static bool add_shared(struct json_object *array, const struct book *book)
{
    for (unsigned i = 0; i < book->nr_shared; i++) {
        const struct book_shared *shared = &book->shared[i];
        struct json_object *allow = json_object_new_array(), *o = json_object_new_object();

        if (!o || !allow || !add_allow(allow, shared)) {
            json_object_put(allow);
            json_object_put(o);
            return false;
        }
        if (!append(array, o,
                    add(o, "allow", allow) && add_uuid(o, "uuid", shared->uuid) &&
                        add_grant(o, &shared->grant)))
            return false;
    }
    return true;
}

struct json_object *book_to_json(const struct book *book)
{
    struct json_object *all = json_object_new_object();
    struct json_object *guests = json_object_new_array(), *shared = json_object_new_array();

    if (all && guests && shared && add_guests(guests, book) && add_shared(shared, book) &&
        add(all, "version", json_object_new_int64(1)) &&
        json_object_object_add(all, "guests", json_object_get(guests)) == 0 &&
        json_object_object_add(all, "shared", json_object_get(shared)) == 0) {
        json_object_put(guests);
        json_object_put(shared);
        return all;
    }
    json_object_put(guests);
    json_object_put(shared);
    json_object_put(all);
    return NULL;
}
