/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What page_hash.h and page_copy.h do with AVX2 instructions. */
#include <string.h>

#include "daemon/store/page_copy.h"
#include "daemon/store/page_hash.h"
#include "protocol/tmemif.h"

#ifdef __x86_64__

/*
 * This file is compiled for AVX2 whatever the rest of the program is compiled for; xxhash.h
 * chooses its instructions when it is compiled, too.
 */
#include <immintrin.h>
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

#define XXH_INLINE_ALL
#define XXH_VECTOR 2 /* XXH_AVX2 */
#include <xxhash.h>

_Static_assert(XXH_VECTOR == XXH_AVX2, "the number that xxhash.h gives it");

uint64_t page_hash_avx2(const void *page, uint64_t seed)
{
    uint64_t hash = XXH3_64bits_withSeed(page, TMEMIF_PAGE_SIZE, seed);

    /* The caller uses SSE, which is slow while upper halves of registers are in use. */
    _mm256_zeroupper();
    return hash;
}

/* ---- page_copy_avx2() ---- */

/*
 * XXH3 of a long input (-> xxHash's doc/xxhash_spec.md, "XXH3 algorithm for large
 * inputs"): stripes of 64 bytes go into eight accumulators, each with the
 * secret from 8 bytes further on; after 16 of them, a block, the accumulators are
 * scrambled. A page is four blocks, and its last stripe uses a place of the secret of its own.
 */
#define STRIPE_BYTES    64u
#define BLOCK_STRIPES   16u
#define BLOCK_BYTES     (STRIPE_BYTES * BLOCK_STRIPES)
#define SECRET_BYTES    192u
#define SECRET_SCRAMBLE (SECRET_BYTES - STRIPE_BYTES)
#define SECRET_LAST     (SECRET_BYTES - STRIPE_BYTES - 7)
#define SECRET_MERGE    11u
_Static_assert(SECRET_BYTES == XXH_SECRET_DEFAULT_SIZE, "what a seed is made into");
_Static_assert(TMEMIF_PAGE_SIZE % BLOCK_BYTES == 0, "the last stripe is part of a whole block");

#define PRIME32_1 0x9e3779b1u
#define PRIME32_2 0x85ebca77u
#define PRIME32_3 0xc2b2ae3du
#define PRIME64_1 0x9e3779b185ebca87u
#define PRIME64_2 0xc2b2ae3d27d4eb4fu
#define PRIME64_3 0x165667b19e3779f9u
#define PRIME64_4 0x85ebca77c2b2ae63u
#define PRIME64_5 0x27d4eb2f165667c5u
#define AVALANCHE 0x165667919e3779f9u

/* What has been seen of the page so far. */
struct pass {
    __m256i sums[2];     /* the accumulators */
    __m256i least, most; /* words, each of every eighth */
};

static inline __m256i load(const void *at)
{
    return _mm256_loadu_si256(at);
}

/* 32 bytes of the guest's. The compiler is told that they are not what memory holds by now. */
static inline __m256i load_once(const unsigned char *at)
{
    __m256i v = load(at);

    __asm__ volatile("" : "+x"(v));
    return v;
}

static inline __m256i accumulate(__m256i sum, __m256i data, const unsigned char *secret)
{
    __m256i keyed = _mm256_xor_si256(data, load(secret));
    __m256i product = _mm256_mul_epu32(keyed, _mm256_srli_epi64(keyed, 32));
    __m256i neighbours = _mm256_shuffle_epi32(data, _MM_SHUFFLE(1, 0, 3, 2));

    return _mm256_add_epi64(product, _mm256_add_epi64(sum, neighbours));
}

static inline __m256i scramble(__m256i sum, const unsigned char *secret)
{
    const __m256i prime = _mm256_set1_epi32((int)PRIME32_1);
    __m256i keyed =
        _mm256_xor_si256(_mm256_xor_si256(sum, _mm256_srli_epi64(sum, 47)), load(secret));
    __m256i low = _mm256_mul_epu32(keyed, prime);
    __m256i high = _mm256_mul_epu32(_mm256_srli_epi64(keyed, 32), prime);

    return _mm256_add_epi64(low, _mm256_slli_epi64(high, 32));
}

static inline void take_half(struct pass *p, unsigned half, const unsigned char *from,
                             unsigned char *to, const unsigned char *secret)
{
    __m256i data = load_once(from + 32 * half);

    _mm256_stream_si256((__m256i *)(void *)(to + 32 * half), data);
    p->sums[half] = accumulate(p->sums[half], data, secret + 32 * half);
    p->least = _mm256_min_epu32(p->least, data);
    p->most = _mm256_max_epu32(p->most, data);
}

static inline void take_stripe(struct pass *p, const unsigned char *from, unsigned char *to,
                               const unsigned char *secret)
{
    take_half(p, 0, from, to, secret);
    take_half(p, 1, from, to, secret);
}

static inline void take_block(struct pass *p, const unsigned char *from, unsigned char *to,
                              const unsigned char *secret, unsigned nr_stripes)
{
    for (unsigned i = 0; i < nr_stripes; i++)
        take_stripe(p, from + i * STRIPE_BYTES, to + i * STRIPE_BYTES, secret + 8 * i);
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t merge(const struct pass *p, const unsigned char *secret)
{
    uint64_t sums[8], keys[8], hash = TMEMIF_PAGE_SIZE * PRIME64_1;

    memcpy(sums, p->sums, sizeof(sums));
    memcpy(keys, secret + SECRET_MERGE, sizeof(keys));
    for (unsigned i = 0; i < 8; i += 2)
        hash += fold(sums[i] ^ keys[i], sums[i + 1] ^ keys[i + 1]);
    hash = (hash ^ hash >> 37) * AVALANCHE;
    return hash ^ hash >> 32;
}

static bool all_words_are(__m256i v, uint32_t word)
{
    return _mm256_movemask_epi8(_mm256_cmpeq_epi32(v, _mm256_set1_epi32((int)word))) == -1;
}

void page_copy_avx2(void *frame, const void *page, uint64_t seed, struct page_facts *facts_out)
{
    const unsigned char *from = page;
    unsigned char *to = frame;
    _Alignas(32) unsigned char secret[SECRET_BYTES];
    struct page_facts facts;
    struct pass p = {
        .sums = {_mm256_set_epi64x((int64_t)PRIME64_3, (int64_t)PRIME64_2, (int64_t)PRIME64_1,
                                   PRIME32_3),
                 _mm256_set_epi64x(PRIME32_1, (int64_t)PRIME64_5, PRIME32_2, (int64_t)PRIME64_4)},
        .least = _mm256_set1_epi32(-1),
        .most = _mm256_setzero_si256(),
    };

    XXH3_generateSecret_fromSeed(secret, seed);
    for (unsigned block = 0; block + 1 < TMEMIF_PAGE_SIZE / BLOCK_BYTES; block++) {
        take_block(&p, from, to, secret, BLOCK_STRIPES);
        p.sums[0] = scramble(p.sums[0], secret + SECRET_SCRAMBLE);
        p.sums[1] = scramble(p.sums[1], secret + SECRET_SCRAMBLE + 32);
        from += BLOCK_BYTES;
        to += BLOCK_BYTES;
    }
    take_block(&p, from, to, secret, BLOCK_STRIPES - 1);
    from += BLOCK_BYTES - STRIPE_BYTES;
    to += BLOCK_BYTES - STRIPE_BYTES;
    take_stripe(&p, from, to, secret + SECRET_LAST);
    /* streaming stores are ordered by nothing else */
    _mm_sfence();

    facts.sum = merge(&p, secret);
    facts.word = (uint32_t)_mm256_cvtsi256_si32(p.least);
    facts.filled = all_words_are(p.least, facts.word) && all_words_are(p.most, facts.word);
    *facts_out = facts;
    _mm256_zeroupper();
}

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif /* __x86_64__ */
