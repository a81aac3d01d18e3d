/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_conf.h: what the directives said, merged, with defaults resolved.
 *
 * guard_conf.c owns the command table and the merge, guard_conf_resolve.c
 * the defaults, guard_conf_server.c the store and the checks of guesses,
 * guard_conf_finish.c the checks at start. Everyone else asks through the
 * functions below and never reads a default.
 */
#ifndef GUARD_CONF_H
#define GUARD_CONF_H

#include "guard_conf_args.h"
#include "guard_policy.h"
#include "guard_store_provider.h"
#include "guard_store_shm.h"

#include <httpd.h>
#include <http_config.h>
#include <mod_auth.h>

extern module AP_MODULE_DECLARE_DATA auth_guard_module;

typedef enum {
    GUARD_MODE_UNSET = 0,
    GUARD_MODE_OFF,
    GUARD_MODE_ON,
    GUARD_MODE_OBSERVE
} guard_mode_e;

typedef enum {
    GUARD_ORIGIN_UNSET = 0,
    GUARD_ORIGIN_SERVER,
    GUARD_ORIGIN_HTACCESS
} guard_origin_e;

/** Whether a provider list (AuthBasicProvider, AuthFormProvider) has `guard`
 *  in it. */
typedef enum {
    GUARD_FACE_UNSET = 0,
    GUARD_FACE_OTHER,
    GUARD_FACE_GUARD
} guard_face_e;

typedef enum {
    GUARD_RESPONSE_UNSET = 0,
    GUARD_RESPONSE_401,
    GUARD_RESPONSE_403,
    GUARD_RESPONSE_404,
    GUARD_RESPONSE_429,
    GUARD_RESPONSE_DROP
} guard_response_e;

/** What AuthType says, as far as it matters here. */
typedef enum {
    GUARD_AUTH_UNSET = 0,
    GUARD_AUTH_ASK, /* an expression: to be asked of httpd */
    GUARD_AUTH_OTHER,
    GUARD_AUTH_BASIC,
    GUARD_AUTH_DIGEST,
    GUARD_AUTH_FORM
} guard_auth_e;

/** Whether AuthBasicFake puts another header in place of the client's. */
typedef enum {
    GUARD_FAKE_UNSET = 0,
    GUARD_FAKE_OFF,
    GUARD_FAKE_ON
} guard_fake_e;

/** A provider that `guard` asks. */
typedef struct guard_delegate_t {
    const char *name;
    const authn_provider *provider; /* NULL: it is not loaded */
} guard_delegate_t;

/** AuthGuardScope: a name, and what counts under it. */
typedef struct guard_named_scope_t {
    struct guard_named_scope_t *next;
    const char *name;
    uint64_t hash; /* guard_key_hash of the name; post_config */
} guard_named_scope_t;

/** All of them, of the configuration being read; emptied in pre_config. */
extern guard_named_scope_t *guard_conf_named_scopes;

/** Whether the status page answers, and whether it may unlock. */
typedef enum {
    GUARD_PAGE_UNSET = 0,
    GUARD_PAGE_OFF,
    GUARD_PAGE_ON,
    GUARD_PAGE_ACTIONS
} guard_page_e;

/** Per directory. Zero is unset throughout, so that a merge is a line a
 *  field. */
typedef struct guard_dir_conf_t {
    int is_said; /* a directive set something here */
    guard_mode_e mode;
    guard_origin_e mode_origin;
    guard_face_e basic_face;
    guard_origin_e basic_origin;
    guard_fake_e fake;
    guard_auth_e auth;
    const char *auth_type; /* as written */
    const char *realm;     /* AuthName; GUARD_ASK for an expression */
    const char *challenge; /* of that realm, for Basic */
    guard_face_e form_face;
    guard_origin_e form_origin;
    apr_array_header_t *delegates;           /* guard_delegate_t; NULL: unset */
    guard_limit_t limit[GUARD_KIND_MAX + 1]; /* by guard_kind_e */
    apr_array_header_t *exempt;              /* guard_cidr_t; NULL: unset */
    uint8_t prefix_v4; /* bits in the mapped space; 0: unset */
    uint8_t prefix_v6;
    const guard_named_scope_t *scope; /* NULL: unset */
    guard_response_e response;
    guard_page_e status;
    const char *htaccess_directive; /* one of ours that a .htaccess used */
} guard_dir_conf_t;

/** A store in a module of its own, and what its line says. */
typedef struct guard_away_conf_t {
    const char *name; /* "redis" */
    const guard_store_provider_t *provider;
    void *options; /* the provider's own */
} guard_away_conf_t;

/** Per server; the store is the main server's. */
typedef struct guard_server_conf_t {
    const char *shm_path; /* absolute; NULL until guard_conf_finish */
    uint32_t shm_clients; /* 0 until guard_conf_finish */
    int is_store_given;   /* AuthGuardStore stands in the configuration */
    const guard_away_conf_t *away; /* NULL: counts live in shm alone */
    enum {
        GUARD_CHECKS_UNSET = 0,
        GUARD_CHECKS_LIMITED,
        GUARD_CHECKS_UNLIMITED
    } checks;                      /* resolved by guard_conf_finish */
    unsigned checks_count;         /* LIMITED: 1 to GUARD_CHECKS_MAX */
    apr_interval_time_t wait_usec; /* 0 until guard_conf_finish */
    const char *host_scope;        /* scope of the virtual host; post_config */
    uint64_t host_scope_hash;      /* its guard_key_hash; post_config */
} guard_server_conf_t;

void *guard_conf_create_dir(apr_pool_t *pool, char *dir);
void *guard_conf_merge_dir(apr_pool_t *pool, void *base, void *add);
void *guard_conf_create_server(apr_pool_t *pool, server_rec *server);
void *guard_conf_merge_server(apr_pool_t *pool, void *base, void *add);
extern const command_rec guard_conf_commands[];

/** The merged configuration of the request's directory. */
static inline const guard_dir_conf_t *guard_conf_of(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &auth_guard_module);
}

/** AuthName is an expression, to be asked of httpd. */
extern const char GUARD_ASK[];

/** @return what that AuthType (not NULL) is. */
guard_auth_e guard_conf_auth(const char *auth_type);

/** @return what the AuthType in force there is; GUARD_AUTH_UNSET for none. */
guard_auth_e guard_conf_auth_of(const guard_dir_conf_t *conf, request_rec *r);

/** As ap_auth_type and ap_auth_name, for less where configuration tells.
 *  @return NULL if there is none */
const char *guard_conf_auth_type(const guard_dir_conf_t *conf, request_rec *r);
const char *guard_conf_realm(const guard_dir_conf_t *conf, request_rec *r);

/** @return the challenge of Basic authentication there (RFC 7617). */
const char *guard_conf_challenge(const guard_dir_conf_t *conf, request_rec *r);

/** @return OFF, ON or OBSERVE: AuthGuard, or ON if unset and the provider of
 *  the AuthType in force is `guard`. *origin tells where it was switched on. */
guard_mode_e guard_conf_mode(const guard_dir_conf_t *conf, guard_auth_e auth,
                             guard_origin_e *origin);

/** @return 0 if guard_conf_mode is OFF whatever the AuthType, else 1. */
static inline int guard_conf_may_guard(const guard_dir_conf_t *conf)
{
    return conf->mode ? conf->mode != GUARD_MODE_OFF
                      : conf->basic_face == GUARD_FACE_GUARD ||
                            conf->form_face == GUARD_FACE_GUARD;
}

/** @return the policy in force for kind and that client's address family, or
 *  NULL if there is none. */
const guard_policy_t *guard_conf_policy(const guard_dir_conf_t *conf,
                                        guard_kind_e kind, int is_v4);

/** @return 1 if a limit by `user` or `login` is in force, else 0. */
static inline int guard_conf_counts_users(const guard_dir_conf_t *conf)
{
    return conf->limit[GUARD_KIND_USER].state == GUARD_LIMIT_SET ||
           conf->limit[GUARD_KIND_LOGIN].state == GUARD_LIMIT_SET;
}

/** @return bits (mapped space) of the address in a key of that kind. */
uint8_t guard_conf_bits(const guard_dir_conf_t *conf, guard_kind_e kind,
                        int is_v4);

/** @return 1 if AuthGuardExempt lists the address, else 0. */
int guard_conf_is_exempt(const guard_dir_conf_t *conf,
                         const guard_addr_t *addr);

/** @return AuthGuardResponse, resolved. */
static inline guard_response_e guard_conf_response(const guard_dir_conf_t *conf)
{
    return conf->response ? conf->response : GUARD_RESPONSE_401;
}

/** @return AuthGuardStatus, resolved. */
guard_page_e guard_conf_status(const guard_dir_conf_t *conf);

/**
 * Check what only the whole configuration can tell, and complete it: names of
 * the virtual hosts' scopes, the store's file and size, the number of checks.
 * Call in post_config.
 * @return OK, or HTTP_INTERNAL_SERVER_ERROR after logging why
 */
int guard_conf_finish(apr_pool_t *pool, apr_pool_t *temp, server_rec *main);

#endif
