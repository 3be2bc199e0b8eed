/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/command.h"

const struct command operator_commands[] = {
    {0},
};
