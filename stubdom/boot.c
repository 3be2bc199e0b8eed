/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stubdom/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void complain(const char *what, const char *which)
{
    fprintf(stderr, "xentmem-init: cannot %s %s: %s\n", what, which, strerror(errno));
}

void boot_mount(void)
{
    static const struct {
        const char *type, *at;
        unsigned long flags;
    } mounts[] = {
        {"devtmpfs", "/dev", MS_NOSUID},
        {"proc", "/proc", MS_NOSUID | MS_NOEXEC | MS_NODEV},
        {"sysfs", "/sys", MS_NOSUID | MS_NOEXEC | MS_NODEV},
    };

    for (unsigned i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
        mkdir(mounts[i].at, 0755);
        /* EBUSY: somebody has done it already */
        if (mount(mounts[i].type, mounts[i].at, mounts[i].type, mounts[i].flags, NULL) < 0 &&
            errno != EBUSY)
            complain("mount", mounts[i].at);
    }
}

void boot_open_console(void)
{
    int fd;

    if (fcntl(STDERR_FILENO, F_GETFD) >= 0)
        return;
    fd = open("/dev/console", O_RDWR | O_NOCTTY);
    if (fd < 0)
        fd = open("/dev/null", O_RDWR);
    for (int i = 0; i <= STDERR_FILENO && fd >= 0; i++) {
        if (fd != i)
            dup2(fd, i);
    }
    if (fd > STDERR_FILENO)
        close(fd);
}

static void load_module(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        complain("open", path);
        return;
    }
    if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
        complain("load", path);
    close(fd);
}

void boot_load_modules(const char *list)
{
    FILE *f = fopen(list, "re");
    char path[512];

    if (!f) {
        complain("open", list);
        return;
    }
    while (fgets(path, sizeof(path), f)) {
        path[strcspn(path, "\n")] = '\0';
        if (path[0])
            load_module(path);
    }
    fclose(f);
}

void boot_link_commands(void)
{
    static const char *const names[] = {"/sbin/poweroff", "/sbin/reboot"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (symlink("/init", names[i]) < 0 && errno != EEXIST)
            complain("make", names[i]);
    }
}

bool boot_read_file(const char *path, char *text_out, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t r;

    if (fd < 0)
        return false;
    r = read(fd, text_out, room - 1);
    text_out[r > 0 ? r : 0] = '\0';
    close(fd);
    return r >= 0;
}
