/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * answer.h - is this response one that the protocol allows to this request?
 *
 * The manager is another domain: what it writes is checked like any foreign
 * bytes before it reaches the user. Pure.
 */
#ifndef XENTMEM_LIB_ANSWER_H
#define XENTMEM_LIB_ANSWER_H

#include <stdbool.h>

#include "protocol/tmemif.h"

/* @response answers request number @number, which was @request. */
bool answer_is_valid(const struct tmemif_request *request, uint32_t number,
                     const struct tmemif_response *response);

/* The same for one element of a BATCH, whose number field is not looked at. */
bool answer_element_is_valid(const struct tmemif_request *request,
                             const struct tmemif_response *response);

#endif /* XENTMEM_LIB_ANSWER_H */
