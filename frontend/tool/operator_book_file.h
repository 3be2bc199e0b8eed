/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* operator_book_file.h - the book of policy in its file, and one writer at a time. */
#ifndef XENTMEM_TOOL_OPERATOR_BOOK_FILE_H
#define XENTMEM_TOOL_OPERATOR_BOOK_FILE_H

#include "frontend/tool/operator_book.h"

/*
 * Read @path; a file that is not there is an empty book. Others wait until book_close(), and say so
 * on stderr after a second. False: @why_out says what is wrong, with the file's name.
 */
bool book_open(struct book *book, const char *path, char why_out[BOOK_WHY_LEN]);
/* Replace the file. False: it is as it was. */
bool book_save(const struct book *book, char why_out[BOOK_WHY_LEN]);
/* Frees what the book holds, and drops the lock. */
void book_close(struct book *book);

#endif /* XENTMEM_TOOL_OPERATOR_BOOK_FILE_H */
