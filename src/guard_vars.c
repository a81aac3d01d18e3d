/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_vars.c owns the names under which other parts of httpd see what the
 * guard found. It reads views and changes none.
 *
 * Invariant: a value is made of numbers, fixed words, an address and the
 * scope's name; nothing that a client sent stands in one.
 */
#include "guard_vars.h"

#include <apr_optional.h>
#include <apr_strings.h>
#include <mod_log_config.h>

#include <string.h>

#define ENV_PREFIX "AUTHGUARD_"

typedef const char *value_fn(apr_pool_t *pool, const guard_view_t *view);

static const char *state(apr_pool_t *pool, const guard_view_t *view)
{
    static const char *const WORDS[] = {"unguarded", "ok",     "failed",
                                        "repeat",    "locked", "busy",
                                        "overload",  "exempt"};

    (void)pool;
    return WORDS[view->state];
}

static const char *substatus(apr_pool_t *pool, const guard_view_t *view)
{
    if (!view->substatus) {
        return NULL;
    }
    if (view->status == HTTP_UNAUTHORIZED && view->substatus == 501) {
        return "401.501"; /* most of what is refused */
    }
    return apr_psprintf(pool, "%d.%d", view->status, view->substatus);
}

static const char *retry_after(apr_pool_t *pool, const guard_view_t *view)
{
    return view->retry_after_sec ? apr_itoa(pool, view->retry_after_sec) : NULL;
}

static const char *failures(apr_pool_t *pool, const guard_view_t *view)
{
    return view->limit ? apr_itoa(pool, (int)view->failures) : NULL;
}

static const char *limit(apr_pool_t *pool, const guard_view_t *view)
{
    return view->limit ? apr_itoa(pool, (int)view->limit) : NULL;
}

static const char *scope(apr_pool_t *pool, const guard_view_t *view)
{
    (void)pool;
    return view->scope[0] ? view->scope : NULL;
}

static const char *client(apr_pool_t *pool, const guard_view_t *view)
{
    (void)pool;
    return view->client[0] ? view->client : NULL;
}

static const char *observed(apr_pool_t *pool, const guard_view_t *view)
{
    (void)pool;
    return view->observed ? "1" : NULL;
}

static const struct {
    const char *tag; /* of %{...}^ag */
    const char *env; /* NULL: only in the log */
    value_fn *value;
} VARIABLES[] = {
    {"state", ENV_PREFIX "STATE", state}, /* first: set whatever it is */
    {"substatus", ENV_PREFIX "SUBSTATUS", substatus},
    {"retry_after", ENV_PREFIX "RETRY_AFTER", retry_after},
    {"failures", ENV_PREFIX "FAILURES", failures},
    {"limit", ENV_PREFIX "LIMIT", limit},
    {"scope", ENV_PREFIX "SCOPE", scope},
    {"observed", ENV_PREFIX "OBSERVED", observed},
    {"client", NULL, client},
};

#define VARIABLE_COUNT (sizeof(VARIABLES) / sizeof(VARIABLES[0]))

void guard_vars_export(request_rec *r, const guard_view_t *view)
{
    apr_size_t count = view->state == GUARD_STATE_OK ? 1 : VARIABLE_COUNT;

    for (apr_size_t i = 0; i < count; i++) {
        const char *value = VARIABLES[i].value(r->pool, view);

        if (VARIABLES[i].env && value) {
            apr_table_setn(r->subprocess_env, VARIABLES[i].env, value);
        }
    }
}

static const char *log_tag(request_rec *r, char *name)
{
    for (apr_size_t i = 0; i < VARIABLE_COUNT; i++) {
        if (!strcmp(name, VARIABLES[i].tag)) {
            return VARIABLES[i].value(r->pool, guard_chain_view(r));
        }
    }
    return NULL;
}

void guard_vars_register_log(apr_pool_t *pool)
{
    APR_OPTIONAL_FN_TYPE(ap_register_log_handler) *register_handler =
        APR_RETRIEVE_OPTIONAL_FN(ap_register_log_handler);

    if (register_handler) {
        register_handler(pool, "^ag", log_tag, 0);
    }
}

static const char *expr_value(ap_expr_eval_ctx_t *ctx, const void *data)
{
    const apr_size_t i = (apr_size_t)(apr_uintptr_t)data;
    const char *value =
        ctx->r ? VARIABLES[i].value(ctx->p, guard_chain_view(ctx->r)) : NULL;

    return value ? value : "";
}

int guard_vars_expr_lookup(ap_expr_lookup_parms *parms)
{
    if (parms->type != AP_EXPR_FUNC_VAR) {
        return DECLINED;
    }
    for (apr_size_t i = 0; i < VARIABLE_COUNT; i++) {
        if (VARIABLES[i].env && !strcasecmp(parms->name, VARIABLES[i].env)) {
            *parms->func = (const void *)expr_value;
            *parms->data = (const void *)(apr_uintptr_t)i;
            return OK;
        }
    }
    return DECLINED;
}
