/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * backend.h - one device's backend, whatever its kind: who it is for, and what its nodes say.
 *
 * Attachments (attachment.h) and disks (vbd.h) begin with it; a roster (roster.h) holds those of
 * one kind and says when to look at each. Control thread only.
 */
#ifndef XTM_TRANSPORT_XEN_BACKEND_H
#define XTM_TRANSPORT_XEN_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/transport/xen/platform.h"
#include "daemon/util/log.h"
#include "daemon/util/pace.h"
#include "xenstore-schema/front.h"
#include "xenstore-schema/states.h"
#include "xenstore-schema/value.h"

/* Nodes that every kind has. */
struct backend_kind {
    const char *name; /* what the log calls its number */
    enum schema_where folder;
    enum schema_node state, online, error;
    enum schema_node front_state, front_backend;
};

struct backend {
    struct backend *next; /* on the roster */
    const struct backend_kind *kind;
    struct platform *platform;
    struct log *log;
    struct schema_place place;
    char front_state_path[SCHEMA_PATH_LEN]; /* watched */
    uint32_t published;                     /* what our node `state` says, or is to say */
    bool state_owed;                        /* writing that has failed: it is to be tried again, */
    bool (*owed_with)(struct backend *b);   /* with what belongs to it, or NULL */
    unsigned nr_unpaid;                     /* looks in a row at which that has failed again */
    int owed_errno;                         /* why it has */
    bool refusal_told;                      /* node `error` is about what xenstored refuses */
    bool error_owed;                        /* writing node `error` has failed: it is to say */
    char error[SCHEMA_REASON_LEN];          /* this, or to go if that is empty */
    bool in_transaction;                    /* what is published belongs to it */
    int refused;     /* errno of a write that failed, since a state was begun to be published */
    bool is_renewed; /* the toolstack's 1 was seen, and nothing was said in return yet */
    bool is_watched;
    bool unwatched_told;    /* that it cannot be */
    bool is_new;            /* not looked at yet, or xenstore did not say */
    bool touched;           /* to be looked at */
    bool wants_map;         /* to be looked at in a turn that may map */
    uint64_t not_before_ms; /* it is not to be looked at before that time */
    struct pace attaches;   /* each maps a guest's memory while others wait */
    struct pace offers;     /* each writes all our nodes */
    struct log_limit log_limit;
};

/* It is touched. False: xenstore does not say what our node `state` holds. */
bool backend_init(struct backend *b, const struct backend_kind *kind, struct platform *platform,
                  struct log *log, const struct schema_place *place);
/* Nothing of it is watched any more. */
void backend_fini(struct backend *b);

/*
 * ---- our nodes; what xenstore refuses is logged, with the limit's name ----
 *
 * The toolstack may write them anew at any time. Nothing is written into nodes that have not been
 * looked at: that they are new is seen by their state, which stays as it is.
 */

/* Are they those that were last looked at? False: no, or xenstore does not say. */
bool backend_is_as_seen(struct backend *b);

void backend_publish(struct backend *b, enum schema_node node, const char *text);
void backend_publish_number(struct backend *b, enum schema_node node, uint64_t number);
/* Alone, and owed whatever is in the way. */
void backend_owe_state(struct backend *b, enum schema_xenbus state);
/*
 * What @write publishes or removes, and the state, at once; @write may be called several times, and
 * later again if that fails. False: nothing was written. @write is false if the nodes are not what
 * was acted on; then nothing is owed, and ones that have the toolstack's 1 are seen as renewed. Nor
 * is it if a limit of xenstored is in the way, of some node or at the end: @refused says which.
 * Whatever else is in the way passes, so it is owed, and @refused is 0.
 */
bool backend_publish_state_with(struct backend *b, bool (*write)(struct backend *b),
                                enum schema_xenbus state);
/* The same for what is owed whatever is in the way. @write is false if something was refused. */
bool backend_owe_state_with(struct backend *b, bool (*write)(struct backend *b),
                            enum schema_xenbus state);
/* What was published last, once more, with @write; if that fails, or one is owed, nothing is. */
bool backend_repeat_state_with(struct backend *b, bool (*write)(struct backend *b));
/*
 * Node `error`: it is owed until it is written, or goes with the nodes that it is about. NULL: it
 * is removed. The latter may be part of what is written with a state.
 */
void backend_say_error(struct backend *b, const char *why);
/* The same, and the log. */
void backend_publish_error(struct backend *b, const char *why);
/* The same, of what xenstored refuses: it goes with the next state that it takes. */
void backend_publish_refusal(struct backend *b, const char *why);
void backend_remove(struct backend *b, enum schema_node node);
/* A guest that is gone leaves our folder of it behind. published is UNKNOWN: it is gone. */
void backend_remove_folder(struct backend *b);

/* ---- looking ---- */

/* The frontend's node `state`, from now on. */
void backend_watch(struct backend *b);
/* Not now: what has to wait. */
void backend_look_again(struct backend *b, uint64_t now_ms);
/*
 * The same if something is owed, the later the longer it cannot be written. A state that is owed
 * for some time may be waited for: node `error` says why. False: nothing is owed.
 */
bool backend_look_for_debts(struct backend *b, uint64_t now_ms);
/* Soon, if it cannot be watched and there is nothing to wait for. */
void backend_look_unwatched(struct backend *b, uint64_t now_ms);
/* May it attach, or be offered to a frontend that begins anew, now? Some at once, then one a
 * second. */
bool backend_may_attach(struct backend *b, uint64_t now_ms);
bool backend_may_offer(struct backend *b, uint64_t now_ms);

enum backend_news {
    BACKEND_UNKNOWN, /* xenstore does not say */
    BACKEND_GONE,    /* our folder has vanished */
    BACKEND_RENEWED, /* the toolstack has written our nodes anew */
    BACKEND_OFFLINE, /* the toolstack detaches it */
    BACKEND_ONLINE,  /* what the frontend says counts */
};
/*
 * What do our own nodes say? A state that is not the one that we have published is written over,
 * for ours may be waited for: with ours, with 6 if it is no more (@ended), but not as long as the
 * toolstack's detach has not been acted on.
 */
enum backend_news backend_look(struct backend *b, bool ended);

/*
 * The frontend's state, XENBUS_GARBAGE included; XENBUS_UNKNOWN with *@gone_out: the guest is
 * gone. False: xenstore does not say.
 */
bool backend_read_front(struct backend *b, uint32_t *state_out, bool *gone_out);

/* Nodes of a device that are read one after the other, as when its frontend connects. */
struct backend_reader {
    struct schema_reader reader;
    struct backend *backend;
    char *last;
    bool is_unsure; /* xenstore did not say what some node holds, which is not that it is absent */
};
void backend_reader_begin(struct backend_reader *r, struct backend *b);

enum backend_read {
    BACKEND_READ,
    BACKEND_READ_BAD,    /* @why_out says what is wrong */
    BACKEND_READ_UNSURE, /* xenstore does not say: nothing is known, ask again later */
};
/* Whether all were in order is @ok, else @error says what is wrong. */
enum backend_read backend_reader_end(struct backend_reader *r, bool ok,
                                     const struct schema_error *error,
                                     char why_out[SCHEMA_REASON_LEN]);

#endif /* XTM_TRANSPORT_XEN_BACKEND_H */
