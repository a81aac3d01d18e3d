/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_vars.h: the guard's view as variables, log tag and expressions.
 *
 * One table of names serves all three: AUTHGUARD_STATE in the environment,
 * %{state}^ag in a LogFormat, %{AUTHGUARD_STATE} in an expression.
 */
#ifndef GUARD_VARS_H
#define GUARD_VARS_H

#include "guard_chain.h"

#include <ap_expr.h>

/** Put the view into r->subprocess_env; an ErrorDocument then sees it as
 *  REDIRECT_AUTHGUARD_... Where the state is ok, AUTHGUARD_STATE alone. */
void guard_vars_export(request_rec *r, const guard_view_t *view);

/** Prepare; call in child_init. */
void guard_vars_init(apr_pool_t *pool);

/** Register the log tag ^ag; call in pre_config. */
void guard_vars_register_log(apr_pool_t *pool);

/** expr_lookup: AUTHGUARD_... in expressions. */
int guard_vars_expr_lookup(ap_expr_lookup_parms *parms);

#endif
