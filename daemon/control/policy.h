/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy.h - what the operator has granted, whoever brings the news and whenever.
 *
 * Policy comes from xenstore nodes, from control messages, and from the
 * daemon's options (the default for local clients). It may come before the
 * guest does. This book keeps it and gives it to the engine as soon as there
 * is an account for it.
 *
 *   nodes, messages --> policy_set_guest() --+--> accounts there are
 *                                            '--> book --> policy_account_opened()
 *
 * The latest word holds for every attachment of which it speaks, be it one device
 * or every one: what was said before of any of them, about the same, is void. Where nothing was
 * said, the default of its kind holds. Defaults of a Xen guest, and of a shared pool, are
 * POLICY_DEFAULT: no persistent page, no reserve, no maximum, weight 256.
 *
 * Control thread only.
 */
#ifndef XTM_CONTROL_POLICY_H
#define XTM_CONTROL_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/control/words.h"
#include "daemon/engine/account.h"
#include "daemon/engine/engine.h"

#define POLICY_WEIGHT_DEFAULT 256u
extern const struct policy POLICY_DEFAULT;

/* Entries that the book holds; a guest has more than one if its fields were not set at one time. */
#define POLICY_MAX_GUESTS  4096u
#define POLICY_MAX_SHARED  1024u
#define POLICY_MAX_MEMBERS 8192u /* of all shared pools together */
#define POLICY_MAX_FROZEN  4096u

/* Which fields of a policy are to be changed; the values of protocol/control.h. */
#define POLICY_QUOTA  0x1u
#define POLICY_MIN    0x2u
#define POLICY_MAX    0x4u
#define POLICY_WEIGHT 0x8u
#define POLICY_ALL    0xfu

struct policy_book;

/*
 * @local_default holds for local clients without an entry. Accounts and pools that @engine has
 * found are given their defaults at once. NULL: no memory.
 */
struct policy_book *policy_create(struct engine *engine, const struct policy *local_default);
void policy_destroy(struct policy_book *book);

/*
 * Change @fields of the policy of @guest, and of each of its devices if that is every one. What was
 * never set is at its default. A key whose uuid is zero fits every guest with that id. Accounts
 * that the guest has are given it at once. TOO_MANY: the book is full, nothing has changed.
 */
enum tmemif_status policy_set_guest(struct policy_book *book, const struct account_key *guest,
                                    unsigned fields, const struct policy *policy);
/*
 * A node is gone: what was said of @guest in these words is void. What was said of more holds for
 * it from now on, else the default.
 */
void policy_forget_guest(struct policy_book *book, const struct account_key *guest);
/* What holds for a guest with @key. */
struct policy policy_of_guest(const struct policy_book *book, const struct account_key *key);

/*
 * Freeze a guest that has an account, one device or every one, or thaw it; for the attachments that
 * it makes later, too, with whatever domid if its uuid is given. NOT_FOUND: it has none; TOO_MANY:
 * the book is full. Nothing has changed then.
 */
enum tmemif_status policy_set_frozen(struct policy_book *book, const struct account_key *guest,
                                     bool frozen);

/* An account was opened, or found again: struct control_ops.account_opened. */
void policy_account_opened(struct policy_book *book, account_nr account,
                           const struct account_key *key);

/* The same for a shared pool, which need not exist. TOO_MANY: the book or the engine's table. */
enum tmemif_status policy_set_shared(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                                     unsigned fields, const struct policy *policy);

/*
 * Let @guest, one device or every one, join the shared pool with @right, which is not RIGHT_NONE;
 * or deny it that. It holds at once for whoever has joined. TOO_MANY: the book or the engine's
 * table is full, nothing has changed; a denial needs an entry only where a word that stays gives a
 * right.
 */
enum tmemif_status policy_allow(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                                const struct account_key *guest, enum pool_right right);
enum tmemif_status policy_deny(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                               const struct account_key *guest);
/*
 * A node is gone, which is no denial: what policy_allow() said of @guest in these words is void.
 * What policy_deny() said stays, and so do all words of more or of less than that, also one that
 * said the same when it was said.
 */
void policy_forget_member(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                          const struct account_key *guest);

/* What holds for it; the default if nothing was said. */
struct policy policy_of_shared(const struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN]);

/* Nobody is allowed any more, defaults hold. False: the book had no word of this pool. */
bool policy_forget_shared(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN]);

/*
 * Who may join: attachments there are or were, each with its own right, then those of
 * policy_allow() that never attached, then those that have joined and were denied since, with
 * RIGHT_NONE. Call with *cursor = 0 until false.
 */
bool policy_member_next(struct policy_book *book, const uint8_t uuid[TMEMIF_UUID_LEN],
                        uint32_t *cursor, struct account_key *guest_out, enum pool_right *right_out,
                        bool *joined_out);

#endif /* XTM_CONTROL_POLICY_H */
