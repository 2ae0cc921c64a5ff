/* Questions to the person at the terminal: pass phrases and PINs, for the tools. */
#pragma once
#include "libstrongswan/base/span.h"

/* Writes the text to /dev/tty and reads one line (without its newline, not terminated); echo false: what is
 * typed is not shown. Returns its length; 0 without a terminal. */
size_t terminal_ask(span text, bool echo, char *answer, size_t size);
