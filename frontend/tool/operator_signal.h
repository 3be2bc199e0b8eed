/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * operator_signal.h - what somebody who interrupts a command sends, held back until the command has
 * taken back what it began.
 */
#ifndef XENTMEM_TOOL_OPERATOR_SIGNAL_H
#define XENTMEM_TOOL_OPERATOR_SIGNAL_H

#include <signal.h>
#include <stdbool.h>

/* Hold SIGINT, SIGTERM and SIGHUP back; what was blocked before is for signals_release(). */
void signals_hold(sigset_t *before_out);
/* One that came meanwhile ends the process here. */
void signals_release(const sigset_t *before);

/* Has one of them come? Always false where they are not held back. */
bool signal_is_held(void);

#endif /* XENTMEM_TOOL_OPERATOR_SIGNAL_H */
