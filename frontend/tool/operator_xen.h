/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * operator_xen.h - xenstore as the operator's commands in dom0 use it: which
 * domains there are, and where the nodes of an attachment lie.
 *
 * What each node means: xenstore-schema/SCHEMA.md.
 */
#ifndef XENTMEM_TOOL_OPERATOR_XEN_H
#define XENTMEM_TOOL_OPERATOR_XEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xenstore.h>

#include "xenstore-schema/nodes.h"

#define XEN_NAME_LEN 128u
#define XEN_PATH_LEN 256u
#define XEN_WHY_LEN  512u

/* Are we in dom0, where xenstore may be written? */
bool xen_is_dom0(void);

/* NULL: why_out says what to start. */
struct xs_handle *xen_open(char why_out[XEN_WHY_LEN]);

/* Of no domain: one that does not run. */
#define DOMID_NONE UINT32_MAX

struct domain {
    unsigned domid;
    char name[XEN_NAME_LEN]; /* may be empty */
    uint8_t uuid[16];        /* zero: dom0's; of any other domain not known */
};

/* Is it the guest of this UUID? A domain that has no node for its UUID (yet) is nobody's. */
bool domain_is_guest(const struct domain *domain, const uint8_t uuid[16]);
void domain_explain_unknown(const struct domain *domain, char why_out[XEN_WHY_LEN]);

/* False: there is no such domain (any more), or it could not be read. */
bool domain_read(struct xs_handle *xs, unsigned domid, struct domain *domain_out);

/* There is none now: xenstore has said so, and not failed. */
bool domain_is_gone(struct xs_handle *xs, unsigned domid);

/* All there are; to be freed. NULL: none could be read. */
struct domain *domains_read(struct xs_handle *xs, unsigned *nr_out);

enum domain_found { DOMAIN_NONE, DOMAIN_FOUND, DOMAIN_SEVERAL };
/*
 * By name or domid. If it is not found, @why_out says so; of several of that name it lists the
 * domids.
 */
enum domain_found domain_find(struct xs_handle *xs, const char *name, struct domain *domain_out,
                              char why_out[XEN_WHY_LEN]);

/*
 * The manager named @name, or, for NULL or "", the domain called xentmem, or
 * else dom0 if a daemon has announced itself there.
 */
#define MANAGER_NAME "xentmem"
bool domain_find_manager(struct xs_handle *xs, const char *name, struct domain *manager_out,
                         char why_out[XEN_WHY_LEN]);
/* Has the daemon in @manager announced itself? */
bool manager_is_ready(struct xs_handle *xs, unsigned manager);

/* ---- values ---- */

/* The node as text, to be freed; NULL: it is not there. */
char *node_read(struct xs_handle *xs, xs_transaction_t t, const char *path);
/* False: errno, of which ENOENT alone says that it is not there. */
bool node_exists(struct xs_handle *xs, xs_transaction_t t, const char *path);
/* A decimal number; @absent if the node is not there or is no number. */
uint64_t node_read_number(struct xs_handle *xs, const char *path, uint64_t absent);
bool node_write(struct xs_handle *xs, xs_transaction_t t, const char *path, const char *text);
bool node_write_number(struct xs_handle *xs, xs_transaction_t t, const char *path, uint64_t number);
/* A folder that belongs to @owner and that @reader may read, with all that is written below. */
bool node_make_folder(struct xs_handle *xs, xs_transaction_t t, const char *path, unsigned owner,
                      unsigned reader);
/* Gone is gone: true if it was not there. */
bool node_remove(struct xs_handle *xs, xs_transaction_t t, const char *path);

/* "why" for an errno that xenstore gave, naming the knob when it is a quota. */
void xen_explain(char why_out[XEN_WHY_LEN], const char *what, int error);

/*
 * Wait until the number at @path is one of the states in the set @wanted (bit n: state n), or
 * the node is gone, which is state 0. Returns the state last seen. @show is called about ten
 * times a second with the milliseconds passed, or NULL. A signal that the caller holds back
 * (operator_signal.h) ends the wait, too.
 */
unsigned node_wait_state(struct xs_handle *xs, const char *path, unsigned wanted,
                         unsigned timeout_ms, void (*show)(void *arg, unsigned passed_ms),
                         void *arg);
/*
 * Wait until the number at @path is there and not 0; *@timeout_ms is less by what that took. False:
 * time is over, or such a signal came.
 */
bool node_wait_number(struct xs_handle *xs, const char *path, unsigned *timeout_ms,
                      void (*show)(void *arg, unsigned passed_ms), void *arg);

#endif /* XENTMEM_TOOL_OPERATOR_XEN_H */
