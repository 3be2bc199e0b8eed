/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operator's messages: golden bytes, every field out of range, every length. */
#include "protocol/control.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/runner.h"

static const struct tmemctl_who dom7 = {.kind = TMEMCTL_XEN, .id = 7, .uuid = {1}};

/* A valid message of every command. */
static union tmemctl_message sample(uint32_t command)
{
    union tmemctl_message m;

    memset(&m, 0, sizeof(m));
    m.head.command = command;
    switch (command) {
    case TMEMCTL_LIST_MEMBERS:
    case TMEMCTL_REMOVE:
        memset(m.shared.uuid, 0xab, TMEMIF_UUID_LEN);
        m.head.length = sizeof(m.shared);
        break;
    case TMEMCTL_SET_GUEST:
        m.set_guest.guest = dom7;
        m.set_guest.policy = (struct tmemctl_policy){
            .quota_pages = 5, .weight = 300, .fields = TMEMCTL_SET_QUOTA | TMEMCTL_SET_WEIGHT};
        m.head.length = sizeof(m.set_guest);
        break;
    case TMEMCTL_SET_SHARED:
        memset(m.set_shared.uuid, 0xab, TMEMIF_UUID_LEN);
        m.set_shared.policy = (struct tmemctl_policy){.max_pages = 9, .fields = TMEMCTL_SET_MAX};
        m.head.length = sizeof(m.set_shared);
        break;
    case TMEMCTL_ALLOW:
    case TMEMCTL_DENY:
        memset(m.allow.uuid, 0xab, TMEMIF_UUID_LEN);
        m.allow.guest = dom7;
        m.allow.right = command == TMEMCTL_ALLOW ? TMEMCTL_RIGHT_READ : 0;
        m.head.length = sizeof(m.allow);
        break;
    case TMEMCTL_FREEZE:
    case TMEMCTL_THAW:
        m.target.guest = dom7;
        m.head.length = sizeof(m.target);
        break;
    case TMEMCTL_LOG:
        m.log.level = TMEMCTL_LOG_INFO;
        m.head.length = sizeof(m.log);
        break;
    case TMEMCTL_BASE_IMPORT:
        strcpy(m.base_import.name, "root-1.2_x");
        m.base_import.token = 1ull << 63;
        m.head.length = sizeof(m.base_import);
        break;
    case TMEMCTL_BASE_PAGES:
        m.base_pages.token = 1;
        m.head.length = sizeof(m.base_pages);
        break;
    case TMEMCTL_BASE_END:
        m.base_end.token = 1;
        m.base_end.nr_pages = UINT32_MAX;
        m.head.length = sizeof(m.base_end);
        break;
    case TMEMCTL_BASE_REMOVE:
        strcpy(m.base.name, "0");
        m.head.length = sizeof(m.base);
        break;
    case TMEMCTL_DISK_ADD:
        strcpy(m.disk_add.name, "home");
        strcpy(m.disk_add.base, "root");
        m.head.length = sizeof(m.disk_add);
        break;
    case TMEMCTL_DISK_FREEZE:
        m.disk_freeze.disk.domid = 7;
        m.disk_freeze.disk.vdev = 51712;
        strcpy(m.disk_freeze.name, "then");
        m.disk_freeze.token = 1;
        m.head.length = sizeof(m.disk_freeze);
        break;
    case TMEMCTL_DISK_ROLLBACK:
    case TMEMCTL_DISK_REMOVE:
        strcpy(m.disk.disk.name, "home");
        m.head.length = sizeof(m.disk);
        break;
    case TMEMCTL_DISK_RESIZE:
        strcpy(m.disk_resize.disk.name, "home");
        m.disk_resize.nr_pages = UINT32_MAX;
        m.head.length = sizeof(m.disk_resize);
        break;
    default:
        m.head.length = sizeof(m.plain);
    }
    return m;
}

static enum tmemif_status decode(const union tmemctl_message *m)
{
    union tmemctl_message out;

    return tmemctl_decode(m, m->head.length, &out);
}

static void every_command_is_decoded_to_what_was_sent(void)
{
#define X(value, name, message, bytes, record, list, change)                                       \
    {                                                                                              \
        union tmemctl_message m = sample(value), out;                                              \
        CU_ASSERT_EQUAL(m.head.length, (bytes));                                                   \
        CU_ASSERT_EQUAL(tmemctl_decode(&m, m.head.length, &out), TMEMIF_OK);                       \
        CU_ASSERT_EQUAL(memcmp(&m, &out, (bytes)), 0);                                             \
        CU_ASSERT_STRING_EQUAL(tmemctl_command_name(value), #name);                                \
    }
    TMEMCTL_COMMANDS(X)
#undef X
}

static void a_message_is_these_bytes(void)
{
    static const uint8_t golden[] = {
        18,   0,    0,    0,                    /* command ALLOW */
        72,   0,    0,    0,                    /* length */
        0,    0,    0,    0,    0,  0,  0,  0,  /* cursor */
        0xde, 0xad, 0,    0,    0,  0,  0,  0,  /* uuid of the pool */
        0,    0,    0,    0,    0,  0,  0,  1,  /* ... */
        1,    0,    0,    0,                    /* kind: Xen */
        0x03, 0x01, 0,    0,                    /* domid 259 */
        0xff, 0xff, 0xff, 0xff,                 /* device: every one */
        0,    0,    0,    0,                    /* reserved */
        1,    2,    3,    4,    5,  6,  7,  8,  /* uuid of the guest */
        9,    10,   11,   12,   13, 14, 15, 16, /* ... */
        2,    0,    0,    0,                    /* right: fill */
        0,    0,    0,    0,                    /* reserved */
    };
    union tmemctl_message m;

    CU_ASSERT_EQUAL(sizeof(golden), 72);
    CU_ASSERT_EQUAL_FATAL(tmemctl_decode(golden, sizeof(golden), &m), TMEMIF_OK);
    CU_ASSERT_EQUAL(m.allow.head.command, TMEMCTL_ALLOW);
    CU_ASSERT_EQUAL(m.allow.uuid[0], 0xde);
    CU_ASSERT_EQUAL(m.allow.uuid[15], 1);
    CU_ASSERT_EQUAL(m.allow.guest.kind, TMEMCTL_XEN);
    CU_ASSERT_EQUAL(m.allow.guest.id, 259);
    CU_ASSERT_EQUAL(m.allow.guest.device, TMEMCTL_EVERY_DEVICE);
    CU_ASSERT_EQUAL(m.allow.guest.uuid[15], 16);
    CU_ASSERT_EQUAL(m.allow.right, TMEMCTL_RIGHT_FILL);
}

/* The message lies at the end of its allocation, so that a sanitizer sees a read past it. */
static enum tmemif_status decode_exactly(const union tmemctl_message *m, uint32_t length)
{
    union tmemctl_message out;
    uint8_t *copy = malloc(length ? length : 1);
    enum tmemif_status rc;

    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    memcpy(copy, m, length);
    rc = tmemctl_decode(copy, length, &out);
    free(copy);
    return rc;
}

static void every_command_is_refused_at_every_other_length(void)
{
#define X(value, name, message, bytes, record, list, change)                                       \
    for (uint32_t length = 0; length <= sizeof(union tmemctl_message); length++) {                 \
        union tmemctl_message m = sample(value);                                                   \
        enum tmemif_status want = length == (bytes) ? TMEMIF_OK : TMEMIF_BAD_REQUEST;              \
        m.head.length = length;                                                                    \
        CU_ASSERT_EQUAL(decode_exactly(&m, length), want);                                         \
        m = sample(value);                                                                         \
        CU_ASSERT_EQUAL(decode_exactly(&m, length), want);                                         \
    }
    TMEMCTL_COMMANDS(X)
#undef X
}

static void a_length_that_the_head_does_not_repeat_is_refused(void)
{
    union tmemctl_message m = sample(TMEMCTL_LOG);

    m.head.length = UINT32_MAX;
    CU_ASSERT_EQUAL(decode_exactly(&m, sizeof(m.log)), TMEMIF_BAD_REQUEST);
    m.head.length = sizeof(m.log) + 8;
    CU_ASSERT_EQUAL(decode_exactly(&m, sizeof(m.log)), TMEMIF_BAD_REQUEST);
}

static void an_unknown_command_is_refused(void)
{
    static const uint32_t unknown[] = {0, 7, 15, 33, 255, UINT32_MAX};

    for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        union tmemctl_message m = sample(unknown[i]);

        CU_ASSERT_EQUAL(decode(&m), TMEMIF_BAD_OP);
        CU_ASSERT_STRING_EQUAL(tmemctl_command_name(unknown[i]), "unknown");
    }
}

static void only_a_list_carries_a_cursor(void)
{
#define X(value, name, message, bytes, record, list, change)                                       \
    {                                                                                              \
        union tmemctl_message m = sample(value);                                                   \
        m.head.cursor = 1ull << 40;                                                                \
        CU_ASSERT_EQUAL(decode(&m), (list) ? TMEMIF_OK : TMEMIF_BAD_REQUEST);                      \
    }
    TMEMCTL_COMMANDS(X)
#undef X
}

#define REFUSED(command, change)                                                                   \
    do {                                                                                           \
        union tmemctl_message m = sample(command);                                                 \
        CU_ASSERT_EQUAL(decode(&m), TMEMIF_OK);                                                    \
        change;                                                                                    \
        CU_ASSERT_EQUAL(decode(&m), TMEMIF_BAD_REQUEST);                                           \
    } while (0)

static void every_field_out_of_range_is_refused(void)
{
    REFUSED(TMEMCTL_LIST_MEMBERS, memset(m.shared.uuid, 0, TMEMIF_UUID_LEN));
    REFUSED(TMEMCTL_REMOVE, memset(m.shared.uuid, 0, TMEMIF_UUID_LEN));

    REFUSED(TMEMCTL_SET_GUEST, m.set_guest.guest.kind = 0);
    REFUSED(TMEMCTL_SET_GUEST, m.set_guest.guest.kind = 3);
    REFUSED(TMEMCTL_SET_GUEST, m.set_guest.guest.reserved = 1);
    REFUSED(TMEMCTL_SET_GUEST, m.set_guest.guest.kind = TMEMCTL_LOCAL); /* with a uuid */
    REFUSED(TMEMCTL_SET_GUEST, m.set_guest.policy.weight = 0);
    REFUSED(TMEMCTL_SET_GUEST, m.set_guest.policy.weight = TMEMCTL_MAX_WEIGHT + 1);
    REFUSED(TMEMCTL_SET_GUEST, m.set_guest.policy.weight = UINT32_MAX);
    REFUSED(TMEMCTL_SET_GUEST, m.set_guest.policy.fields = 0);
    REFUSED(TMEMCTL_SET_GUEST, m.set_guest.policy.fields |= 0x10);
    REFUSED(TMEMCTL_SET_GUEST, m.set_guest.policy.fields = TMEMCTL_SET_QUOTA);  /* weight set */
    REFUSED(TMEMCTL_SET_GUEST, m.set_guest.policy.fields = TMEMCTL_SET_WEIGHT); /* quota set */
    REFUSED(TMEMCTL_SET_GUEST, m.set_guest.policy.min_pages = 1);
    REFUSED(TMEMCTL_SET_GUEST, m.set_guest.policy.max_pages = 1);

    REFUSED(TMEMCTL_SET_SHARED, memset(m.set_shared.uuid, 0, TMEMIF_UUID_LEN));
    REFUSED(TMEMCTL_SET_SHARED, m.set_shared.policy.quota_pages = 1);
    REFUSED(TMEMCTL_SET_SHARED, memset(&m.set_shared.policy, 0, sizeof(m.set_shared.policy)));

    REFUSED(TMEMCTL_ALLOW, memset(m.allow.uuid, 0, TMEMIF_UUID_LEN));
    REFUSED(TMEMCTL_ALLOW, m.allow.guest.kind = 0);
    REFUSED(TMEMCTL_ALLOW, m.allow.right = 0);
    REFUSED(TMEMCTL_ALLOW, m.allow.right = 3);
    REFUSED(TMEMCTL_ALLOW, m.allow.reserved = 1);
    REFUSED(TMEMCTL_DENY, m.allow.right = TMEMCTL_RIGHT_READ);

    REFUSED(TMEMCTL_FREEZE, memset(&m.target.guest, 0, sizeof(m.target.guest)));
    REFUSED(TMEMCTL_FREEZE, m.target.uuid[15] = 1); /* a guest and a pool */
    REFUSED(TMEMCTL_THAW, m.target.guest.kind = 0);

    REFUSED(TMEMCTL_LOG, m.log.level = TMEMCTL_LOG_ERROR - 1);
    REFUSED(TMEMCTL_LOG, m.log.level = TMEMCTL_LOG_DEBUG + 1);
    REFUSED(TMEMCTL_LOG, m.log.reserved = 1);
}

static void every_field_of_disks_out_of_range_is_refused(void)
{
    REFUSED(TMEMCTL_BASE_IMPORT, m.base_import.token = 0);
    REFUSED(TMEMCTL_BASE_PAGES, m.base_pages.token = 0);
    REFUSED(TMEMCTL_BASE_PAGES, m.base_pages.count = 1); /* and none is there */
    REFUSED(TMEMCTL_BASE_END, m.base_end.token = 0);
    REFUSED(TMEMCTL_BASE_END, m.base_end.nr_pages = 0);
    REFUSED(TMEMCTL_BASE_END, m.base_end.reserved = 1);
    REFUSED(TMEMCTL_DISK_ADD, m.disk_add.base[0] = 0);
    REFUSED(TMEMCTL_DISK_FREEZE, m.disk_freeze.token = 0);
    REFUSED(TMEMCTL_DISK_FREEZE, m.disk_freeze.name[0] = 0);
    REFUSED(TMEMCTL_DISK_FREEZE, m.disk_freeze.disk.name[1] = 'a'); /* behind the end */
    REFUSED(TMEMCTL_DISK_ROLLBACK, m.disk.disk.domid = 1);          /* by name and by guest */
    REFUSED(TMEMCTL_DISK_ROLLBACK, m.disk.disk.vdev = 1);
    REFUSED(TMEMCTL_DISK_RESIZE, m.disk_resize.disk.vdev = 1);
    REFUSED(TMEMCTL_DISK_RESIZE, m.disk_resize.nr_pages = 0);
    REFUSED(TMEMCTL_DISK_RESIZE, m.disk_resize.reserved = 1);

    REFUSED(TMEMCTL_BASE_REMOVE, m.base.name[0] = 0);
    REFUSED(TMEMCTL_BASE_REMOVE, m.base.name[0] = '.');
    REFUSED(TMEMCTL_BASE_REMOVE, m.base.name[0] = '-');
    REFUSED(TMEMCTL_BASE_REMOVE, m.base.name[1] = '/');
    REFUSED(TMEMCTL_BASE_REMOVE, m.base.name[1] = ':');
    REFUSED(TMEMCTL_BASE_REMOVE, m.base.name[1] = ' ');
    REFUSED(TMEMCTL_BASE_REMOVE, m.base.name[1] = (char)0xe9);
    REFUSED(TMEMCTL_BASE_REMOVE, m.base.name[63] = 'a'); /* behind the end */
    REFUSED(TMEMCTL_BASE_REMOVE, memset(m.base.name, 'a', 64));
}

static void pages_lie_behind_the_message_that_counts_them(void)
{
    struct {
        struct tmemctl_base_pages head;
        uint8_t pages[TMEMCTL_MAX_PAGES + 1][TMEMIF_PAGE_SIZE];
    } *m = calloc(1, sizeof(*m));
    union tmemctl_message out;

    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    for (uint32_t count = 0; count <= TMEMCTL_MAX_PAGES + 1; count++) {
        uint32_t length = (uint32_t)sizeof(m->head) + count * TMEMIF_PAGE_SIZE;

        m->head = sample(TMEMCTL_BASE_PAGES).base_pages;
        m->head.count = count;
        m->head.head.length = length;
        CU_ASSERT_EQUAL(tmemctl_decode(m, length, &out),
                        count <= TMEMCTL_MAX_PAGES ? TMEMIF_OK : TMEMIF_BAD_REQUEST);
        CU_ASSERT_EQUAL(tmemctl_decode(m, length - 1, &out), TMEMIF_BAD_REQUEST);
        m->head.count = count + 1;
        CU_ASSERT_EQUAL(tmemctl_decode(m, length, &out), TMEMIF_BAD_REQUEST);
        m->head.count = count + (1u << 20); /* the same number of bytes in 32 bits */
        CU_ASSERT_EQUAL(tmemctl_decode(m, length, &out), TMEMIF_BAD_REQUEST);
    }
    free(m);
}

static void a_refused_message_changes_nothing(void)
{
    union tmemctl_message m = sample(TMEMCTL_LOG), out, before;

    memset(&out, 0x5a, sizeof(out));
    before = out;
    m.log.level = 99;
    CU_ASSERT_EQUAL(tmemctl_decode(&m, m.head.length, &out), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(memcmp(&out, &before, sizeof(out)), 0);
}

static void freeze_names_a_guest_or_a_pool(void)
{
    union tmemctl_message m = sample(TMEMCTL_FREEZE);

    CU_ASSERT_EQUAL(decode(&m), TMEMIF_OK);
    memset(&m.target.guest, 0, sizeof(m.target.guest));
    m.target.uuid[3] = 1;
    CU_ASSERT_EQUAL(decode(&m), TMEMIF_OK);
}

static void a_reply_must_have_room_for_what_it_counts(void)
{
    struct {
        struct tmemctl_reply head;
        struct tmemctl_member members[2];
    } r = {.head = {.command = TMEMCTL_LIST_MEMBERS,
                    .length = sizeof(r),
                    .cursor = 9,
                    .count = 2,
                    .record_bytes = sizeof(struct tmemctl_member)}};
    struct tmemctl_reply none = {.command = TMEMCTL_LOG, .length = sizeof(none)};

    CU_ASSERT_EQUAL(tmemctl_reply_check(&r, sizeof(r), TMEMCTL_LIST_MEMBERS), TMEMIF_OK);
    CU_ASSERT_EQUAL(tmemctl_reply_check(&r, sizeof(r), TMEMCTL_LIST_POOLS), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(tmemctl_reply_check(&r, sizeof(r), 99), TMEMIF_BAD_REQUEST);
    for (uint32_t length = 0; length < sizeof(r); length++)
        CU_ASSERT_EQUAL(tmemctl_reply_check(&r, length, TMEMCTL_LIST_MEMBERS), TMEMIF_BAD_REQUEST);
    r.head.count = 3;
    CU_ASSERT_EQUAL(tmemctl_reply_check(&r, sizeof(r), TMEMCTL_LIST_MEMBERS), TMEMIF_BAD_REQUEST);
    /* 40 * this wraps to 80 in 32 bits */
    r.head.count = 0x20000002;
    CU_ASSERT_EQUAL(tmemctl_reply_check(&r, sizeof(r), TMEMCTL_LIST_MEMBERS), TMEMIF_BAD_REQUEST);
    r.head.count = 2;
    r.head.record_bytes = 80;
    CU_ASSERT_EQUAL(tmemctl_reply_check(&r, sizeof(r), TMEMCTL_LIST_MEMBERS), TMEMIF_BAD_REQUEST);

    CU_ASSERT_EQUAL(tmemctl_reply_check(&none, sizeof(none), TMEMCTL_LOG), TMEMIF_OK);
    none.count = 1;
    CU_ASSERT_EQUAL(tmemctl_reply_check(&none, sizeof(none), TMEMCTL_LOG), TMEMIF_BAD_REQUEST);
    none.count = 0;
    none.cursor = 1;
    CU_ASSERT_EQUAL(tmemctl_reply_check(&none, sizeof(none), TMEMCTL_LOG), TMEMIF_BAD_REQUEST);
}

#define TESTS(T)                                                                                   \
    T(every_command_is_decoded_to_what_was_sent)                                                   \
    T(a_message_is_these_bytes)                                                                    \
    T(every_command_is_refused_at_every_other_length)                                              \
    T(a_length_that_the_head_does_not_repeat_is_refused)                                           \
    T(an_unknown_command_is_refused)                                                               \
    T(only_a_list_carries_a_cursor)                                                                \
    T(every_field_out_of_range_is_refused)                                                         \
    T(every_field_of_disks_out_of_range_is_refused)                                                \
    T(pages_lie_behind_the_message_that_counts_them)                                               \
    T(a_refused_message_changes_nothing)                                                           \
    T(freeze_names_a_guest_or_a_pool)                                                              \
    T(a_reply_must_have_room_for_what_it_counts)
RUN_TESTS(TESTS)
