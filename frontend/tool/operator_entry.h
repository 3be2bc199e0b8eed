/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * operator_entry.h - which manager has an attachment that the book has an entry of.
 *
 * The book knows managers by name, and a name can become another domain's (xl rename); what dom0
 * has written at a manager, its policy of the attachment, says who has it. @guest: the domid of the
 * entry's guest, or DOMID_NONE if it does not run.
 */
#ifndef XENTMEM_TOOL_OPERATOR_ENTRY_H
#define XENTMEM_TOOL_OPERATOR_ENTRY_H

#include "frontend/tool/operator_book.h"
#include "frontend/tool/operator_xen.h"

/* Is it attached to @manager? */
bool entry_is_at(struct xs_handle *xs, const struct book_guest *entry, unsigned guest,
                 unsigned manager);

/*
 * Its manager: the one of its name, if it is attached to that; else the one that dom0 has written
 * its policy for, which is in force there, or will be (the name is another domain's by now, or
 * dom0's daemon does not run); else the one of its name. False: there is none of these.
 */
bool entry_find_manager(struct xs_handle *xs, const struct book_guest *entry, unsigned guest,
                        struct domain *manager_out);

/* Is its manager the one that @name names, if that is not NULL? */
bool entry_is_managed_by(struct xs_handle *xs, const struct book_guest *entry, unsigned guest,
                         const char *name);

#endif /* XENTMEM_TOOL_OPERATOR_ENTRY_H */
