/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_status_action.h: unlocking from the status page.
 */
#ifndef GUARD_STATUS_ACTION_H
#define GUARD_STATUS_ACTION_H

#include "guard_status.h"
#include "guard_status_query.h"

/** @return the token that makes a form of this page do something, or NULL
 *  where it can't: nobody has signed in. */
const char *guard_status_action_token(request_rec *r,
                                      const guard_status_t *status);

/**
 * A form was sent: do what it asks, and lead back to the list; or refuse, and
 * say why.
 * @return an HTTP status, or OK if an answer was sent
 */
int guard_status_action(request_rec *r, const guard_status_t *status,
                        const guard_status_query_t *query);

/** An address asks for what only a form can do: refuse. @return OK. */
int guard_status_action_by_address(request_rec *r,
                                   const guard_status_query_t *query);

/** @return what to say of an action that has just been done, or NULL. */
const char *guard_status_action_done(request_rec *r,
                                     const guard_status_t *status,
                                     const guard_status_query_t *query);

#endif
