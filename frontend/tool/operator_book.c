/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/operator_book.h"

#include <stdlib.h>
#include <string.h>

struct book_guest *book_find_guest(const struct book *book, const uint8_t uuid[16], uint32_t device)
{
    for (unsigned i = 0; i < book->nr_guests; i++) {
        if (book->guests[i].device == device && memcmp(book->guests[i].uuid, uuid, 16) == 0)
            return &book->guests[i];
    }
    return NULL;
}

struct book_shared *book_find_shared(const struct book *book, const uint8_t uuid[16])
{
    for (unsigned i = 0; i < book->nr_shared; i++) {
        if (memcmp(book->shared[i].uuid, uuid, 16) == 0)
            return &book->shared[i];
    }
    return NULL;
}

/* Room for one more of @size bytes; the array's address, moved or not, or NULL. */
static void *grow(void *array, unsigned nr, size_t size)
{
    return nr < BOOK_MAX ? reallocarray(array, nr + 1, size) : NULL;
}

struct book_guest *book_add_guest(struct book *book, const uint8_t uuid[16], uint32_t device)
{
    struct book_guest *guest = book_find_guest(book, uuid, device), *guests;

    if (guest)
        return guest;
    guests = grow(book->guests, book->nr_guests, sizeof(*guests));
    if (!guests)
        return NULL;
    book->guests = guests;
    guest = &guests[book->nr_guests++];
    *guest = (struct book_guest){.device = device, .grant = GRANT_DEFAULT};
    memcpy(guest->uuid, uuid, 16);
    return guest;
}

struct book_shared *book_add_shared(struct book *book, const uint8_t uuid[16])
{
    struct book_shared *shared = book_find_shared(book, uuid), *all;

    if (shared)
        return shared;
    all = grow(book->shared, book->nr_shared, sizeof(*all));
    if (!all)
        return NULL;
    book->shared = all;
    shared = &all[book->nr_shared++];
    *shared = (struct book_shared){.grant = GRANT_DEFAULT};
    memcpy(shared->uuid, uuid, 16);
    return shared;
}

void book_deny_guest(struct book_shared *shared, const uint8_t guest[16])
{
    for (unsigned i = 0; i < shared->nr_allow; i++) {
        if (memcmp(shared->allow[i].guest, guest, 16) == 0) {
            shared->allow[i] = shared->allow[--shared->nr_allow];
            return;
        }
    }
}

bool book_forget_guest(struct book *book, const uint8_t uuid[16], const uint32_t *device)
{
    unsigned nr = 0;
    bool found;

    for (unsigned i = 0; i < book->nr_guests; i++) {
        const struct book_guest *guest = &book->guests[i];

        if (memcmp(guest->uuid, uuid, 16) || (device && *device != guest->device))
            book->guests[nr++] = *guest;
    }
    found = nr < book->nr_guests;
    book->nr_guests = nr;
    for (unsigned i = 0; !device && i < book->nr_shared; i++) {
        unsigned before = book->shared[i].nr_allow;

        book_deny_guest(&book->shared[i], uuid);
        found = found || book->shared[i].nr_allow < before;
    }
    return found;
}

bool book_allow_guest(struct book_shared *shared, const uint8_t guest[16], bool fill)
{
    struct book_allow *allow = grow(shared->allow, shared->nr_allow, sizeof(*allow));

    if (!allow)
        return false;
    shared->allow = allow;
    book_deny_guest(shared, guest);
    allow = &shared->allow[shared->nr_allow++];
    memcpy(allow->guest, guest, 16);
    allow->fill = fill;
    return true;
}

void book_remove_shared(struct book *book, const uint8_t uuid[16])
{
    struct book_shared *shared = book_find_shared(book, uuid);

    if (!shared)
        return;
    free(shared->allow);
    *shared = book->shared[--book->nr_shared];
}

void book_clear(struct book *book)
{
    for (unsigned i = 0; i < book->nr_shared; i++)
        free(book->shared[i].allow);
    free(book->shared);
    free(book->guests);
    book->shared = NULL;
    book->guests = NULL;
    book->nr_shared = book->nr_guests = 0;
}
