/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * mod_bare: the least that a refusal can cost, for the bench to compare with.
 * It is not shipped.
 *
 * Owns one hook, in the phase of the guard's. Where `BareAnswer` is set, it
 * sends a body of that length itself, with the headers of `BareHeader`, and
 * lets httpd do nothing more: httpd's own way to an error page costs some
 * 2,500 instructions on top. It looks at nobody's address and counts nothing.
 *
 * Invariant: all that can be done while the configuration is read is done
 * there.
 */
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>

#include <stdlib.h>
#include <string.h>

module AP_MODULE_DECLARE_DATA bare_module;

typedef struct bare_conf_t {
    int status; /* [config] 0: stand aside */
    const char *type;
    const char *body;
    apr_size_t length;
    apr_array_header_t *headers; /* of bare_header_t */
} bare_conf_t;

typedef struct bare_header_t {
    const char *name;
    const char *value;
} bare_header_t;

static void *make_conf(apr_pool_t *pool, char *dir)
{
    bare_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));

    (void)dir;
    conf->headers = apr_array_make(pool, 4, sizeof(bare_header_t));
    return conf;
}

static const char *set_answer(cmd_parms *cmd, void *dir_conf,
                              const char *status, const char *type,
                              const char *length)
{
    bare_conf_t *conf = dir_conf;
    char *body;

    conf->status = atoi(status);
    conf->type = type;
    conf->length = (apr_size_t)atol(length);
    conf->body = body = apr_palloc(cmd->pool, conf->length);
    memset(body, '.', conf->length);
    return NULL;
}

static const char *add_header(cmd_parms *cmd, void *conf, const char *name,
                              const char *value)
{
    bare_header_t *header = apr_array_push(((bare_conf_t *)conf)->headers);

    (void)cmd;
    header->name = name;
    header->value = value;
    return NULL;
}

static void send_body(request_rec *r, const bare_conf_t *conf)
{
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_bucket_brigade *brigade = apr_brigade_create(r->pool, alloc);

    ap_set_content_type(r, conf->type);
    ap_set_content_length(r, (apr_off_t)conf->length);
    APR_BRIGADE_INSERT_TAIL(
        brigade, apr_bucket_immortal_create(conf->body, conf->length, alloc));
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(alloc));
    ap_pass_brigade(r->output_filters, brigade);
}

static int check_authn(request_rec *r)
{
    const bare_conf_t *conf =
        ap_get_module_config(r->per_dir_config, &bare_module);

    if (!conf->status) {
        return DECLINED;
    }
    r->status = conf->status;
    for (int i = 0; i < conf->headers->nelts; i++) {
        const bare_header_t *header =
            &APR_ARRAY_IDX(conf->headers, i, bare_header_t);

        apr_table_setn(r->err_headers_out, header->name, header->value);
    }
    send_body(r, conf);
    return DONE;
}

static const command_rec commands[] = {
    AP_INIT_TAKE3("BareAnswer", set_answer, NULL, ACCESS_CONF,
                  "a status, a media type and the body's length"),
    AP_INIT_TAKE2("BareHeader", add_header, NULL, ACCESS_CONF,
                  "a header's name and value"),
    {NULL}};

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_check_authn(check_authn, NULL, NULL, APR_HOOK_REALLY_FIRST,
                        AP_AUTH_INTERNAL_PER_CONF);
}

module AP_MODULE_DECLARE_DATA bare_module = {
    STANDARD20_MODULE_STUFF, make_conf, NULL, NULL, NULL, commands,
    register_hooks,          0};
