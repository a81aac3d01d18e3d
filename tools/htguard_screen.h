/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * htguard_screen.h: what standard output can show.
 */
#ifndef HTGUARD_SCREEN_H
#define HTGUARD_SCREEN_H

typedef struct htguard_screen_t {
    unsigned columns; /* 0: no terminal, a line may have any length */
    int has_colours;  /* 1: a terminal, and nobody asked for none */
    int has_utf8;     /* 1: a terminal that shows more than ASCII */
} htguard_screen_t;

typedef enum {
    HTGUARD_PLAIN,
    HTGUARD_BOLD,
    HTGUARD_RED,
    HTGUARD_GREEN,
    HTGUARD_YELLOW
} htguard_paint_e;

/** Look at standard output and the environment: COLUMNS goes before what the
 *  terminal says; NO_COLOR and TERM=dumb mean no colours. */
htguard_screen_t htguard_screen_look(void);

/** @return what to write before text of that paint, and behind it:
 *  "" where there are no colours. */
const char *htguard_screen_paint(const htguard_screen_t *screen,
                                 htguard_paint_e paint);
const char *htguard_screen_unpaint(const htguard_screen_t *screen,
                                   htguard_paint_e paint);

#endif
