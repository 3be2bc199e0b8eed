/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/operator_names.h"

#include <stdio.h>
#include <stdlib.h>

#include "frontend/tool/operator_talk.h"

struct names names_read(const struct tool *tool)
{
    struct names names = {0};
    char why[XEN_WHY_LEN];
    struct xs_handle *xs = talk_by_xenstore(tool) ? xen_open(why) : NULL;

    if (xs) {
        names.domains = domains_read(xs, &names.nr);
        xs_close(xs);
    }
    return names;
}

void names_free(struct names *names)
{
    free(names->domains);
    *names = (struct names){0};
}

const char *name_of_domain(const struct names *names, uint32_t domid, char text_out[WHO_LEN])
{
    snprintf(text_out, WHO_LEN, "dom%u", domid);
    for (unsigned i = 0; i < names->nr; i++) {
        if (names->domains[i].domid == domid && names->domains[i].name[0])
            snprintf(text_out, WHO_LEN, "%s", names->domains[i].name);
    }
    return text_out;
}

const char *name_of(const struct names *names, const struct tmemctl_who *who,
                    char text_out[WHO_LEN])
{
    if (who->kind == TMEMCTL_XEN)
        return name_of_domain(names, who->id, text_out);
    snprintf(text_out, WHO_LEN, who->kind == TMEMCTL_LOCAL ? "uid:%u" : "dom%u", who->id);
    return text_out;
}
