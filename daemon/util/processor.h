/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* processor.h - which processor this thread runs on. */
#ifndef XTM_UTIL_PROCESSOR_H
#define XTM_UTIL_PROCESSOR_H

#include <stdbool.h>

/* In the place of a processor's number. */
#define PROCESSOR_UNKNOWN (-1)

/*
 * If this thread runs on processor @cpu, let it go on on another one that it may use; the scheduler
 * is as free with it afterwards as before. Some system calls. False: it was not there, or there is
 * no other.
 */
bool processor_leave(int cpu);

#endif /* XTM_UTIL_PROCESSOR_H */
