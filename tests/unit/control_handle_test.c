/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operator's messages, carried out on a real engine. */
#include "daemon/control/control.h"

#include <fcntl.h>
#include <unistd.h>

#include "daemon/control/counters.h"
#include "daemon/control/minimums.h"
#include "daemon/xen_policy.h"
#include "protocol/control.h"
#include "tests/lib/runner.h"
#include "tests/unit/engine_world.h"

static const struct account_key dom0 = {.kind = ACCOUNT_XEN, .id = 0};
static const struct control_caller caller = {.key = &dom0};
static const uint8_t uuid[TMEMIF_UUID_LEN] = {0xaa, 1};

static struct world w;
static struct policy_book *book;
static struct control *control;
static struct log log_lines;
static int log_pipe[2];

static struct {
    _Alignas(8) uint8_t bytes[TMEMCTL_MAX_REPLY];
    uint32_t length;
} reply;

static void begin(void)
{
    struct control_config config;

    CU_ASSERT_EQUAL_FATAL(pipe2(log_pipe, O_NONBLOCK | O_CLOEXEC), 0);
    log_init(&log_lines, log_pipe[1], LOG_LEVEL_INFO);
    w = world_make(1024, 64, 1, 2);
    book = policy_create(w.e, &POLICY_DEFAULT);
    config =
        (struct control_config){.engine = w.e, .store = w.store, .policy = book, .log = &log_lines};
    control = control_create(&config);
    CU_ASSERT_FATAL(book && control);
}

static void end(void)
{
    CU_ASSERT_PTR_NULL(engine_check(w.e));
    control_destroy(control);
    policy_destroy(book);
    world_end(&w);
    close(log_pipe[0]);
    close(log_pipe[1]);
}

/* What was logged since the last call. */
static const char *logged(void)
{
    static char text[4096];
    ssize_t r = read(log_pipe[0], text, sizeof(text) - 1);

    text[r > 0 ? r : 0] = '\0';
    return text;
}

static union tmemctl_message make(uint32_t command, uint32_t length)
{
    union tmemctl_message m;

    memset(&m, 0, sizeof(m));
    m.head.command = command;
    m.head.length = length;
    return m;
}

static enum tmemif_status ask_capped(const union tmemctl_message *m, uint32_t cap)
{
    memset(reply.bytes, 0x5a, sizeof(reply.bytes));
    return control_functions.handle(control, &caller, m, m->head.length, reply.bytes, cap,
                                    &reply.length);
}

static enum tmemif_status ask(const union tmemctl_message *m)
{
    enum tmemif_status rc = ask_capped(m, sizeof(reply.bytes));

    if (rc == TMEMIF_OK) {
        CU_ASSERT_EQUAL(tmemctl_reply_check(reply.bytes, reply.length, m->head.command), TMEMIF_OK);
    } else {
        CU_ASSERT_EQUAL(reply.length, 0);
    }
    return rc;
}

static const struct tmemctl_reply *head(void)
{
    return (const struct tmemctl_reply *)reply.bytes;
}

static const void *record(uint32_t number)
{
    return reply.bytes + sizeof(struct tmemctl_reply) + number * head()->record_bytes;
}

static struct tmemctl_who who(uint32_t domid)
{
    struct tmemctl_who who = {.kind = TMEMCTL_XEN, .id = domid};

    memset(who.uuid, (int)domid, sizeof(who.uuid));
    return who;
}

static account_nr attach(uint32_t domid)
{
    struct account_key key = guest_key(domid);
    account_nr account = LAYOUT_NONE;

    CU_ASSERT_EQUAL_FATAL(engine_account_open(w.e, &key, &account), TMEMIF_OK);
    control_functions.account_opened(control, account, &key);
    return account;
}

static void set_quota(uint32_t domid, uint64_t pages)
{
    union tmemctl_message m = make(TMEMCTL_SET_GUEST, sizeof(m.set_guest));

    m.set_guest.guest = who(domid);
    m.set_guest.policy.fields = TMEMCTL_SET_QUOTA;
    m.set_guest.policy.quota_pages = pages;
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
}

static enum tmemif_status set_min(uint32_t domid, uint64_t pages)
{
    union tmemctl_message m = make(TMEMCTL_SET_GUEST, sizeof(m.set_guest));

    m.set_guest.guest = who(domid);
    m.set_guest.policy.fields = TMEMCTL_SET_MIN;
    m.set_guest.policy.min_pages = pages;
    return ask(&m);
}

static enum tmemif_status set_pools_min(uint64_t pages)
{
    union tmemctl_message m = make(TMEMCTL_SET_SHARED, sizeof(m.set_shared));

    memcpy(m.set_shared.uuid, uuid, sizeof(uuid));
    m.set_shared.policy.fields = TMEMCTL_SET_MIN;
    m.set_shared.policy.min_pages = pages;
    return ask(&m);
}

static uint64_t stat_of(const char *name)
{
    union tmemctl_message m = make(TMEMCTL_STATS, sizeof(m.plain));

    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    for (uint32_t i = 0; i < head()->count; i++) {
        const struct tmemctl_counter *c = record(i);

        if (strcmp(c->name, name) == 0)
            return c->value;
    }
    return UINT64_MAX;
}

static enum tmemif_status let_join(uint32_t domid, uint32_t right)
{
    union tmemctl_message m = make(right ? TMEMCTL_ALLOW : TMEMCTL_DENY, sizeof(m.allow));

    m.allow.guest = who(domid);
    m.allow.guest.device = TMEMCTL_EVERY_DEVICE;
    m.allow.right = right;
    memcpy(m.allow.uuid, uuid, sizeof(uuid));
    return ask(&m);
}

static void guests_are_listed_with_their_policy(void)
{
    union tmemctl_message m = make(TMEMCTL_LIST_GUESTS, sizeof(m.plain));
    const struct tmemctl_guest *g;

    begin();
    set_quota(7, 12);
    attach(7);
    attach(8);
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_EQUAL_FATAL(head()->count, 2);
    CU_ASSERT_EQUAL(head()->cursor, 0);
    g = record(0);
    CU_ASSERT_EQUAL(g->guest.id, 7);
    CU_ASSERT_EQUAL(g->guest.uuid[15], 7);
    CU_ASSERT_EQUAL(g->policy.quota_pages, 12);
    CU_ASSERT_EQUAL(g->policy.weight, 256);
    CU_ASSERT_EQUAL(g->policy.fields, 0);
    CU_ASSERT_EQUAL(g->attached, 0); /* there is no session table here */
    g = record(1);
    CU_ASSERT_EQUAL(g->guest.id, 8);
    CU_ASSERT_EQUAL(g->policy.quota_pages, 0);
    end();
}

static void a_min_that_cannot_be_kept_is_refused_with_the_numbers(void)
{
    account_nr account;
    uint32_t pool;
    const char *lines;

    begin();
    account = attach(7);
    attach(8);
    set_quota(7, 100);
    CU_ASSERT_EQUAL(set_min(7, 600), TMEMIF_OK);
    logged();
    CU_ASSERT_EQUAL(set_min(8, 425), TMEMIF_NO_MEMORY);
    lines = logged();
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "asked=425 minimums=600 persistent=0 memory=1024"));
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "--memory"));
    CU_ASSERT_EQUAL(set_min(8, UINT64_MAX - 1), TMEMIF_NO_MEMORY);
    CU_ASSERT_EQUAL(set_min(8, 300), TMEMIF_OK);
    CU_ASSERT_EQUAL(stat_of("minimum_pages"), 900);
    CU_ASSERT_EQUAL(set_pools_min(125), TMEMIF_NO_MEMORY);
    CU_ASSERT_EQUAL(set_pools_min(24), TMEMIF_OK);
    CU_ASSERT_EQUAL(set_pools_min(25), TMEMIF_OK);
    CU_ASSERT_EQUAL(stat_of("minimum_pages"), 925);
    /* what is persistent is not to be had for it */
    CU_ASSERT_EQUAL(engine_pool_create(w.e, account, TMEMIF_POOL_PERSISTENT, &pool), TMEMIF_OK);
    for (uint32_t i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(put(&w, account, pool, 1, i, 99 + i), TMEMIF_OK);
    CU_ASSERT_EQUAL(set_pools_min(25 + 90), TMEMIF_NO_MEMORY);
    CU_ASSERT_EQUAL(set_pools_min(25 + 89), TMEMIF_OK);
    /* less is never too much; and what is refused changes nothing */
    CU_ASSERT_EQUAL(set_min(7, 599), TMEMIF_OK);
    CU_ASSERT_EQUAL(stat_of("minimum_pages"), 1013);
    end();
}

static void a_min_counts_for_each_attachment(void)
{
    union tmemctl_message m = make(TMEMCTL_SET_GUEST, sizeof(m.set_guest));
    struct account_key key = guest_key(7);
    account_nr account;

    begin();
    attach(7);
    key.device = 1;
    CU_ASSERT_EQUAL_FATAL(engine_account_open(w.e, &key, &account), TMEMIF_OK);
    control_functions.account_opened(control, account, &key);
    m.set_guest.guest = who(7);
    m.set_guest.guest.device = TMEMCTL_EVERY_DEVICE;
    m.set_guest.policy.fields = TMEMCTL_SET_MIN;
    m.set_guest.policy.min_pages = 513;
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_NO_MEMORY);
    m.set_guest.policy.min_pages = 512;
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    /* who is not here yet is to find what it was promised, if he comes now */
    CU_ASSERT_EQUAL(set_min(9, 1), TMEMIF_NO_MEMORY);
    m.set_guest.policy.min_pages = 511;
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_EQUAL(set_min(9, 2), TMEMIF_OK);
    end();
}

/* By a node or an option, or when there was more memory. */
static void a_min_that_is_there_already_is_kept_and_can_be_lowered(void)
{
    struct account_key key = guest_key(7);
    struct policy policy = POLICY_DEFAULT;
    struct account_stats stats;
    account_nr account;

    begin();
    policy.min_pages = 2000;
    account = attach(7);
    attach(8);
    CU_ASSERT_EQUAL(xen_policy_functions.guest(book, &key, &policy), TMEMIF_OK);
    CU_ASSERT_TRUE(engine_account_stats(w.e, account, &stats));
    CU_ASSERT_EQUAL(stats.policy.min_pages, 2000);
    set_quota(7, 100);
    CU_ASSERT_EQUAL(set_min(8, 1), TMEMIF_NO_MEMORY);
    CU_ASSERT_EQUAL(set_min(7, 2001), TMEMIF_NO_MEMORY);
    CU_ASSERT_EQUAL(set_min(7, 2000), TMEMIF_OK);
    CU_ASSERT_EQUAL(set_min(7, 1900), TMEMIF_OK);
    CU_ASSERT_EQUAL(set_min(7, 1000), TMEMIF_OK);
    CU_ASSERT_EQUAL(set_min(8, 24), TMEMIF_OK);
    end();
}

static void minimums_that_are_more_than_there_is_are_told_once(void)
{
    struct minimums_teller teller = {0};
    struct account_key key = guest_key(7);
    struct policy policy = POLICY_DEFAULT;

    begin();
    attach(7);
    minimums_tell(&teller, w.e, &log_lines, 1000);
    CU_ASSERT_STRING_EQUAL(logged(), "");
    for (unsigned i = 0; i < 2; i++) {
        policy.min_pages = 1025 + i;
        CU_ASSERT_EQUAL(xen_policy_functions.guest(book, &key, &policy), TMEMIF_OK);
        minimums_tell(&teller, w.e, &log_lines, 1000);
        CU_ASSERT_PTR_NOT_NULL(
            strstr(logged(), i ? "minimums=1026 persistent=0 memory=1024" : "minimums=1025 "));
        minimums_tell(&teller, w.e, &log_lines, 1000);
        CU_ASSERT_STRING_EQUAL(logged(), "");
    }
    CU_ASSERT_EQUAL(set_min(7, 1024), TMEMIF_OK);
    logged();
    minimums_tell(&teller, w.e, &log_lines, 1000);
    CU_ASSERT_STRING_EQUAL(logged(), "");
    /* guests that come and go do not fill the log */
    for (unsigned i = 0; i < 1000; i++) {
        policy.min_pages = 1025 + i;
        CU_ASSERT_EQUAL(xen_policy_functions.guest(book, &key, &policy), TMEMIF_OK);
        minimums_tell(&teller, w.e, &log_lines, 1000);
    }
    CU_ASSERT(strlen(logged()) < 4000);
    end();
}

static void a_long_list_comes_in_parts_and_nobody_is_missed(void)
{
    union tmemctl_message m = make(TMEMCTL_LIST_GUESTS, sizeof(m.plain));
    const uint32_t cap = sizeof(struct tmemctl_reply) + 3 * sizeof(struct tmemctl_guest) + 50;
    uint32_t nr = 0, parts = 0;

    begin();
    for (uint32_t domid = 1; domid <= 10; domid++)
        attach(domid);
    do {
        CU_ASSERT_EQUAL_FATAL(ask_capped(&m, cap), TMEMIF_OK);
        CU_ASSERT_FATAL(reply.length <= cap && head()->count <= 3);
        CU_ASSERT_EQUAL(reply.bytes[cap], 0x5a); /* nothing was written past the room */
        for (uint32_t i = 0; i < head()->count; i++)
            CU_ASSERT_EQUAL(((const struct tmemctl_guest *)record(i))->guest.id, ++nr);
        m.head.cursor = head()->cursor;
    } while (m.head.cursor && ++parts < 20);
    CU_ASSERT_EQUAL(nr, 10);
    end();
}

static void a_cursor_that_nobody_gave_is_harmless(void)
{
    static const uint64_t cursors[] = {1, 1u << 20, UINT32_MAX, 1ull << 32, UINT64_MAX};
    static const uint32_t lists[] = {TMEMCTL_LIST_GUESTS, TMEMCTL_LIST_POOLS, TMEMCTL_STATS};

    begin();
    attach(7);
    for (unsigned i = 0; i < 15; i++) {
        union tmemctl_message m = make(lists[i % 3], sizeof(m.plain));

        m.head.cursor = cursors[i / 3];
        CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    }
    end();
}

static void room_for_no_record_is_refused_and_nothing_is_written(void)
{
    union tmemctl_message m = make(TMEMCTL_LIST_GUESTS, sizeof(m.plain));
    const uint32_t needed = sizeof(struct tmemctl_reply) + sizeof(struct tmemctl_guest);

    begin();
    attach(7);
    for (uint32_t cap = 0; cap < needed; cap++) {
        CU_ASSERT_EQUAL(ask_capped(&m, cap), TMEMIF_BAD_DATA);
        CU_ASSERT_EQUAL(reply.length, 0);
        CU_ASSERT_EQUAL(reply.bytes[0], 0x5a);
    }
    CU_ASSERT_EQUAL(ask_capped(&m, needed), TMEMIF_OK);
    end();
}

static void a_change_without_room_for_its_reply_is_not_made(void)
{
    union tmemctl_message m = make(TMEMCTL_LOG, sizeof(m.log));

    begin();
    m.log.level = TMEMCTL_LOG_ERROR;
    CU_ASSERT_EQUAL(ask_capped(&m, sizeof(struct tmemctl_reply) - 1), TMEMIF_BAD_DATA);
    CU_ASSERT_EQUAL(log_lines.level, LOG_LEVEL_INFO);
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_EQUAL(log_lines.level, LOG_LEVEL_ERROR);
    end();
}

static void pools_are_listed_with_their_owner(void)
{
    union tmemctl_message m = make(TMEMCTL_LIST_POOLS, sizeof(m.plain));
    const struct tmemctl_pool *p;
    uint32_t id, shared_id;
    account_nr account;

    begin();
    account = attach(7);
    CU_ASSERT_EQUAL(let_join(7, TMEMCTL_RIGHT_FILL), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_create(w.e, account, TMEMIF_POOL_PERSISTENT, &id), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_join(w.e, account, uuid, TMEMIF_POOL_SHARED, &shared_id),
                    TMEMIF_OK);
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_EQUAL_FATAL(head()->count, 2);
    p = record(0);
    CU_ASSERT_EQUAL(p->owner.kind, TMEMCTL_XEN);
    CU_ASSERT_EQUAL(p->owner.id, 7);
    CU_ASSERT_EQUAL(p->pool_id, id);
    CU_ASSERT_EQUAL(p->info.flags, TMEMIF_POOL_PERSISTENT);
    p = record(1);
    CU_ASSERT_EQUAL(p->owner.kind, 0);
    CU_ASSERT_EQUAL(p->nr_members, 1);
    CU_ASSERT_EQUAL(memcmp(p->info.uuid, uuid, sizeof(uuid)), 0);
    end();
}

static void members_are_listed_and_denied(void)
{
    union tmemctl_message m = make(TMEMCTL_LIST_MEMBERS, sizeof(m.shared));
    const struct tmemctl_member *member;

    begin();
    memcpy(m.shared.uuid, uuid, sizeof(uuid));
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_EQUAL(head()->count, 0);
    CU_ASSERT_EQUAL(let_join(7, TMEMCTL_RIGHT_FILL), TMEMIF_OK);
    CU_ASSERT_EQUAL(let_join(8, TMEMCTL_RIGHT_READ), TMEMIF_OK);
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_EQUAL_FATAL(head()->count, 2);
    member = record(1);
    CU_ASSERT_EQUAL(member->guest.id, 8);
    CU_ASSERT_EQUAL(member->right, TMEMCTL_RIGHT_READ);
    CU_ASSERT_EQUAL(member->joined, 0);
    CU_ASSERT_EQUAL(let_join(7, 0), TMEMIF_OK);
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_EQUAL(head()->count, 1);
    end();
}

static void the_latest_message_holds_for_all_of_whom_it_speaks(void)
{
    union tmemctl_message m = make(TMEMCTL_ALLOW, sizeof(m.allow));
    struct account_stats stats;
    account_nr account;
    uint32_t id;

    begin();
    account = attach(7);
    m.allow.guest = who(7); /* its device 0 */
    m.allow.right = TMEMCTL_RIGHT_FILL;
    memcpy(m.allow.uuid, uuid, sizeof(uuid));
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_EQUAL(let_join(7, 0), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_join(w.e, account, uuid, TMEMIF_POOL_SHARED, &id),
                    TMEMIF_NOT_ALLOWED);
    CU_ASSERT_EQUAL(let_join(7, TMEMCTL_RIGHT_FILL), TMEMIF_OK);
    m.head.command = TMEMCTL_DENY;
    m.allow.right = 0;
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_join(w.e, account, uuid, TMEMIF_POOL_SHARED, &id),
                    TMEMIF_NOT_ALLOWED);

    set_quota(7, 12);
    m = make(TMEMCTL_SET_GUEST, sizeof(m.set_guest));
    m.set_guest.guest = who(7);
    m.set_guest.guest.device = TMEMCTL_EVERY_DEVICE;
    m.set_guest.policy.fields = TMEMCTL_SET_QUOTA;
    m.set_guest.policy.quota_pages = 13;
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_TRUE(engine_account_stats(w.e, account, &stats) && stats.policy.quota_pages == 13);
    end();
}

static void freeze_finds_the_guest_or_says_so(void)
{
    union tmemctl_message m = make(TMEMCTL_FREEZE, sizeof(m.target));
    struct account_stats stats;
    account_nr account;

    begin();
    account = attach(7);
    m.target.guest = who(9);
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_NOT_FOUND);
    m.target.guest = who(7);
    m.target.guest.device = TMEMCTL_EVERY_DEVICE;
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_TRUE(engine_account_stats(w.e, account, &stats) && stats.frozen);
    m.head.command = TMEMCTL_THAW;
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_TRUE(engine_account_stats(w.e, account, &stats) && !stats.frozen);
    end();
}

static void freeze_finds_the_pool_or_says_so(void)
{
    union tmemctl_message m = make(TMEMCTL_FREEZE, sizeof(m.target));
    struct pool_stats stats;
    uint32_t id, cursor = 0;

    begin();
    memcpy(m.target.uuid, uuid, sizeof(uuid));
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_NOT_FOUND);
    CU_ASSERT_EQUAL(let_join(7, TMEMCTL_RIGHT_FILL), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_join(w.e, attach(7), uuid, TMEMIF_POOL_SHARED, &id), TMEMIF_OK);
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_TRUE(engine_pool_next(w.e, &cursor, &stats) && stats.info.frozen);
    end();
}

static void remove_takes_the_pool_from_its_members(void)
{
    union tmemctl_message m = make(TMEMCTL_REMOVE, sizeof(m.shared));
    struct tmemif_pool_info info;
    account_nr account;
    uint32_t id;

    begin();
    memcpy(m.shared.uuid, uuid, sizeof(uuid));
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_NOT_FOUND);
    CU_ASSERT_EQUAL(let_join(7, TMEMCTL_RIGHT_FILL), TMEMIF_OK);
    account = attach(7);
    CU_ASSERT_EQUAL(engine_pool_join(w.e, account, uuid, TMEMIF_POOL_SHARED, &id), TMEMIF_OK);
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_info(w.e, account, id, &info), TMEMIF_NO_POOL);
    CU_ASSERT_EQUAL(engine_pool_join(w.e, account, uuid, TMEMIF_POOL_SHARED, &id),
                    TMEMIF_NOT_ALLOWED);
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_NOT_FOUND);
    end();
}

static void every_counter_is_told_by_name(void)
{
    union tmemctl_message m = make(TMEMCTL_STATS, sizeof(m.plain));
    bool accounts_seen = false;

    begin();
    attach(7);
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_EQUAL(head()->count, counters_nr());
    for (uint32_t i = 0; i < head()->count; i++) {
        const struct tmemctl_counter *c = record(i);

        CU_ASSERT_FATAL(memchr(c->name, 0, sizeof(c->name)) && memchr(c->help, 0, sizeof(c->help)));
        CU_ASSERT_EQUAL(strspn(c->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(c->name));
        if (strcmp(c->name, "accounts") == 0) {
            accounts_seen = true;
            CU_ASSERT_EQUAL(c->value, 1);
            CU_ASSERT_EQUAL(c->gauge, 1);
        }
        if (strcmp(c->name, "frames_limit") == 0)
            CU_ASSERT_EQUAL(c->value, 1024);
    }
    CU_ASSERT_TRUE(accounts_seen);
    end();
}

static void check_gives_the_engines_verdict(void)
{
    union tmemctl_message m = make(TMEMCTL_CHECK, sizeof(m.plain));
    const struct tmemctl_verdict *verdict;

    begin();
    attach(7);
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_EQUAL_FATAL(head()->count, 1);
    verdict = record(0);
    CU_ASSERT_EQUAL(verdict->whole, 1);
    CU_ASSERT_STRING_EQUAL(verdict->what, "");
    end();
}

static void changes_are_logged_with_their_sender_and_lists_are_not(void)
{
    union tmemctl_message m = make(TMEMCTL_LIST_GUESTS, sizeof(m.plain));

    begin();
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_STRING_EQUAL(logged(), "");
    CU_ASSERT_EQUAL(let_join(7, TMEMCTL_RIGHT_FILL), TMEMIF_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged(), "command=ALLOW by=dom0 result=OK"));
    end();
}

static void what_a_change_is_about_is_logged(void)
{
    static const char pool[] = " pool=aa010000-0000-0000-0000-000000000000";
    union tmemctl_message m = make(TMEMCTL_SET_GUEST, sizeof(m.set_guest));
    char line[256];

    begin();
    m.set_guest.guest = (struct tmemctl_who){.kind = TMEMCTL_LOCAL, .id = 1000, .device = 2};
    m.set_guest.policy.fields = TMEMCTL_SET_QUOTA | TMEMCTL_SET_MAX | TMEMCTL_SET_WEIGHT;
    m.set_guest.policy.quota_pages = 12;
    m.set_guest.policy.max_pages = TMEMCTL_UNLIMITED;
    m.set_guest.policy.weight = 65536;
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(logged(), "result=OK guest=uid1000 device=2 quota_pages=12 max_pages=unlimited "
                         "weight=65536\n"));
    CU_ASSERT_EQUAL(let_join(7, TMEMCTL_RIGHT_READ), TMEMIF_OK);
    snprintf(line, sizeof(line), "ALLOW by=dom0 result=OK%s guest=dom7 device=every right=read\n",
             pool);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged(), line));
    CU_ASSERT_EQUAL(let_join(7, 0), TMEMIF_OK);
    snprintf(line, sizeof(line), "DENY by=dom0 result=OK%s guest=dom7 device=every\n", pool);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged(), line));

    m = make(TMEMCTL_FREEZE, sizeof(m.target));
    memcpy(m.target.uuid, uuid, sizeof(uuid));
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    snprintf(line, sizeof(line), "FREEZE by=dom0 result=OK%s\n", pool);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged(), line));
    m = make(TMEMCTL_THAW, sizeof(m.target));
    m.target.guest = who(9);
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged(), "THAW by=dom0 result=NOT_FOUND guest=dom9 device=0\n"));
    m = make(TMEMCTL_REMOVE, sizeof(m.shared));
    memcpy(m.shared.uuid, uuid, sizeof(uuid));
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    snprintf(line, sizeof(line), "REMOVE by=dom0 result=OK%s\n", pool);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged(), line));
    m = make(TMEMCTL_SET_SHARED, sizeof(m.set_shared));
    memcpy(m.set_shared.uuid, uuid, sizeof(uuid));
    m.set_shared.policy.fields = TMEMCTL_SET_MIN;
    m.set_shared.policy.min_pages = 3;
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    snprintf(line, sizeof(line), "SET_SHARED by=dom0 result=OK%s min_pages=3\n", pool);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged(), line));
    m = make(TMEMCTL_LOG, sizeof(m.log));
    m.log.level = TMEMCTL_LOG_DEBUG;
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged(), "LOG by=dom0 result=OK level=debug\n"));
    end();
}

static void a_malformed_message_has_no_effect(void)
{
    union tmemctl_message m = make(TMEMCTL_SET_GUEST, sizeof(m.set_guest));

    begin();
    m.set_guest.guest = who(7);
    m.set_guest.policy.fields = TMEMCTL_SET_WEIGHT; /* weight 0 */
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_BAD_REQUEST);
    m = make(99, sizeof(m.plain));
    CU_ASSERT_EQUAL(ask(&m), TMEMIF_BAD_OP);
    CU_ASSERT_STRING_EQUAL(logged(), "");
    end();
}

#define TESTS(T)                                                                                   \
    T(guests_are_listed_with_their_policy)                                                         \
    T(a_min_that_cannot_be_kept_is_refused_with_the_numbers)                                       \
    T(a_min_counts_for_each_attachment)                                                            \
    T(a_min_that_is_there_already_is_kept_and_can_be_lowered)                                      \
    T(minimums_that_are_more_than_there_is_are_told_once)                                          \
    T(a_long_list_comes_in_parts_and_nobody_is_missed)                                             \
    T(a_cursor_that_nobody_gave_is_harmless)                                                       \
    T(room_for_no_record_is_refused_and_nothing_is_written)                                        \
    T(a_change_without_room_for_its_reply_is_not_made)                                             \
    T(pools_are_listed_with_their_owner)                                                           \
    T(members_are_listed_and_denied)                                                               \
    T(the_latest_message_holds_for_all_of_whom_it_speaks)                                          \
    T(freeze_finds_the_guest_or_says_so)                                                           \
    T(freeze_finds_the_pool_or_says_so)                                                            \
    T(remove_takes_the_pool_from_its_members)                                                      \
    T(every_counter_is_told_by_name)                                                               \
    T(check_gives_the_engines_verdict)                                                             \
    T(changes_are_logged_with_their_sender_and_lists_are_not)                                      \
    T(what_a_change_is_about_is_logged)                                                            \
    T(a_malformed_message_has_no_effect)
RUN_TESTS(TESTS)
