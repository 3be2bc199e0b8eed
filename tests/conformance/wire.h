/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wire.h - calls between dom0 and a guest, as text in two xenstore nodes of the guest. */
#ifndef CONFORMANCE_WIRE_H
#define CONFORMANCE_WIRE_H

#include <stdio.h>
#include <string.h>

#include "tests/conformance/harness.h"

/* Below the guest's home. dom0 stores a call, the guest its outcome: "NUMBER HEX". */
#define WIRE_CALL   "data/conformance/call"
#define WIRE_RESULT "data/conformance/result"

#define WIRE_LEN (16 + 2 * sizeof(struct call) + 1)

static inline void wire_pack(char text_out[WIRE_LEN], unsigned number, const struct call *call)
{
    const uint8_t *bytes = (const uint8_t *)call;
    size_t at = (size_t)snprintf(text_out, 16, "%u ", number);

    for (size_t i = 0; i < sizeof(*call); i++, at += 2)
        snprintf(text_out + at, 3, "%02x", bytes[i]);
}

static inline bool wire_unpack(const char *text, unsigned *number_out, struct call *call_out)
{
    uint8_t *bytes = (uint8_t *)call_out;
    const char *hex = strchr(text, ' ');

    if (!hex || sscanf(text, "%u", number_out) != 1 || strlen(hex + 1) != 2 * sizeof(*call_out))
        return false;
    for (size_t i = 0; i < sizeof(*call_out); i++) {
        unsigned byte;

        if (sscanf(hex + 1 + 2 * i, "%2x", &byte) != 1)
            return false;
        bytes[i] = (uint8_t)byte;
    }
    return true;
}

#endif /* CONFORMANCE_WIRE_H */
