/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Killed at any instruction of what makes, enlarges, freezes, rolls back or removes disks and
 * bases: the next daemon finds it done or not begun, and nothing that belongs to nobody.
 */
#include "tests/lib/runner.h"

#include "tests/lib/step.h"
#include "tests/unit/disk_world.h"

#define NR_FRAMES 64u
#define NR_PAGES  8u

/* What the next daemon may find of an act. */
enum found { BEFORE, AFTER, NEITHER };

struct act {
    void (*prepare)(struct disk_world *dw);
    void (*run)(struct disk_world *dw);
    enum found (*find)(struct disk_world *dw);
};

struct trial {
    struct disk_world dw;
    const struct act *act;
    uint64_t last;
    bool was_after;
    unsigned nr_before, nr_after, nr_wrong;
};

/* Every layer is that of something listed, or the catalogue. */
static bool has_orphans(struct disk_world *dw)
{
    unsigned nr_layers = 0, nr_catalogues = 0;
    struct account_key key;
    uint32_t cursor = 0;
    account_nr account;

    while (engine_account_next(dw->w.e, &cursor, &account, &key)) {
        nr_layers += key.kind == ACCOUNT_DISK && key.id != 0;
        nr_catalogues += key.kind == ACCOUNT_DISK && key.id == 0;
    }
    return nr_layers != nr_listed(dw) || (nr_layers && nr_catalogues != 1);
}

static const char *look_at_copy(struct trial *t)
{
    struct disk_world next = {
        .w = {.config = t->dw.w.config, .store = step_copy_store(t->dw.w.store)}};
    const char *wrong = NULL;
    enum found found;

    if (!next.w.store)
        return "the segments were refused";
    next.w.e = engine_create(next.w.store, &next.w.config);
    WORLD_MUST(next.w.e != NULL);
    disks_make(&next);
    if (next.found.lost)
        wrong = "something is lost";
    if (has_orphans(&next))
        wrong = "a layer belongs to nobody";
    found = t->act->find(&next);
    t->nr_before += found == BEFORE;
    t->nr_after += found == AFTER;
    if (found == NEITHER)
        wrong = "it has happened in part";
    if (found == BEFORE && t->was_after)
        wrong = "what had happened was undone";
    t->was_after = found == AFTER;
    if (engine_check(next.w.e))
        wrong = engine_check(next.w.e);
    disks_destroy(next.disks);
    engine_destroy(next.w.e);
    store_close(next.w.store);
    return wrong;
}

static bool look(void *arg)
{
    struct trial *t = arg;
    uint64_t now = step_fingerprint(t->dw.w.store);
    const char *wrong;

    if (now == t->last)
        return true;
    t->last = now;
    wrong = look_at_copy(t);
    if (wrong)
        printf("after %u states before and %u after: %s\n", t->nr_before, t->nr_after, wrong);
    t->nr_wrong += wrong != NULL;
    return wrong == NULL;
}

static void run_act(void *arg)
{
    struct trial *t = arg;

    t->act->run(&t->dw);
}

static void try_act(const struct act *act)
{
    struct trial t = {.act = act, .dw = {.w = world_make(NR_FRAMES, 16, 1, 1)}};

    disks_make(&t.dw);
    act->prepare(&t.dw);
    if (STEP_IS_SLOW) {
        /* The ends of the way: the steps would take minutes, and are the same ones. */
        CU_ASSERT_PTR_NULL(look_at_copy(&t));
        run_act(&t);
        CU_ASSERT_PTR_NULL(look_at_copy(&t));
    } else {
        CU_ASSERT_TRUE(step_through(run_act, look, &t));
    }
    CU_ASSERT_EQUAL(t.nr_wrong, 0);
    CU_ASSERT(t.nr_before > 0);
    CU_ASSERT(t.nr_after > 0);
    /* what this process has of the engine is older than the store: no end of a world */
    disks_destroy(t.dw.disks);
    engine_destroy(t.dw.w.e);
    store_close(t.dw.w.store);
}

/* One store more after an act, so that its last one is looked at. */
static void stir(struct disk_world *dw)
{
    struct account_key key = {.kind = ACCOUNT_LOCAL, .id = 1};
    account_nr account;

    (void)engine_account_open(dw->w.e, &key, &account);
}

/* ---- acts ---- */

static void nothing(struct disk_world *dw)
{
    (void)dw;
}

static void add_swap(struct disk_world *dw)
{
    open_disk(dw, swap_of(NR_PAGES), 7);
    stir(dw);
}

static enum found is_listed(struct disk_world *dw)
{
    struct disk_info info;

    if (nr_listed(dw) == 0)
        return BEFORE;
    return nr_listed(dw) == 1 && find_info(dw, false, "", 7, &info) && info.is_swap &&
                   !info.is_lost && info.nr_pages == NR_PAGES
               ? AFTER
               : NEITHER;
}

static void first_disk_is_there_or_not(void)
{
    try_act(&(struct act){nothing, add_swap, is_listed});
}

static void prepare_swap(struct disk_world *dw)
{
    struct disk *d = open_disk(dw, swap_of(NR_PAGES), 7);

    WORLD_MUST(d && write_tag(d, 1, 1) == DISK_OK && write_tag(d, 2, 2) == DISK_OK);
    disks_close(dw->disks, d, DISK_KEPT);
}

static void forget_swap(struct disk_world *dw)
{
    forget_disk(dw, 7);
    stir(dw);
}

static enum found is_gone(struct disk_world *dw)
{
    struct disk *d;

    if (nr_listed(dw) == 0)
        return AFTER;
    d = open_disk(dw, swap_of(NR_PAGES), 7);
    return d && has_tag(d, 1, 1) && has_tag(d, 2, 2) && has_word(d, 3, 0) ? BEFORE : NEITHER;
}

static void removed_disk_is_whole_or_gone(void)
{
    try_act(&(struct act){prepare_swap, forget_swap, is_gone});
}

static struct disk *open_and_resize(struct disk_world *dw)
{
    const struct target target = swap_of(NR_PAGES);
    const struct disk_owner owner = {.domid = 7, .vdev = 51712};
    struct disk_ref ref = ref_of("", 7);
    struct disk *d;
    const char *why;

    (void)disks_open(dw->disks, &target, &owner, &d, &why);
    (void)disks_resize(dw->disks, &ref, 2 * NR_PAGES);
    return d;
}

static void resize(struct disk_world *dw)
{
    (void)open_and_resize(dw);
    stir(dw);
}

static enum found is_larger(struct disk_world *dw)
{
    struct disk *d = open_disk(dw, swap_of(NR_PAGES), 7);

    if (!d || !has_tag(d, 1, 1) || !has_tag(d, 2, 2))
        return NEITHER;
    if (disk_nr_pages(d) == NR_PAGES)
        return !d->resized && read_status(d, NR_PAGES) == DISK_RANGE ? BEFORE : NEITHER;
    return disk_nr_pages(d) == 2 * NR_PAGES && d->resized && has_word(d, NR_PAGES, 0) ? AFTER
                                                                                      : NEITHER;
}

static void resized_disk_has_the_old_size_or_the_new_one(void)
{
    try_act(&(struct act){prepare_swap, resize, is_larger});
}

/* Behind the old end of a disk that has become larger in this daemon's time. */
static void resize_and_write(struct disk_world *dw)
{
    struct disk *d = open_and_resize(dw);

    if (write_tag(d, 2 * NR_PAGES - 1, 3) == DISK_OK)
        stir(dw);
}

static enum found has_what_is_behind(struct disk_world *dw)
{
    struct disk *d = open_disk(dw, swap_of(NR_PAGES), 7);

    if (!d || !has_tag(d, 1, 1))
        return NEITHER;
    if (disk_nr_pages(d) == 2 * NR_PAGES && has_tag(d, 2 * NR_PAGES - 1, 3))
        return AFTER;
    return disk_nr_pages(d) == NR_PAGES || has_word(d, 2 * NR_PAGES - 1, 0) ? BEFORE : NEITHER;
}

static void write_behind_the_old_end_stays(void)
{
    try_act(&(struct act){prepare_swap, resize_and_write, has_what_is_behind});
}

/* A clone with page 1 of its own over a base with pages 0, 2, 4 and 6. */
static void prepare_clone(struct disk_world *dw)
{
    struct disk *d;

    make_base(dw, "root", NR_PAGES, 1000);
    d = open_disk(dw, clone_of("root", "home"), 7);
    WORLD_MUST(d && write_tag(d, 1, 1) == DISK_OK && write_tag(d, 2, 2) == DISK_OK);
}

static bool is_as_prepared(struct disk *d)
{
    return d && has_tag(d, 0, 1000) && has_tag(d, 1, 1) && has_tag(d, 2, 2) &&
           has_tag(d, 4, 1004) && has_word(d, 5, 0);
}

static void freeze(struct disk_world *dw)
{
    struct disk_ref ref = ref_of("home", 0);

    (void)base_freeze(dw->disks, &ref, "then", 1);
    stir(dw);
}

static enum found is_frozen(struct disk_world *dw)
{
    struct disk *disk = open_disk(dw, clone_of("root", "home"), 7), *then;
    struct disk_info info;

    if (!is_as_prepared(disk))
        return NEITHER;
    if (!find_info(dw, true, "then", 0, &info))
        return nr_listed(dw) == 2 ? BEFORE : NEITHER;
    /* and the disk's next writes are its own */
    then = open_disk(dw, clone_of("then", ""), 8);
    if (nr_listed(dw) != 4 || !is_as_prepared(then) || write_tag(disk, 1, 9) != DISK_OK)
        return NEITHER;
    return is_as_prepared(then) && has_tag(disk, 1, 9) ? AFTER : NEITHER;
}

static void freeze_has_happened_or_not_and_the_disk_is_as_it_was(void)
{
    try_act(&(struct act){prepare_clone, freeze, is_frozen});
}

/* A write behind the freeze is acknowledged: it must not be lost with a new top. */
static void freeze_and_write(struct disk_world *dw)
{
    struct target target = clone_of("root", "home");
    struct disk_ref ref = ref_of("home", 0);
    struct disk_owner owner = {.domid = 9};
    struct disk *d;
    const char *why;

    (void)base_freeze(dw->disks, &ref, "then", 1);
    (void)disks_open(dw->disks, &target, &owner, &d, &why);
    write_tag(d, 1, 9);
    stir(dw);
}

static void prepare_closed_clone(struct disk_world *dw)
{
    struct target target = clone_of("root", "home");
    struct disk_owner owner = {.domid = 7};
    struct disk *d;
    const char *why;

    make_base(dw, "root", NR_PAGES, 1000);
    WORLD_MUST(disks_open(dw->disks, &target, &owner, &d, &why));
    WORLD_MUST(write_tag(d, 1, 1) == DISK_OK);
    disks_close(dw->disks, d, DISK_KEPT);
}

static enum found has_the_write(struct disk_world *dw)
{
    struct disk *disk = open_disk(dw, clone_of("root", "home"), 7);
    struct disk_info info;

    if (!disk || !has_tag(disk, 0, 1000))
        return NEITHER;
    if (has_tag(disk, 1, 9))
        return find_info(dw, true, "then", 0, &info) ? AFTER : NEITHER;
    return has_tag(disk, 1, 1) ? BEFORE : NEITHER;
}

static void write_after_a_freeze_stays(void)
{
    try_act(&(struct act){prepare_closed_clone, freeze_and_write, has_the_write});
}

static void rollback(struct disk_world *dw)
{
    struct disk_ref ref = ref_of("home", 0);

    (void)base_rollback(dw->disks, &ref);
    stir(dw);
}

static enum found is_rolled_back(struct disk_world *dw)
{
    struct disk *d = open_disk(dw, clone_of("root", "home"), 7);

    if (is_as_prepared(d))
        return BEFORE;
    return d && has_tag(d, 0, 1000) && has_word(d, 1, 0) && has_tag(d, 2, 1002) &&
                   has_tag(d, 4, 1004)
               ? AFTER
               : NEITHER;
}

static void rollback_has_happened_or_not(void)
{
    try_act(&(struct act){prepare_clone, rollback, is_rolled_back});
}

static void import(struct disk_world *dw)
{
    make_base(dw, "root", 4, 1000);
    stir(dw);
}

static enum found is_imported(struct disk_world *dw)
{
    struct disk *d;

    if (nr_listed(dw) == 0)
        return BEFORE;
    d = open_disk(dw, clone_of("root", ""), 7);
    return d && has_tag(d, 0, 1000) && has_word(d, 1, 0) && has_tag(d, 2, 1002) ? AFTER : NEITHER;
}

static void import_that_is_cut_off_leaves_nothing(void)
{
    try_act(&(struct act){nothing, import, is_imported});
}

static void prepare_base(struct disk_world *dw)
{
    make_base(dw, "root", 4, 1000);
}

static void remove_base(struct disk_world *dw)
{
    (void)base_remove(dw->disks, "root");
    stir(dw);
}

static enum found base_is_gone(struct disk_world *dw)
{
    enum found found = is_imported(dw);

    return found == BEFORE ? AFTER : found == AFTER ? BEFORE : NEITHER;
}

static void removed_base_is_whole_or_gone(void)
{
    try_act(&(struct act){prepare_base, remove_base, base_is_gone});
}

#define TESTS(T)                                                                                   \
    T(first_disk_is_there_or_not)                                                                  \
    T(removed_disk_is_whole_or_gone)                                                               \
    T(resized_disk_has_the_old_size_or_the_new_one)                                                \
    T(write_behind_the_old_end_stays)                                                              \
    T(freeze_has_happened_or_not_and_the_disk_is_as_it_was)                                        \
    T(write_after_a_freeze_stays)                                                                  \
    T(rollback_has_happened_or_not)                                                                \
    T(import_that_is_cut_off_leaves_nothing)                                                       \
    T(removed_base_is_whole_or_gone)
RUN_TESTS(TESTS)
