/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_attempt_judge.h: was the guess right, wrong, or not looked at?
 */
#ifndef GUARD_ATTEMPT_JUDGE_H
#define GUARD_ATTEMPT_JUDGE_H

#include "guard_reserve.h"

/** @return what that status of the check_authn hooks says of the guess. */
guard_outcome_e guard_attempt_judge(const guard_attempt_t *a, int status);

/** @return 1 if a 401 was about the guess, 0 if nobody took the credentials
 *  for his. */
int guard_attempt_is_about_guess(const guard_attempt_t *a);

#endif
