/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * operator_subject.h - whom the operator means: a guest or a shared pool.
 *
 *   g1, 7                the Xen guest of that name or domid; if there is none,
 *                        the one that the policy file has by that name, which may
 *                        run under another
 *   uid:1000, uid:1000/2 all attachments, or attachment 2, of a user's processes
 *                        on the machine of the daemon
 *   8-4-4-4-12           a UUID: of a guest in the policy file, else of a shared pool
 */
#ifndef XENTMEM_TOOL_OPERATOR_SUBJECT_H
#define XENTMEM_TOOL_OPERATOR_SUBJECT_H

#include "frontend/tool/operator_book.h"
#include "frontend/tool/operator_xen.h"
#include "protocol/control.h"

enum subject_kind {
    SUBJECT_XEN,   /* a guest of Xen; runs if domain.domid is not DOMID_NONE */
    SUBJECT_LOCAL, /* a user's processes */
    SUBJECT_POOL,  /* a shared pool */
};

struct subject {
    enum subject_kind kind;
    uint8_t uuid[16];     /* XEN, POOL */
    struct domain domain; /* XEN */
    uint32_t uid;         /* LOCAL */
    uint32_t device;      /* XEN, LOCAL; TMEMCTL_EVERY_DEVICE if none was given */
};

/* Is it a user's processes? The daemon on this machine serves them, whatever else there is. */
bool subject_is_local(const char *text);

/*
 * @xs, NULL without Xen, and @book may have what is asked for. False: @why_out
 * says why nobody is meant by @text.
 */
bool subject_find(struct subject *subject_out, const char *text, struct xs_handle *xs,
                  const struct book *book, char why_out[XEN_WHY_LEN]);

/* Only attachment @device is meant. False: @why_out says why that cannot be. */
bool subject_narrow(struct subject *subject, uint32_t device, char why_out[XEN_WHY_LEN]);

/* Is this entry of the book one of the guest that @subject is? */
bool subject_means(const struct subject *subject, const struct book_guest *entry);

/* For a message; not for a pool. */
struct tmemctl_who subject_who(const struct subject *subject);

#endif /* XENTMEM_TOOL_OPERATOR_SUBJECT_H */
