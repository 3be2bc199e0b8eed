/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "frontend/tool/operator_command.h"

#define HELP_SUBJECT                                                                               \
    "A guest is a name or domid, or uid:N[/DEVICE] for a user of the daemon on this machine.\n"
#define HELP_DISK                                                                                  \
    "A disk is GUEST:VDEV, as in g1:xvda or 7:51712, or the name under which it is kept.\n"
#define HELP_SIZES "A SIZE is a number with K, M, G or T, or p for pages of 4K; or unlimited.\n"
#define HELP_MANAGER                                                                               \
    "  --manager NAME   another manager than the domain xentmem, or else the daemon in dom0\n"
#define HELP_TIMEOUT "  --timeout S      how long to wait (30 seconds)\n"
#define HELP_DEVICE  "  -d, --device N   attachment N of the guest (0)\n"

const struct command operator_commands[] = {
    {
        .name = "attach",
        .args = "GUEST [-d N] [--quota SIZE] [--min SIZE] [--max SIZE] [--weight N] "
                "[--manager NAME] [--timeout S]",
        .summary = "let a guest use the manager, now and whenever it starts",
        .help = "  --quota SIZE     persistent pages it may hold (0)\n"
                "  --min SIZE       ephemeral pages that are never evicted for others (0)\n"
                "  --max SIZE       ephemeral pages it may hold (unlimited)\n"
                "  --weight N       its share of what is contended, 1 to 65536 (256)\n" HELP_DEVICE
                    HELP_MANAGER HELP_TIMEOUT HELP_SIZES,
        .run = operator_attach,
    },
    {
        .name = "detach",
        .args = "GUEST [-d N] [--manager NAME] [--timeout S]",
        .summary = "take a guest away; its private pools go, its policy is kept",
        .help = HELP_DEVICE HELP_MANAGER HELP_TIMEOUT,
        .run = operator_detach,
    },
    {
        .name = "forget",
        .args = "GUEST|UUID [-d N]",
        .summary = "drop the policy of a guest that is gone for good",
        .help = "Of several guests of one name the UUID says which.\n"
                "  -d, --device N   only attachment N of the guest; its rights stay\n",
        .run = operator_forget,
    },
    {
        .name = "list",
        .args = "[guests | pools | disks | members UUID]",
        .summary = "guests, pools, disks, or members of a shared pool, and what they hold",
        .help = HELP_MANAGER,
        .run = operator_list,
    },
    {
        .name = "set",
        .args = "GUEST|UUID [-d N] [quota=SIZE] [min=SIZE] [max=SIZE] [weight=N] [--manager NAME]",
        .summary = "change what a guest or a shared pool may hold",
        .help = HELP_SUBJECT HELP_SIZES
        "  -d, --device N   only attachment N of the guest\n" HELP_MANAGER,
        .run = operator_set,
    },
    {
        .name = "allow",
        .args = "UUID GUEST [fill | read]",
        .summary = "let a guest join a shared pool",
        .help = "fill (the default) is get, put and flush; read is get only.\n" HELP_SUBJECT
            HELP_MANAGER,
        .run = operator_allow,
    },
    {
        .name = "deny",
        .args = "UUID GUEST",
        .summary = "take a guest's right to a shared pool back, at once",
        .help = HELP_SUBJECT HELP_MANAGER,
        .run = operator_deny,
    },
    {
        .name = "freeze",
        .args = "GUEST|UUID [-d N] | DISK NAME",
        .summary = "refuse puts of a guest or to a shared pool; make a base of a disk",
        .help = "Gets and flushes are served. Holds until thaw, also when the guest starts "
                "again, or until\nthe manager restarts.\n" HELP_SUBJECT
                "With a name: what the disk is now becomes the base "
                "NAME, layered on what it lay on;\n"
                "the disk goes on over it, while its guest uses it.\n" HELP_DISK
                "  -d, --device N   only attachment N of the guest\n" HELP_MANAGER,
        .run = operator_freeze,
    },
    {
        .name = "thaw",
        .args = "GUEST|UUID [-d N]",
        .summary = "take the puts of a frozen guest or pool again",
        .help = HELP_SUBJECT "  -d, --device N   only attachment N of the guest\n" HELP_MANAGER,
        .run = operator_thaw,
    },
    {
        .name = "remove",
        .args = "UUID",
        .summary = "destroy a shared pool for all its members, and forget its policy",
        .help = HELP_MANAGER,
        .run = operator_remove,
    },
    {
        .name = "base",
        .args = "[list] | import NAME FILE|- | rm NAME",
        .summary = "images for copy-on-write disks (target=clone/NAME)",
        .help = "  list             which there are, how large, what lies on them\n"
                "  import NAME FILE a base of a raw image, or of standard input; zeros take no\n"
                "                   memory, and an import that is cut off leaves nothing\n"
                "  rm NAME          refused while disks or bases lie on it\n" HELP_MANAGER,
        .run = operator_base,
    },
    {
        .name = "disk",
        .args = "[list] | add NAME BASE | resize DISK SIZE | rm DISK | clean",
        .summary = "disks that the manager serves to guests",
        .help = "  list             what each is, what it holds, which guest has it\n"
                "  add NAME BASE    what target=clone/BASE/NAME makes when it is attached\n"
                "  resize DISK SIZE make it larger; a guest that has it sees the new size at once\n"
                "  rm DISK          destroy one that no guest has\n"
                "  clean            remove nodes that a guest or a manager that is gone has "
                "left\n" HELP_DISK
                "A SIZE is a number with K, M, G or T, or p for pages of 4K.\n" HELP_MANAGER,
        .run = operator_disk,
    },
    {
        .name = "rollback",
        .args = "DISK",
        .summary = "make a disk what its base is; what its guest has written is gone",
        .help =
            "The guest must not have it mounted. A swap disk is emptied.\n" HELP_DISK HELP_MANAGER,
        .run = operator_rollback,
    },
    {
        .name = "stats",
        .args = "[--metrics | --check]",
        .summary = "counters of the manager, metrics for a collector, a self-check",
        .help = "  --metrics        as OpenMetrics text, with guests and pools\n"
                "  --check          compare all counters with a full scan; service stops "
                "meanwhile\n" HELP_MANAGER,
        .run = operator_stats,
    },
    {
        .name = "log",
        .args = "error|warning|notice|info|debug",
        .summary = "set how much the manager logs, until it restarts",
        .help = HELP_MANAGER,
        .run = operator_log,
    },
    {
        .name = "start",
        .args = "[CONFIG [DOMID]]",
        .summary = "create the manager's domain, after one that died with its number",
        .help = "Runs xl create CONFIG (" OPERATOR_CONFIG "). If a manager is gone and guests had "
                "disks of\n"
                "it, the new one gets its domid, or DOMID if there were several, and the requests "
                "that wait\n"
                "are answered; so it is where an earlier start was cut off. Else a manager that "
                "runs is\n"
                "not touched: xl destroy it first.\n",
        .run = operator_start,
    },
    {
        .name = "agent",
        .args = "",
        .summary = "service of dom0: keep guests attached as attach and set said",
        .help =
            "Started by xentmem-agent.service. The policy file is /var/lib/xentmem/policy.json,\n"
            "or what the environment variable XENTMEM_POLICY names.\n",
        .run = operator_agent,
    },
    {0},
};

const struct command *operator_command(const char *name)
{
    const struct command *c = operator_commands;

    while (c[1].name && strcmp(c->name, name))
        c++;
    return c;
}
