/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/operator_subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool find_user(struct subject *subject_out, const char *text, char why_out[XEN_WHY_LEN])
{
    struct subject s = {.kind = SUBJECT_LOCAL, .device = TMEMCTL_EVERY_DEVICE};
    const char *slash = strchr(text, '/');
    char digits[16] = "";
    uint64_t uid, device;

    if (slash && text_to_number(slash + 1, UINT32_MAX - 1, &device))
        s.device = (uint32_t)device;
    else if (slash)
        text = "";
    if (strcspn(text, "/") < sizeof(digits))
        memcpy(digits, text, strcspn(text, "/"));
    if (!text_to_number(digits, UINT32_MAX, &uid)) {
        snprintf(why_out, XEN_WHY_LEN, "a user is named by number: uid:1000, or uid:1000/2");
        return false;
    }
    s.uid = (uint32_t)uid;
    *subject_out = s;
    return true;
}

/* Does a guest of this UUID run? Then it is the newest domain that has it. */
static void find_running(struct subject *s, struct xs_handle *xs)
{
    unsigned nr = 0;
    struct domain *domains = xs ? domains_read(xs, &nr) : NULL;

    for (unsigned i = 0; domains && i < nr; i++) {
        if (domain_is_guest(&domains[i], s->uuid) &&
            (s->domain.domid == DOMID_NONE || domains[i].domid > s->domain.domid))
            s->domain = domains[i];
    }
    free(domains);
}

static bool find_uuid(struct subject *subject_out, const uint8_t uuid[16], struct xs_handle *xs,
                      const struct book *book, char why_out[XEN_WHY_LEN])
{
    static const uint8_t zero[16];
    struct subject s = {
        .kind = SUBJECT_POOL, .domain = {.domid = DOMID_NONE}, .device = TMEMCTL_EVERY_DEVICE};

    memcpy(s.uuid, uuid, 16);
    for (unsigned i = 0; book && i < book->nr_guests; i++) {
        if (memcmp(book->guests[i].uuid, uuid, 16))
            continue;
        s.kind = SUBJECT_XEN;
        memcpy(s.domain.uuid, uuid, 16);
        memcpy(s.domain.name, book->guests[i].name, sizeof(s.domain.name));
        find_running(&s, xs);
        break;
    }
    if (s.kind == SUBJECT_POOL && memcmp(uuid, zero, 16) == 0) {
        snprintf(why_out, XEN_WHY_LEN, "the UUID of a shared pool is not zero");
        return false;
    }
    *subject_out = s;
    return true;
}

_Static_assert(BOOK_NAME_LEN == XEN_NAME_LEN, "names are copied whole");

/* A name of several guests: @why_out says their UUIDs, as many as it has room for. */
static void explain_several(const char *name, const struct book *book, char why_out[XEN_WHY_LEN])
{
    const uint8_t *last = NULL;
    char text[TEXT_UUID_LEN];
    int length =
        snprintf(why_out, XEN_WHY_LEN,
                 "no guest named %s runs, and the policy file has several; say which UUID:", name);

    for (unsigned i = 0; i < book->nr_guests; i++) {
        const struct book_guest *guest = &book->guests[i];

        /* attachments of one guest are most often one behind the other */
        if (strcmp(guest->name, name) || (last && memcmp(last, guest->uuid, 16) == 0))
            continue;
        last = guest->uuid;
        text_of_uuid(text, last);
        if ((size_t)length + 1 + TEXT_UUID_LEN <= XEN_WHY_LEN)
            length += snprintf(why_out + length, XEN_WHY_LEN - (size_t)length, " %s", text);
    }
}

/*
 * A guest that does not run is known by the name it was attached under. So is one that runs under
 * another name, renamed or on its way in.
 */
static bool find_in_book(struct subject *subject_out, const char *name, struct xs_handle *xs,
                         const struct book *book, char why_out[XEN_WHY_LEN])
{
    const struct book_guest *found = NULL;

    for (unsigned i = 0; book && i < book->nr_guests; i++) {
        const struct book_guest *guest = &book->guests[i];

        if (strcmp(guest->name, name))
            continue;
        if (found && memcmp(found->uuid, guest->uuid, 16)) {
            explain_several(name, book, why_out);
            return false;
        }
        found = guest;
    }
    if (!found)
        return false;
    *subject_out = (struct subject){
        .kind = SUBJECT_XEN, .domain = {.domid = DOMID_NONE}, .device = TMEMCTL_EVERY_DEVICE};
    memcpy(subject_out->uuid, found->uuid, 16);
    memcpy(subject_out->domain.uuid, found->uuid, 16);
    memcpy(subject_out->domain.name, found->name, sizeof(found->name));
    find_running(subject_out, xs);
    return true;
}

bool subject_is_local(const char *text)
{
    return strncmp(text, "uid:", 4) == 0;
}

bool subject_find(struct subject *subject_out, const char *text, struct xs_handle *xs,
                  const struct book *book, char why_out[XEN_WHY_LEN])
{
    uint8_t uuid[16];

    if (subject_is_local(text))
        return find_user(subject_out, text + 4, why_out);
    if (text_to_uuid(text, uuid))
        return find_uuid(subject_out, uuid, xs, book, why_out);
    if (!xs) {
        snprintf(why_out, XEN_WHY_LEN,
                 "%s: without Xen a guest is uid:N, or uid:N/DEVICE; a pool is a UUID", text);
        return false;
    }
    *subject_out = (struct subject){.kind = SUBJECT_XEN, .device = TMEMCTL_EVERY_DEVICE};
    switch (domain_find(xs, text, &subject_out->domain, why_out)) {
    case DOMAIN_FOUND:
        memcpy(subject_out->uuid, subject_out->domain.uuid, 16);
        if (domain_is_guest(&subject_out->domain, subject_out->uuid))
            return true;
        domain_explain_unknown(&subject_out->domain, why_out);
        return false;
    case DOMAIN_NONE:
        return find_in_book(subject_out, text, xs, book, why_out);
    case DOMAIN_SEVERAL:
        break;
    }
    return false;
}

bool subject_narrow(struct subject *subject, uint32_t device, char why_out[XEN_WHY_LEN])
{
    if (subject->kind == SUBJECT_POOL) {
        snprintf(why_out, XEN_WHY_LEN, "a shared pool is no attachment: --device is for guests");
        return false;
    }
    if (subject->device != TMEMCTL_EVERY_DEVICE && subject->device != device) {
        snprintf(why_out, XEN_WHY_LEN, "uid:%u/%u is not attachment %u: either the one or --device",
                 subject->uid, subject->device, device);
        return false;
    }
    subject->device = device;
    return true;
}

bool subject_means(const struct subject *subject, const struct book_guest *entry)
{
    return memcmp(entry->uuid, subject->uuid, 16) == 0 &&
           (subject->device == TMEMCTL_EVERY_DEVICE || entry->device == subject->device);
}

struct tmemctl_who subject_who(const struct subject *subject)
{
    struct tmemctl_who who = {
        .kind = TMEMCTL_XEN, .id = subject->domain.domid, .device = subject->device};

    if (subject->kind == SUBJECT_LOCAL) {
        who.kind = TMEMCTL_LOCAL;
        who.id = subject->uid;
    } else {
        memcpy(who.uuid, subject->uuid, 16);
    }
    return who;
}
