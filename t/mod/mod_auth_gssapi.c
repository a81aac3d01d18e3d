/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * mod_auth_gssapi.c: stands for the module of that name where only its being
 * loaded matters.
 */
#include <httpd.h>
#include <http_config.h>

AP_DECLARE_MODULE(auth_gssapi) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, NULL,
    AP_MODULE_FLAG_NONE,
};
