/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * same_domid.c - a domain that xl creates, and creates anew when it has crashed, has one number.
 *
 * Loaded into xl by `xentmem start`. libxl can be told a domid, and xl has no word for it but on
 * restore. What guests have granted to a manager, and their event channels, are for its domid,
 * whoever has it: the next manager answers their rings only if it has the same.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

/* As in xenctrl.h; nothing of either struct is looked at. */
typedef int create_fn(void *xch, uint32_t *domid, void *config);
create_fn xc_domain_create;

static uint32_t wanted_domid(void)
{
    const char *text = getenv("XENTMEM_DOMID");

    return text ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

__attribute__((visibility("default"))) int xc_domain_create(void *xch, uint32_t *domid,
                                                            void *config)
{
    static uint32_t mine; /* 0: not known yet */
    create_fn *create = (create_fn *)(uintptr_t)dlsym(RTLD_NEXT, "xc_domain_create");
    uint32_t any = *domid;
    int r;

    if (!create) {
        errno = ENOSYS;
        return -1;
    }
    if (mine == 0)
        mine = wanted_domid();
    if (mine != 0)
        *domid = mine;
    r = create(xch, domid, config);
    /* held by somebody still: a manager with another number is better than none */
    if (r < 0 && mine != 0 && errno == EEXIST) {
        *domid = any;
        r = create(xch, domid, config);
    }
    if (r == 0)
        mine = *domid;
    return r;
}
