/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/page_copy.h"

#include "daemon/store/page_hash.h"
#include "daemon/store/store.h"
#include "protocol/copy.h"

void page_look(const void *page, uint64_t seed, struct page_facts *facts_out)
{
    struct page_facts facts = {0};

    facts.sum = page_hash(page, seed);
    facts.filled = page_is_filled(page, &facts.word);
    *facts_out = facts;
}

void page_copy(void *frame, const void *page, uint64_t seed, struct page_facts *facts_out)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        page_copy_avx2(frame, page, seed, facts_out);
        return;
    }
#endif
    copy_bytes(frame, page, TMEMIF_PAGE_SIZE);
    page_look(frame, seed, facts_out);
}
