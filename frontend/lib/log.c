/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void log_say(const struct log_to *log, const char *format, ...)
{
    int saved = errno;
    char sentence[256];
    va_list args;

    if (!log->say)
        return;
    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    log->say(log->arg, sentence);
    errno = saved;
}

int log_error(const struct log_to *log, const char *what, int error)
{
    log_say(log, "%s: %s", what, strerror(error));
    return error;
}
