/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_present.h: what an attempt presents, as far as it has to be known.
 *
 * For guard_reserve.c, which has guard_reserve_present and
 * guard_reserve_present_header beside these; each call is the request's own
 * thread's.
 */
#ifndef GUARD_PRESENT_H
#define GUARD_PRESENT_H

#include "guard_reserve.h"

/** Fill a->guess, unless it was taken over. */
void guard_present_make_guess(guard_attempt_t *a);

/** Fill a->subject.user, if it was not wanted until now. */
void guard_present_name_user(guard_attempt_t *a);

/** Let the connection's next request be asked for at the door. */
void guard_present_forget(guard_attempt_t *a);

#endif
