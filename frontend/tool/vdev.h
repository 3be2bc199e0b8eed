/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vdev.h - numbers of virtual disks as people know them: xvda, xvda1, sdb, hdc, or the number.
 *
 *   xvd, up to p15    202 << 8 | disk << 4 | partition
 *   xvd, beyond       1 << 28 | disk << 8 | partition
 *   sd                8 << 8 | disk << 4 | partition
 *   hd                3 << 8 or 22 << 8 | (disk & 1) << 6 | partition
 *
 * -> xen-vbd-interface(7)
 */
#ifndef XENTMEM_TOOL_VDEV_H
#define XENTMEM_TOOL_VDEV_H

#include <stdbool.h>
#include <stdint.h>

/* False: @text is no such name, and no number. */
bool vdev_parse(const char *text, uint32_t *vdev_out);

#define VDEV_TEXT_LEN 24u
/* The number, in decimal, if it has no name. */
void vdev_name(uint32_t vdev, char text_out[VDEV_TEXT_LEN]);

#endif /* XENTMEM_TOOL_VDEV_H */
