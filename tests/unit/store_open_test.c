/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A store taken up from segments that an earlier daemon left, whole and damaged. */
#include <stddef.h>
#include <sys/mman.h>

#include "daemon/store/super.h"
#include "tests/unit/store_fixture.h"

#define NR_FRAMES 1300u
#define NR_FILLED 600u

static const struct store_damage no_damage;

static bool damage_is(const struct store_damage *d, uint64_t descs, uint64_t records)
{
    return d->descs == descs && d->records == records && d->duplicates == 0;
}

/* ---- whole ---- */

static void every_live_page_is_found_again(void)
{
    struct store *s = store_of(NR_FRAMES, NR_FILLED);
    struct store_damage damage = {.descs = 7, .duplicates = 7, .records = 7};
    uint32_t found = 0;

    make_pool(s);
    for (uint32_t i = 0; i < 900; i++) {
        page_nr p = i % 3 == 2 ? put_filled(s, i) : put_page(s, i);

        store_desc(s, p)->use = 0xff;
        if (i % 5 == 0) {
            desc_make_dead(store_desc(s, p));
            store_page_free(s, p);
        }
    }
    s = reopen(s, &damage);
    CU_ASSERT(memcmp(&damage, &no_damage, sizeof(damage)) == 0);
    for (page_nr p = 0; (p = store_next_live(s, p)) != LAYOUT_NONE; p++) {
        const struct desc *d = store_desc(s, p);
        uint64_t number = live_generation(d->live) - 1;

        found++;
        CU_ASSERT(number % 5 != 0 && number < 900);
        CU_ASSERT_EQUAL(d->object[0], number);
        CU_ASSERT_EQUAL(d->use, 0);
        CU_ASSERT_EQUAL(d->kind, number % 3 == 2 ? DESC_FILLED : DESC_FRAME);
        CU_ASSERT(desc_content_is_whole(d, d->kind == DESC_FRAME ? store_frame(s, p) : NULL));
        if (d->kind == DESC_FRAME)
            CU_ASSERT(page_holds(store_frame(s, p), number));
    }
    CU_ASSERT_EQUAL(found, 720);
    CU_ASSERT_EQUAL(store_usage(s).frames_used, 480);
    CU_ASSERT_EQUAL(store_usage(s).filled_used, 240);
    store_close(s);
}

static void a_reopened_store_hands_out_what_is_free_and_only_that(void)
{
    struct store *s = store_of(NR_FRAMES, NR_FILLED);
    static unsigned char seen[NR_FRAMES];
    struct store_damage damage;
    uint32_t nr = 0;
    page_nr p;

    make_pool(s);
    for (uint32_t i = 0; i < 1000; i++) {
        p = put_page(s, i);
        if (i % 2 == 0)
            desc_make_dead(store_desc(s, p)); /* killed before it was given back */
    }
    s = reopen(s, &damage);
    CU_ASSERT_EQUAL(store_usage(s).frames_used, 500);
    while ((p = store_page_alloc(s, DESC_FRAME)) != LAYOUT_NONE) {
        CU_ASSERT_FATAL(p < NR_FRAMES && !seen[p]);
        CU_ASSERT_FATAL(store_desc(s, p)->live == LIVE_DEAD);
        memset(store_frame(s, p), 0xee, TMEMIF_PAGE_SIZE);
        seen[p] = 1;
        nr++;
    }
    CU_ASSERT_EQUAL(nr, NR_FRAMES - 500);
    for (p = 0; (p = store_next_live(s, p)) != LAYOUT_NONE; p++)
        CU_ASSERT(desc_content_is_whole(store_desc(s, p), store_frame(s, p)));
    store_close(s);
}

static void each_opening_is_an_incarnation(void)
{
    struct store *s = store_of(10, 0);
    struct store_damage damage;

    CU_ASSERT_EQUAL(store_super(s)->incarnation, 1);
    s = reopen(s, &damage);
    CU_ASSERT_EQUAL(store_super(s)->incarnation, 2);
    s = reopen(s, &damage);
    CU_ASSERT_EQUAL(store_super(s)->incarnation, 3);
    store_close(s);
}

static void memory_of_chunks_without_a_live_page_is_given_back(void)
{
    struct store *s = store_of(4 * STORE_CHUNK_PAGES, 0);
    struct store_damage damage;
    page_nr p;

    make_pool(s);
    while ((p = store_page_alloc(s, DESC_FRAME)) != LAYOUT_NONE)
        memset(store_frame(s, p), 1, TMEMIF_PAGE_SIZE);
    for (p = 0; p < 4 * STORE_CHUNK_PAGES; p++)
        store_page_free(s, p);
    for (p = 0; p < STORE_CHUNK_PAGES; p++)
        (void)put_page(s, p);
    p = store_next_live(s, 0) / STORE_CHUNK_PAGES;
    s = reopen(s, &damage);
    CU_ASSERT_EQUAL(store_next_live(s, 0) / STORE_CHUNK_PAGES, p);
    CU_ASSERT_EQUAL(backed_bytes(s, STORE_FRAMES), store_usage(s).frames_taken * TMEMIF_PAGE_SIZE);
    CU_ASSERT(store_usage(s).frames_taken < 4 * STORE_CHUNK_PAGES);
    CU_ASSERT_EQUAL(count_live(s), STORE_CHUNK_PAGES);
    while ((p = store_page_alloc(s, DESC_FRAME)) != LAYOUT_NONE)
        memset(store_frame(s, p), 2, TMEMIF_PAGE_SIZE);
    CU_ASSERT_EQUAL(store_usage(s).frames_used, 4 * STORE_CHUNK_PAGES);
    store_close(s);
}

static void a_large_sparse_store_is_opened_without_taking_memory(void)
{
    struct store *s = store_of(1u << 26, 1u << 20);
    struct store_damage damage;
    struct rusage before, after;

    make_pool(s);
    (void)put_page(s, 1);
    (void)put_filled(s, 2);
    CU_ASSERT_FATAL(getrusage(RUSAGE_SELF, &before) == 0);
    s = reopen(s, &damage);
    CU_ASSERT_FATAL(getrusage(RUSAGE_SELF, &after) == 0);
    CU_ASSERT(after.ru_minflt - before.ru_minflt < 10000); /* nor for a moment */
    CU_ASSERT_EQUAL(count_live(s), 2);
    CU_ASSERT(backed_bytes(s, STORE_DESCS) <= 64 * 1024);
    CU_ASSERT_EQUAL(backed_bytes(s, STORE_FRAMES), STORE_CHUNK_PAGES * TMEMIF_PAGE_SIZE);
    store_close(s);
}

/* ---- refused ---- */

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* Opening must fail with a sentence that has @word, and close what it was given. */
static void refused(const int fds[STORE_NR_SEGMENTS], const char *word)
{
    struct store *s = NULL;
    struct store_damage damage;
    const char *why = NULL;

    CU_ASSERT(!store_open(fds, &s, &damage, &why));
    CU_ASSERT_PTR_NULL(s);
    CU_ASSERT_FATAL(why != NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, word));
    for (int i = 0; i < STORE_NR_SEGMENTS; i++)
        CU_ASSERT(!is_open(fds[i]));
}

static void kept_segments(int fds_out[STORE_NR_SEGMENTS])
{
    struct store *s = store_of(NR_FRAMES, NR_FILLED);

    make_pool(s);
    (void)put_page(s, 1);
    keep(s, fds_out);
    store_close(s);
}

static void write_super(int fd, const struct layout_super *super)
{
    CU_ASSERT_FATAL(pwrite(fd, super, sizeof(*super), 0) == (ssize_t)sizeof(*super));
}

static void every_flipped_bit_of_the_superblock_but_incarnation_is_refused(void)
{
    for (size_t bit = 0; bit < 8 * sizeof(struct layout_super); bit++) {
        struct layout_super super;
        int fds[STORE_NR_SEGMENTS];

        if (bit / 32 == offsetof(struct layout_super, incarnation) / 4)
            continue;
        kept_segments(fds);
        CU_ASSERT_FATAL(pread(fds[STORE_META], &super, sizeof(super), 0) == sizeof(super));
        ((unsigned char *)&super)[bit / 8] ^= (unsigned char)(1u << bit % 8);
        write_super(fds[STORE_META], &super);
        refused(fds, bit < 64 ? "not written by" : bit < 96 ? "version" : "check sum");
    }
}

/* Numbers that lie, under a check sum that is right. */
static void a_superblock_with_impossible_numbers_is_refused(void)
{
    static const struct {
        size_t offset;
        uint32_t value;
        const char *word;
    } lies[] = {
        {offsetof(struct layout_super, nr_frames), 0, "number"},
        {offsetof(struct layout_super, nr_frames), NR_FRAMES - 1, "size"},
        {offsetof(struct layout_super, nr_frames), NR_FRAMES + 1, "size"},
        {offsetof(struct layout_super, nr_frames), UINT32_MAX, "number"},
        {offsetof(struct layout_super, nr_descs), 0, "number"},
        {offsetof(struct layout_super, nr_descs), NR_FRAMES - 1, "number"},
        {offsetof(struct layout_super, nr_descs), 1u << 30, "size"},
        {offsetof(struct layout_super, nr_descs), UINT32_MAX, "number"},
        {offsetof(struct layout_super, nr_accounts), 0, "number"},
        {offsetof(struct layout_super, nr_accounts), LAYOUT_MAX_ACCOUNTS + 1, "number"},
        {offsetof(struct layout_super, nr_accounts), UINT32_MAX, "number"},
        {offsetof(struct layout_super, nr_pools), 0, "number"},
        {offsetof(struct layout_super, nr_pools), LAYOUT_MAX_POOLS + 1, "number"},
        {offsetof(struct layout_super, nr_tombstones), 0, "number"},
        {offsetof(struct layout_super, nr_tombstones), LAYOUT_MAX_TOMBSTONES + 1, "number"},
        {offsetof(struct layout_super, nr_rings), 0, "number"},
        {offsetof(struct layout_super, nr_rings), LAYOUT_MAX_RINGS + 1, "number"},
        {offsetof(struct layout_super, nr_rings), LAYOUT_MAX_RINGS / 2, "size"},
        {offsetof(struct layout_super, version), LAYOUT_VERSION + 1, "version"},
        {offsetof(struct layout_super, version), 0, "version"},
    };

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct layout_super super;
        int fds[STORE_NR_SEGMENTS];

        kept_segments(fds);
        CU_ASSERT_FATAL(pread(fds[STORE_META], &super, sizeof(super), 0) == sizeof(super));
        memcpy((unsigned char *)&super + lies[i].offset, &lies[i].value, sizeof(lies[i].value));
        super.check = super_check(&super);
        write_super(fds[STORE_META], &super);
        refused(fds, lies[i].word);
    }
}

static int memfd_of(size_t len_bytes, unsigned flags)
{
    int fd = memfd_create("test", MFD_CLOEXEC | flags);

    CU_ASSERT_FATAL(fd >= 0 && ftruncate(fd, (off_t)len_bytes) == 0);
    return fd;
}

static size_t size_of(int fd)
{
    struct stat st;

    CU_ASSERT_FATAL(fstat(fd, &st) == 0);
    return (size_t)st.st_size;
}

static void copy_start(int from, int to, size_t len_bytes)
{
    char *bytes = malloc(len_bytes);

    CU_ASSERT_FATAL(bytes != NULL);
    CU_ASSERT_FATAL(pread(from, bytes, len_bytes, 0) == (ssize_t)len_bytes);
    CU_ASSERT_FATAL(pwrite(to, bytes, len_bytes, 0) == (ssize_t)len_bytes);
    free(bytes);
}

static void a_segment_of_another_size_is_refused(void)
{
    for (int i = 0; i < STORE_NR_SEGMENTS; i++) {
        for (int longer = 0; longer < 2; longer++) {
            int fds[STORE_NR_SEGMENTS];
            size_t size;
            int other;

            kept_segments(fds);
            size = size_of(fds[i]);
            other = memfd_of(longer ? size + 4096 : size - 4096, MFD_ALLOW_SEALING);
            copy_start(fds[i], other, longer ? size : size - 4096);
            close(fds[i]);
            fds[i] = other;
            refused(fds, "size");
        }
    }
}

static void an_empty_segment_is_refused(void)
{
    for (int i = 0; i < STORE_NR_SEGMENTS; i++) {
        int fds[STORE_NR_SEGMENTS];

        kept_segments(fds);
        close(fds[i]);
        fds[i] = memfd_of(0, MFD_ALLOW_SEALING);
        refused(fds, i == STORE_META ? "too short" : "size");
    }
}

/* It could be cut short under the mapping. */
static void a_segment_that_cannot_be_sealed_is_refused(void)
{
    for (int i = 0; i < STORE_NR_SEGMENTS; i++) {
        int fds[STORE_NR_SEGMENTS];
        int other;

        kept_segments(fds);
        other = memfd_of(size_of(fds[i]), 0);
        if (i == STORE_META)
            copy_start(fds[i], other, size_of(fds[i]));
        close(fds[i]);
        fds[i] = other;
        refused(fds, "sealed");
    }
}

static void a_segment_sealed_against_writing_is_refused(void)
{
    int fds[STORE_NR_SEGMENTS];
    int other;

    kept_segments(fds);
    other = memfd_of(size_of(fds[STORE_FRAMES]), MFD_ALLOW_SEALING);
    CU_ASSERT_FATAL(fcntl(other, F_ADD_SEALS, F_SEAL_WRITE) == 0);
    close(fds[STORE_FRAMES]);
    fds[STORE_FRAMES] = other;
    refused(fds, "against writing");
}

static void what_is_no_segment_is_refused(void)
{
    for (int i = 0; i < STORE_NR_SEGMENTS; i++) {
        int fds[STORE_NR_SEGMENTS];

        kept_segments(fds);
        close(fds[i]);
        fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
        refused(fds, i == STORE_META ? "too short" : "sealed");
    }
}

static void a_segment_cannot_shrink(void)
{
    struct store *s = store_of(100, 0);

    for (int i = 0; i < STORE_NR_SEGMENTS; i++)
        CU_ASSERT(ftruncate(store_fd(s, (enum store_segment)i), 0) != 0);
    store_close(s);
}

/* ---- damaged pages ---- */

static void a_flipped_bit_of_a_descriptor_costs_that_page_only(void)
{
    for (size_t byte = 0; byte < sizeof(struct desc); byte++) {
        struct store *s = store_of(NR_FRAMES, NR_FILLED);
        bool spared = byte == offsetof(struct desc, use);
        struct store_damage damage;
        page_nr p;

        make_pool(s);
        (void)put_page(s, 1);
        p = put_page(s, 2);
        (void)put_page(s, 3);
        ((unsigned char *)store_desc(s, p))[byte] ^= 0x10;
        s = reopen(s, &damage);
        CU_ASSERT(damage_is(&damage, spared ? 0 : 1, 0));
        CU_ASSERT_EQUAL(store_damage(s)->descs, damage.descs);
        CU_ASSERT_EQUAL(count_live(s), spared ? 3 : 2);
        CU_ASSERT_EQUAL(store_usage(s).frames_used, spared ? 3 : 2);
        store_close(s);
    }
}

/* Whole, and yet it cannot be: what @spoil makes of page 2 must be dropped. */
static void dropped_after(void (*spoil)(struct store *s, page_nr frame, page_nr filled))
{
    struct store *s = store_of(NR_FRAMES, NR_FILLED);
    struct store_damage damage;
    page_nr frame, filled;

    make_pool(s);
    frame = put_page(s, 1);
    filled = put_filled(s, 2);
    spoil(s, frame, filled);
    s = reopen(s, &damage);
    CU_ASSERT(damage_is(&damage, 1, 0));
    CU_ASSERT_EQUAL(count_live(s), 1);
    store_close(s);
}

static void remake(struct desc *d, uint8_t kind, uint16_t pool, uint64_t sum)
{
    struct desc_key key = key_of(1);

    key.pool = pool;
    desc_make_dead(d);
    d->kind = kind;
    desc_make_live(d, &key, (enum desc_kind)kind, sum, 1);
}

static void spoil_pool_out_of_range(struct store *s, page_nr frame, page_nr filled)
{
    (void)filled;
    remake(store_desc(s, frame), DESC_FRAME, LAYOUT_MAX_POOLS, 0);
}

static void spoil_pool_dead(struct store *s, page_nr frame, page_nr filled)
{
    (void)filled;
    remake(store_desc(s, frame), DESC_FRAME, 4, 0);
}

static void spoil_kind_unknown(struct store *s, page_nr frame, page_nr filled)
{
    (void)filled;
    remake(store_desc(s, frame), 3, 3, 0);
}

static void spoil_filled_with_frame(struct store *s, page_nr frame, page_nr filled)
{
    struct desc_key key = key_of(1);

    (void)filled;
    remake(store_desc(s, frame), DESC_FILLED, 3, desc_sum_filled(&key, 1, 5));
}

static void spoil_frame_without_frame(struct store *s, page_nr frame, page_nr filled)
{
    (void)frame;
    remake(store_desc(s, filled), DESC_FRAME, 3, 0);
}

static void spoil_filled_word(struct store *s, page_nr frame, page_nr filled)
{
    struct desc_key key = key_of(1);

    (void)frame;
    remake(store_desc(s, filled), DESC_FILLED, 3, desc_sum_filled(&key, 1, 5) ^ 1);
}

static void spoil_generation_zero(struct store *s, page_nr frame, page_nr filled)
{
    (void)filled;
    store_desc(s, frame)->live &= 0xffff;
    store_desc(s, frame)->live |= 1; /* not dead, and of no generation */
}

static void a_page_that_cannot_be_is_dropped_and_counted(void)
{
    dropped_after(spoil_pool_out_of_range);
    dropped_after(spoil_pool_dead);
    dropped_after(spoil_kind_unknown);
    dropped_after(spoil_filled_with_frame);
    dropped_after(spoil_frame_without_frame);
    dropped_after(spoil_filled_word);
    dropped_after(spoil_generation_zero);
}

static void a_damaged_page_is_told_by_its_sum(void)
{
    struct store *s = store_of(NR_FRAMES, 0);
    struct store_damage damage;
    page_nr p, q;

    make_pool(s);
    p = put_page(s, 1);
    q = put_page(s, 2);
    ((unsigned char *)store_frame(s, p))[4095] ^= 1;
    s = reopen(s, &damage);
    CU_ASSERT(damage_is(&damage, 0, 0));
    CU_ASSERT(!desc_content_is_whole(store_desc(s, p), store_frame(s, p)));
    CU_ASSERT(desc_content_is_whole(store_desc(s, q), store_frame(s, q)));
    store_close(s);
}

static void a_hole_under_a_live_page_is_filled_and_told_by_the_sum(void)
{
    struct store *s = store_of(NR_FRAMES, 0);
    struct store_damage damage;
    page_nr p, q;

    make_pool(s);
    p = put_page(s, 1);
    q = put_page(s, 2);
    CU_ASSERT_FATAL(fallocate(store_fd(s, STORE_FRAMES), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                              (off_t)p * TMEMIF_PAGE_SIZE, TMEMIF_PAGE_SIZE) == 0);
    s = reopen(s, &damage);
    CU_ASSERT_EQUAL(backed_bytes(s, STORE_FRAMES), STORE_CHUNK_PAGES * TMEMIF_PAGE_SIZE);
    CU_ASSERT(!desc_content_is_whole(store_desc(s, p), store_frame(s, p)));
    CU_ASSERT(desc_content_is_whole(store_desc(s, q), store_frame(s, q)));
    store_close(s);
}

/* ---- damaged records ---- */

/* A store with one of each record, and one page in the pool. */
static struct store *store_with_records(void)
{
    struct store *s = store_of(NR_FRAMES, 0);
    struct account_rec *account = &store_accounts(s)[0];
    struct tombstone_rec *tombstone = &store_tombstones(s)[5];
    struct ring_rec *ring = &store_rings(s)[6];

    make_pool(s);
    *account = (struct account_rec){.kind = 1, .id = 9, .uuid = "guest"};
    memset(account->pools, 0xff, sizeof(account->pools));
    account->pools[2] = 3;
    account_rec_make_live(account, 1);
    *tombstone = (struct tombstone_rec){.object = {1}, .pool = 3, .first = 4, .last = 4};
    tombstone_rec_make_live(tombstone, 50);
    *ring = (struct ring_rec){.account = 0, .ring = 1, .number = 77, .phase = RECORD_INTENT};
    ring->pool = 3;
    ring_rec_make_live(ring);
    (void)put_page(s, 1);
    return s;
}

static void whole_records_are_found_again(void)
{
    struct store_damage damage;
    struct store *s = reopen(store_with_records(), &damage);

    CU_ASSERT(damage_is(&damage, 0, 0));
    CU_ASSERT_EQUAL(live_generation(store_accounts(s)[0].live), 1);
    CU_ASSERT_EQUAL(store_accounts(s)[0].pools[2], 3);
    CU_ASSERT_EQUAL(store_accounts(s)[0].pools[3], LAYOUT_NO_SLOT);
    CU_ASSERT_EQUAL(live_generation(store_pools(s)[3].live), 1);
    CU_ASSERT_EQUAL(live_generation(store_tombstones(s)[5].live), 50);
    CU_ASSERT_EQUAL(store_rings(s)[6].number, 77);
    CU_ASSERT(store_rings(s)[6].live != LIVE_DEAD);
    store_close(s);
}

/* Record of the store to spoil, the byte, the value; then what is left of what. */
struct record_case {
    enum { ACCOUNT, POOL, TOMBSTONE, RING } record;
    size_t offset;
    unsigned char value;
    uint64_t descs, records; /* dropped */
};

static void *record_of(struct store *s, const struct record_case *c)
{
    switch (c->record) {
    case ACCOUNT:
        return &store_accounts(s)[0];
    case POOL:
        return &store_pools(s)[3];
    case TOMBSTONE:
        return &store_tombstones(s)[5];
    default:
        return &store_rings(s)[6];
    }
}

static uint64_t live_of(struct store *s, const struct record_case *c)
{
    switch (c->record) {
    case ACCOUNT:
        return store_accounts(s)[0].live;
    case POOL:
        return store_pools(s)[3].live;
    case TOMBSTONE:
        return store_tombstones(s)[5].live;
    default:
        return store_rings(s)[6].live;
    }
}

static void a_damaged_record_is_dropped_and_counted(void)
{
    static const struct record_case cases[] = {
        {ACCOUNT, offsetof(struct account_rec, kind), 0xaa, 0, 1},
        {ACCOUNT, offsetof(struct account_rec, id), 0xaa, 0, 1},
        {ACCOUNT, offsetof(struct account_rec, device), 0xaa, 0, 1},
        {ACCOUNT, offsetof(struct account_rec, uuid), 0xaa, 0, 1},
        {ACCOUNT, offsetof(struct account_rec, reserved), 0xaa, 0, 1},
        {ACCOUNT, offsetof(struct account_rec, live), 0xaa, 0, 1},
        {ACCOUNT, offsetof(struct account_rec, live) + 7, 0xaa, 0, 1},
        {POOL, offsetof(struct pool_rec, uuid), 0xaa, 1, 1}, /* a pool takes its pages along */
        {POOL, offsetof(struct pool_rec, flags), 0xaa, 1, 1},
        {POOL, offsetof(struct pool_rec, account), 0xaa, 1, 1},
        {POOL, offsetof(struct pool_rec, reserved), 0xaa, 1, 1},
        {POOL, offsetof(struct pool_rec, live), 0xaa, 1, 1},
        {TOMBSTONE, offsetof(struct tombstone_rec, object), 0xaa, 0, 1},
        {TOMBSTONE, offsetof(struct tombstone_rec, pool), 0xaa, 0, 1},
        {TOMBSTONE, offsetof(struct tombstone_rec, first), 0xaa, 0, 1},
        {TOMBSTONE, offsetof(struct tombstone_rec, last), 0xaa, 0, 1},
        {TOMBSTONE, offsetof(struct tombstone_rec, live), 0xaa, 0, 1},
        {RING, offsetof(struct ring_rec, account), 0xaa, 0, 1},
        {RING, offsetof(struct ring_rec, ring), 0xaa, 0, 1},
        {RING, offsetof(struct ring_rec, phase), 0xaa, 0, 1},
        {RING, offsetof(struct ring_rec, pool) + 1, 0xaa, 0, 1},
        {RING, offsetof(struct ring_rec, live), 0xaa, 0, 1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store *s = store_with_records();
        struct store_damage damage;

        ((unsigned char *)record_of(s, &cases[i]))[cases[i].offset] ^= cases[i].value;
        s = reopen(s, &damage);
        CU_ASSERT(damage_is(&damage, cases[i].descs, cases[i].records));
        CU_ASSERT_EQUAL(live_of(s, &cases[i]), LIVE_DEAD);
        s = reopen(s, &damage); /* and is not found a second time */
        CU_ASSERT(damage_is(&damage, 0, 0));
        store_close(s);
    }
}

/* Fields that are wrong under a check sum that is right. */
static void a_record_that_cannot_be_is_dropped_and_counted(void)
{
    for (int i = 0; i < 8; i++) {
        struct store *s = store_with_records();
        struct tombstone_rec *tombstone = &store_tombstones(s)[7];
        struct ring_rec *ring = &store_rings(s)[7];
        struct pool_rec *pool = &store_pools(s)[7];
        struct store_damage damage;

        *tombstone = (struct tombstone_rec){.pool = 3, .first = 1, .last = 2};
        *ring = (struct ring_rec){.account = 0, .phase = RECORD_IDLE};
        *pool = (struct pool_rec){.account = 0};
        if (i == 0)
            tombstone->pool = LAYOUT_MAX_POOLS;
        else if (i == 1)
            tombstone->first = 3;
        else if (i == 2)
            ring->account = LAYOUT_MAX_ACCOUNTS;
        else if (i == 3)
            pool->flags = TMEMIF_POOL_FLAGS + 1;
        else if (i == 4)
            pool->account = LAYOUT_NONE; /* private, and nobody's */
        else if (i == 5)
            pool->account = LAYOUT_MAX_ACCOUNTS;
        else if (i == 6)
            pool->flags = TMEMIF_POOL_SHARED; /* shared, and somebody's */
        tombstone_rec_make_live(tombstone, 3);
        ring_rec_make_live(ring);
        pool_rec_make_live(pool, 3);
        s = reopen(s, &damage);
        CU_ASSERT(damage_is(&damage, 0, i == 7 ? 0 : 1));
        CU_ASSERT_EQUAL(store_tombstones(s)[7].live == LIVE_DEAD, i == 0 || i == 1);
        CU_ASSERT_EQUAL(store_rings(s)[7].live == LIVE_DEAD, i == 2);
        CU_ASSERT_EQUAL(store_pools(s)[7].live == LIVE_DEAD, i >= 3 && i <= 6);
        store_close(s);
    }
}

static void a_pool_id_to_nowhere_becomes_no_slot(void)
{
    struct store *s = store_with_records();
    struct store_damage damage;

    store_accounts(s)[0].pools[5] = LAYOUT_MAX_POOLS;
    store_accounts(s)[0].pools[6] = 100; /* as a kill in the pool's destruction leaves it */
    s = reopen(s, &damage);
    CU_ASSERT(damage_is(&damage, 0, 1));
    CU_ASSERT_EQUAL(store_accounts(s)[0].pools[2], 3);
    CU_ASSERT_EQUAL(store_accounts(s)[0].pools[5], LAYOUT_NO_SLOT);
    CU_ASSERT_EQUAL(store_accounts(s)[0].pools[6], LAYOUT_NO_SLOT);
    store_close(s);
}

static void a_floor_that_no_epoch_made_is_damage(void)
{
    static const struct {
        uint32_t flags;
        uint64_t floor, records, floor_then;
    } cases[] = {
        {TMEMIF_POOL_PERSISTENT, 1ull << 40, 1, 0},
        {0, 1, 1, 0},
        {TMEMIF_POOL_SHARED | TMEMIF_POOL_PERSISTENT, LIVE_GENERATION_MAX, 1, 0},
        {TMEMIF_POOL_SHARED, 70, 0, 70},
        {TMEMIF_POOL_SHARED, 1ull << 55, 1, 0},
        {TMEMIF_POOL_PERSISTENT, 1ull << 55 | 1ull << 48, 1, 0},
        {TMEMIF_POOL_PERSISTENT, LIVE_GENERATION_MAX + 1, 0, LIVE_GENERATION_MAX + 1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store *s = store_with_records();
        struct pool_rec *pool = &store_pools(s)[7];
        struct store_damage damage;

        *pool = (struct pool_rec){
            .flags = cases[i].flags,
            .account = cases[i].flags & TMEMIF_POOL_SHARED ? LAYOUT_NONE : 0,
            .floor = cases[i].floor,
        };
        pool_rec_make_live(pool, 3);
        s = reopen(s, &damage);
        CU_ASSERT(damage_is(&damage, 0, cases[i].records));
        CU_ASSERT_EQUAL(store_pools(s)[7].floor, cases[i].floor_then);
        store_close(s);
    }
}

static void a_pool_id_to_where_its_account_cannot_be_is_damage(void)
{
    for (int i = 0; i < 3; i++) {
        struct store *s = store_with_records();
        struct pool_rec *pool = &store_pools(s)[7];
        struct store_damage damage;

        /* another account's; one that is destroyed, which no id would have survived; twice */
        *pool = (struct pool_rec){.account = i == 0 ? 1 : 0,
                                  .floor = i == 1 ? LIVE_GENERATION_MAX + 1 : 0};
        pool_rec_make_live(pool, 3);
        store_accounts(s)[0].pools[5] = i == 2 ? 3 : 7;
        s = reopen(s, &damage);
        CU_ASSERT(damage_is(&damage, 0, 1));
        CU_ASSERT_EQUAL(store_accounts(s)[0].pools[5], LAYOUT_NO_SLOT);
        CU_ASSERT_EQUAL(store_accounts(s)[0].pools[2], 3);
        store_close(s);
    }
}

static void records_whose_owner_went_first_are_no_damage(void)
{
    struct store *s = store_with_records();
    struct store_damage damage;
    page_nr p = store_next_live(s, 0);

    desc_make_dead(store_desc(s, p));
    rec_make_dead(&store_pools(s)[3].live);
    rec_make_dead(&store_accounts(s)[0].live);
    s = reopen(s, &damage);
    CU_ASSERT(damage_is(&damage, 0, 0));
    CU_ASSERT_EQUAL(store_tombstones(s)[5].live, LIVE_DEAD);
    CU_ASSERT_EQUAL(store_rings(s)[6].live, LIVE_DEAD);
    store_close(s);
}

#define TESTS(T)                                                                                   \
    T(every_live_page_is_found_again)                                                              \
    T(a_reopened_store_hands_out_what_is_free_and_only_that)                                       \
    T(each_opening_is_an_incarnation)                                                              \
    T(memory_of_chunks_without_a_live_page_is_given_back)                                          \
    T(a_large_sparse_store_is_opened_without_taking_memory)                                        \
    T(every_flipped_bit_of_the_superblock_but_incarnation_is_refused)                              \
    T(a_superblock_with_impossible_numbers_is_refused)                                             \
    T(a_segment_of_another_size_is_refused)                                                        \
    T(an_empty_segment_is_refused)                                                                 \
    T(a_segment_that_cannot_be_sealed_is_refused)                                                  \
    T(a_segment_sealed_against_writing_is_refused)                                                 \
    T(what_is_no_segment_is_refused)                                                               \
    T(a_segment_cannot_shrink)                                                                     \
    T(a_flipped_bit_of_a_descriptor_costs_that_page_only)                                          \
    T(a_page_that_cannot_be_is_dropped_and_counted)                                                \
    T(a_damaged_page_is_told_by_its_sum)                                                           \
    T(a_hole_under_a_live_page_is_filled_and_told_by_the_sum)                                      \
    T(whole_records_are_found_again)                                                               \
    T(a_damaged_record_is_dropped_and_counted)                                                     \
    T(a_record_that_cannot_be_is_dropped_and_counted)                                              \
    T(a_pool_id_to_nowhere_becomes_no_slot)                                                        \
    T(a_floor_that_no_epoch_made_is_damage)                                                        \
    T(a_pool_id_to_where_its_account_cannot_be_is_damage)                                          \
    T(records_whose_owner_went_first_are_no_damage)

RUN_TESTS(TESTS)
