/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bug.h - a broken invariant of our own: name it and stop. A guest must never be able to get here.
 */
#ifndef XTM_UTIL_BUG_H
#define XTM_UTIL_BUG_H

_Noreturn void bug(const char *invariant);

#define BUG_UNLESS(condition) ((condition) ? (void)0 : bug(#condition))

#endif /* XTM_UTIL_BUG_H */
