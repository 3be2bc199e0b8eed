/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* form.h - how numbers and UUIDs are written in xenstore, in keys as in values. Pure. */
#ifndef XTM_SCHEMA_FORM_H
#define XTM_SCHEMA_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/tmemif.h"

/* A decimal number of at most 19 digits, without sign, spaces or leading zeros. */
bool schema_scan_number(const char *text, size_t len, uint64_t *number_out);
/* 8-4-4-4-12 hexadecimal digits of either case. */
bool schema_scan_uuid(const char *text, size_t len, uint8_t uuid_out[TMEMIF_UUID_LEN]);

#define SCHEMA_NUMBER_LEN 24u
void schema_format_number(char text_out[SCHEMA_NUMBER_LEN], uint64_t number);
#define SCHEMA_UUID_TEXT_LEN 37u
void schema_format_uuid(char text_out[SCHEMA_UUID_TEXT_LEN], const uint8_t uuid[TMEMIF_UUID_LEN]);

#endif /* XTM_SCHEMA_FORM_H */
