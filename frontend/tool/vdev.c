/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/vdev.h"

#include <stdio.h>
#include <string.h>

#include "frontend/tool/text.h"

#define EXTENDED   (1u << 28)
#define MAX_DISKS  (1u << 20)
#define LETTERS    26u
#define MAJOR_HD_A 3u
#define MAJOR_HD_C 22u
#define MAJOR_SD   8u
#define MAJOR_XVD  202u

/* "a" is 0, "z" 25, "aa" 26. Returns what follows, or NULL. */
static const char *parse_letters(const char *text, uint32_t *disk_out)
{
    uint32_t disk = 0;

    if (*text < 'a' || *text > 'z')
        return NULL;
    for (; *text >= 'a' && *text <= 'z'; text++) {
        disk = disk * LETTERS + (uint32_t)(*text - 'a') + 1;
        if (disk > MAX_DISKS)
            return NULL;
    }
    *disk_out = disk - 1;
    return text;
}

/* A disk's letters and, or not, a partition from 1 on. */
static bool parse_disk(const char *text, const char *prefix, uint32_t *disk_out, uint32_t *part_out)
{
    uint64_t part = 0;

    if (strncmp(text, prefix, strlen(prefix)) != 0)
        return false;
    text = parse_letters(text + strlen(prefix), disk_out);
    if (!text || (*text && (*text < '1' || *text > '9' || !text_to_number(text, 255, &part))))
        return false;
    *part_out = (uint32_t)part;
    return true;
}

bool vdev_parse(const char *text, uint32_t *vdev_out)
{
    uint32_t disk, part, vdev;
    uint64_t number;

    if (parse_disk(text, "xvd", &disk, &part)) {
        vdev = disk < 16 && part < 16 ? MAJOR_XVD << 8 | disk << 4 | part
                                      : EXTENDED | disk << 8 | part;
    } else if (parse_disk(text, "sd", &disk, &part)) {
        if (disk >= 16 || part >= 16)
            return false;
        vdev = MAJOR_SD << 8 | disk << 4 | part;
    } else if (parse_disk(text, "hd", &disk, &part)) {
        if (disk >= 4 || part >= 64)
            return false;
        vdev = (disk < 2 ? MAJOR_HD_A : MAJOR_HD_C) << 8 | (disk & 1) << 6 | part;
    } else if (text_to_number(text, UINT32_MAX, &number)) {
        vdev = (uint32_t)number;
    } else {
        return false;
    }
    *vdev_out = vdev;
    return true;
}

static void name_disk(char *text_out, const char *prefix, uint32_t disk, uint32_t part)
{
    char letters[8];
    size_t at = sizeof(letters) - 1;

    letters[at] = '\0';
    for (disk++; disk > 0; disk = (disk - 1) / LETTERS)
        letters[--at] = (char)('a' + (disk - 1) % LETTERS);
    if (part)
        snprintf(text_out, VDEV_TEXT_LEN, "%s%s%u", prefix, letters + at, part);
    else
        snprintf(text_out, VDEV_TEXT_LEN, "%s%s", prefix, letters + at);
}

void vdev_name(uint32_t vdev, char text_out[VDEV_TEXT_LEN])
{
    uint32_t minor = vdev & 0xff;

    if (vdev >> 28 == 1)
        name_disk(text_out, "xvd", vdev >> 8 & (MAX_DISKS - 1), minor);
    else if (vdev >> 8 == MAJOR_XVD)
        name_disk(text_out, "xvd", minor >> 4, minor & 15);
    else if (vdev >> 8 == MAJOR_SD)
        name_disk(text_out, "sd", minor >> 4, minor & 15);
    else if (vdev >> 8 == MAJOR_HD_A && minor < 128)
        name_disk(text_out, "hd", minor >> 6, minor & 63);
    else if (vdev >> 8 == MAJOR_HD_C && minor < 128)
        name_disk(text_out, "hd", 2 + (minor >> 6), minor & 63);
    else
        snprintf(text_out, VDEV_TEXT_LEN, "%u", vdev);
}
