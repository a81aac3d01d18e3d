/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_conf_sanity.h: what is surely a mistake, said once at start.
 */
#ifndef GUARD_CONF_SANITY_H
#define GUARD_CONF_SANITY_H

#include "guard_conf.h"

/** Wrong guesses an hour that one address may make at one account before a
 *  limit counts as loose: NIST SP 800-63B, section 5.2.2, allows 100 in all. */
#define GUARD_ACCOUNT_HOUR_MAX 100

/**
 * Look the whole configuration over, in post_config: AG0107 for a form that is
 * guarded in vain, AG0109 for schemes that are not counted, AG0110 for
 * passwords in clear, AG0111 for a limit that hardly limits, AG0113 for
 * addresses that anybody may write. Changes nothing.
 */
void guard_conf_sanity(apr_pool_t *temp, server_rec *main);

#endif
