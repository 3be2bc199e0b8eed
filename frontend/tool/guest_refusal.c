/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/guest_refusal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "frontend/tool/text.h"

#define KNOB_LEN 160

/* What the operator types for more of @name, "quota" or "max". */
static void say_knob(char text_out[KNOB_LEN], const struct tool *tool,
                     const struct xentmem_pool_info *info, const char *name)
{
    bool is_xen = tool->attach && strncmp(tool->attach, "xen:", 4) == 0;
    bool is_local = tool->attach && !is_xen;
    char uuid[TEXT_UUID_LEN];
    int length = 0;

    if (info->flags & XENTMEM_SHARED) {
        text_of_uuid(uuid, info->uuid);
        snprintf(text_out, KNOB_LEN, "xentmem set %s %s=SIZE", uuid, name);
        return;
    }
    if (!is_local)
        length = snprintf(text_out, KNOB_LEN, "xentmem set GUEST %s=SIZE, in dom0%s", name,
                          is_xen ? "" : "; for a local client: ");
    if (!is_xen)
        snprintf(text_out + length, KNOB_LEN - (size_t)length,
                 "xentmem set uid:%u %s=SIZE, or the daemon's option --local-%s", geteuid(), name,
                 name);
}

int guest_refused(const struct tool *tool, struct xentmem *t, uint32_t pool, const char *what,
                  int status)
{
    struct xentmem_pool_info info;
    char size[TEXT_SIZE_LEN], knob[KNOB_LEN];
    const char *name;

    if (status != XENTMEM_QUOTA || xentmem_pool_info(t, pool, &info) != XENTMEM_OK)
        return tool_fail(TOOL_REFUSED, "%s: %s", what, xentmem_strstatus(status));
    name = info.flags & XENTMEM_PERSISTENT ? "quota" : "max";
    say_knob(knob, tool, &info, name);
    if (info.quota_pages == 0)
        return tool_fail(TOOL_REFUSED,
                         "%s: refused: no %s pages were granted, the %s of this %s is 0. The "
                         "operator's command: %s",
                         what, info.flags & XENTMEM_PERSISTENT ? "persistent" : "ephemeral", name,
                         info.flags & XENTMEM_SHARED ? "pool" : "attachment", knob);
    text_of_size(size, info.quota_pages);
    return tool_fail(TOOL_REFUSED,
                     "%s: refused: the %s of this %s, %s, is used up. The operator's command for "
                     "more: %s",
                     what, name, info.flags & XENTMEM_SHARED ? "pool" : "attachment", size, knob);
}
