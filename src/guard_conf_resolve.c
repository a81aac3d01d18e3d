/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_conf_resolve.c owns the defaults, and what the merged configuration
 * of a directory comes to. It refuses to know how values came in. Invariant:
 * nothing here changes anything.
 */
#include "guard_conf.h"

#include <apr_strings.h>
#include <http_core.h>

#include <strings.h>

#define PREFIX_V4_DEFAULT (GUARD_ADDR_V4_BASE + 32)
#define PREFIX_V6_DEFAULT 64
/* The networks that `net` counts by. */
#define NET_V4_BITS (GUARD_ADDR_V4_BASE + 24)
#define NET_V6_BITS 48

/* An IPv6 customer has thousands of /64, each an `ip` of its own. */
static const guard_policy_t default_net_v6 = {
    .limit = 50,
    .window_usec = apr_time_from_sec(10 * 60),
    .lockout_usec = GUARD_LOCKOUT_USEC_DEFAULT,
    .lockout_max_usec = GUARD_LOCKOUT_MAX_USEC_DEFAULT};

const char GUARD_ASK[] = "%";

guard_auth_e guard_conf_auth(const char *auth_type)
{
    if (!strcasecmp(auth_type, "Basic")) {
        return GUARD_AUTH_BASIC;
    }
    if (!strcasecmp(auth_type, "Digest")) {
        return GUARD_AUTH_DIGEST;
    }
    return strcasecmp(auth_type, "form") ? GUARD_AUTH_OTHER : GUARD_AUTH_FORM;
}

guard_auth_e guard_conf_auth_of(const guard_dir_conf_t *conf, request_rec *r)
{
    const char *auth_type;

    if (conf->auth > GUARD_AUTH_ASK) {
        return conf->auth;
    }
    auth_type = ap_auth_type(r);
    return auth_type ? guard_conf_auth(auth_type) : GUARD_AUTH_UNSET;
}

const char *guard_conf_auth_type(const guard_dir_conf_t *conf, request_rec *r)
{
    return conf->auth > GUARD_AUTH_ASK ? conf->auth_type : ap_auth_type(r);
}

const char *guard_conf_realm(const guard_dir_conf_t *conf, request_rec *r)
{
    return conf->realm && conf->realm != GUARD_ASK ? conf->realm
                                                   : ap_auth_name(r);
}

const char *guard_conf_challenge(const guard_dir_conf_t *conf, request_rec *r)
{
    const char *realm;

    if (conf->challenge) {
        return conf->challenge;
    }
    realm = ap_auth_name(r);
    return apr_pstrcat(r->pool, "Basic realm=\"", realm ? realm : "", "\"",
                       NULL);
}

guard_mode_e guard_conf_mode(const guard_dir_conf_t *conf, guard_auth_e auth,
                             guard_origin_e *origin)
{
    *origin = conf->mode_origin;
    if (conf->mode) {
        return conf->mode;
    }
    if (conf->basic_face == GUARD_FACE_GUARD && auth == GUARD_AUTH_BASIC) {
        *origin = conf->basic_origin;
        return GUARD_MODE_ON;
    }
    if (conf->form_face == GUARD_FACE_GUARD && auth == GUARD_AUTH_FORM) {
        *origin = conf->form_origin;
        return GUARD_MODE_ON;
    }
    return GUARD_MODE_OFF;
}

const guard_policy_t *guard_conf_policy(const guard_dir_conf_t *conf,
                                        guard_kind_e kind, int is_v4)
{
    const guard_limit_t *limit = &conf->limit[kind];

    switch (limit->state) {
    case GUARD_LIMIT_SET:
        return &limit->policy;
    case GUARD_LIMIT_NONE:
        return NULL;
    case GUARD_LIMIT_UNSET:
        break;
    }
    if (kind == GUARD_KIND_IP) {
        return &guard_policy_default;
    }
    return kind == GUARD_KIND_NET && !is_v4 ? &default_net_v6 : NULL;
}

uint8_t guard_conf_bits(const guard_dir_conf_t *conf, guard_kind_e kind,
                        int is_v4)
{
    switch (kind) {
    case GUARD_KIND_IP:
    case GUARD_KIND_LOGIN:
        if (is_v4) {
            return conf->prefix_v4 ? conf->prefix_v4 : PREFIX_V4_DEFAULT;
        }
        return conf->prefix_v6 ? conf->prefix_v6 : PREFIX_V6_DEFAULT;
    case GUARD_KIND_NET:
        return is_v4 ? NET_V4_BITS : NET_V6_BITS;
    case GUARD_KIND_USER:
    case GUARD_KIND_OVERFLOW:
        break; /* no address in the key */
    }
    return 0;
}

int guard_conf_is_exempt(const guard_dir_conf_t *conf, const guard_addr_t *addr)
{
    int i;

    for (i = 0; conf->exempt && i < conf->exempt->nelts; i++) {
        if (guard_cidr_contains(&APR_ARRAY_IDX(conf->exempt, i, guard_cidr_t),
                                addr)) {
            return 1;
        }
    }
    return 0;
}

guard_page_e guard_conf_status(const guard_dir_conf_t *conf)
{
    return conf->status ? conf->status : GUARD_PAGE_OFF;
}
