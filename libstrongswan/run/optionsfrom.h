/* `--optionsfrom FILE`: words of a file in place of the option, for every program of the suite. Words are
 * separated by white space; "…" and '…' hold blanks; # at the start of a word begins a comment. Files may
 * name further files.
 */
#pragma once
#include "libstrongswan/base/arena.h"
#include "libstrongswan/base/msgbuf.h"

enum { OPTIONSFROM_DEPTH = 10, OPTIONSFROM_WORDS = 4096 };

/* Replaces *argc and *argv if there is such an option; dir (may be NULL) is where relative names are looked
 * for. */
status options_expand(int *argc, char ***argv, const char *dir, arena *mem, msgbuf *msg) MUST_CHECK;
