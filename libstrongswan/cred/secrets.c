/* The parser of ipsec.secrets. Words are read one ahead; an entry ends where a new line begins that is not
 * indented, or, for files with one indented entry a line, where an entry is complete and a line begins.
 * Values are decoded into one secret buffer that is wiped after each entry.
 */
#include "libstrongswan/cred/secrets.h"
#include "libstrongswan/base/secret.h"
#include "libstrongswan/base/text.h"
#include "libstrongswan/cred/keys.h"
#include "libstrongswan/cred/secrets_lex.h"
#include <stdarg.h>
#include <stdio.h>

typedef struct parser {
    secrets_lexer lex;
    secrets_word word; /* the next one */
    const secrets_sink *sink;
    secret_entry e;
    bool failed;              /* this entry was reported as bad */
    buf decoded[RSA_NUMBERS]; /* values of the entry */
} parser;

/* ---- words ---- */

static void advance(parser *p)
{
    p->word = secrets_lex_next(&p->lex);
}

/* Does the next word belong to the entry that began? */
static bool in_entry(const parser *p)
{
    return p->word.kind != WORD_END && !(p->word.first && !p->word.indented);
}

/* The next word stands on the line of the one before. */
static bool on_line(const parser *p)
{
    return p->word.kind != WORD_END && !p->word.first;
}

static void complain(parser *p, unsigned line, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void complain(parser *p, unsigned line, const char *fmt, ...)
{
    char why[MSGBUF_SIZE];
    va_list ap;
    if (p->failed)
        return; /* one message for one entry */
    p->failed = true;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    p->sink->error(p->sink->ctx, line, why);
}

#define QUOTED(s) text_quote((s), (char[80]){0}, 80)

static bool is_word(const secrets_word *w, const char *text)
{
    return w->kind == WORD_BARE && span_equal_nocase(w->text, span_str(text));
}

/* ---- values ---- */

/* Quoted: as it is. 0x, 0s, 0t: decoded. Anything else: as it is. Into buffer `slot`. */
static bool decode_value(parser *p, size_t slot, span *out)
{
    const secrets_word *w = &p->word;
    buf *b = &p->decoded[slot];
    span s = w->text;
    status st = ST_OK;
    buf_reset(b);
    if (w->kind == WORD_BAD_QUOTE) {
        complain(p, w->line, "the quote is not closed");
        return false;
    }
    if (s.n > SECRETS_MAX_VALUE) {
        complain(p, w->line, "the value is longer than %d characters", SECRETS_MAX_VALUE);
        return false;
    }
    bool prefixed = w->kind == WORD_BARE && s.n >= 2 && s.p[0] == '0' && strchr("xXsStT", s.p[1]) && s.p[1];
    (void)buf_reserve(b, s.n + 1); /* decoding never makes it longer: no copies are left behind by growing */
    if (!prefixed)
        buf_put(b, s);
    else if ((s.p[1] | 32) == 't')
        buf_put(b, span_skip(s, 2));
    else
        st = text_parse_data(b, s);
    if (!buf_ok(b) || st == ST_NO_MEMORY) {
        complain(p, w->line, "out of memory");
        return false;
    }
    if (st != ST_OK) { /* the word itself is secret: it is not shown */
        complain(p, w->line, "malformed %s value", (s.p[1] | 32) == 'x' ? "hexadecimal (0x)" : "base64 (0s)");
        return false;
    }
    *out = buf_span(b);
    return true;
}

/* The value of a PSK, EAP, XAUTH entry; `what` is missing otherwise. */
static bool read_value(parser *p, const char *what)
{
    if (!in_entry(p) || p->word.kind == WORD_COLON) {
        complain(p, p->e.line, "missing %s", what);
        return false;
    }
    if (!decode_value(p, 0, &p->e.value))
        return false;
    p->e.has_value = true;
    advance(p);
    return true;
}

/* ---- kinds of entries ---- */

static void read_psk(parser *p)
{
    p->e.what = ENTRY_SHARED;
    if (read_value(p, "shared secret behind PSK") && p->e.value.n == 0)
        complain(p, p->e.line, "the shared secret is empty");
}

static void read_eap(parser *p)
{
    p->e.what = ENTRY_SHARED;
    (void)read_value(p, "password behind EAP");
}

/* "user password", or the user before the colon and only the password behind it */
static void read_xauth(parser *p)
{
    p->e.what = ENTRY_SHARED;
    if (!in_entry(p) || p->word.kind == WORD_COLON) {
        complain(p, p->e.line, "missing user name behind XAUTH");
        return;
    }
    secrets_word user = p->word;
    secrets_lexer lex = p->lex;
    advance(p);
    if (!in_entry(p) || (p->word.first && p->e.n_ids)) {
        if (p->e.n_ids == 0) {
            complain(p, user.line, "missing password for XAUTH user '%s'", QUOTED(user.text));
            return;
        }
        p->lex = lex; /* it was the password */
        p->word = user;
        (void)read_value(p, "password behind XAUTH");
        return;
    }
    if (user.kind == WORD_BAD_QUOTE) {
        complain(p, user.line, "the quote is not closed");
        return;
    }
    p->e.ids[0] = user.text;
    p->e.n_ids = 1;
    (void)read_value(p, "password behind XAUTH user");
}

/* FILE [passphrase | %prompt] */
static void read_key_file(parser *p)
{
    p->e.what = ENTRY_KEYFILE;
    if (!in_entry(p) || p->word.kind == WORD_COLON || p->word.text.n == 0) {
        complain(p, p->e.line, "missing file name of the private key");
        return;
    }
    if (p->word.kind == WORD_BAD_QUOTE) {
        complain(p, p->word.line, "the quote is not closed");
        return;
    }
    p->e.path = p->word.text;
    advance(p);
    if (!in_entry(p) || (p->word.first && p->word.kind != WORD_QUOTED))
        return;
    if (is_word(&p->word, "%prompt")) {
        p->e.prompt = true;
        advance(p);
        return;
    }
    p->e.has_value = decode_value(p, 0, &p->e.value);
    advance(p);
}

static void read_pin(parser *p)
{
    p->e.what = ENTRY_PIN;
    if (!in_entry(p) || !span_starts(p->word.text, SPAN_LIT("%smartcard"))) {
        complain(p, p->e.line, "PIN must be followed by %%smartcard...");
        return;
    }
    p->e.path = p->word.text;
    advance(p);
    if (in_entry(p) && is_word(&p->word, "%prompt"))
        p->e.prompt = true;
    else if (in_entry(p) && is_word(&p->word, "%pinpad"))
        p->e.pinpad = true;
    else {
        (void)read_value(p, "PIN");
        return;
    }
    advance(p);
}

static const char *const rsa_fields[RSA_NUMBERS] = {"Modulus",   "PublicExponent", "PrivateExponent",
                                                    "Prime1",    "Prime2",         "Exponent1",
                                                    "Exponent2", "Coefficient"};

/* "Modulus", "Modulus:" or "Modulus :" */
static bool read_field_name(parser *p, const char *name)
{
    if (!in_entry(p)) {
        complain(p, p->word.line, "the RSA key ends before field %s", name);
        return false;
    }
    span s = p->word.text;
    if (span_starts(s, SPAN_LIT("CKAID"))) {
        complain(
            p, p->word.line,
            "the RSA key is kept in an NSS database ('%s'): export it with pk12util and name the file here",
            QUOTED(s));
        return false;
    }
    if (!is_word(&p->word, name)) {
        complain(p, p->word.line, "'%s' where field %s of the RSA key is expected", QUOTED(s), name);
        return false;
    }
    advance(p);
    if (in_entry(p) && p->word.kind == WORD_COLON)
        advance(p);
    return true;
}

/* { eight fields } */
static void read_rsa_block(parser *p)
{
    p->e.what = ENTRY_RSA;
    advance(p);
    for (size_t i = 0; i < RSA_NUMBERS; i++) {
        if (!read_field_name(p, rsa_fields[i]))
            return;
        if (!in_entry(p)) {
            complain(p, p->word.line, "missing value of field %s of the RSA key", rsa_fields[i]);
            return;
        }
        if (p->word.kind != WORD_BARE || p->word.text.n < 3 || p->word.text.p[0] != '0') {
            complain(p, p->word.line, "the value of field %s of the RSA key is not 0x... or 0s...",
                     rsa_fields[i]);
            return;
        }
        if (!decode_value(p, i, &p->e.numbers[i]))
            return;
        advance(p);
    }
    if (!(is_word(&p->word, "}") && (in_entry(p) || p->word.first))) {
        complain(p, p->word.line, "the RSA key is not closed by '}'");
        return;
    }
    advance(p);
}

static void read_rsa(parser *p)
{
    if (in_entry(p) && is_word(&p->word, "{"))
        read_rsa_block(p);
    else
        read_key_file(p);
}

static void read_unsupported(parser *p)
{
    complain(p, p->e.line, "entries of this kind are not supported");
}

static const struct {
    const char *word;
    secret_kind kind;
    void (*read)(parser *p);
} kinds[] = {
    {"PSK", SECRET_PSK, read_psk},           {"RSA", SECRET_RSA, read_rsa},
    {"ECDSA", SECRET_ECDSA, read_key_file},  {"PKCS8", SECRET_RSA, read_key_file},
    {"EAP", SECRET_EAP, read_eap},           {"XAUTH", SECRET_XAUTH, read_xauth},
    {"PIN", SECRET_PIN, read_pin},           {"NTLM", SECRET_EAP, read_unsupported},
    {"PPKS", SECRET_PSK, read_unsupported},  {"PPK", SECRET_PSK, read_unsupported},
    {"NULL", SECRET_PSK, read_unsupported},  {"P12", SECRET_RSA, read_unsupported},
    {"BLISS", SECRET_RSA, read_unsupported}, {"DSA", SECRET_RSA, read_unsupported},
};

/* What stands behind the colon. */
static void read_key(parser *p)
{
    p->e.line = p->word.line;
    if (!in_entry(p) && !on_line(p)) {
        complain(p, p->e.line, "missing token behind ':'");
        return;
    }
    if (p->word.kind == WORD_QUOTED) { /* a string alone is a PSK */
        p->e.kind = SECRET_PSK;
        read_psk(p);
        return;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!is_word(&p->word, kinds[i].word))
            continue;
        p->e.kind = kinds[i].kind;
        advance(p);
        kinds[i].read(p);
        return;
    }
    complain(p, p->word.line, "unrecognized key format: '%s' is none of PSK, RSA, ECDSA, EAP, XAUTH and PIN",
             p->word.kind == WORD_COLON ? ":" : QUOTED(p->word.text));
}

static void read_include(parser *p)
{
    p->e.what = ENTRY_INCLUDE;
    advance(p);
    if (!in_entry(p) || p->word.text.n == 0 || p->word.kind == WORD_BAD_QUOTE) {
        complain(p, p->e.line, "include without a file name");
        return;
    }
    p->e.path = p->word.text;
    advance(p);
}

/* Identities up to the colon; without a colon the last of them, quoted, is a PSK (FreeS/WAN 1). */
static void read_entry(parser *p)
{
    secrets_word last = p->word;
    p->e = (secret_entry){.line = p->word.line};
    if (is_word(&p->word, "include")) {
        read_include(p);
        return;
    }
    do {
        if (p->word.kind == WORD_COLON) {
            advance(p);
            read_key(p);
            return;
        }
        if (p->word.kind == WORD_BAD_QUOTE) {
            complain(p, p->word.line, "the quote is not closed");
            advance(p);
            return;
        }
        if (p->e.n_ids == SECRETS_MAX_IDS) {
            complain(p, p->word.line, "more than %d identities", SECRETS_MAX_IDS);
            return;
        }
        last = p->word;
        p->e.ids[p->e.n_ids++] = last.text;
        advance(p);
    } while (in_entry(p));
    if (last.kind != WORD_QUOTED || last.text.n == 0) {
        /* only the first word is shown: the last may be what should be secret */
        complain(p, last.line, "missing ':' separator behind '%s'", QUOTED(p->e.ids[0]));
        return;
    }
    p->e.n_ids--;
    p->e.what = ENTRY_SHARED;
    p->e.kind = SECRET_PSK;
    p->e.value = last.text;
    p->e.has_value = true;
}

static void wipe_values(parser *p)
{
    for (size_t i = 0; i < RSA_NUMBERS; i++) {
        if (p->decoded[i].p)
            wipe(p->decoded[i].p, p->decoded[i].cap);
        buf_reset(&p->decoded[i]);
    }
}

void secrets_parse(span text, const secrets_sink *sink)
{
    parser p = {.sink = sink};
    secrets_lex_init(&p.lex, text);
    advance(&p);
    while (p.word.kind != WORD_END) {
        p.failed = false;
        p.word.indented = false; /* whatever begins an entry is its first column */
        read_entry(&p);
        /* complete: what follows must begin a line; a bad one: on to the next record */
        if (!p.failed && on_line(&p))
            complain(&p, p.word.line, "unexpected text behind the entry (a value with blanks needs quotes)");
        if (!p.failed)
            sink->entry(sink->ctx, &p.e);
        while (p.failed && in_entry(&p))
            advance(&p);
        wipe_values(&p);
    }
    for (size_t i = 0; i < RSA_NUMBERS; i++)
        buf_free(&p.decoded[i]);
}
