/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* describe.h - whom and what an operator's command is about, as key=value for the log. */
#ifndef XTM_CONTROL_DESCRIBE_H
#define XTM_CONTROL_DESCRIBE_H

#include "protocol/control.h"

#define DESCRIBE_LEN 256u

/* " pool=UUID guest=dom7 device=0 right=fill", each with a space before it; "" for a list. */
void describe(char text_out[DESCRIBE_LEN], const union tmemctl_message *m);

#endif /* XTM_CONTROL_DESCRIBE_H */
