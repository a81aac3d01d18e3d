/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_reply_body_words.h: every word of every answer, in one table.
 *
 * For guard_reply_body*.c only, which make three forms of it: HTML,
 * problem+json and plain text. The table is a macro, so that the fixed parts
 * of each page are put together by the compiler and a refusal copies them.
 *
 * Texts are ASCII without < > & " and backslash: they stand unescaped in all
 * three forms, and a test checks them. No text says whether a user exists or
 * how many guesses are left.
 */
#ifndef GUARD_REPLY_BODY_WORDS_H
#define GUARD_REPLY_BODY_WORDS_H

#include "guard_reply_body.h"

/* Advice that several answers give. */
#define GUARD_ADVISE_ADDRESS                                                   \
    "Check the address: is this the site you meant to visit?"
#define GUARD_ADVISE_KEYBOARD                                                  \
    "Check that Caps Lock is off and that the keyboard layout is right."
#define GUARD_ADVISE_FORGET                                                    \
    "Let your browser, phone or mail program forget a saved password that is " \
    "out of date."

/* Said after `what` where the one who asks is a proxy. */
#define GUARD_WORDS_PROXY                                                      \
    "This answer comes from your proxy, not from the site: it is about your "  \
    "user name and password for the proxy."

#define GUARD_WORDS_AGAIN "Try again"
#define GUARD_WORDS_SIGN_IN "Sign in"
#define GUARD_WORDS_ADVICE "What you can do"
#define GUARD_WORDS_CODE "Reference"

/*
 * X(ANSWER, name, ICON, LINK, title, what, lasting, advice, advice, advice,
 *   advice)
 *
 * name ends the problem's type; ICON and LINK (to ask again, under that
 * caption) are for HTML; lasting says whether the trouble is temporary.
 */
#define GUARD_WORDS(X)                                                         \
    X(WRONG, "wrong", KEY, AGAIN, "Sign-in failed",                            \
      "The user name or the password was not accepted.",                       \
      "You can try again now. After several failed sign-ins, further ones "    \
      "are refused for a while.",                                              \
      GUARD_ADVISE_ADDRESS, GUARD_ADVISE_KEYBOARD, GUARD_ADVISE_FORGET,        \
      "If it still fails, ask the administrator.")                             \
    X(NO_CREDENTIALS, "no-credentials", LOCK, SIGN_IN, "Please sign in",       \
      "This page needs a user name and a password. The request brought none "  \
      "that could be checked.",                                                \
      "You can sign in right away.",                                           \
      "Before you type a password, check the address: is this the site you "   \
      "meant to visit?",                                                       \
      "Open the page again, and sign in when your browser asks.",              \
      "If it does not ask, close all of its windows, or use a private one.",   \
      "If you have no account or forgot your password, ask the "               \
      "administrator.")                                                        \
    X(NOT_ALLOWED, "not-allowed", SHIELD, NONE, "No access with this account", \
      "You signed in, but this account may not open this page.",               \
      "This is not temporary: with the same account, the answer stays the "    \
      "same.",                                                                 \
      "Check the address: is this the page you meant to open?",                \
      "Check the user name: did you sign in with the right account?",          \
      "To use another account, let your browser forget the saved password "    \
      "and close all of its windows first.",                                   \
      "If this account should have access, ask the administrator.")            \
    X(LOCKED, "locked", CLOCK, NONE, "Sign-in is paused",                      \
      "Too many sign-ins have failed. For now, no password is accepted, not "  \
      "even the right one.",                                                   \
      "This is temporary and ends by itself. Trying earlier does not make "    \
      "it longer.",                                                            \
      GUARD_ADVISE_FORGET, GUARD_ADVISE_KEYBOARD, GUARD_ADVISE_ADDRESS,        \
      "Not you, or urgent? Ask the administrator to end the pause.")           \
    X(BUSY, "busy", CLOCK, AGAIN, "One moment, please",                        \
      "Several of your sign-ins are being checked at this moment. This one "   \
      "has not been looked at.",                                               \
      "This is temporary.", "Wait a moment, then open the page again.",        \
      GUARD_ADVISE_FORGET, GUARD_ADVISE_ADDRESS,                               \
      "If it keeps happening, ask the administrator.")                         \
    X(OVERLOAD, "overload", CLOCK, AGAIN, "Too busy to check passwords",       \
      "More people are signing in right now than the server can check. Your "  \
      "password has not been looked at.",                                      \
      "This is temporary and no fault of yours.",                              \
      "Wait a moment, then open the page again.",                              \
      "There is no need to change your password.", GUARD_ADVISE_ADDRESS,       \
      "If it lasts for more than a few minutes, tell the administrator.")

/** A few words, and their length; 0: nothing to tell. NUL-terminated. */
typedef struct guard_phrase_t {
    apr_size_t length;
    char text[40];
} guard_phrase_t;

/** What changes from one answer to the next, as text. */
typedef struct guard_told_t {
    guard_phrase_t code;  /* "401.501" */
    guard_phrase_t in;    /* "in 15 minutes" */
    guard_phrase_t iso;   /* "2026-11-21T17:48:16Z" */
    guard_phrase_t until; /* "21 November 2026, 17:48:16 UTC" */
} guard_told_t;

/** The HTML form; otherwise as guard_body_render. */
const char *guard_body_render_html(apr_pool_t *pool, const guard_body_t *what,
                                   const guard_told_t *told,
                                   apr_size_t *length);

#endif
