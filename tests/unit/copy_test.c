/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies out of frames, in parts that are the copier's business. */
#include <stdint.h>

#include "daemon/util/copy.h"
#include "tests/lib/runner.h"

/* As many bytes as were asked for, in whatever parts. */
static void bytes_are_copied_out_to_the_last_one(void)
{
    static const size_t sizes[] = {0, 1, COPY_PART - 1, COPY_PART, COPY_PART + 1, 4096};
    uint8_t from[4096], to[4096 + 1];

    for (size_t i = 0; i < sizeof(from); i++)
        from[i] = (uint8_t)(i * 7 + i / 256);
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        memset(to, 0xee, sizeof(to));
        copy_out(to, from, sizes[i]);
        CU_ASSERT_EQUAL(memcmp(to, from, sizes[i]), 0);
        CU_ASSERT_EQUAL(to[sizes[i]], 0xee);
    }
}

#define TESTS(T) T(bytes_are_copied_out_to_the_last_one)
RUN_TESTS(TESTS)
