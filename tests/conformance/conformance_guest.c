/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's half of conformance_xen: does what dom0 writes, until it is killed. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <xenstore.h>

#include "tests/conformance/port.h"
#include "tests/conformance/wire.h"

#define PATIENCE_MS 30000u

static struct port *open_patiently(void)
{
    struct timespec pause = {.tv_nsec = 200 * 1000000L};
    const char *why = "";
    struct port *p = NULL;

    /* whoever was here before may still be on the way out */
    for (unsigned waited = 0; !p && waited < PATIENCE_MS; waited += 200) {
        p = port_open_lib("xen:0", &why);
        if (!p)
            nanosleep(&pause, NULL);
    }
    if (!p)
        fprintf(stderr, "conformance_guest: xen:0: %s\n", why);
    return p;
}

/* True: there was a new call, and it is done. */
static bool serve(struct xs_handle *xs, struct port *p, unsigned *last)
{
    char text[WIRE_LEN], *call_text = xs_read(xs, XBT_NULL, WIRE_CALL, NULL);
    struct call call;
    unsigned number;
    bool is_new = call_text && wire_unpack(call_text, &number, &call) && number != *last;

    free(call_text);
    if (!is_new)
        return false;
    *last = number;
    guest_do(p, &call);
    wire_pack(text, number, &call);
    if (!xs_write(xs, XBT_NULL, WIRE_RESULT, text, (unsigned)strlen(text)))
        fprintf(stderr, "conformance_guest: result: %s\n", strerror(errno));
    return true;
}

int main(void)
{
    struct xs_handle *xs = xs_open(0);
    struct port *p = xs ? open_patiently() : NULL;
    struct call hello = {.act = 0};
    char text[WIRE_LEN];
    unsigned last = 0;

    if (!p || !xs_watch(xs, WIRE_CALL, "call"))
        return 1;
    wire_pack(text, 0, &hello); /* here we are */
    if (!xs_write(xs, XBT_NULL, WIRE_RESULT, text, (unsigned)strlen(text)))
        return 1;
    for (;;) {
        unsigned nr;
        char **event = xs_read_watch(xs, &nr);

        if (!event)
            return 1;
        free(event);
        while (serve(xs, p, &last))
            ;
    }
}
