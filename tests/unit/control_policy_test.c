/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The book of policy: whoever says it and whenever, the engine has what holds. */
#include "daemon/control/policy.h"

#include "daemon/xen_policy.h"
#include "tests/lib/runner.h"
#include "tests/unit/engine_world.h"

static const struct policy local_default = {.quota_pages = 77, .max_pages = 1000, .weight = 10};
static const uint8_t uuid[TMEMIF_UUID_LEN] = {0xaa, 1};

static struct world w;
static struct policy_book *book;

static void begin(void)
{
    w = world_make(1024, 64, 1, 2);
    book = policy_create(w.e, &local_default);
    CU_ASSERT_PTR_NOT_NULL_FATAL(book);
}

static void end(void)
{
    CU_ASSERT_PTR_NULL(engine_check(w.e));
    policy_destroy(book);
    world_end(&w);
}

static struct account_key device_key(uint32_t domid, uint32_t device)
{
    struct account_key key = guest_key(domid);

    key.device = device;
    return key;
}

static struct account_key local_key(uint32_t uid)
{
    return (struct account_key){.kind = ACCOUNT_LOCAL, .id = uid};
}

static account_nr open_account(const struct account_key *key)
{
    account_nr account = LAYOUT_NONE;

    CU_ASSERT_EQUAL_FATAL(engine_account_open(w.e, key, &account), TMEMIF_OK);
    policy_account_opened(book, account, key);
    return account;
}

static struct policy now(account_nr account)
{
    struct account_stats stats;

    CU_ASSERT_TRUE_FATAL(engine_account_stats(w.e, account, &stats));
    return stats.policy;
}

static enum tmemif_status join_pool(account_nr account, uint32_t *id)
{
    return engine_pool_join(w.e, account, uuid, TMEMIF_POOL_SHARED, id);
}

static void a_guest_without_an_entry_gets_no_persistent_page(void)
{
    struct account_key key = device_key(7, 0);
    struct policy p;

    begin();
    p = now(open_account(&key));
    CU_ASSERT_EQUAL(p.quota_pages, 0);
    CU_ASSERT_EQUAL(p.min_pages, 0);
    CU_ASSERT_EQUAL(p.max_pages, PAGES_UNLIMITED);
    CU_ASSERT_EQUAL(p.weight, 256);
    end();
}

static void a_local_client_without_an_entry_gets_the_options_default(void)
{
    struct account_key key = local_key(1000);
    struct policy p;

    begin();
    p = now(open_account(&key));
    CU_ASSERT_EQUAL(p.quota_pages, 77);
    CU_ASSERT_EQUAL(p.weight, 10);
    end();
}

/* Those that a restart found, whose guests have not come back yet. */
static void accounts_and_pools_that_are_there_have_the_default_from_the_start(void)
{
    struct account_key key = device_key(7, 0), local = local_key(1000);
    account_nr account, account_local;
    struct pool_stats stats;
    uint32_t id, cursor = 0;

    begin();
    account = open_account(&key);
    account_local = open_account(&local);
    policy_allow(book, uuid, &key, RIGHT_FILL);
    CU_ASSERT_EQUAL_FATAL(join_pool(account, &id), TMEMIF_OK);
    /* as the engine finds them */
    engine_account_set_policy(w.e, account, &(struct policy){.weight = 1});
    engine_account_set_policy(w.e, account_local, &(struct policy){.weight = 1});
    engine_shared_set_policy(w.e, uuid, &(struct policy){.weight = 1});
    policy_destroy(book);
    book = policy_create(w.e, &local_default);
    CU_ASSERT_EQUAL(now(account).weight, 256);
    CU_ASSERT_EQUAL(now(account).max_pages, PAGES_UNLIMITED);
    CU_ASSERT_EQUAL(now(account_local).weight, 10);
    CU_ASSERT_EQUAL(now(account_local).quota_pages, 77);
    CU_ASSERT_TRUE_FATAL(engine_pool_next(w.e, &cursor, &stats));
    CU_ASSERT_EQUAL(stats.policy.weight, 256);
    CU_ASSERT_EQUAL(stats.policy.max_pages, PAGES_UNLIMITED);
    end();
}

static void policy_may_come_before_the_guest_and_after(void)
{
    struct account_key key = device_key(7, 0);
    account_nr account;

    begin();
    CU_ASSERT_EQUAL(policy_set_guest(book, &key, POLICY_QUOTA, &(struct policy){.quota_pages = 5}),
                    TMEMIF_OK);
    account = open_account(&key);
    CU_ASSERT_EQUAL(now(account).quota_pages, 5);
    CU_ASSERT_EQUAL(now(account).weight, 256);
    CU_ASSERT_EQUAL(policy_set_guest(book, &key, POLICY_WEIGHT, &(struct policy){.weight = 9}),
                    TMEMIF_OK);
    CU_ASSERT_EQUAL(now(account).quota_pages, 5);
    CU_ASSERT_EQUAL(now(account).weight, 9);
    policy_forget_guest(book, &key);
    CU_ASSERT_EQUAL(now(account).quota_pages, 0);
    CU_ASSERT_EQUAL(now(account).weight, 256);
    end();
}

static void the_latest_word_holds(void)
{
    struct account_key zero = device_key(7, 0), one = device_key(7, 1), other = device_key(8, 0);
    struct account_key every = {.kind = ACCOUNT_XEN, .id = 7, .device = POLICY_EVERY_DEVICE};
    account_nr account_zero, account_one, account_other;

    begin();
    account_zero = open_account(&zero);
    account_one = open_account(&one);
    account_other = open_account(&other);
    policy_set_guest(book, &every, POLICY_QUOTA, &(struct policy){.quota_pages = 5});
    CU_ASSERT_EQUAL(now(account_zero).quota_pages, 5);
    CU_ASSERT_EQUAL(now(account_one).quota_pages, 5);
    CU_ASSERT_EQUAL(now(account_other).quota_pages, 0);
    /* what is not said of one device is as for every one */
    policy_set_guest(book, &one, POLICY_WEIGHT, &(struct policy){.weight = 3});
    CU_ASSERT_EQUAL(now(account_one).quota_pages, 5);
    CU_ASSERT_EQUAL(now(account_one).weight, 3);
    CU_ASSERT_EQUAL(now(account_zero).weight, 256);
    policy_set_guest(book, &every, POLICY_QUOTA, &(struct policy){.quota_pages = 6});
    CU_ASSERT_EQUAL(now(account_zero).quota_pages, 6);
    CU_ASSERT_EQUAL(now(account_one).quota_pages, 6);
    CU_ASSERT_EQUAL(now(account_one).weight, 3);
    end();
}

static void set_quota(const struct account_key *guest, uint64_t pages)
{
    CU_ASSERT_EQUAL(
        policy_set_guest(book, guest, POLICY_QUOTA, &(struct policy){.quota_pages = pages}),
        TMEMIF_OK);
}

static void set_of_every_device_changes_the_named_fields_of_each(void)
{
    struct account_key every = device_key(7, POLICY_EVERY_DEVICE), one = device_key(7, 1),
                       other = device_key(8, 1);
    struct policy all = {.quota_pages = 5, .min_pages = 1, .max_pages = 50, .weight = 3};
    struct policy p;

    begin();
    policy_set_guest(book, &one, POLICY_ALL, &all);
    policy_set_guest(book, &other, POLICY_ALL, &all);
    policy_set_guest(book, &every, POLICY_QUOTA | POLICY_WEIGHT,
                     &(struct policy){.quota_pages = 6, .weight = 4});
    p = now(open_account(&one));
    CU_ASSERT(p.quota_pages == 6 && p.min_pages == 1 && p.max_pages == 50 && p.weight == 4);
    p = now(open_account(&other));
    CU_ASSERT(p.quota_pages == 5 && p.weight == 3);
    /* one device once more, and every one, whichever order their entries are in */
    set_quota(&one, 7);
    CU_ASSERT_EQUAL(policy_of_guest(book, &one).quota_pages, 7);
    set_quota(&every, 8);
    CU_ASSERT_EQUAL(policy_of_guest(book, &one).quota_pages, 8);
    /* a node that is gone takes with it what was said of that device alone */
    policy_forget_guest(book, &one);
    p = policy_of_guest(book, &one);
    CU_ASSERT(p.quota_pages == 8 && p.min_pages == 0 && p.weight == 4);
    end();
}

static void words_that_overlap_hold_for_whom_both_speak_of(void)
{
    struct account_key key = device_key(7, 1);
    struct account_key device = key, guest = key; /* whatever its uuid; whatever its device */
    account_nr account;
    uint32_t id;

    begin();
    memset(device.uuid, 0, sizeof(device.uuid));
    guest.device = POLICY_EVERY_DEVICE;
    account = open_account(&key);
    for (uint64_t i = 1; i < 9; i++) {
        const struct account_key *last = i % 2 ? &device : &guest;
        const struct account_key *before = i % 2 ? &guest : &device;

        set_quota(last, i);
        CU_ASSERT_EQUAL(now(account).quota_pages, i);
        CU_ASSERT_EQUAL(policy_allow(book, uuid, before, RIGHT_FILL), TMEMIF_OK);
        CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_OK);
        CU_ASSERT_EQUAL(policy_deny(book, uuid, last), TMEMIF_OK);
        engine_pool_leave(w.e, account, id);
        CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_NOT_ALLOWED);
        policy_account_opened(book, account, &key);
        CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_NOT_ALLOWED);
    }
    end();
}

static void an_entry_of_another_uuid_is_not_this_guests(void)
{
    struct account_key earlier = device_key(7, 0), later = device_key(7, 0);

    begin();
    later.uuid[0] = 0x55; /* the domid was used again */
    policy_set_guest(book, &earlier, POLICY_QUOTA, &(struct policy){.quota_pages = 5});
    CU_ASSERT_EQUAL(now(open_account(&later)).quota_pages, 0);
    end();
}

static void a_full_book_refuses_and_changes_nothing(void)
{
    struct account_key key, every = device_key(3, POLICY_EVERY_DEVICE);
    struct policy five = {.quota_pages = 5};

    begin();
    CU_ASSERT_EQUAL(policy_set_guest(book, &every, POLICY_WEIGHT, &five), TMEMIF_OK);
    key = device_key(3, 1);
    CU_ASSERT_EQUAL(policy_set_guest(book, &key, POLICY_ALL, &five), TMEMIF_OK);
    for (uint32_t i = 0; i < POLICY_MAX_GUESTS - 2; i++) {
        key = device_key(1, i);
        CU_ASSERT_EQUAL_FATAL(policy_set_guest(book, &key, POLICY_QUOTA, &five), TMEMIF_OK);
    }
    key = device_key(2, 0);
    CU_ASSERT_EQUAL(policy_set_guest(book, &key, POLICY_QUOTA, &five), TMEMIF_TOO_MANY);
    CU_ASSERT_EQUAL(policy_of_guest(book, &key).quota_pages, 0);
    key = device_key(1, POLICY_EVERY_DEVICE);
    CU_ASSERT_EQUAL(policy_set_guest(book, &key, POLICY_WEIGHT, &five), TMEMIF_TOO_MANY);
    /* what has an entry, or takes the place of others, needs no room */
    CU_ASSERT_EQUAL(policy_set_guest(book, &every, POLICY_QUOTA, &five), TMEMIF_OK);
    key = device_key(1, 3);
    CU_ASSERT_EQUAL(policy_of_guest(book, &key).weight, 256);
    CU_ASSERT_EQUAL(policy_set_guest(book, &key, POLICY_QUOTA, &five), TMEMIF_OK);
    CU_ASSERT_EQUAL(policy_set_guest(book, &key, POLICY_WEIGHT, &five), TMEMIF_OK);
    key = device_key(1, POLICY_EVERY_DEVICE);
    CU_ASSERT_EQUAL(policy_set_guest(book, &key, POLICY_QUOTA, &five), TMEMIF_OK);
    key = device_key(2, 0); /* one entry holds what the others did, but for a weight */
    CU_ASSERT_EQUAL(policy_set_guest(book, &key, POLICY_QUOTA, &five), TMEMIF_OK);
    end();
}

static bool is_frozen(account_nr account)
{
    struct account_stats stats;

    WORLD_MUST(engine_account_stats(w.e, account, &stats));
    return stats.frozen;
}

static void who_is_frozen_stays_so_by_any_other_attachment(void)
{
    struct account_key first = device_key(7, 0), second = device_key(7, 1),
                       every = device_key(7, POLICY_EVERY_DEVICE), other = device_key(8, 0);
    account_nr a, b, c;

    begin();
    CU_ASSERT_EQUAL(policy_set_frozen(book, &every, true), TMEMIF_NOT_FOUND);
    a = open_account(&first);
    c = open_account(&other);
    CU_ASSERT_EQUAL(policy_set_frozen(book, &every, true), TMEMIF_OK);
    b = open_account(&second);
    CU_ASSERT(is_frozen(a) && is_frozen(b) && !is_frozen(c));
    /* one of them alone, also when it is found again */
    CU_ASSERT_EQUAL(policy_set_frozen(book, &second, false), TMEMIF_OK);
    CU_ASSERT(is_frozen(a) && !is_frozen(b));
    policy_account_opened(book, b, &second);
    policy_account_opened(book, a, &first);
    CU_ASSERT(is_frozen(a) && !is_frozen(b));
    /* all of them, whatever was said of one */
    CU_ASSERT_EQUAL(policy_set_frozen(book, &first, true), TMEMIF_OK);
    CU_ASSERT_EQUAL(policy_set_frozen(book, &every, false), TMEMIF_OK);
    policy_account_opened(book, a, &first);
    CU_ASSERT(!is_frozen(a) && !is_frozen(b));
    /* and nothing is left of it, however often */
    for (unsigned i = 0; i < 2 * POLICY_MAX_FROZEN; i++)
        CU_ASSERT_EQUAL(policy_set_frozen(book, &first, i % 2 == 0), TMEMIF_OK);
    end();
}

static void a_frozen_guest_that_starts_again_is_frozen(void)
{
    struct account_key before = device_key(7, 0), after = device_key(9, 0),
                       other = device_key(7, 1), every, domid;
    account_nr a, b;

    begin();
    memcpy(before.uuid, uuid, sizeof(uuid));
    memcpy(after.uuid, uuid, sizeof(uuid));
    memset(other.uuid, 0x77, sizeof(other.uuid));
    every = before;
    every.device = POLICY_EVERY_DEVICE;
    (void)open_account(&before);
    CU_ASSERT_EQUAL(policy_set_frozen(book, &every, true), TMEMIF_OK);
    a = open_account(&after);
    CU_ASSERT_TRUE(is_frozen(a));
    /* its domid is no word about whoever has that next */
    b = open_account(&other);
    CU_ASSERT_FALSE(is_frozen(b));
    /* nor is what is said of a domid, which is about who has it now, one about others */
    domid = other;
    memset(domid.uuid, 0, sizeof(domid.uuid));
    CU_ASSERT_EQUAL(policy_set_frozen(book, &domid, true), TMEMIF_OK);
    CU_ASSERT_TRUE(is_frozen(b));
    CU_ASSERT_EQUAL(policy_set_frozen(book, &every, false), TMEMIF_OK);
    policy_account_opened(book, a, &after);
    CU_ASSERT_FALSE(is_frozen(a));
    after.id = 10;
    CU_ASSERT_FALSE(is_frozen(open_account(&after)));
    policy_account_opened(book, b, &other);
    CU_ASSERT_TRUE(is_frozen(b));
    end();
}

/* One of the guest, one of whoever has its domid: they are the same guest. */
static void the_latest_word_holds_whether_or_not_it_names_a_uuid(void)
{
    struct account_key key = device_key(7, 0), domid;
    account_nr a;

    begin();
    memcpy(key.uuid, uuid, sizeof(uuid));
    domid = key;
    memset(domid.uuid, 0, sizeof(domid.uuid));
    a = open_account(&key);
    for (unsigned i = 0; i < 2; i++) {
        const struct account_key *first = i ? &key : &domid, *then = i ? &domid : &key;

        CU_ASSERT_EQUAL(policy_set_frozen(book, first, true), TMEMIF_OK);
        CU_ASSERT_EQUAL(policy_set_frozen(book, then, false), TMEMIF_OK);
        policy_account_opened(book, a, &key);
        CU_ASSERT_FALSE(is_frozen(a));
    }
    end();
}

/* As when it is migrated on one machine. */
static void a_freeze_is_for_every_domid_that_a_guest_has(void)
{
    struct account_key from = device_key(7, 0), to = device_key(9, 0);
    account_nr a, b;

    begin();
    memcpy(from.uuid, uuid, sizeof(uuid));
    memcpy(to.uuid, uuid, sizeof(uuid));
    a = open_account(&from);
    b = open_account(&to);
    CU_ASSERT_EQUAL(policy_set_frozen(book, &from, true), TMEMIF_OK);
    CU_ASSERT(is_frozen(a) && is_frozen(b));
    CU_ASSERT_EQUAL(policy_set_frozen(book, &from, false), TMEMIF_OK);
    CU_ASSERT(!is_frozen(a) && !is_frozen(b));
    end();
}

static void a_guest_that_is_gone_for_good_can_be_thawed(void)
{
    struct account_key key = device_key(7, 0), nobody = device_key(8, 0);
    account_nr account;

    begin();
    memcpy(key.uuid, uuid, sizeof(uuid));
    memset(nobody.uuid, 0x77, sizeof(nobody.uuid));
    account = open_account(&key);
    CU_ASSERT_EQUAL(policy_set_frozen(book, &key, true), TMEMIF_OK);
    engine_account_close(w.e, account);
    CU_ASSERT_EQUAL(policy_set_frozen(book, &nobody, false), TMEMIF_NOT_FOUND);
    CU_ASSERT_EQUAL(policy_set_frozen(book, &key, false), TMEMIF_OK);
    CU_ASSERT_FALSE(is_frozen(open_account(&key)));
    end();
}

static void nobody_joins_unless_allowed(void)
{
    struct account_key key = device_key(7, 0);
    account_nr account;
    uint32_t id;

    begin();
    account = open_account(&key);
    CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_NOT_ALLOWED);
    CU_ASSERT_EQUAL(policy_allow(book, uuid, &key, RIGHT_FILL), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_OK);
    end();
}

static void a_right_for_every_device_reaches_those_that_attach_later(void)
{
    struct account_key every = device_key(7, POLICY_EVERY_DEVICE), later = device_key(7, 4);
    struct account_key other = device_key(8, 4);
    uint32_t id;

    begin();
    CU_ASSERT_EQUAL(policy_allow(book, uuid, &every, RIGHT_FILL), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(open_account(&later), &id), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(open_account(&other), &id), TMEMIF_NOT_ALLOWED);
    end();
}

static void deny_holds_at_once_for_whoever_has_joined(void)
{
    struct account_key every = device_key(7, POLICY_EVERY_DEVICE), key = device_key(7, 4);
    account_nr account;
    uint64_t object[3] = {1, 2, 3};
    struct page_op op;
    uint32_t id;

    begin();
    policy_allow(book, uuid, &every, RIGHT_FILL);
    account = open_account(&key);
    CU_ASSERT_EQUAL_FATAL(join_pool(account, &id), TMEMIF_OK);
    op = (struct page_op){.account = account, .pool_id = id};
    memcpy(op.object, object, sizeof(object));
    CU_ASSERT_EQUAL(engine_flush_page(w.e, &op), TMEMIF_OK);
    CU_ASSERT_EQUAL(policy_allow(book, uuid, &every, RIGHT_READ), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_flush_page(w.e, &op), TMEMIF_READ_ONLY);
    CU_ASSERT_EQUAL(policy_deny(book, uuid, &every), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_flush_page(w.e, &op), TMEMIF_NOT_ALLOWED);
    end();
}

static void deny_of_one_device_holds_under_a_right_for_every_one(void)
{
    struct account_key every = device_key(7, POLICY_EVERY_DEVICE), one = device_key(7, 1),
                       later = device_key(7, 2), two = device_key(7, 3);
    account_nr account;
    uint32_t id;

    begin();
    account = open_account(&one);
    policy_allow(book, uuid, &every, RIGHT_FILL);
    CU_ASSERT_EQUAL(policy_deny(book, uuid, &one), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_NOT_ALLOWED);
    policy_account_opened(book, account, &one);
    CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_NOT_ALLOWED);
    /* before it attaches, as well, and the others have what they had */
    CU_ASSERT_EQUAL(policy_deny(book, uuid, &later), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(open_account(&later), &id), TMEMIF_NOT_ALLOWED);
    CU_ASSERT_EQUAL(join_pool(open_account(&two), &id), TMEMIF_OK);
    end();
}

static void deny_of_every_device_ends_the_right_of_one(void)
{
    struct account_key every = device_key(7, POLICY_EVERY_DEVICE), one = device_key(7, 1),
                       later = device_key(7, 2), other = device_key(8, 1);
    account_nr account;
    uint32_t id;

    begin();
    account = open_account(&one);
    policy_allow(book, uuid, &one, RIGHT_FILL);
    policy_allow(book, uuid, &later, RIGHT_FILL);
    policy_allow(book, uuid, &other, RIGHT_FILL);
    CU_ASSERT_EQUAL(policy_deny(book, uuid, &every), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_NOT_ALLOWED);
    CU_ASSERT_EQUAL(join_pool(open_account(&later), &id), TMEMIF_NOT_ALLOWED);
    CU_ASSERT_EQUAL(join_pool(open_account(&other), &id), TMEMIF_OK);
    end();
}

static void allow_of_every_device_ends_what_was_said_of_one(void)
{
    struct account_key every = device_key(7, POLICY_EVERY_DEVICE), one = device_key(7, 1),
                       two = device_key(7, 2);
    struct tmemif_pool_info info;
    account_nr account;
    uint32_t id;

    begin();
    policy_allow(book, uuid, &every, RIGHT_FILL);
    policy_deny(book, uuid, &one);
    policy_allow(book, uuid, &two, RIGHT_READ);
    account = open_account(&one);
    CU_ASSERT_EQUAL(policy_allow(book, uuid, &every, RIGHT_FILL), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_OK);
    account = open_account(&two);
    CU_ASSERT_EQUAL_FATAL(join_pool(account, &id), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_info(w.e, account, id, &info), TMEMIF_OK);
    CU_ASSERT_EQUAL(info.read_only, 0);
    end();
}

static void a_node_that_is_gone_leaves_the_right_of_the_guest(void)
{
    struct account_key every = device_key(7, POLICY_EVERY_DEVICE), one = device_key(7, 1),
                       two = device_key(7, 2);
    account_nr account, account_two;
    uint32_t id;

    begin();
    account = open_account(&one);
    account_two = open_account(&two);
    policy_allow(book, uuid, &every, RIGHT_FILL);
    CU_ASSERT_EQUAL(xen_policy_functions.member(book, uuid, &one, RIGHT_READ), TMEMIF_OK);
    CU_ASSERT_EQUAL(xen_policy_functions.member(book, uuid, &one, RIGHT_NONE), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_leave(w.e, account, id), TMEMIF_OK);
    /* nothing narrower goes, and a denial that a message said stays */
    CU_ASSERT_EQUAL(policy_deny(book, uuid, &one), TMEMIF_OK);
    CU_ASSERT_EQUAL(xen_policy_functions.member(book, uuid, &one, RIGHT_NONE), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_NOT_ALLOWED);
    policy_account_opened(book, account, &one);
    CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_NOT_ALLOWED);
    policy_allow(book, uuid, &two, RIGHT_READ);
    CU_ASSERT_EQUAL(xen_policy_functions.member(book, uuid, &every, RIGHT_NONE), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(account_two, &id), TMEMIF_NO_POOL); /* it may, to read */
    /* without a wider one there is none */
    CU_ASSERT_EQUAL(xen_policy_functions.member(book, uuid, &two, RIGHT_NONE), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(account_two, &id), TMEMIF_NOT_ALLOWED);
    end();
}

/* Whatever else says the same at that time. */
static void a_right_of_one_device_outlives_the_right_of_all(void)
{
    struct account_key every = device_key(7, POLICY_EVERY_DEVICE), one = device_key(7, 1),
                       two = device_key(7, 2);
    account_nr account, account_two;
    uint32_t id;

    begin();
    account = open_account(&one);
    account_two = open_account(&two);
    policy_allow(book, uuid, &every, RIGHT_FILL);
    policy_allow(book, uuid, &one, RIGHT_FILL);
    policy_forget_member(book, uuid, &every);
    CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(account_two, &id), TMEMIF_NOT_ALLOWED);
    end();
}

static void what_is_said_of_all_ends_what_was_said_of_each(void)
{
    struct account_key every = device_key(7, POLICY_EVERY_DEVICE), one = device_key(7, 1),
                       two = device_key(7, 2);
    account_nr account, account_two;
    uint32_t id;

    begin();
    account = open_account(&one);
    account_two = open_account(&two);
    policy_deny(book, uuid, &every);
    policy_deny(book, uuid, &one);
    policy_allow(book, uuid, &every, RIGHT_FILL);
    CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(account_two, &id), TMEMIF_OK);
    policy_allow(book, uuid, &two, RIGHT_FILL);
    policy_deny(book, uuid, &every);
    CU_ASSERT_EQUAL(engine_pool_leave(w.e, account, id), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_leave(w.e, account_two, id), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_NOT_ALLOWED);
    CU_ASSERT_EQUAL(join_pool(account_two, &id), TMEMIF_NOT_ALLOWED);
    end();
}

static void a_full_book_of_members_refuses_and_denies_all_the_same(void)
{
    struct account_key every = device_key(7, POLICY_EVERY_DEVICE), one = device_key(7, 1),
                       two = device_key(7, 2), narrow = device_key(1, 5),
                       wide = device_key(1, POLICY_EVERY_DEVICE), key;
    account_nr account, account_two, account_narrow;
    uint32_t id;

    begin();
    account = open_account(&one);
    account_two = open_account(&two);
    account_narrow = open_account(&narrow);
    policy_allow(book, uuid, &every, RIGHT_FILL);
    for (uint32_t i = 0; i < POLICY_MAX_MEMBERS - 1; i++) {
        key = device_key(1, i);
        CU_ASSERT_EQUAL_FATAL(policy_allow(book, uuid, &key, RIGHT_FILL), TMEMIF_OK);
    }
    key = device_key(8, 0);
    CU_ASSERT_EQUAL(policy_allow(book, uuid, &key, RIGHT_FILL), TMEMIF_TOO_MANY);
    CU_ASSERT_EQUAL(policy_allow(book, uuid, &one, RIGHT_FILL), TMEMIF_TOO_MANY);
    CU_ASSERT_EQUAL(policy_deny(book, uuid, &one), TMEMIF_TOO_MANY);
    CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_leave(w.e, account, id), TMEMIF_OK);
    /* what needs no entry, or takes the place of one */
    CU_ASSERT_EQUAL(policy_deny(book, uuid, &key), TMEMIF_OK);
    CU_ASSERT_EQUAL(policy_allow(book, uuid, &narrow, RIGHT_FILL), TMEMIF_OK);
    CU_ASSERT_EQUAL(policy_allow(book, uuid, &every, RIGHT_READ), TMEMIF_OK);
    CU_ASSERT_EQUAL(policy_deny(book, uuid, &every), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(account_two, &id), TMEMIF_NOT_ALLOWED);
    CU_ASSERT_EQUAL(policy_deny(book, uuid, &wide), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(account_narrow, &id), TMEMIF_NOT_ALLOWED);
    /* and all entries of single devices have gone */
    for (uint32_t i = 0; i < 1000; i++) {
        key = device_key(2, i);
        CU_ASSERT_EQUAL(policy_allow(book, uuid, &key, RIGHT_FILL), TMEMIF_OK);
    }
    end();
}

/* The table of members that the engine has, but for @nr_free places. */
static void fill_members(uint32_t nr_free)
{
    uint8_t other[TMEMIF_UUID_LEN] = {0xbb};
    struct account_key key;
    uint32_t nr = 0;

    do {
        key = device_key(1000 + nr / 16384, nr);
        nr++;
    } while (engine_shared_allow(w.e, other, &key, RIGHT_READ) == TMEMIF_OK);
    for (uint32_t i = 0; i < nr_free; i++) {
        key = device_key(1000, i);
        CU_ASSERT_EQUAL(engine_shared_allow(w.e, other, &key, RIGHT_NONE), TMEMIF_OK);
    }
}

static void an_engine_without_room_leaves_all_as_it_was(void)
{
    struct account_key every = device_key(7, POLICY_EVERY_DEVICE), key;
    account_nr account[4];
    struct tmemif_pool_info info;
    uint32_t id;

    begin();
    for (uint32_t i = 0; i < 4; i++) {
        key = device_key(7, i);
        account[i] = open_account(&key);
    }
    key = device_key(7, 0);
    policy_allow(book, uuid, &key, RIGHT_FILL);
    key = device_key(7, 1);
    policy_allow(book, uuid, &key, RIGHT_READ);
    CU_ASSERT_EQUAL_FATAL(join_pool(account[0], &id), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, account[0], id, 1, 1, 99), TMEMIF_OK);
    fill_members(1);
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(policy_allow(book, uuid, &every, i % 2 ? RIGHT_FILL : RIGHT_READ),
                        TMEMIF_TOO_MANY);
        CU_ASSERT_EQUAL(engine_pool_info(w.e, account[0], id, &info), TMEMIF_OK);
        CU_ASSERT_EQUAL(info.read_only, 0);
        CU_ASSERT_EQUAL(get(&w, account[0], id, 1, 1, 99), TMEMIF_OK);
    }
    CU_ASSERT_EQUAL_FATAL(join_pool(account[1], &id), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_info(w.e, account[1], id, &info), TMEMIF_OK);
    CU_ASSERT_EQUAL(info.read_only, 1);
    CU_ASSERT_EQUAL(join_pool(account[2], &id), TMEMIF_NOT_ALLOWED);
    CU_ASSERT_EQUAL(join_pool(account[3], &id), TMEMIF_NOT_ALLOWED);
    /* the words of single devices are still there, and no place was lost */
    key = device_key(7, 2);
    CU_ASSERT_EQUAL(policy_allow(book, uuid, &key, RIGHT_FILL), TMEMIF_OK);
    for (uint32_t i = 0; i < 3; i++) {
        key = device_key(7, i);
        policy_account_opened(book, account[i], &key);
        CU_ASSERT_NOT_EQUAL(join_pool(account[i], &id), TMEMIF_NOT_ALLOWED);
    }
    end();
}

/* Names of pools that the engine has room for. */
static uint32_t nr_names_left(void)
{
    uint8_t other[TMEMIF_UUID_LEN] = {0xcc};
    uint32_t nr = 0;

    while (engine_shared_set_policy(w.e, other, &POLICY_DEFAULT) == TMEMIF_OK) {
        nr++;
        memcpy(other + 4, &nr, sizeof(nr));
    }
    for (uint32_t i = 0; i < nr; i++) {
        memcpy(other + 4, &i, sizeof(i));
        CU_ASSERT_EQUAL(engine_shared_remove(w.e, other), TMEMIF_OK);
    }
    return nr;
}

static void a_refused_allow_leaves_no_policy_of_the_pool(void)
{
    struct account_key every = device_key(7, POLICY_EVERY_DEVICE), key;
    uint32_t nr_names;

    begin();
    for (uint32_t i = 0; i < 2; i++) {
        key = device_key(7, i);
        open_account(&key);
    }
    fill_members(1);
    nr_names = nr_names_left();
    CU_ASSERT_EQUAL(policy_allow(book, uuid, &every, RIGHT_FILL), TMEMIF_TOO_MANY);
    CU_ASSERT_EQUAL(nr_names_left(), nr_names);
    CU_ASSERT_FALSE(policy_forget_shared(book, uuid));
    CU_ASSERT_EQUAL(engine_shared_remove(w.e, uuid), TMEMIF_NOT_FOUND);
    /* one that has a policy keeps it */
    CU_ASSERT_EQUAL(policy_set_shared(book, uuid, POLICY_MIN, &(struct policy){.min_pages = 3}),
                    TMEMIF_OK);
    CU_ASSERT_EQUAL(policy_allow(book, uuid, &every, RIGHT_FILL), TMEMIF_TOO_MANY);
    CU_ASSERT_TRUE(policy_forget_shared(book, uuid));
    CU_ASSERT_EQUAL(engine_shared_remove(w.e, uuid), TMEMIF_OK);
    end();
}

static void a_shared_pool_with_members_and_no_policy_has_the_default(void)
{
    struct account_key key = device_key(7, 0);
    struct pool_stats stats;
    uint32_t id, cursor = 0;

    begin();
    policy_allow(book, uuid, &key, RIGHT_FILL);
    CU_ASSERT_EQUAL_FATAL(join_pool(open_account(&key), &id), TMEMIF_OK);
    CU_ASSERT_TRUE_FATAL(engine_pool_next(w.e, &cursor, &stats));
    CU_ASSERT_EQUAL(stats.policy.quota_pages, 0);
    CU_ASSERT_EQUAL(stats.policy.max_pages, PAGES_UNLIMITED);
    CU_ASSERT_EQUAL(stats.policy.weight, 256);
    CU_ASSERT_EQUAL(policy_set_shared(book, uuid, POLICY_QUOTA | POLICY_MIN,
                                      &(struct policy){.quota_pages = 8, .min_pages = 2}),
                    TMEMIF_OK);
    cursor = 0;
    CU_ASSERT_TRUE_FATAL(engine_pool_next(w.e, &cursor, &stats));
    CU_ASSERT_EQUAL(stats.policy.quota_pages, 8);
    CU_ASSERT_EQUAL(stats.policy.min_pages, 2);
    CU_ASSERT_EQUAL(stats.policy.weight, 256);
    end();
}

static void members_are_listed_whether_they_attached_or_not(void)
{
    struct account_key every = device_key(7, POLICY_EVERY_DEVICE), key = device_key(7, 2);
    struct account_key absent = device_key(8, POLICY_EVERY_DEVICE), found;
    enum pool_right right;
    uint32_t cursor = 0, id;
    bool joined;

    begin();
    policy_allow(book, uuid, &every, RIGHT_FILL);
    policy_allow(book, uuid, &absent, RIGHT_READ);
    CU_ASSERT_EQUAL(join_pool(open_account(&key), &id), TMEMIF_OK);
    CU_ASSERT_TRUE(policy_member_next(book, uuid, &cursor, &found, &right, &joined));
    CU_ASSERT_EQUAL(found.id, 7);
    CU_ASSERT_EQUAL(found.device, 2);
    CU_ASSERT_EQUAL(right, RIGHT_FILL);
    CU_ASSERT_TRUE(joined);
    CU_ASSERT_TRUE(policy_member_next(book, uuid, &cursor, &found, &right, &joined));
    CU_ASSERT_EQUAL(found.id, 8);
    CU_ASSERT_EQUAL(found.device, POLICY_EVERY_DEVICE);
    CU_ASSERT_EQUAL(right, RIGHT_READ);
    CU_ASSERT_FALSE(joined);
    CU_ASSERT_FALSE(policy_member_next(book, uuid, &cursor, &found, &right, &joined));
    end();
}

static void nobody_is_listed_as_allowed_who_was_denied_and_never_attached(void)
{
    struct account_key every = device_key(7, POLICY_EVERY_DEVICE), one = device_key(7, 1), found;
    enum pool_right right;
    uint32_t cursor = 0;
    bool joined;

    begin();
    policy_allow(book, uuid, &every, RIGHT_FILL);
    policy_deny(book, uuid, &one);
    CU_ASSERT_TRUE(policy_member_next(book, uuid, &cursor, &found, &right, &joined));
    CU_ASSERT_EQUAL(found.device, POLICY_EVERY_DEVICE);
    CU_ASSERT_EQUAL(right, RIGHT_FILL);
    CU_ASSERT_FALSE(policy_member_next(book, uuid, &cursor, &found, &right, &joined));
    end();
}

static void a_member_that_was_denied_is_listed_until_it_leaves(void)
{
    struct account_key a = device_key(7, 0), b = device_key(8, 0), found;
    uint32_t cursor = 0, id;
    enum pool_right right;
    account_nr account;
    bool joined;

    begin();
    policy_allow(book, uuid, &a, RIGHT_FILL);
    policy_allow(book, uuid, &b, RIGHT_FILL);
    account = open_account(&a);
    CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_OK);
    CU_ASSERT_EQUAL(policy_deny(book, uuid, &a), TMEMIF_OK);
    CU_ASSERT_TRUE(policy_member_next(book, uuid, &cursor, &found, &right, &joined));
    CU_ASSERT_EQUAL(found.id, 8);
    CU_ASSERT_TRUE(policy_member_next(book, uuid, &cursor, &found, &right, &joined));
    CU_ASSERT_EQUAL(found.id, 7);
    CU_ASSERT_EQUAL(right, RIGHT_NONE);
    CU_ASSERT_TRUE(joined);
    CU_ASSERT_FALSE(policy_member_next(book, uuid, &cursor, &found, &right, &joined));
    CU_ASSERT_FALSE(policy_member_next(book, uuid, &cursor, &found, &right, &joined));

    CU_ASSERT_EQUAL(engine_pool_leave(w.e, account, id), TMEMIF_OK);
    cursor = 0;
    CU_ASSERT_TRUE(policy_member_next(book, uuid, &cursor, &found, &right, &joined));
    CU_ASSERT_EQUAL(found.id, 8);
    CU_ASSERT_FALSE(policy_member_next(book, uuid, &cursor, &found, &right, &joined));
    end();
}

static void a_forgotten_pool_admits_nobody(void)
{
    struct account_key a = device_key(7, 0), b = device_key(8, 0);
    account_nr account_a, account_b;
    uint32_t id;

    begin();
    account_a = open_account(&a);
    account_b = open_account(&b);
    policy_allow(book, uuid, &a, RIGHT_FILL);
    policy_allow(book, uuid, &b, RIGHT_READ);
    CU_ASSERT_TRUE(policy_forget_shared(book, uuid));
    CU_ASSERT_FALSE(policy_forget_shared(book, uuid));
    CU_ASSERT_EQUAL(join_pool(account_a, &id), TMEMIF_NOT_ALLOWED);
    CU_ASSERT_EQUAL(join_pool(account_b, &id), TMEMIF_NOT_ALLOWED);
    end();
}

static void a_forgotten_pool_admits_nobody_whom_xenstore_named_either(void)
{
    struct account_key key = device_key(7, 0);
    account_nr account;
    uint32_t id;

    begin();
    account = open_account(&key);
    CU_ASSERT_EQUAL(xen_policy_functions.member(book, uuid, &key, RIGHT_FILL), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_OK);
    CU_ASSERT_TRUE(policy_forget_shared(book, uuid));
    CU_ASSERT_EQUAL(engine_pool_leave(w.e, account, id), TMEMIF_OK);
    CU_ASSERT_EQUAL(join_pool(account, &id), TMEMIF_NOT_ALLOWED);
    end();
}

static void denying_what_nobody_knows_takes_no_room(void)
{
    struct account_key key = device_key(7, 0);
    uint8_t other[TMEMIF_UUID_LEN] = {1};

    begin();
    open_account(&key);
    /* more pools than the engine's table has room for */
    for (unsigned i = 0; i < 3000; i++) {
        memcpy(other + 4, &i, sizeof(i));
        CU_ASSERT_EQUAL_FATAL(policy_deny(book, other, &key), TMEMIF_OK);
    }
    CU_ASSERT_EQUAL(policy_allow(book, uuid, &key, RIGHT_FILL), TMEMIF_OK);
    end();
}

#define TESTS(T)                                                                                   \
    T(a_guest_without_an_entry_gets_no_persistent_page)                                            \
    T(a_local_client_without_an_entry_gets_the_options_default)                                    \
    T(accounts_and_pools_that_are_there_have_the_default_from_the_start)                           \
    T(policy_may_come_before_the_guest_and_after)                                                  \
    T(the_latest_word_holds)                                                                       \
    T(set_of_every_device_changes_the_named_fields_of_each)                                        \
    T(words_that_overlap_hold_for_whom_both_speak_of)                                              \
    T(an_entry_of_another_uuid_is_not_this_guests)                                                 \
    T(a_full_book_refuses_and_changes_nothing)                                                     \
    T(who_is_frozen_stays_so_by_any_other_attachment)                                              \
    T(a_frozen_guest_that_starts_again_is_frozen)                                                  \
    T(the_latest_word_holds_whether_or_not_it_names_a_uuid)                                        \
    T(a_freeze_is_for_every_domid_that_a_guest_has)                                                \
    T(a_guest_that_is_gone_for_good_can_be_thawed)                                                 \
    T(nobody_joins_unless_allowed)                                                                 \
    T(a_right_for_every_device_reaches_those_that_attach_later)                                    \
    T(deny_holds_at_once_for_whoever_has_joined)                                                   \
    T(deny_of_one_device_holds_under_a_right_for_every_one)                                        \
    T(deny_of_every_device_ends_the_right_of_one)                                                  \
    T(allow_of_every_device_ends_what_was_said_of_one)                                             \
    T(a_node_that_is_gone_leaves_the_right_of_the_guest)                                           \
    T(a_right_of_one_device_outlives_the_right_of_all)                                             \
    T(what_is_said_of_all_ends_what_was_said_of_each)                                              \
    T(a_full_book_of_members_refuses_and_denies_all_the_same)                                      \
    T(an_engine_without_room_leaves_all_as_it_was)                                                 \
    T(a_refused_allow_leaves_no_policy_of_the_pool)                                                \
    T(a_shared_pool_with_members_and_no_policy_has_the_default)                                    \
    T(members_are_listed_whether_they_attached_or_not)                                             \
    T(nobody_is_listed_as_allowed_who_was_denied_and_never_attached)                               \
    T(a_member_that_was_denied_is_listed_until_it_leaves)                                          \
    T(a_forgotten_pool_admits_nobody)                                                              \
    T(a_forgotten_pool_admits_nobody_whom_xenstore_named_either)                                   \
    T(denying_what_nobody_knows_takes_no_room)
RUN_TESTS(TESTS)
