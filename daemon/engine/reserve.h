/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reserve.h - memory that minimums promise, kept from persistent pages.
 *
 *   limit of the store  = persistent pages + minimums + what is left
 *
 * Ephemeral pages above a minimum give way to whoever is below his; persistent
 * pages never do, so no new one is taken that a minimum could miss later. Each
 * counts as a page, also if it is same-filled and takes no frame.
 *
 * While there are disks, frames for what every worker may have under way are kept, too:
 * new persistent pages do not take the last ones, so what replaces a page that has a
 * frame finds one. A same-filled page has none: to be written anew is to be new.
 */
#ifndef XTM_ENGINE_RESERVE_H
#define XTM_ENGINE_RESERVE_H

#include "daemon/engine/state.h"

/* A policy, an account or a shared pool has changed. For the holder of engine.lock. */
void reserve_recount(struct engine *e);

/* May a persistent page that is charged already, and replaces none, be taken? Any thread. */
bool reserve_leaves_room(const struct engine *e);

#endif /* XTM_ENGINE_RESERVE_H */
