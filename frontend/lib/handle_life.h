/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handle_life.h - a handle is put together, and taken apart. */
#ifndef XENTMEM_LIB_HANDLE_LIFE_H
#define XENTMEM_LIB_HANDLE_LIFE_H

#include "frontend/lib/handle.h"

struct handle_config {
    struct log_to log;
    unsigned poll_us;
    unsigned poll_pause_us;
    int timeout_ms; /* -1: for ever */
    unsigned fence_ms;
    bool control;
};

/*
 * Over @a, which belongs to the handle from now on, also when this fails.
 * 0, or an errno value with a sentence said.
 */
int handle_create(struct attach *a, const struct handle_config *config, struct xentmem **t_out);
void handle_destroy(struct xentmem *t);

#endif /* XENTMEM_LIB_HANDLE_LIFE_H */
