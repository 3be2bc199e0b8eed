/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* boot.h - what PID 1 does first. What fails is said and survived. */
#ifndef XTM_STUBDOM_BOOT_H
#define XTM_STUBDOM_BOOT_H

#include <stdbool.h>
#include <stddef.h>

void boot_mount(void);
/* Standard streams, if the kernel could not open the console. */
void boot_open_console(void);
/* The modules that the image lists, in that order. */
void boot_load_modules(const char *list);
/*
 * The kernel runs /sbin/poweroff and /sbin/reboot when the toolstack writes control/shutdown: they
 * are names of ours (init.c).
 */
void boot_link_commands(void);
/* A small file as a string, cut to the room. False: it cannot be read. */
bool boot_read_file(const char *path, char *text_out, size_t room);

#endif /* XTM_STUBDOM_BOOT_H */
