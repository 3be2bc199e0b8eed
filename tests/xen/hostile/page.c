/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/xen/hostile/page.h"

#include <string.h>

#include "protocol/tmemif.h"

void page_fill(uint8_t *page, uint32_t what)
{
    for (uint32_t i = 0; i < TMEMIF_PAGE_SIZE / sizeof(what); i++, what = what * 69069u + 1)
        memcpy(page + i * sizeof(what), &what, sizeof(what));
}

bool page_holds(const uint8_t *page, uint32_t what)
{
    uint8_t wanted[TMEMIF_PAGE_SIZE];

    page_fill(wanted, what);
    return memcmp(page, wanted, sizeof(wanted)) == 0;
}

uint64_t noise(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

void noise_fill(uint64_t *seed, void *bytes_out, uint32_t nr_bytes)
{
    for (uint32_t i = 0; i < nr_bytes; i += 8) {
        uint64_t word = noise(seed);

        memcpy((uint8_t *)bytes_out + i, &word, sizeof(word));
    }
}
