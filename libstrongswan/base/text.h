/* Text that came from outside, made fit for logs, status, JSON and scripts; hexadecimal and base64. */
#pragma once
#include "libstrongswan/base/buf.h"

/* Appends s with everything that is not printable ASCII or UTF-8 as \xNN, and \ as \\: safe in one log line. */
void text_put_quoted(buf *b, span s);
/* The same into a C string of `size` bytes, cut with "..."; returns dst. */
char *text_quote(span s, char *dst, size_t size);
/* Appends s as a JSON string with its quotes. */
void text_put_json(buf *b, span s);
/* "0a1b…", separator 0 for none (':' gives 0a:1b) */
void text_put_hex(buf *b, span s, char separator);
char *text_hex(span s, char separator, char *dst, size_t size); /* cut at size, terminated */
status text_parse_hex(buf *out, span text) MUST_CHECK;          /* optional 0x, ':' and '_' between bytes skipped */
status text_parse_base64(buf *out, span text) MUST_CHECK;       /* optional 0s, white space skipped */
void text_put_base64(buf *b, span s);
/* FreeS/WAN ttodata: 0x hex, 0s base64, 0t text. ST_INVALID for another prefix. */
status text_parse_data(buf *out, span text) MUST_CHECK;
/* Shell-like match of one word: * and ? */
bool text_glob(span pattern, span text);
