/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * open.h - the makings of a session: account, records, where its rings are taken up.
 *
 * Control thread. Inside daemon/session/ only.
 */
#ifndef XTM_SESSION_OPEN_H
#define XTM_SESSION_OPEN_H

#include "daemon/session/session.h"
#include "daemon/session/sessions.h"

/*
 * A session for @link, its rings ready to be given to workers. Statuses and
 * *why_out as of sessions_attach(). It does not own the link.
 */
enum tmemif_status session_open(const struct session_config *config, struct attention *attention,
                                struct link *link, struct session **session_out,
                                const char **why_out);
/* No worker has its rings; its link is left alone. Records stay. */
void session_free(struct session *s);
/* The same for one that its peer never heard of: records that it made are closed. */
void session_abandon(struct session *s);

#endif /* XTM_SESSION_OPEN_H */
