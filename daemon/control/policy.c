/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/control/policy.h"

#include <stdlib.h>
#include <string.h>

const struct policy POLICY_DEFAULT = {
    .quota_pages = 0,
    .min_pages = 0,
    .max_pages = PAGES_UNLIMITED,
    .weight = POLICY_WEIGHT_DEFAULT,
};

struct guest_entry {
    struct account_key guest;
    struct policy policy;
};

struct shared_entry {
    uint8_t uuid[TMEMIF_UUID_LEN];
    struct policy policy;
};

struct member_entry {
    uint8_t uuid[TMEMIF_UUID_LEN]; /* of the pool */
    struct account_key guest;
    enum pool_right right;
};

struct frozen_entry {
    struct account_key guest;
    bool frozen;
};

/* Searched from end to end: policy changes at the pace of people. */
struct policy_book {
    struct engine *engine;
    struct policy local_default;
    unsigned nr_guests, nr_shared, nr_members, nr_frozen;
    struct guest_entry guests[POLICY_MAX_GUESTS];
    struct shared_entry shared[POLICY_MAX_SHARED];
    struct member_entry members[POLICY_MAX_MEMBERS];
    struct frozen_entry frozen[POLICY_MAX_FROZEN];
};

struct policy_book *policy_create(struct engine *engine, const struct policy *local_default)
{
    struct policy_book *book = calloc(1, sizeof(*book));

    if (!book)
        return NULL;
    book->engine = engine;
    book->local_default = *local_default;
    return book;
}

void policy_destroy(struct policy_book *book)
{
    free(book);
}

static bool uuid_is_zero(const uint8_t uuid[TMEMIF_UUID_LEN])
{
    static const uint8_t zero[TMEMIF_UUID_LEN];

    return memcmp(uuid, zero, sizeof(zero)) == 0;
}

/*
 * How closely an entry for @entry speaks of @key: 0 not at all, else the more the narrower: its
 * device counts for more than its uuid.
 */
static unsigned closeness(const struct account_key *entry, const struct account_key *key)
{
    bool any_uuid = uuid_is_zero(entry->uuid), any_device = entry->device == POLICY_EVERY_DEVICE;

    if (entry->kind != key->kind || entry->id != key->id)
        return 0;
    if (!any_uuid && memcmp(entry->uuid, key->uuid, TMEMIF_UUID_LEN) != 0)
        return 0;
    if (!any_device && entry->device != key->device)
        return 0;
    return 1u + (any_device ? 0u : 2u) + (any_uuid ? 0u : 1u);
}

/* Narrower than what was found so far, of @closest; which it is from now on. */
static bool is_closer(const struct account_key *entry, const struct account_key *key,
                      unsigned *closest)
{
    unsigned close = closeness(entry, key);

    if (close <= *closest)
        return false;
    *closest = close;
    return true;
}

static const struct policy *default_of(const struct policy_book *book, enum account_kind kind)
{
    return kind == ACCOUNT_LOCAL ? &book->local_default : &POLICY_DEFAULT;
}

struct policy policy_of_guest(const struct policy_book *book, const struct account_key *key)
{
    const struct policy *found = default_of(book, key->kind);
    unsigned closest = 0;

    for (unsigned i = 0; i < book->nr_guests; i++) {
        if (is_closer(&book->guests[i].guest, key, &closest))
            found = &book->guests[i].policy;
    }
    return *found;
}

static enum pool_right right_of_guest(const struct policy_book *book,
                                      const uint8_t uuid[TMEMIF_UUID_LEN],
                                      const struct account_key *key)
{
    enum pool_right found = RIGHT_NONE;
    unsigned closest = 0;

    for (unsigned i = 0; i < book->nr_members; i++) {
        if (memcmp(book->members[i].uuid, uuid, TMEMIF_UUID_LEN) == 0 &&
            is_closer(&book->members[i].guest, key, &closest))
            found = book->members[i].right;
    }
    return found;
}

static bool is_frozen(const struct policy_book *book, const struct account_key *key)
{
    unsigned closest = 0;
    bool found = false;

    for (unsigned i = 0; i < book->nr_frozen; i++) {
        if (is_closer(&book->frozen[i].guest, key, &closest))
            found = book->frozen[i].frozen;
    }
    return found;
}

static void apply_policy(struct policy_book *book, account_nr account,
                         const struct account_key *key)
{
    struct policy policy = policy_of_guest(book, key);

    if (!account_is_guests(key))
        return; /* daemon/blk/ says what it may have */
    engine_account_set_policy(book->engine, account, &policy);
}

void policy_account_opened(struct policy_book *book, account_nr account,
                           const struct account_key *key)
{
    apply_policy(book, account, key);
    engine_account_set_frozen(book->engine, account, is_frozen(book, key));
    for (unsigned i = 0; i < book->nr_members; i++) {
        const uint8_t *uuid = book->members[i].uuid;

        /* TOO_MANY leaves the guest without a right: it is told NOT_ALLOWED when it joins */
        if (closeness(&book->members[i].guest, key))
            (void)engine_shared_allow(book->engine, uuid, key, right_of_guest(book, uuid, key));
    }
}

/* Give every account what now holds for it; those that the change missed get what they had. */
static void apply(struct policy_book *book)
{
    uint32_t cursor = 0;
    struct account_key key;
    account_nr account;

    while (engine_account_next(book->engine, &cursor, &account, &key))
        apply_policy(book, account, &key);
}

static void change(struct policy *policy, unsigned fields, const struct policy *to)
{
    if (fields & POLICY_QUOTA)
        policy->quota_pages = to->quota_pages;
    if (fields & POLICY_MIN)
        policy->min_pages = to->min_pages;
    if (fields & POLICY_MAX)
        policy->max_pages = to->max_pages;
    if (fields & POLICY_WEIGHT)
        policy->weight = to->weight;
}

static struct guest_entry *find_guest(struct policy_book *book, const struct account_key *guest)
{
    for (unsigned i = 0; i < book->nr_guests; i++) {
        if (account_key_is(&book->guests[i].guest, guest))
            return &book->guests[i];
    }
    return NULL;
}

enum tmemif_status policy_set_guest(struct policy_book *book, const struct account_key *guest,
                                    unsigned fields, const struct policy *policy)
{
    struct guest_entry *entry = find_guest(book, guest);

    if (!entry) {
        if (book->nr_guests == POLICY_MAX_GUESTS)
            return TMEMIF_TOO_MANY;
        entry = &book->guests[book->nr_guests];
        /* what this entry leaves open stays as the wider one, or the default, has it */
        *entry = (struct guest_entry){.guest = *guest, .policy = policy_of_guest(book, guest)};
        book->nr_guests++;
    }
    change(&entry->policy, fields, policy);
    apply(book);
    return TMEMIF_OK;
}

void policy_forget_guest(struct policy_book *book, const struct account_key *guest)
{
    struct guest_entry *entry = find_guest(book, guest);

    if (!entry)
        return;
    *entry = book->guests[--book->nr_guests];
    apply(book);
}

static bool give_frozen(struct policy_book *book, const struct account_key *guest, bool frozen)
{
    bool any = false;
    uint32_t cursor = 0;
    struct account_key key;
    account_nr account;

    while (engine_account_next(book->engine, &cursor, &account, &key)) {
        if (!closeness(guest, &key))
            continue;
        engine_account_set_frozen(book->engine, account, frozen);
        any = true;
    }
    return any;
}

/* What was said of one of its attachments does not hold any more. */
enum tmemif_status policy_set_frozen(struct policy_book *book, const struct account_key *guest,
                                     bool frozen)
{
    if (book->nr_frozen == POLICY_MAX_FROZEN)
        return TMEMIF_TOO_MANY;
    if (!give_frozen(book, guest, frozen))
        return TMEMIF_NOT_FOUND;
    for (unsigned i = book->nr_frozen; i-- > 0;) {
        if (closeness(guest, &book->frozen[i].guest))
            book->frozen[i] = book->frozen[--book->nr_frozen];
    }
    if (is_frozen(book, guest) != frozen)
        book->frozen[book->nr_frozen++] = (struct frozen_entry){*guest, frozen};
    return TMEMIF_OK;
}

static struct shared_entry *find_shared(struct policy_book *book,
                                        const uint8_t uuid[TMEMIF_UUID_LEN])
{
    for (unsigned i = 0; i < book->nr_shared; i++) {
        if (memcmp(book->shared[i].uuid, uuid, TMEMIF_UUID_LEN) == 0)
            return &book->shared[i];
    }
    return NULL;
}

enum tmemif_status policy_set_shared(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                                     unsigned fields, const struct policy *policy)
{
    struct shared_entry *entry = find_shared(book, uuid);
    struct policy to = entry ? entry->policy : POLICY_DEFAULT;
    enum tmemif_status rc;

    if (!entry && book->nr_shared == POLICY_MAX_SHARED)
        return TMEMIF_TOO_MANY;
    change(&to, fields, policy);
    rc = engine_shared_set_policy(book->engine, uuid, &to);
    if (rc)
        return rc;

    if (!entry) {
        entry = &book->shared[book->nr_shared++];
        memcpy(entry->uuid, uuid, TMEMIF_UUID_LEN);
    }
    entry->policy = to;
    return TMEMIF_OK;
}

/* ---- members of shared pools ---- */

static struct member_entry *find_member(struct policy_book *book,
                                        const uint8_t uuid[TMEMIF_UUID_LEN],
                                        const struct account_key *guest)
{
    for (unsigned i = 0; i < book->nr_members; i++) {
        if (account_key_is(&book->members[i].guest, guest) &&
            memcmp(book->members[i].uuid, uuid, TMEMIF_UUID_LEN) == 0)
            return &book->members[i];
    }
    return NULL;
}

/*
 * Give the engine what now holds for everybody of whom @guest speaks: accounts that are open,
 * and those that were and are still on its list.
 */
static enum tmemif_status apply_right(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                                      const struct account_key *guest)
{
    enum tmemif_status rc = TMEMIF_OK;
    struct account_key key;
    enum pool_right right;
    account_nr account;
    uint32_t cursor = 0;
    bool joined;

    while (engine_member_next(book->engine, uuid, &cursor, &key, &right, &joined)) {
        if (closeness(guest, &key))
            (void)engine_shared_allow(book->engine, uuid, &key, right_of_guest(book, uuid, &key));
    }
    cursor = 0;
    while (rc == TMEMIF_OK && engine_account_next(book->engine, &cursor, &account, &key)) {
        enum pool_right now =
            closeness(guest, &key) ? right_of_guest(book, uuid, &key) : RIGHT_NONE;

        if (now != RIGHT_NONE)
            rc = engine_shared_allow(book->engine, uuid, &key, now);
    }
    return rc;
}

enum tmemif_status policy_allow(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                                const struct account_key *guest, enum pool_right right)
{
    struct member_entry *entry = find_member(book, uuid, guest), before;
    enum tmemif_status rc;

    if (right == RIGHT_NONE) {
        if (entry)
            *entry = book->members[--book->nr_members];
        return apply_right(book, uuid, guest);
    }

    /* the pool has a policy from its first member on, be it the default */
    if (!find_shared(book, uuid)) {
        rc = policy_set_shared(book, uuid, 0, &POLICY_DEFAULT);
        if (rc)
            return rc;
    }
    if (!entry) {
        if (book->nr_members == POLICY_MAX_MEMBERS)
            return TMEMIF_TOO_MANY;
        entry = &book->members[book->nr_members++];
        *entry = (struct member_entry){.guest = *guest, .right = RIGHT_NONE};
        memcpy(entry->uuid, uuid, TMEMIF_UUID_LEN);
    }
    before = *entry;
    entry->right = right;
    rc = apply_right(book, uuid, guest);
    if (rc) {
        *entry = before;
        if (before.right == RIGHT_NONE)
            *entry = book->members[--book->nr_members];
        (void)apply_right(book, uuid, guest);
    }
    return rc;
}

bool policy_forget_shared(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN])
{
    struct shared_entry *shared = find_shared(book, uuid);
    bool known = shared != NULL;

    for (unsigned i = book->nr_members; i-- > 0;) {
        struct account_key guest = book->members[i].guest;

        if (memcmp(book->members[i].uuid, uuid, TMEMIF_UUID_LEN) != 0)
            continue;
        book->members[i] = book->members[--book->nr_members];
        (void)apply_right(book, uuid, &guest);
        known = true;
    }
    if (shared)
        *shared = book->shared[--book->nr_shared];
    return known;
}

/* Is somebody of whom @guest speaks on the engine's list? */
static bool is_listed(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                      const struct account_key *guest)
{
    struct account_key key;
    enum pool_right right;
    uint32_t cursor = 0;
    bool joined;

    while (engine_member_next(book->engine, uuid, &cursor, &key, &right, &joined)) {
        if (closeness(guest, &key))
            return true;
    }
    return false;
}

/* The next entry of the book for the pool that speaks of nobody on the engine's list. */
static bool unlisted_next(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                          uint32_t *cursor, struct account_key *guest_out,
                          enum pool_right *right_out)
{
    while (*cursor < book->nr_members) {
        const struct member_entry *entry = &book->members[(*cursor)++];

        if (memcmp(entry->uuid, uuid, TMEMIF_UUID_LEN) != 0 || is_listed(book, uuid, &entry->guest))
            continue;
        *guest_out = entry->guest;
        *right_out = entry->right;
        return true;
    }
    return false;
}

/* Three lists, one behind the other; the cursor of the second and third begins at these. */
#define CURSOR_BOOK   (1u << 31)
#define CURSOR_DENIED (3u << 30)

bool policy_member_next(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                        uint32_t *cursor, struct account_key *guest_out, enum pool_right *right_out,
                        bool *joined_out)
{
    uint32_t at;

    if (*cursor < CURSOR_BOOK) {
        if (engine_member_next(book->engine, uuid, cursor, guest_out, right_out, joined_out))
            return true;
        *cursor = CURSOR_BOOK;
    }
    if (*cursor < CURSOR_DENIED) {
        at = *cursor - CURSOR_BOOK;
        *joined_out = false;
        if (unlisted_next(book, uuid, &at, guest_out, right_out)) {
            *cursor = CURSOR_BOOK + at;
            return true;
        }
        *cursor = CURSOR_DENIED;
    }
    at = *cursor - CURSOR_DENIED;
    *right_out = RIGHT_NONE;
    *joined_out = engine_denied_next(book->engine, uuid, &at, guest_out);
    *cursor = CURSOR_DENIED + at;
    return *joined_out;
}
