/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_ask.h: questions of one attempt to the store, asked until there is an
 * answer or the patience is at an end.
 *
 * For guard_reserve.c; each call is the request's own thread's.
 */
#ifndef GUARD_ASK_H
#define GUARD_ASK_H

#include "guard_reserve.h"

/** Reserve: a->report has the verdict, never WAIT; an error of the store is
 *  OVERLOAD. Where it is ADMIT and unproven, a check is taken. */
void guard_ask_reserve(guard_attempt_t *a);

/** Let another attempt have the check, if there is one. */
void guard_ask_give_check_back(guard_attempt_t *a);

/** One question to the store. */
typedef apr_status_t guard_question_fn(guard_attempt_t *a);

/** Ask again while the store's lock is not to be had, and log what becomes of
 *  that. @return the last answer's status */
apr_status_t guard_ask_insist(guard_attempt_t *a, guard_question_fn *question);

#endif
