# SPDX-License-Identifier: LGPL-2.1-or-later
# outcome.sh - what a check says of one thing; to be sourced. $status is 1 once something was wrong.
status=0

outcome() { # NAME, then OUTPUT: ok if there is none
    if [ -z "$2" ]; then
        echo "ok $1"
    else
        echo "not ok $1: $(echo "$2" | tr '\n' ' ' | cut -c 1-300)"
        status=1
    fi
}
