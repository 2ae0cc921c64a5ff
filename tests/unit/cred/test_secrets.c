/* ipsec.secrets: every form of the reference, what is wrong with bad entries, and which secret wins. */
#include "libstrongswan/base/text.h"
#include "libstrongswan/cred/secrets.h"
#include "tests/unit/cred/storetest.h"
#include <openssl/core_names.h>
#include <openssl/pem.h>

/* ---- the grammar: entries printed as text ---- */

typedef struct seen {
    buf text;
} seen;

static void on_entry(void *ctx, const secret_entry *e)
{
    static const char *const kinds[] = {"PSK", "RSA", "ECDSA", "EAP", "XAUTH", "PIN"};
    buf *b = &((seen *)ctx)->text;
    for (size_t i = 0; i < e->n_ids; i++) {
        buf_put(b, e->ids[i]);
        buf_put_u8(b, ',');
    }
    buf_printf(b, ":%s", e->what == ENTRY_INCLUDE ? "include" : kinds[e->kind]);
    if (e->path.n) {
        buf_put_u8(b, ' ');
        buf_put(b, e->path);
    }
    if (e->what == ENTRY_RSA)
        for (size_t i = 0; i < 8; i++) {
            buf_put_u8(b, ' ');
            text_put_hex(b, e->numbers[i], 0);
        }
    if (e->has_value) {
        buf_put_str(b, " =");
        buf_put(b, e->value);
    }
    buf_put_str(b, e->prompt ? " prompt" : (e->pinpad ? " pinpad" : ""));
    buf_put_u8(b, ';');
}

static void on_error(void *ctx, unsigned line, const char *why)
{
    buf_printf(&((seen *)ctx)->text, "%u!%s;", line, why);
}

static void expect(const char *text, const char *want)
{
    seen s = {{0}};
    secrets_parse(span_str(text), &(secrets_sink){on_entry, on_error, &s});
    if (strcmp(buf_cstr(&s.text), want))
        fail_msg("%s\n gave   %s\n wanted %s", text, buf_cstr(&s.text), want);
    buf_free(&s.text);
}

static void published_forms(void **state)
{
    expect(": RSA moonKey.pem", ":RSA moonKey.pem;");
    expect(": RSA carolKey.pem \"nH5ZQEWtku0RJEZ6\"\n", ":RSA carolKey.pem =nH5ZQEWtku0RJEZ6;");
    expect(": RSA moonKey.asc\n: PSK 0sZm9v\n", ":RSA moonKey.asc;:PSK =foo;");
    expect(": PSK 'My \"home\" is my \"castle\"!'", ":PSK =My \"home\" is my \"castle\"!;");
    expect("@moon.strongswan.org @sun.strongswan.org : PSK 0sZm9v",
           "@moon.strongswan.org,@sun.strongswan.org,:PSK =foo;");
    expect("192.168.0.1 %any : PSK 0sZm9v", "192.168.0.1,%any,:PSK =foo;");
    expect("fec0::1 %any6 : PSK 0sZm9v", "fec0::1,%any6,:PSK =foo;");
    expect("carol@strongswan.org : EAP \"Ar3etTnp\"", "carol@strongswan.org,:EAP =Ar3etTnp;");
    expect(": XAUTH carol \"4iChxLT3\"   \n", "carol,:XAUTH =4iChxLT3;");
    expect("carol@strongswan.org @sun.strongswan.org :  PSK 0sZm9v",
           "carol@strongswan.org,@sun.strongswan.org,:PSK =foo;");
    expect("10.0.0.1: PSK \"x\"", "10.0.0.1,:PSK =x;");
    expect("a@b:PSK \"x\"\n:PSK y", "a@b,:PSK =x;:PSK =y;");
    expect(":: ::1 fe80:: : PSK x\n2001:db8::1: PSK y", "::,::1,fe80::,:PSK =x;2001:db8::1,:PSK =y;");
    expect("\"C=CH, O=Lab, CN=x\" : PSK 0x61_62", "C=CH, O=Lab, CN=x,:PSK =ab;");
    expect(": PSK 0tthis is text  \n: psk bare", ":PSK =this is text  ;:PSK =bare;");
    expect("@a @b \"old form\"\n: \"new form\"", "@a,@b,:PSK =old form;:PSK =new form;");
    expect(": ECDSA key.pem \"p\"\n: ECDSA key2.pem %prompt", ":ECDSA key.pem =p;:ECDSA key2.pem prompt;");
    expect(": PIN %smartcard:50 \"1234\"\n: PIN %smartcard#3 %prompt\n: PIN %smartcard %pinpad",
           ":PIN %smartcard:50 =1234;:PIN %smartcard#3 prompt;:PIN %smartcard pinpad;");
    expect("@carol : XAUTH \"pw\"\n@x : XAUTH carol \"pw\"", "@carol,:XAUTH =pw;carol,:XAUTH =pw;");
    expect("include /etc/ipsec.d/*.secrets\nINCLUDE x", ":include /etc/ipsec.d/*.secrets;:include x;");
    expect("%any %any : PSK x", "%any,%any,:PSK =x;");
}

static void layout(void **state)
{
    expect("", "");
    expect("# nothing\n\n   \n\t# at all", "");
    expect("\xef\xbb\xbf: PSK x\r\n# c\r\n: PSK 'y z'\r\n: PSK 0tq r\r\n", ":PSK =x;:PSK =y z;:PSK =q r;");
    expect(": PSK x # comment\n: PSK y#no", ":PSK =x;:PSK =y#no;");
    /* continuation lines, and the other dialect's one entry a line with a blank in front */
    expect("@a\n @b\n\t: PSK\n  x\n", "@a,@b,:PSK =x;");
    expect("  : PSK x\n  @a : PSK y\n", ":PSK =x;@a,:PSK =y;");
    expect(": RSA a.pem\n  : PSK y\n", ":RSA a.pem;:PSK =y;");
    expect(": RSA a.pem\n  \"pass\"\n", ":RSA a.pem =pass;");
}

#define BLOCK(end)                                                                                           \
    "@moon : RSA\t{\n"                                                                                       \
    "\t# RSA 2192 bits   moon   Sat\n\t# for signatures only\n\t#pubkey=0sAQP\n"                             \
    "\tModulus: 0x01\n\tpublicexponent: 0x02\n\tPrivateExponent 0x03\n\t# inside\n\tPrime1 : "               \
    "0x04\n\tPrime2: 0x05\n"                                                                                 \
    "\tExponent1: 0x06\n\tExponent2: 0sBw==\n\tCoefficient: 0x08\n" end

static void inline_keys(void **state)
{
    expect(BLOCK("\t}\n"), "@moon,:RSA 01 02 03 04 05 06 07 08;");
    expect(BLOCK("\t}\n# do not change the indenting of that \"}\"\n: PSK x\n"),
           "@moon,:RSA 01 02 03 04 05 06 07 08;:PSK =x;");
    expect(BLOCK("}\n: PSK x\n"), "@moon,:RSA 01 02 03 04 05 06 07 08;:PSK =x;");
    expect(BLOCK("\t} more\n: PSK x\n"),
           "14!unexpected text behind the entry (a value with blanks needs quotes);:PSK =x;");
    expect(BLOCK(": PSK x\n"), "14!the RSA key is not closed by '}';:PSK =x;");
    expect(": RSA {\n\tModulus: 0x01\n\tPrime1: 0x02\n\t}\n: PSK x",
           "3!'Prime1' where field PublicExponent of the RSA key is expected;:PSK =x;");
    expect(": RSA {\n\tCKAIDNSS: 0x01\n\t}\n: PSK x",
           "2!the RSA key is kept in an NSS database ('CKAIDNSS'): export it with pk12util and name the "
           "file here;:PSK =x;");
    expect(": RSA {\n\tModulus: 01\n\t}\n: PSK x",
           "2!the value of field Modulus of the RSA key is not 0x... or 0s...;:PSK =x;");
    expect(": RSA {", "1!the RSA key ends before field Modulus;");
    expect(": RSA {\n\tModulus:\n: PSK x", "3!missing value of field Modulus of the RSA key;:PSK =x;");
}

/* One message for a bad entry, and the next one is read. */
static void bad_entries(void **state)
{
    expect("@a @b PSK x\n: PSK y", "1!missing ':' separator behind '@a';:PSK =y;");
    expect(": FOO x\n: PSK y",
           "1!unrecognized key format: 'FOO' is none of PSK, RSA, ECDSA, EAP, XAUTH and PIN;:PSK =y;");
    expect("@a :\n: PSK y", "2!missing token behind ':';:PSK =y;");
    expect(": PSK\n: PSK y", "1!missing shared secret behind PSK;:PSK =y;");
    expect(": PSK \"\"\n: PSK y", "1!the shared secret is empty;:PSK =y;");
    expect(": PSK \"abc\n: PSK y", "1!the quote is not closed;:PSK =y;");
    expect(": PSK 0xabc\n: PSK y", "1!malformed hexadecimal (0x) value;:PSK =y;");
    expect(": PSK 0x\n: PSK 0s\n: PSK y",
           "1!the shared secret is empty;2!the shared secret is empty;:PSK =y;");
    expect(": PSK 0s!!\n: PSK y", "1!malformed base64 (0s) value;:PSK =y;");
    expect(": PSK secret word\n: PSK y",
           "1!unexpected text behind the entry (a value with blanks needs quotes);:PSK =y;");
    expect(": RSA\n: PSK y", "1!missing file name of the private key;:PSK =y;");
    expect(": XAUTH\n: XAUTH carol\n: PSK y",
           "1!missing user name behind XAUTH;2!missing password for XAUTH user 'carol';:PSK =y;");
    expect(": PIN 1234\n: PSK y", "1!PIN must be followed by %smartcard...;:PSK =y;");
    expect(": PPKS x\n: NULL\n: PSK y",
           "1!entries of this kind are not supported;2!entries of this kind are not supported;:PSK =y;");
    expect("include\n: PSK y", "1!include without a file name;:PSK =y;");
    expect("'open\n: PSK y", "1!the quote is not closed;:PSK =y;");
    char many[400] = "";
    for (int i = 0; i < 33; i++)
        strcat(many, "@aaaa ");
    strcat(many, ": PSK x\n: PSK y");
    expect(many, "1!more than 32 identities;:PSK =y;");
}

/* ---- the store ---- */

static ident *id_of(const char *text)
{
    ident *id;
    assert_int_equal(ident_from_text(&id, text, NULL), ST_OK);
    return id;
}

/* The secret found for the ends as text, "-" if none. `me` and `other` are blank-separated lists. */
static const char *find(store_test *t, secret_kind kind, const char *me, const char *other)
{
    static char got[64];
    ident *ids[2][4] = {{0}};
    size_t n[2] = {0};
    const char *texts[] = {me, other};
    for (size_t k = 0; k < 2; k++) {
        char copy[200], *save;
        snprintf(copy, sizeof(copy), "%s", texts[k]);
        for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
            ids[k][n[k]++] = id_of(w);
    }
    secret out;
    msgbuf msg = {{0}};
    status st = credstore_find_shared(t->s, kind, (const ident *const *)ids[0], n[0],
                                      (const ident *const *)ids[1], n[1], &out, &msg);
    assert_int_equal(st == ST_OK, msg.text[0] == 0);
    snprintf(got, sizeof(got), "%s", "-");
    if (st == ST_OK)
        span_cstr(secret_view(&out), got, sizeof(got));
    secret_free(&out);
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < n[k]; i++)
            ident_unref(ids[k][i]);
    return got;
}

static void load(store_test *t, const char *text, mode_t mode)
{
    put_file(t, "ipsec.secrets", text, mode);
    buf_reset(&t->log);
    assert_int_equal(credstore_load_secrets(t->s, NULL, NULL), ST_OK);
}

#define FIND(me, other) find(&t, SECRET_PSK, me, other)

static void which_one_wins(void **state)
{
    static const char *const daemons[] = {"charon", "pluto"};
    for (size_t d = 0; d < 2; d++) {
        store_test t;
        store_open(&t, daemons[d]);
        load(&t,
             "@moon @sun : PSK both\n@moon %any : PSK road\n: PSK default\n@moon @carol @dave : PSK three\n"
             "@saturn : PSK own\n@c @d : PSK cd\n*@example.net @moon : PSK wild\n",
             0600);
        assert_string_equal(FIND("@moon", "@sun"), "both");
        assert_string_equal(FIND("@MOON", "@sun."), "both");
        assert_string_equal(FIND("@moon", "@other"), "road");
        assert_string_equal(FIND("@moon", "@carol"), "three");
        assert_string_equal(FIND("@moon", "x@example.net"), "wild");
        assert_string_equal(FIND("@mars", "@x"), "default");
        assert_string_equal(FIND("@carol", "@mars"),
                            "default"); /* names three: two of them must be the ends */
        assert_string_equal(FIND("@c", "@d"), "cd");
        assert_string_equal(FIND("@saturn", "@x"), d ? "own" : "default"); /* the daemons differ */
        assert_string_equal(FIND("@sun", "@moon"), "both");       /* the order in the entry is nothing */
        assert_string_equal(FIND("@x @moon", "@y @sun"), "both"); /* any of the end's identities */
        assert_string_equal(find(&t, SECRET_EAP, "@moon", "@sun"), "-");
        store_close(&t);
    }
}

static void without_default(void **state)
{
    store_test t;
    store_open(&t, NULL);
    load(&t, "@moon @sun : PSK both\n@carol : PSK carol\n192.0.2.1 %any : PSK addr\n", 0600);
    assert_string_equal(FIND("@moon", "@mars"), "-"); /* the sun's secret is not for mars */
    assert_string_equal(FIND("@moon", "@carol"), "carol");
    assert_string_equal(FIND("@moon 192.0.2.1", "@mars"), "addr");
    assert_string_equal(FIND("@x", "@y"), "-"); /* %any alone names nobody */
    msgbuf msg;
    ident *me = id_of("@moon"), *other = id_of("@mars");
    secret out;
    assert_int_equal(credstore_find_shared(t.s, SECRET_PSK, (const ident *const *)&me, 1,
                                           (const ident *const *)&other, 1, &out, &msg),
                     ST_NOT_FOUND);
    assert_string_equal(msg.text, "no shared key found for 'moon' - 'mars': 1 of 3 PSK entries name our end, "
                                  "but together with other peers");
    ident_unref(me);
    ident_unref(other);
    store_close(&t);
}

static void first_of_equals(void **state)
{
    store_test t;
    store_open(&t, "pluto");
    load(&t, "@moon @sun : PSK first\n@sun @moon : PSK second\n", 0600);
    assert_string_equal(FIND("@moon", "@sun"), "first");
    assert_true(logged(
        &t, "multiple ipsec.secrets entries with distinct secrets match endpoints: first secret used"));
    load(&t, "@moon @sun : PSK same\n@sun @moon : PSK same\n", 0600);
    assert_string_equal(FIND("@moon", "@sun"), "same");
    assert_false(logged(&t, "distinct"));
    store_close(&t);
}

static bool collect(void *ctx, ident *const *ids, size_t n, span value)
{
    buf *b = ctx;
    if (n)
        buf_put_str(b, IDENT_STR(ids[0]));
    buf_put_u8(b, '=');
    buf_put(b, value);
    buf_put_u8(b, ' ');
    return b->n > 100;
}

static void users(void **state)
{
    store_test t;
    buf b = {0};
    store_open(&t, NULL);
    load(&t, "carol : EAP c\ndave@x : EAP d\n: XAUTH u1 \"p1\"\n@u2 : XAUTH \"p2\"\n: PSK x\n", 0600);
    assert_string_equal(find(&t, SECRET_EAP, "", "carol"), "c");
    assert_string_equal(find(&t, SECRET_EAP, "@moon", "@carol"), "c");
    assert_string_equal(find(&t, SECRET_EAP, "", "keyid:dave@x"), "d");
    assert_string_equal(find(&t, SECRET_EAP, "", "eve"), "-");
    assert_string_equal(find(&t, SECRET_EAP, "", "Carol"),
                        "c"); /* taken for a host name: case does not matter */
    assert_string_equal(find(&t, SECRET_XAUTH, "", "u2"), "p2");
    assert_int_equal(credstore_each_shared(t.s, SECRET_XAUTH, NULL, 0, NULL, 0, collect, &b), 2);
    assert_string_equal(buf_cstr(&b), "u2=p2 u1=p1 "); /* the last one first */
    buf_free(&b);
    store_close(&t);
}

static void loading_is_told(void **state)
{
    store_test t;
    store_open(&t, NULL);
    put_file(&t, "more.secrets", "@m : PSK 0123456789012345678901234567\nbad\n", 0600);
    load(&t,
         "include *.secrets\n@a @b : PSK short\nu : EAP e\n%bad @c : PSK "
         "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\n: RSA none.pem\n"
         "include nothing/*\n: PSK 0123456789012345678901234567\n",
         0644);
    assert_true(logged(&t, "loading secrets from '"));
    assert_true(logged(&t, "/more.secrets:2: missing ':' separator behind 'bad'"));
    assert_true(logged(&t, "  loaded IKE secret for @m\n"));
    assert_true(logged(&t, "  loaded IKE secret for @a @b\n"));
    assert_true(logged(&t, "  loaded IKE secret for %any\n"));
    assert_true(logged(&t, "  loaded EAP secret for u\n"));
    assert_true(logged(&t, "ipsec.secrets:4: malformed ID '%bad'"));
    assert_true(logged(&t, "ipsec.secrets:5: could not load private key file '"));
    assert_true(logged(&t, "no secrets filename matched"));
    assert_true(logged(&t, "/ipsec.secrets' is readable by everybody (mode 0644)"));
    assert_true(logged(&t, "ipsec.secrets:2: the shared secret has only 5 octets"));
    assert_false(logged(&t, "short\n"));
    assert_string_equal(FIND("@c", "@q"),
                        "0123456789012345678901234567"); /* the entry with the bad name is gone */
    store_close(&t);
    store_open(&t, "pluto");
    load(&t, "@a @b : PSK 0123456789012345678901234567\n: XAUTH u \"p\"\n", 0600);
    assert_true(logged(&t, "loading secrets from \""));
    assert_true(logged(&t, "  loaded shared key for @a @b \n"));
    assert_true(logged(&t, "  loaded xauth credentials of user 'u'\n"));
    assert_false(logged(&t, "forgetting secrets"));
    load(&t, ": PSK 0123456789012345678901234567\n", 0600);
    assert_true(logged(&t, "forgetting secrets"));
    assert_string_equal(FIND("@a", "@b"), "0123456789012345678901234567");
    store_close(&t);
}

static void no_file_and_loops(void **state)
{
    store_test t;
    store_open(&t, NULL);
    assert_int_equal(credstore_load_secrets(t.s, NULL, NULL), ST_NOT_FOUND);
    load(&t, "include ipsec.secrets\n: PSK x\n", 0600);
    assert_true(logged(&t, "nested too deeply"));
    assert_string_equal(FIND("@a", "@b"), "x");
    load(&t, "include ipsec.d\n: PSK x\n", 0600); /* a folder */
    assert_true(logged(&t, "is not a file"));
    store_close(&t);
}

static void write_key(const store_test *t, const char *name, EVP_PKEY *key, const char *pass)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/ipsec.d/private/%s", t->dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(PEM_write_PrivateKey(f, key, pass ? EVP_aes_128_cbc() : NULL, (const uint8_t *)pass,
                                     pass ? (int)strlen(pass) : 0, NULL, NULL));
    fclose(f);
    chmod(path, 0600);
}

static size_t answer(void *ctx, const char *what, char *dst, size_t size)
{
    int *asked = ctx;
    assert_non_null(strstr(what, "passphrase"));
    const char *text = ++*asked == 1 ? "wrong" : "geheim";
    snprintf(dst, size, "%s", text);
    return strlen(text);
}

static void private_keys(void **state)
{
    store_test t;
    int asked = 0;
    msgbuf msg;
    store_open(&t, NULL);
    EVP_PKEY *ec = test_key(), *rsa = EVP_RSA_gen(2048);
    write_key(&t, "ec.pem", ec, NULL);
    write_key(&t, "enc.pem", rsa, "geheim");
    load(&t, ": ECDSA ec.pem\n: RSA enc.pem\n: RSA enc.pem \"wrong\"\n", 0600);
    assert_true(logged(&t, "/ipsec.d/private/ec.pem'\n"));
    assert_true(logged(&t, "ipsec.secrets:2: could not load private key file"));
    assert_true(logged(&t, "encrypted and there is no passphrase"));
    assert_true(logged(&t, "invalid passphrase"));
    privkey *k = credstore_find_privkey(t.s, KEY_ECDSA, NULL, NULL, &msg);
    assert_non_null(k);
    assert_true(credstore_has_privkey(t.s, privkey_public(k)));
    privkey *again = credstore_privkey_by_keyid(t.s, pubkey_keyid(privkey_public(k)));
    assert_ptr_equal(k, again);
    privkey_unref(again);
    privkey_unref(k);
    assert_null(credstore_find_privkey(t.s, KEY_RSA, NULL, NULL, &msg));
    assert_non_null(strstr(msg.text, "no RSA private key found"));
    load(&t, ": RSA enc.pem %prompt\n", 0600);
    assert_true(logged(&t, "enter passphrase using 'ipsec secrets'"));
    buf_reset(&t.log);
    assert_int_equal(credstore_load_secrets(t.s, answer, &asked), ST_OK);
    assert_int_equal(asked, 2);
    k = credstore_find_privkey(t.s, KEY_RSA, NULL, NULL, &msg);
    assert_non_null(k);
    privkey_unref(k);
    load(&t, ": RSA enc.pem \"geheim\"\n: ECDSA enc.pem \"geheim\"\n", 0600);
    assert_true(logged(&t, "the entry says ECDSA"));
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    store_close(&t);
}

/* An inline block of a real key, by hand as rsasigkey prints it; with a wrong number it is refused. */
static void inline_key_in_file(void **state)
{
    static const char *const params[] = {OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
                                         OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
                                         OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
                                         OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    static const char *const names[] = {"Modulus", "PublicExponent", "PrivateExponent", "Prime1",
                                        "Prime2",  "Exponent1",      "Exponent2",       "Coefficient"};
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    for (int bad = 0; bad < 2; bad++) {
        store_test t;
        buf b = {0};
        store_open(&t, "pluto");
        buf_put_str(&b, "@moon: RSA\t{\n\t# RSA 2048 bits\n");
        for (size_t i = 0; i < 8; i++) {
            BIGNUM *n = NULL;
            assert_true(EVP_PKEY_get_bn_param(rsa, params[i], &n));
            if (bad && i == 5)
                BN_add_word(n, 2);
            char *hex = BN_bn2hex(n);
            buf_printf(&b, "\t%s: 0x%s\n", names[i], hex);
            OPENSSL_free(hex);
            BN_free(n);
        }
        buf_put_str(&b, "\t}\n");
        load(&t, buf_cstr(&b), 0600);
        ident *moon = id_of("@moon"), *sun = id_of("@sun");
        privkey *k = credstore_find_privkey(t.s, KEY_RSA, NULL, moon, NULL);
        privkey *none = credstore_find_privkey(t.s, KEY_RSA, NULL, sun, NULL);
        assert_int_equal(k == NULL, bad);
        assert_null(none);
        assert_true(logged(&t, bad ? "ipsec.secrets:1: the RSA key is inconsistent" : "  loaded RSA key "));
        privkey_unref(k);
        ident_unref(moon);
        ident_unref(sun);
        buf_free(&b);
        store_close(&t);
    }
    EVP_PKEY_free(rsa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_forms), cmocka_unit_test(layout),
        cmocka_unit_test(inline_keys),     cmocka_unit_test(bad_entries),
        cmocka_unit_test(which_one_wins),  cmocka_unit_test(without_default),
        cmocka_unit_test(first_of_equals), cmocka_unit_test(users),
        cmocka_unit_test(loading_is_told), cmocka_unit_test(no_file_and_loops),
        cmocka_unit_test(private_keys),    cmocka_unit_test(inline_key_in_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
