/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * race.h - the thread sanitizer is told what it cannot see.
 *
 * A guest's memory belongs to another process, which may write to it at any time and which
 * orders the use that two rings make of one place in it. A race that is found there is dropped
 * by a suppression only after its stacks were walked and the debug information was read: a
 * second for every daemon that a test starts. So accesses between race_ignore() and
 * race_notice() are not looked at. Our own side of a copy is, for race_read() or race_wrote()
 * names it. Without the sanitizer all of them are nothing.
 */
#ifndef XTM_UTIL_RACE_H
#define XTM_UTIL_RACE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__has_feature)
#define RACE_HAS(feature) __has_feature(feature)
#else
#define RACE_HAS(feature) 0
#endif

#if defined(__SANITIZE_THREAD__) || RACE_HAS(thread_sanitizer)

/* The sanitizer's own; no header declares them. */
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
void __tsan_read_range(void *address, unsigned long bytes);
void __tsan_write_range(void *address, unsigned long bytes);

/* Reads and writes of this thread, until race_notice(). */
static inline void race_ignore(void)
{
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
}

static inline void race_notice(void)
{
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}

static inline void race_read(const void *address, size_t bytes)
{
    __tsan_read_range((void *)(uintptr_t)address, bytes);
}

static inline void race_wrote(void *address, size_t bytes)
{
    __tsan_write_range(address, bytes);
}

#else

static inline void race_ignore(void)
{
}

static inline void race_notice(void)
{
}

static inline void race_read(const void *address, size_t bytes)
{
    (void)address;
    (void)bytes;
}

static inline void race_wrote(void *address, size_t bytes)
{
    (void)address;
    (void)bytes;
}

#endif

#endif /* XTM_UTIL_RACE_H */
