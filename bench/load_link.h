/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * load_link.h: one client of the bench's load: one connection, and on it one
 * request after the other.
 */
#ifndef LOAD_LINK_H
#define LOAD_LINK_H

#include <stddef.h>
#include <stdint.h>

enum { LINK_OUT_MAX = 1024, LINK_IN_MAX = 32768 };

typedef struct load_plan_t {
    uint16_t port;
    const char *path;
    const char *user; /* NULL: without credentials */
    const char *pass; /* `#` is the request's number */
    uint32_t from;    /* IPv4, host's order; and so many from there on */
    uint32_t addresses;
    uint64_t first; /* the number of the first request */
    int keep;
} load_plan_t;

typedef enum {
    LINK_BUSY,
    LINK_ANSWERED, /* link->status has it */
    LINK_FAULT,    /* closed, refused, or no HTTP */
    LINK_LATE
} link_state_e;

typedef struct link_t {
    int fd; /* -1: none */
    int index;
    int is_busy;
    int is_used; /* this connection has brought an answer before */
    int status;
    uint64_t nth;
    uint64_t began; /* usec */
    size_t out_length, out_sent, in_length;
    char out[LINK_OUT_MAX];
    char in[LINK_IN_MAX + 1];
} link_t;

/** @return usec of a clock that only goes forward. */
uint64_t link_clock(void);

/** @return so many links, none connected. */
link_t *link_make(int count);

/** Begin the nth request. @return 0, or -1 where no connection can be had. */
int link_begin(link_t *link, const load_plan_t *plan, uint64_t nth, int epoll);

/** Something can be written or read. @return what became of the request. */
link_state_e link_go_on(link_t *link, const load_plan_t *plan, uint32_t events,
                        int epoll);

/** Close the connection; what was under way on it is forgotten. */
void link_drop(link_t *link);

#endif
