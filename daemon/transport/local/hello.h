/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hello.h - what a local client asks for, checked, and its memory, mapped.
 *
 * The client may be hostile: it can send anything, and it keeps its own
 * mapping of the memory and descriptors of the same file.
 */
#ifndef XTM_TRANSPORT_LOCAL_HELLO_H
#define XTM_TRANSPORT_LOCAL_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "protocol/local.h"

/* What local clients may ask for at most; root is not bound by these. */
#define LOCAL_MAX_DEVICES    16u   /* attachments of one user */
#define LOCAL_MAX_DATA_PAGES 8192u /* 32 MiB */

/*
 * Check the @length bytes of @untrusted that a client sent;
 * @is_root: it may do what root may. Otherwise the status to refuse it with,
 * and a static sentence.
 */
enum tmemif_status hello_check(const struct tmemif_local_hello *untrusted, size_t length,
                               bool is_root, const char **why_out);

/*
 * Is it a memfd that is sealed as it has to be, and not larger than any hello's? Then closing it
 * waits for nobody, and frees no more than that, whatever the client does with it.
 */
bool hello_is_bounded(int fd);

/* Bytes of a checked hello's memory. */
size_t hello_bytes(const struct tmemif_local_hello *hello);

/*
 * Map the memory of a checked hello: a memfd, sealed, of just the right size.
 * OK: hello_bytes() bytes at *memory_out. @fd stays the caller's.
 */
enum tmemif_status hello_map(const struct tmemif_local_hello *hello, int fd, void **memory_out,
                             const char **why_out);

#endif /* XTM_TRANSPORT_LOCAL_HELLO_H */
