/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/lib/where.h"

#include <string.h>

static bool parse_device(const char *digits, uint32_t *device_out)
{
    uint64_t number = 0;

    if (!*digits || strlen(digits) > 10)
        return false;
    for (; *digits; digits++) {
        if (*digits < '0' || *digits > '9')
            return false;
        number = number * 10 + (uint64_t)(*digits - '0');
    }
    if (number > UINT32_MAX)
        return false;
    *device_out = (uint32_t)number;
    return true;
}

static bool parse_local(const char *text, struct where *where_out)
{
    const char *colon = strrchr(text, ':');
    size_t length = strlen(text);

    /* a colon that no number follows is part of the path */
    if (colon && parse_device(colon + 1, &where_out->device))
        length = (size_t)(colon - text);
    if (length == 0) {
        text = WHERE_DEFAULT_PATH;
        length = strlen(text);
    }
    if (length >= sizeof(where_out->path))
        return false;
    memcpy(where_out->path, text, length);
    where_out->path[length] = '\0';
    return true;
}

bool where_parse(const char *text, struct where *where_out)
{
    where_out->device = 0;
    if (strncmp(text, "xen:", 4) == 0) {
        where_out->kind = WHERE_XEN;
        return parse_device(text + 4, &where_out->device);
    }
    if (strncmp(text, "local:", 6) == 0) {
        where_out->kind = WHERE_LOCAL;
        return parse_local(text + 6, where_out);
    }
    return false;
}
