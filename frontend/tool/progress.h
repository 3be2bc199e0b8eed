/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* progress.h - one line on stderr that says how far a long command is. */
#ifndef XENTMEM_TOOL_PROGRESS_H
#define XENTMEM_TOOL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Rewritten in place, at most ten times a second. Start with @off, true if
 * nothing is to be printed, and the rest zero.
 */
struct progress {
    bool off;
    bool shown;
    uint64_t last_ms;
};
void progress_show(struct progress *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Take the line away, so that results stand alone. */
void progress_clear(struct progress *p);

#endif /* XENTMEM_TOOL_PROGRESS_H */
