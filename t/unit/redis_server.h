/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * redis_server.h: a redis-server of a unit test's own, on a unix socket in a
 * directory that goes when the test ends; and the script's calls, through
 * hiredis as it comes.
 *
 * The server is AUTHGUARD_REDIS, or else redis-server or valkey-server.
 */
#ifndef REDIS_SERVER_H
#define REDIS_SERVER_H

#include "guard_store_redis_script.h"

#include <hiredis/hiredis.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REDIS_SERVER_PATIENCE_MS 20000
#define REDIS_SERVER_VALUES 16 /* of the longest answer, and some */

static char redis_server_dir[64];
static char redis_server_path[80];
static pid_t redis_server_pid, redis_server_owner;

static inline void redis_server_stop(void)
{
    if (redis_server_pid && getpid() == redis_server_owner) {
        kill(redis_server_pid, SIGKILL);
        waitpid(redis_server_pid, NULL, 0);
        redis_server_pid = 0;
        unlink(redis_server_path);
        rmdir(redis_server_dir);
    }
}

/* In the child: become the server, which ends with the test. */
static inline void redis_server_become(void)
{
    const char *given = getenv("AUTHGUARD_REDIS");
    const char *names[] = {given ? given : "redis-server", "valkey-server"};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!freopen("/dev/null", "w", stdout)) {
        _exit(127);
    }
    for (int i = 0; i < 2; i++) {
        execlp(names[i], names[i], "--port", "0", "--unixsocket",
               redis_server_path, "--dir", redis_server_dir, "--save", "",
               "--appendonly", "no", "--loglevel", "warning", (char *)NULL);
    }
    _exit(127);
}

/** A new connection. @return it, or NULL */
static inline redisContext *redis_server_connect(void)
{
    redisContext *context = redisConnectUnix(redis_server_path);

    if (context && context->err) {
        redisFree(context);
        return NULL;
    }
    return context;
}

/** Start it and connect. @return NULL where there is none to start */
static inline redisContext *redis_server_start(void)
{
    static const struct timespec tick = {.tv_nsec = 10000000};
    redisContext *context = NULL;

    strcpy(redis_server_dir, "/tmp/authguard-redis-XXXXXX");
    if (!mkdtemp(redis_server_dir)) {
        return NULL;
    }
    snprintf(redis_server_path, sizeof(redis_server_path), "%s/socket",
             redis_server_dir);
    redis_server_owner = getpid();
    fflush(stdout);
    redis_server_pid = fork();
    if (!redis_server_pid) {
        redis_server_become();
    }
    atexit(redis_server_stop);
    for (int ms = 0; !context && ms < REDIS_SERVER_PATIENCE_MS; ms += 10) {
        if (waitpid(redis_server_pid, NULL, WNOHANG)) {
            redis_server_pid = 0;
            rmdir(redis_server_dir);
            return NULL;
        }
        context = redis_server_connect();
        nanosleep(&tick, NULL);
    }
    guard_redis_script_init();
    return context;
}

/** Say that there is no server, as prove understands it. @return the program's
 *  exit status */
static inline int redis_server_skip(void)
{
    printf("1..0 # SKIP no redis-server here\n");
    return 0;
}

/** One command in words. @return its reply, to be freed */
__attribute__((format(printf, 2, 3))) static inline redisReply *
redis_server_say(redisContext *context, const char *format, ...)
{
    redisReply *reply;
    va_list args;

    va_start(args, format);
    reply = redisvCommand(context, format, args);
    va_end(args);
    if (!reply) {
        printf("Bail out! the redis-server is gone: %s\n", context->errstr);
        exit(1);
    }
    return reply;
}

/** The same, where a number comes back. */
#define redis_server_number(...)                                               \
    redis_server_integer(redis_server_say(__VA_ARGS__))

static inline long long redis_server_integer(redisReply *reply)
{
    long long number =
        reply->type == REDIS_REPLY_INTEGER ? reply->integer : -9999;

    freeReplyObject(reply);
    return number;
}

/** The same, where what comes back doesn't matter but for errors. */
#define redis_server_do(...) redis_server_done(redis_server_say(__VA_ARGS__))

static inline void redis_server_done(redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        printf("Bail out! %s\n", reply->str);
        exit(1);
    }
    freeReplyObject(reply);
}

/** A call's reply, as the store's own wire would give it. */
typedef struct redis_server_reply_t {
    redisReply *raw;
    guard_redis_reply_t reply;
    guard_redis_reply_t value[REDIS_SERVER_VALUES];
    const guard_redis_reply_t *element[REDIS_SERVER_VALUES];
} redis_server_reply_t;

static inline void redis_server_convert(guard_redis_reply_t *to,
                                        const redisReply *from)
{
    static const guard_redis_kind_e KIND[] = {
        [REDIS_REPLY_STRING] = GUARD_REDIS_STRING,
        [REDIS_REPLY_ARRAY] = GUARD_REDIS_ARRAY,
        [REDIS_REPLY_INTEGER] = GUARD_REDIS_INTEGER,
        [REDIS_REPLY_NIL] = GUARD_REDIS_NIL,
        [REDIS_REPLY_STATUS] = GUARD_REDIS_STATUS,
        [REDIS_REPLY_ERROR] = GUARD_REDIS_ERROR};

    memset(to, 0, sizeof(*to));
    to->kind = KIND[from->type];
    to->integer = from->integer;
    if (from->str) {
        to->text = from->str;
        to->length = (size_t)from->len;
    }
}

/** Make a call, by its text where the server doesn't know the script yet.
 *  out->raw is to be freed. */
static inline const guard_redis_reply_t *
redis_server_call(redisContext *context, guard_redis_call_t *call,
                  redis_server_reply_t *out)
{
    out->raw =
        redisCommandArgv(context, (int)call->argc, call->argv, call->length);
    if (out->raw && out->raw->type == REDIS_REPLY_ERROR &&
        !strncmp(out->raw->str, "NOSCRIPT", 8)) {
        freeReplyObject(out->raw);
        guard_redis_call_by_text(call);
        out->raw = redisCommandArgv(context, (int)call->argc, call->argv,
                                    call->length);
    }
    if (!out->raw || out->raw->elements > REDIS_SERVER_VALUES) {
        printf("Bail out! the redis-server is gone: %s\n", context->errstr);
        exit(1);
    }
    redis_server_convert(&out->reply, out->raw);
    out->reply.count = (unsigned)out->raw->elements;
    out->reply.element = out->element;
    for (size_t i = 0; i < out->raw->elements; i++) {
        redis_server_convert(&out->value[i], out->raw->element[i]);
        out->element[i] = &out->value[i];
    }
    return &out->reply;
}

/** Make a call and read its answer; an answer that is none ends the test. */
static inline guard_redis_answer_t redis_server_ask(redisContext *context,
                                                    guard_redis_call_t *call)
{
    guard_redis_answer_t answer;
    redis_server_reply_t out;

    if (guard_redis_answer_read(
            &answer, redis_server_call(context, call, &out)) != APR_SUCCESS) {
        printf("Bail out! no answer to %s: %s\n", call->argv[4],
               out.raw->str ? out.raw->str : "of another form");
        exit(1);
    }
    freeReplyObject(out.raw);
    return answer;
}

#endif
