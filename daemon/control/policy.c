/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/control/policy.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/control/words.h"

const struct policy POLICY_DEFAULT = {
    .quota_pages = 0,
    .min_pages = 0,
    .max_pages = PAGES_UNLIMITED,
    .weight = POLICY_WEIGHT_DEFAULT,
};

/* In the order of time; each says something of @fields of whoever its key covers. */
struct guest_entry {
    struct account_key guest;
    unsigned fields;
    struct policy policy;
};

struct shared_entry {
    uint8_t uuid[TMEMIF_UUID_LEN];
    struct policy policy;
};

/* Searched from end to end: policy changes at the pace of people. */
struct policy_book {
    struct engine *engine;
    struct policy local_default;
    unsigned nr_guests, nr_shared;
    struct guest_entry guests[POLICY_MAX_GUESTS];
    struct shared_entry shared[POLICY_MAX_SHARED];
    struct words members; /* a pool_right; RIGHT_NONE where something wider gives one */
    struct words frozen;  /* whether it is */
    struct word member_words[POLICY_MAX_MEMBERS];
    struct word frozen_words[POLICY_MAX_FROZEN];
};

void policy_destroy(struct policy_book *book)
{
    free(book);
}

static const struct policy *default_of(const struct policy_book *book, enum account_kind kind)
{
    return kind == ACCOUNT_LOCAL ? &book->local_default : &POLICY_DEFAULT;
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

struct policy policy_of_guest(const struct policy_book *book, const struct account_key *key)
{
    struct policy policy = *default_of(book, key->kind);

    for (unsigned i = 0; i < book->nr_guests; i++) {
        const struct guest_entry *entry = &book->guests[i];

        if (key_covers(&entry->guest, key))
            change(&policy, entry->fields, &entry->policy);
    }
    return policy;
}

static enum pool_right right_of_guest(const struct policy_book *book,
                                      const uint8_t uuid[TMEMIF_UUID_LEN],
                                      const struct account_key *key)
{
    return (enum pool_right)words_value(&book->members, uuid, key);
}

static void apply_policy(struct policy_book *book, account_nr account,
                         const struct account_key *key)
{
    struct policy policy = policy_of_guest(book, key);

    if (!account_is_guests(key))
        return; /* daemon/blk/ says what it may have */
    engine_account_set_policy(book->engine, account, &policy);
}

/* Of no domain. */
#define ANY_DOMID UINT32_MAX

/* A freeze is about no pool. */
static const uint8_t NO_POOL[TMEMIF_UUID_LEN];

/*
 * Whom a freeze of @key is about: a guest of a uuid under any domid, as a reboot ends none. One
 * that has none, as dom0, is its domid; and local clients are their user.
 */
static struct account_key key_of_freeze(const struct account_key *key)
{
    struct account_key lasting = *key;

    if (key->kind == ACCOUNT_XEN && !uuid_is_zero(key->uuid))
        lasting.id = ANY_DOMID;
    return lasting;
}

void policy_account_opened(struct policy_book *book, account_nr account,
                           const struct account_key *key)
{
    const struct account_key frozen = key_of_freeze(key);

    apply_policy(book, account, key);
    engine_account_set_frozen(book->engine, account, words_value(&book->frozen, NO_POOL, &frozen));
    for (unsigned i = 0; i < book->members.nr; i++) {
        const uint8_t *uuid = book->members.at[i].pool;

        /* TOO_MANY leaves the guest without a right: it is told NOT_ALLOWED when it joins */
        if (key_covers(&book->members.at[i].guest, key))
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

/* Nothing was said of them yet. */
static void apply_to_pools(struct policy_book *book)
{
    struct pool_stats stats;
    uint32_t cursor = 0;

    while (engine_pool_next(book->engine, &cursor, &stats)) {
        if (stats.account == LAYOUT_NONE)
            (void)engine_shared_set_policy(book->engine, stats.info.uuid, &POLICY_DEFAULT);
    }
}

struct policy_book *policy_create(struct engine *engine, const struct policy *local_default)
{
    struct policy_book *book = calloc(1, sizeof(*book));

    if (!book)
        return NULL;
    book->engine = engine;
    book->local_default = *local_default;
    book->members = (struct words){.at = book->member_words, .max = POLICY_MAX_MEMBERS};
    book->frozen = (struct words){.at = book->frozen_words, .max = POLICY_MAX_FROZEN};
    apply(book);
    apply_to_pools(book);
    return book;
}

/*
 * The entry in which @fields of @guest can be changed: the last one with its key, unless a later
 * one that is not narrower would still decide on one of them.
 */
static struct guest_entry *find_guest(struct policy_book *book, const struct account_key *guest,
                                      unsigned fields)
{
    for (unsigned i = book->nr_guests; i-- > 0;) {
        struct guest_entry *entry = &book->guests[i];

        if (account_key_is(&entry->guest, guest))
            return entry;
        if ((entry->fields & fields) && key_meets(&entry->guest, guest) &&
            !key_covers(guest, &entry->guest))
            return NULL;
    }
    return NULL;
}

/* Is there an entry that is left with no field? */
static bool loses_one(const struct policy_book *book, const struct account_key *guest,
                      unsigned fields)
{
    for (unsigned i = 0; i < book->nr_guests; i++) {
        if (key_covers(guest, &book->guests[i].guest) && !(book->guests[i].fields & ~fields))
            return true;
    }
    return false;
}

/* Nothing that was said before on @fields of one of its attachments holds any more. */
static void take_fields(struct policy_book *book, const struct account_key *guest, unsigned fields)
{
    unsigned nr = 0;

    for (unsigned i = 0; i < book->nr_guests; i++) {
        struct guest_entry entry = book->guests[i];

        if (key_covers(guest, &entry.guest))
            entry.fields &= ~fields;
        if (entry.fields)
            book->guests[nr++] = entry;
    }
    book->nr_guests = nr;
}

enum tmemif_status policy_set_guest(struct policy_book *book, const struct account_key *guest,
                                    unsigned fields, const struct policy *policy)
{
    struct guest_entry *entry;

    if (book->nr_guests == POLICY_MAX_GUESTS && !find_guest(book, guest, fields) &&
        !loses_one(book, guest, fields))
        return TMEMIF_TOO_MANY;
    take_fields(book, guest, fields);
    entry = find_guest(book, guest, fields);
    if (!entry) {
        entry = &book->guests[book->nr_guests++];
        *entry = (struct guest_entry){.guest = *guest};
    }
    entry->fields |= fields;
    change(&entry->policy, fields, policy);
    apply(book);
    return TMEMIF_OK;
}

void policy_forget_guest(struct policy_book *book, const struct account_key *guest)
{
    unsigned nr = 0;

    for (unsigned i = 0; i < book->nr_guests; i++) {
        if (!account_key_is(&book->guests[i].guest, guest))
            book->guests[nr++] = book->guests[i];
    }
    if (nr == book->nr_guests)
        return;
    book->nr_guests = nr;
    apply(book);
}

/* A message that names no uuid is about who has that domid now. */
static struct account_key key_to_freeze(const struct policy_book *book,
                                        const struct account_key *guest)
{
    struct account_key named = *guest, key;
    uint32_t cursor = 0;
    account_nr account;

    while (uuid_is_zero(named.uuid) && engine_account_next(book->engine, &cursor, &account, &key)) {
        if (key_covers(guest, &key))
            memcpy(named.uuid, key.uuid, sizeof(named.uuid));
    }
    return key_of_freeze(&named);
}

static bool give_frozen(struct policy_book *book, const struct account_key *guest, bool frozen)
{
    bool any = false;
    uint32_t cursor = 0;
    struct account_key key;
    account_nr account;

    while (engine_account_next(book->engine, &cursor, &account, &key)) {
        const struct account_key lasting = key_of_freeze(&key);

        if (!key_covers(guest, &lasting))
            continue;
        engine_account_set_frozen(book->engine, account, frozen);
        any = true;
    }
    return any;
}

static bool was_frozen(const struct policy_book *book, const struct account_key *guest)
{
    for (unsigned i = 0; i < book->frozen.nr; i++) {
        if (key_meets(&book->frozen.at[i].guest, guest))
            return true;
    }
    return false;
}

enum tmemif_status policy_set_frozen(struct policy_book *book, const struct account_key *guest,
                                     bool frozen)
{
    struct word word = {.guest = key_to_freeze(book, guest), .value = frozen};

    if (!words_have_room(&book->frozen, &word))
        return TMEMIF_TOO_MANY;
    /* a guest that is gone for good can be thawed, or its word would stay */
    if (!give_frozen(book, &word.guest, frozen) && (frozen || !was_frozen(book, &word.guest)))
        return TMEMIF_NOT_FOUND;
    words_add(&book->frozen, &word);
    return TMEMIF_OK;
}

static const struct shared_entry *shared_of(const struct policy_book *book,
                                            const uint8_t uuid[TMEMIF_UUID_LEN])
{
    for (unsigned i = 0; i < book->nr_shared; i++) {
        if (memcmp(book->shared[i].uuid, uuid, TMEMIF_UUID_LEN) == 0)
            return &book->shared[i];
    }
    return NULL;
}

static struct shared_entry *find_shared(struct policy_book *book,
                                        const uint8_t uuid[TMEMIF_UUID_LEN])
{
    const struct shared_entry *entry = shared_of(book, uuid);

    return entry ? &book->shared[entry - book->shared] : NULL;
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

struct policy policy_of_shared(const struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN])
{
    const struct shared_entry *entry = shared_of(book, uuid);

    return entry ? entry->policy : POLICY_DEFAULT;
}

/* ---- members of shared pools ---- */

/* Is somebody of whom @guest speaks on the engine's list? */
static bool is_listed(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                      const struct account_key *guest)
{
    struct account_key key;
    enum pool_right right;
    uint32_t cursor = 0;
    bool joined;

    while (engine_member_next(book->engine, uuid, &cursor, &key, &right, &joined)) {
        if (key_covers(guest, &key))
            return true;
    }
    return false;
}

/*
 * Give everybody on the engine's list of whom @guest speaks what now holds for it. They have their
 * places, so this cannot fail.
 */
static void apply_right(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                        const struct account_key *guest)
{
    struct account_key key;
    enum pool_right right;
    uint32_t cursor = 0;
    bool joined;

    while (engine_member_next(book->engine, uuid, &cursor, &key, &right, &joined)) {
        if (key_covers(guest, &key))
            (void)engine_shared_allow(book->engine, uuid, &key, right_of_guest(book, uuid, &key));
    }
}

/*
 * Put the accounts that @guest has on the engine's list, with @right. Who is on it already has to
 * wait until nothing can fail: a right that is lost and given back costs the pool its content. On
 * failure everybody has what the book says.
 */
static enum tmemif_status list_accounts(struct policy_book *book,
                                        const uint8_t uuid[TMEMIF_UUID_LEN],
                                        const struct account_key *guest, enum pool_right right)
{
    enum tmemif_status rc = TMEMIF_OK;
    struct account_key key;
    account_nr account;
    uint32_t cursor = 0;

    while (rc == TMEMIF_OK && engine_account_next(book->engine, &cursor, &account, &key)) {
        if (key_covers(guest, &key) && !is_listed(book, uuid, &key))
            rc = engine_shared_allow(book->engine, uuid, &key, right);
    }
    if (rc)
        apply_right(book, uuid, guest);
    return rc;
}

/*
 * The same, and a pool has a policy from its first member on, be it the default. Its members are
 * listed first, so that what can fail comes before what would have to be undone; until it has the
 * policy, nothing that they put is taken.
 */
static enum tmemif_status list_with_policy(struct policy_book *book,
                                           const uint8_t uuid[TMEMIF_UUID_LEN],
                                           const struct account_key *guest, enum pool_right right)
{
    enum tmemif_status rc;

    if (find_shared(book, uuid))
        return list_accounts(book, uuid, guest, right);
    if (book->nr_shared == POLICY_MAX_SHARED)
        return TMEMIF_TOO_MANY;
    rc = list_accounts(book, uuid, guest, right);
    if (rc == TMEMIF_OK) /* who is listed has given it its place in the engine */
        rc = policy_set_shared(book, uuid, 0, &POLICY_DEFAULT);
    if (rc)
        engine_shared_forget(book->engine, uuid);
    return rc;
}

enum tmemif_status policy_allow(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                                const struct account_key *guest, enum pool_right right)
{
    struct word word = {.guest = *guest, .value = right};
    enum tmemif_status rc;

    memcpy(word.pool, uuid, TMEMIF_UUID_LEN);
    if (!words_have_room(&book->members, &word))
        return TMEMIF_TOO_MANY;
    rc = list_with_policy(book, uuid, guest, right);
    if (rc)
        return rc;
    words_add(&book->members, &word);
    apply_right(book, uuid, guest);
    return TMEMIF_OK;
}

enum tmemif_status policy_deny(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                               const struct account_key *guest)
{
    struct word word = {.guest = *guest, .value = RIGHT_NONE};

    memcpy(word.pool, uuid, TMEMIF_UUID_LEN);
    if (!words_have_room(&book->members, &word))
        return TMEMIF_TOO_MANY;
    words_add(&book->members, &word);
    apply_right(book, uuid, guest);
    return TMEMIF_OK;
}

void policy_forget_member(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                          const struct account_key *guest)
{
    for (unsigned i = 0; i < book->members.nr; i++) {
        const struct word *word = &book->members.at[i];

        if (word->value == RIGHT_NONE || !account_key_is(&word->guest, guest) ||
            memcmp(word->pool, uuid, TMEMIF_UUID_LEN) != 0)
            continue;
        words_drop(&book->members, i);
        apply_right(book, uuid, guest);
        return; /* words that a later one covers are gone: there is one of a key at most */
    }
}

bool policy_forget_shared(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN])
{
    struct shared_entry *shared = find_shared(book, uuid);
    bool known = shared != NULL;
    unsigned i = 0;

    /* the earliest first: nobody gets for a while what a later word has taken back */
    while (i < book->members.nr) {
        struct account_key guest = book->members.at[i].guest;

        if (memcmp(book->members.at[i].pool, uuid, TMEMIF_UUID_LEN) != 0) {
            i++;
            continue;
        }
        words_drop(&book->members, i);
        apply_right(book, uuid, &guest);
        known = true;
    }
    if (shared)
        *shared = book->shared[--book->nr_shared];
    return known;
}

/* The next entry of the book for the pool that gives a right, to nobody on the engine's list. */
static bool unlisted_next(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                          uint32_t *cursor, struct account_key *guest_out,
                          enum pool_right *right_out)
{
    while (*cursor < book->members.nr) {
        const struct word *word = &book->members.at[(*cursor)++];

        if (word->value == RIGHT_NONE || memcmp(word->pool, uuid, TMEMIF_UUID_LEN) != 0 ||
            is_listed(book, uuid, &word->guest))
            continue;
        *guest_out = word->guest;
        *right_out = (enum pool_right)word->value;
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
