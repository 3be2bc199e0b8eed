/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.h - sizes, UUIDs, numbers and objects as people write and read them. */
#ifndef XENTMEM_TOOL_TEXT_H
#define XENTMEM_TOOL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/include/xentmem.h"

/* "12.5 MiB" for a number of 4096-byte pages, "unlimited" for TEXT_UNLIMITED. */
#define TEXT_UNLIMITED UINT64_MAX
#define TEXT_SIZE_LEN  24
void text_of_size(char text_out[TEXT_SIZE_LEN], uint64_t nr_pages);

#define TEXT_UUID_LEN 37
void text_of_uuid(char text_out[TEXT_UUID_LEN], const uint8_t uuid[16]);
/* Accepts 8-4-4-4-12 hexadecimal digits, and 32 without dashes. False: not a UUID. */
bool text_to_uuid(const char *text, uint8_t uuid_out[16]);
/* The same for a shared pool, whose UUID is never zero. */
bool text_to_pool_uuid(const char *text, uint8_t uuid_out[16]);
/* What to say of one that is none. */
#define TEXT_NO_POOL_UUID                                                                          \
    "%s: not the UUID of a shared pool: 8-4-4-4-12 hexadecimal digits, not all of them 0"

/* A number that fills the whole of @text, decimal or 0x..., at most @max. */
bool text_to_number(const char *text, uint64_t max, uint64_t *number_out);

/*
 * An object id: a decimal number, 0x and up to 48 hexadecimal digits (the last
 * one is the lowest bit of id[0]), or name:TEXT, which is the XXH3-128 hash of TEXT
 * (low half in id[0], high half in id[1]) with id[2] all ones.
 */
bool text_to_object(const char *text, struct xentmem_object *object_out);

/* Is all of it UTF-8 (RFC 3629)? */
bool text_is_utf8(const char *text);
/* Each octet that is no part of it becomes '?'. */
void text_mend_utf8(char *text);

/*
 * What the other end says, which is not trusted with our terminal: anything but printable ASCII
 * becomes '?'. @from, to its NUL or to @size - 1, is cut off where @to, of @size bytes, ends.
 */
void text_printable(char *to, size_t size, const char *from);

#endif /* XENTMEM_TOOL_TEXT_H */
