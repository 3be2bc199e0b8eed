/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * same_domid.c - the domain that xl creates first has the number that is wanted.
 *
 * Loaded into xl by `xentmem start`. libxl can be told a domid, and xl has no word for it but on
 * restore. What guests have granted to a manager, and their event channels, are for its domid,
 * whoever has it: the next manager answers their rings only if it has the same.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A domain that died has its number until nobody holds a page of it: a backend may, for seconds. */
#define WAIT_SECONDS   60u
#define TRIES_A_SECOND 10u

/* As in xenctrl.h; nothing of either struct is looked at. */
typedef int create_fn(void *xch, uint32_t *domid, void *config);
create_fn xc_domain_create;

static uint32_t wanted; /* 0: none, or it was tried */

/* What xl starts is none of ours. */
__attribute__((constructor)) static void read_wanted(void)
{
    const char *text = getenv("XENTMEM_DOMID");

    wanted = text ? (uint32_t)strtoul(text, NULL, 10) : 0;
    unsetenv("XENTMEM_DOMID");
    unsetenv("LD_PRELOAD");
}

static int create_as_wanted(create_fn *create, void *xch, uint32_t *domid, void *config)
{
    int r;

    for (unsigned tries = 0; tries < WAIT_SECONDS * TRIES_A_SECOND; tries++) {
        *domid = wanted;
        r = create(xch, domid, config);
        if (r == 0 || errno != EEXIST)
            return r;
        if (tries == TRIES_A_SECOND)
            fprintf(stderr, "domain %u is dying still: waiting for its number, %u s at most\n",
                    (unsigned)wanted, WAIT_SECONDS);
        usleep(1000000 / TRIES_A_SECOND);
    }
    errno = EEXIST;
    return -1;
}

__attribute__((visibility("default"))) int xc_domain_create(void *xch, uint32_t *domid,
                                                            void *config)
{
    create_fn *create = (create_fn *)(uintptr_t)dlsym(RTLD_NEXT, "xc_domain_create");
    uint32_t any = *domid;
    int r;

    if (!create) {
        errno = ENOSYS;
        return -1;
    }
    if (wanted != 0) {
        r = create_as_wanted(create, xch, domid, config);
        wanted = 0;
        if (r == 0 || errno != EEXIST)
            return r;
        /* a manager with another number is better than none */
        *domid = any;
    }
    return create(xch, domid, config);
}
