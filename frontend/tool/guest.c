/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/guest.h"

#include <string.h>

#define OBJECT_HELP                                                                                \
    "OBJECT is a decimal number, 0x and up to 48 hexadecimal digits, or name:TEXT,\n"              \
    "which stands for a hash of TEXT.\n"

const struct command guest_commands[] = {
    {"pool", "create|join|leave|destroy|info|list ...", "make, join, leave and look at pools",
     "  pool create [--persistent] [--inclusive] [--leased]\n"
     "                     a private pool; prints its number\n"
     "  pool join UUID [--persistent] [--leased]\n"
     "                     the shared pool UUID, made by the first who joins\n"
     "  pool leave POOL    leave a shared pool\n"
     "  pool destroy POOL  destroy a private pool with its pages, leave a shared one\n"
     "  pool info POOL     its properties and counters\n"
     "  pool list          every pool of this attachment\n"
     "\n"
     "Pools stay when the command ends.\n"
     "  -p, --persistent  accepted pages stay until they are flushed\n"
     "  -i, --inclusive   private ephemeral pool: a get leaves the page in it\n"
     "  -l, --leased      takes only puts that carry a lease\n",
     guest_pool},
    {"put", "POOL OBJECT INDEX [FILE|-]", "store a page, or a file over consecutive indexes",
     "Stores FILE (default: standard input) from INDEX on, 4096 bytes an index; the last\n"
     "page is filled up with zeros. Prints nothing; --json prints how many were stored.\n"
     "Stops at the first page that is refused.\n"
     "\n" OBJECT_HELP,
     guest_put},
    {"get", "POOL OBJECT INDEX[-LAST] [FILE|-]", "copy pages out",
     "Writes the pages INDEX to LAST to FILE (default: standard output). Exit status 3 if\n"
     "one of them is not there: what is before it has been written.\n"
     "  -l, --length BYTES  write that many bytes from INDEX on; instead of LAST\n"
     "\n" OBJECT_HELP,
     guest_get},
    {"flush", "POOL OBJECT [INDEX[-LAST]]", "forget a page, a range of pages or an object",
     "Done also if there was nothing to forget.\n"
     "\n" OBJECT_HELP,
     guest_flush},
    {"reset", "", "destroy or leave every pool of this attachment", NULL, guest_reset},
    {"bench", "[OPTION]...", "measure puts and gets",
     "Puts pages, then gets them at random, in an inclusive ephemeral pool of its own that\n"
     "is destroyed afterwards; prints throughput and latencies.\n"
     "  -d, --depth N    operations under way at once (1)\n"
     "  -p, --pages N    pages used (4096)\n"
     "  -s, --seconds N  how long to put, and how long to get (3)\n"
     "  -P, --pool POOL  use this pool, and leave it with the pages in it\n"
     "      --poll-us N  longest time to look for an answer before sleeping\n"
     "                   (chosen by what calls cost; 0: sleep at once)\n"
     "      --rings N    rings to the manager (chosen; at most 4 then)\n"
     "      --ring-order N\n"
     "                   pages of a ring, as a power of two: 32 << N requests on it\n",
     guest_bench},
    {0},
};

const struct command *guest_command(const char *name)
{
    const struct command *c = guest_commands;

    while (strcmp(c->name, name) != 0)
        c++;
    return c;
}
