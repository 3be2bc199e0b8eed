/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fault.h - every call that the system may refuse, counted and refused at will.
 *
 * A program that links this is linked with FAULT_LDFLAGS (Makefile): the
 * linker's --wrap sends the calls of all objects of the program here, and the
 * product's objects are the very ones that are shipped. What libraries call
 * among themselves is not seen.
 *
 *     uint64_t nr = 0;
 *     do {
 *         fault_arm(++nr, false);
 *         ...  what is to be tried; it may fail in the way it says
 *     } while (fault_disarm());
 */
#ifndef TESTS_FAULT_H
#define TESTS_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/* The @nth call from now on, beginning with 1, is refused; @on: and every later one. */
void fault_arm(uint64_t nth, bool on);
/* So many of a million calls are refused, by chance. 0: none. */
void fault_arm_chance(uint32_t per_million, uint64_t seed);
/* Nothing is refused any more. True: something was, since it was armed. */
bool fault_disarm(void);
/* Refused so far, in the whole life of the program. */
uint64_t fault_nr_refused(void);

/* What the program holds: pieces of memory, pages of mappings, and open descriptors. */
struct fault_held {
    long pieces, mapped_pages, fds;
};
struct fault_held fault_held(void);
/* For CU_ASSERT: prints what is held more than @before. */
bool fault_nothing_leaked(const struct fault_held *before);

#endif /* TESTS_FAULT_H */
