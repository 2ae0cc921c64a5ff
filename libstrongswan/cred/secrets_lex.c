/* Words of ipsec.secrets: separated by blanks and line ends, quoted with either quote, comments from # where
 * a word could begin. A colon may be glued to the word before it ("10.0.0.1:") or before a keyword
 * ("carol:PSK", ":PSK"), which IPv6 addresses make a matter of looking closely.
 */
#include "libstrongswan/cred/secrets_lex.h"
#include <arpa/inet.h>

void secrets_lex_init(secrets_lexer *l, span text)
{
    if (span_starts(text, SPAN_LIT("\xef\xbb\xbf"))) /* byte order mark */
        text = span_skip(text, 3);
    *l = (secrets_lexer){.rest = text, .line = 1, .at_line_start = true};
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* Moves to where the next word begins. */
static void skip_blanks(secrets_lexer *l)
{
    while (l->rest.n) {
        uint8_t c = l->rest.p[0];
        if (c == '#') {
            while (l->rest.n && l->rest.p[0] != '\n')
                l->rest = span_skip(l->rest, 1);
            continue;
        }
        if (c == '\n') {
            l->line++;
            l->at_line_start = true;
            l->indented = false;
        } else if (is_blank(c)) {
            l->indented |= l->at_line_start;
        } else {
            return;
        }
        l->rest = span_skip(l->rest, 1);
    }
}

static bool is_ipv6(span s)
{
    char text[64];
    uint8_t b[16];
    return s.n < sizeof(text) && inet_pton(AF_INET6, span_cstr(s, text, sizeof(text)), b) == 1;
}

static bool is_keyword(span s)
{
    static const char *const words[] = {"PSK", "RSA", "ECDSA", "EAP", "XAUTH", "PIN", "PKCS8", "NTLM", "P12"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (span_equal_nocase(s, span_str(words[i])))
            return true;
    return false;
}

static void push(secrets_lexer *l, word_kind kind, span text, unsigned line)
{
    l->pushed[l->n_pushed++] = (secrets_word){.kind = kind, .text = text, .line = line};
}

/* Splits "id:", "id:PSK" and ":PSK"; what comes later is pushed, in reverse. */
static void split_colon(secrets_lexer *l, secrets_word *w)
{
    span s = w->text;
    size_t colon = s.n;
    if (s.n == 1 && s.p[0] == ':') {
        w->kind = WORD_COLON;
        return;
    }
    for (size_t i = s.n; i-- > 0;) {
        if (s.p[i] == ':') {
            colon = i;
            break;
        }
    }
    if (colon == s.n || is_ipv6(s))
        return;
    span before = span_take(s, colon), after = span_skip(s, colon + 1);
    if (after.n && !is_keyword(after))
        return;
    if (after.n)
        push(l, WORD_BARE, after, w->line);
    if (before.n) {
        push(l, WORD_COLON, span_of(s.p + colon, 1), w->line);
        w->text = before;
    } else {
        w->kind = WORD_COLON;
        w->text = span_take(s, 1);
    }
}

secrets_word secrets_lex_next(secrets_lexer *l)
{
    if (l->n_pushed)
        return l->pushed[--l->n_pushed];
    skip_blanks(l);
    secrets_word w = {.line = l->line, .first = l->at_line_start, .indented = l->indented};
    l->at_line_start = false;
    l->indented = false;
    if (!l->rest.n)
        return w;
    uint8_t quote = l->rest.p[0];
    if (quote == '"' || quote == '\'') {
        size_t n = 1;
        while (n < l->rest.n && l->rest.p[n] != quote && l->rest.p[n] != '\n')
            n++;
        bool closed = n < l->rest.n && l->rest.p[n] == quote;
        w.kind = closed ? WORD_QUOTED : WORD_BAD_QUOTE;
        w.text = span_of(l->rest.p + 1, n - 1);
        l->rest = span_skip(l->rest, n + closed);
        return w;
    }
    size_t n = 0;
    bool text = l->rest.n > 1 && l->rest.p[0] == '0' &&
                (l->rest.p[1] | 32) == 't'; /* runs to the end of the line */
    while (n < l->rest.n && l->rest.p[n] != '\n' && (text || !is_blank(l->rest.p[n])))
        n++;
    w.kind = WORD_BARE;
    w.text = span_take(l->rest, n);
    l->rest = span_skip(l->rest, n);
    if (text && w.text.n && w.text.p[w.text.n - 1] == '\r')
        w.text.n--;
    if (!text)
        split_colon(l, &w);
    return w;
}
