/* SPDX-License-Identifier: MIT */
/*
 * copy.h - pages between memory of one's own and memory that both ends see.
 *
 * memcpy() is the fastest on processors, but where they are emulated its vectors are not: words of
 * general registers take a fifth of its time in an emulated program (0.3 us a page instead of 1.6;
 * QEMU 7.2 without AVX) and half of it in an emulated machine; on an EPYC 9005 they take twice as
 * much. So either end tries both ways, once, and takes the cheaper one.
 *
 * On a processor it is all of a page at once: from some 2 KiB on memcpy() is `rep movsb` where that
 * is quick (or `rep movsq`, which gcc puts in its place for a size that it knows), and does not
 * read the lines that it overwrites, which the peer's processor has.
 */
#ifndef TMEM_COPY_H
#define TMEM_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The process's, as the processor is. Whichever way it is, the bytes are the same. */
extern bool copy_in_words;

static inline bool copy_is_in_words(void)
{
    return __atomic_load_n(&copy_in_words, __ATOMIC_RELAXED);
}

/* memcpy() in words of general registers. */
void copy_words(void *to, const void *from, size_t bytes);

/*
 * memcpy() in the way that was chosen. A peer may write to @from meanwhile if nothing depends on it
 * but what @to holds in the end (XSA-155).
 */
static inline void copy_bytes(void *to, const void *from, size_t bytes)
{
    if (copy_is_in_words())
        copy_words(to, from, bytes);
    else
        memcpy(to, from, bytes);
}

/*
 * Try which way is the cheaper: 3 ms where the processor is emulated, 0.3 elsewhere. @now_ns tells
 * the time. True: words, which are clearly cheaper. Until then it is memcpy().
 */
bool copy_choose(uint64_t (*now_ns)(void));

#endif /* TMEM_COPY_H */
