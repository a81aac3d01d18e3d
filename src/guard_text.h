/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_text.h: text from outside, made fit for a line of a log or a terminal.
 *
 * Pure: any thread may call it at any time.
 */
#ifndef GUARD_TEXT_H
#define GUARD_TEXT_H

#include <apr.h>

/**
 * Write value with every byte outside [A-Za-z0-9._:@+/-] as %XX. What does
 * not fit is cut, and never within a %XX.
 * @param size bytes at buf, the NUL's included; at least 1
 * @return buf
 */
char *guard_text_encode(char *buf, apr_size_t size, const char *value);

#endif
