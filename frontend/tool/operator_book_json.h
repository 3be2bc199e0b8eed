/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* operator_book_json.h - the book as JSON: xentmem-policy(5). */
#ifndef XENTMEM_TOOL_OPERATOR_BOOK_JSON_H
#define XENTMEM_TOOL_OPERATOR_BOOK_JSON_H

#include <json-c/json.h>

#include "frontend/tool/operator_book.h"

/*
 * Fill @book, empty but for its path, from @from. Whatever is not wholly understood is refused:
 * false, @why_out says where, and @book holds a part of it.
 */
bool book_from_json(struct book *book, struct json_object *from, char why_out[BOOK_WHY_LEN]);

/* The caller's to free; NULL: no memory. */
struct json_object *book_to_json(const struct book *book);

#endif /* XENTMEM_TOOL_OPERATOR_BOOK_JSON_H */
