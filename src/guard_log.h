/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_log.h: the lines in the error log that people and parsers read.
 *
 * Ids and fields are fixed; docs/log.md lists them. Every value that a client
 * can choose is percent-encoded and cut.
 */
#ifndef GUARD_LOG_H
#define GUARD_LOG_H

#include "guard_conf.h"
#include "guard_store_shm.h"

#define GUARD_LOG_VALUE_MAX 64 /* bytes of one value, after encoding */

/** Who and what a line is about. */
typedef struct guard_log_subject_t {
    const char *client; /* the address, as people write it */
    const char *scope;
    const char *realm;
    const char *user;
    guard_origin_e origin;
    int observed;
} guard_log_subject_t;

/** AG0101 at warn, or AG0104 where observed: a lockout began. */
void guard_log_lockout(request_rec *r, const guard_log_subject_t *subject,
                       const guard_claim_t *claim,
                       const guard_standing_t *standing);

/** AG0102 at info, at most once a second for each child: a request was
 *  refused for that reason (locked, busy, ...). */
void guard_log_refused(request_rec *r, const guard_log_subject_t *subject,
                       const char *reason);

/** AG0103 at notice: somebody ended lockouts from the status page. NULL or ""
 *  for what was not asked by. */
void guard_log_unlocked(request_rec *r, const char *client, const char *user,
                        const char *scope, unsigned count);

/** AG0112 at warn: the status page refused to act, for that reason. */
void guard_log_not_unlocked(request_rec *r, const char *reason);

/** AG0108 at error, once: a status page is asked for where it is off. */
void guard_log_status_off(request_rec *r);

/** AG0105 at warn, once: a failure came through a proxy that mod_remoteip
 *  does not know. */
void guard_log_proxy(request_rec *r);

/** AG0207 at error when the store fails, AG0208 at notice when it works
 *  again; once per change. */
void guard_log_store(request_rec *r, apr_status_t rv);

/** AG0211 at warn, at most once a minute: the table is full. In the server's
 *  parent, every now and then; store is the open one. */
void guard_log_full(server_rec *main_server, guard_store_t *store);

#endif
