/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * htguard_screen.c owns what is known of the terminal. It knows nothing of
 * what is written there.
 *
 * Invariant: where standard output is no terminal, nothing but text is
 * written, whatever the environment says.
 */
#include "htguard_screen.h"

#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_DEFAULT 80 /* where the terminal does not know */

static unsigned read_columns(void)
{
    const char *told = getenv("COLUMNS");
    unsigned long columns = told ? strtoul(told, NULL, 10) : 0;
    struct winsize size = {0};

    if (!columns && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        columns = size.ws_col;
    }
    if (!columns || columns > USHRT_MAX) {
        return COLUMNS_DEFAULT;
    }
    return (unsigned)columns;
}

static int wants_colours(void)
{
    const char *terminal = getenv("TERM");
    const char *refused = getenv("NO_COLOR");

    return terminal && *terminal && strcmp(terminal, "dumb") != 0 &&
           !(refused && *refused);
}

htguard_screen_t htguard_screen_look(void)
{
    htguard_screen_t screen = {0};

    if (!isatty(STDOUT_FILENO)) {
        return screen;
    }
    setlocale(LC_CTYPE, "");
    screen.columns = read_columns();
    screen.has_colours = wants_colours();
    screen.has_utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
    return screen;
}

const char *htguard_screen_paint(const htguard_screen_t *screen,
                                 htguard_paint_e paint)
{
    static const char *const BEGIN[] = {
        [HTGUARD_PLAIN] = "",          [HTGUARD_BOLD] = "\033[1m",
        [HTGUARD_RED] = "\033[31m",    [HTGUARD_GREEN] = "\033[32m",
        [HTGUARD_YELLOW] = "\033[33m",
    };

    return screen->has_colours ? BEGIN[paint] : "";
}

const char *htguard_screen_unpaint(const htguard_screen_t *screen,
                                   htguard_paint_e paint)
{
    return screen->has_colours && paint != HTGUARD_PLAIN ? "\033[0m" : "";
}
