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
    (void)pool;
    return view->retry_after[0] ? view->retry_after : NULL;
}

/* Most limits are small. */
static const char *number(apr_pool_t *pool, unsigned value)
{
    static const char DIGIT[][2] = {"0", "1", "2", "3", "4",
                                    "5", "6", "7", "8", "9"};

    return value < 10 ? DIGIT[value] : apr_itoa(pool, (int)value);
}

static const char *failures(apr_pool_t *pool, const guard_view_t *view)
{
    return view->limit ? number(pool, view->failures) : NULL;
}

static const char *limit(apr_pool_t *pool, const guard_view_t *view)
{
    return view->limit ? number(pool, view->limit) : NULL;
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

/*
 * The variables of a refusal, to be copied in one go: setting them one by one
 * takes three times as long. They are the first SHAPE_COUNT of VARIABLES.
 */
static apr_table_t *shape; /* [fork] NULL: not made */

#define SHAPE_COUNT 6
#define SHAPE_ROOM 16 /* what httpd will add */

void guard_vars_init(apr_pool_t *pool)
{
    apr_table_t *made = apr_table_make(pool, SHAPE_ROOM);

    for (int i = 0; i < SHAPE_COUNT; i++) {
        apr_table_setn(made, VARIABLES[i].env, "");
    }
    shape = made;
}

/* @return 1 if the view has just the variables of the shape, and the request
 * none yet. */
static int has_shape(const request_rec *r, const guard_view_t *view)
{
    return shape && apr_is_empty_table(r->subprocess_env) && view->substatus &&
           view->retry_after[0] && view->limit && view->scope[0] &&
           !view->observed;
}

static void export_shape(request_rec *r, const guard_view_t *view)
{
    apr_table_t *env = apr_table_copy(r->pool, shape);
    apr_table_entry_t *entry =
        (apr_table_entry_t *)(void *)apr_table_elts(env)->elts;

    entry++->val = (char *)state(r->pool, view);
    entry++->val = (char *)substatus(r->pool, view);
    entry++->val = (char *)retry_after(r->pool, view);
    entry++->val = (char *)failures(r->pool, view);
    entry++->val = (char *)limit(r->pool, view);
    entry++->val = (char *)scope(r->pool, view);
    r->subprocess_env = env;
}

void guard_vars_export(request_rec *r, const guard_view_t *view)
{
    if (view->state == GUARD_STATE_OK) {
        apr_table_setn(r->subprocess_env, VARIABLES[0].env, "ok");
        return;
    }
    if (has_shape(r, view)) {
        export_shape(r, view);
        return;
    }
    for (apr_size_t i = 0; i < VARIABLE_COUNT; i++) {
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
