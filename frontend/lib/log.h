/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log.h - sentences for the user of the library, through the function he gave. */
#ifndef XENTMEM_LIB_LOG_H
#define XENTMEM_LIB_LOG_H

struct log_to {
    void (*say)(void *arg, const char *sentence); /* NULL: nobody listens */
    void *arg;
};

/* Cut at 255 bytes. Keeps errno. */
void log_say(const struct log_to *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "@what: " and what the errno value @error means. Returns @error. */
int log_error(const struct log_to *log, const char *what, int error);

#endif /* XENTMEM_LIB_LOG_H */
