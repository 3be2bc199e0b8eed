/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* processor.h - which processor this thread runs on. */
#ifndef XTM_UTIL_PROCESSOR_H
#define XTM_UTIL_PROCESSOR_H

#include <stdbool.h>

/* In the place of a processor's number; the same as tmemif_local_processor() has. */
#define PROCESSOR_UNKNOWN (-1)

/* The one that this thread runs on now. */
int processor_here(void);

/*
 * Go on on another processor than @cpu, if this thread may use another one; false: it may not.
 * It may use the same ones afterwards as before. Some system calls.
 */
bool processor_leave(int cpu);

#endif /* XTM_UTIL_PROCESSOR_H */
