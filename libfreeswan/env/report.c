/* See report.h. What is looked up for a conn's credentials is what the authentication will look up. */
#include "libfreeswan/env/report.h"

#include "libfreeswan/env/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Certificates and peers may hold bytes that are no UTF-8; JSON text must not. */
static json_t *text_of(const char *s)
{
    char safe[2048];
    json_t *j = json_string(s);
    if (j)
        return j;
    size_t n = 0;
    for (; *s && n + 5 < sizeof(safe); s++)
        n += (size_t)snprintf(safe + n, 5, (unsigned char)*s >= 0x80 ? "\\x%02x" : "%c", (unsigned char)*s);
    safe[n] = 0;
    return json_string(safe);
}

static void add_line(void *ctx, const explain_line *l)
{
    json_array_append_new(ctx, json_pack("{s:I, s:I, s:o}", "time", (json_int_t)(l->wall_ms / 1000), "times",
                                         (json_int_t)l->times, "text", text_of(l->text)));
}

json_t *report_new(const env *e, int64_t started_wall_s)
{
    json_t *failures = json_object();
    for (int i = 0; i < AUTHF_COUNT; i++)
        json_object_set_new(failures, auth_failure_names[i],
                            json_integer((json_int_t)explain_counted(e->explain, (auth_failure)i)));
    json_t *lines = json_array(); /* of no conn */
    explain_each(e->explain, "", add_line, lines);
    return json_pack("{s:s, s:I, s:I, s:s, s:{}, s:o, s:o, s:[], s:[]}", "daemon", e->daemon, "started",
                     (json_int_t)started_wall_s, "now", (json_int_t)runtime_wall_s(e->rt), "kernel",
                     e->kernel ? e->kernel->ops->name : "", "counters", "auth_failures", failures, "explain",
                     lines, "conns", "sas");
}

/* ---- a conn's ends ---- */

static const char *auth_text(unsigned bits)
{
    return bits & (AUTH_XAUTH_PSK | AUTH_XAUTH_RSA)    ? (bits & AUTH_XAUTH_PSK ? "xauthpsk" : "xauthrsasig")
           : bits & AUTH_EAP                           ? "eap"
           : (bits & AUTH_PSK) && (bits & AUTH_PUBKEY) ? "pubkey|psk"
           : bits & AUTH_PSK                           ? "psk"
           : bits & AUTH_PUBKEY                        ? "pubkey"
                                                       : "never";
}

static json_t *end_new(const conn *c, const conn_end *e, const ident *id)
{
    json_t *nets = json_array();
    for (unsigned i = 0; i < e->n_subnets; i++)
        json_array_append_new(nets, json_string(SUBNET_STR(&e->subnets[i])));
    if (e->virt)
        json_array_append_new(nets, text_of(e->virt));
    json_t *j = json_pack("{s:o, s:o, s:o, s:s}", "host",
                          text_of(e->host.family ? ADDR_STR(&e->host)
                                  : e->host_text ? e->host_text
                                                 : "%any"),
                          "id",
                          text_of(id            ? IDENT_STR(id)
                                  : e->id_text  ? e->id_text
                                  : e->host_any ? "%any"
                                                : ADDR_STR(&e->host)),
                          "subnets", nets, "auth", auth_text(e->auth ? e->auth : c->authby));
    if (e->cert)
        json_object_set_new(j, "cert", text_of(e->cert));
    if (e->sourceip)
        json_object_set_new(j, "sourceip", text_of(e->sourceip));
    return j;
}

/* ---- credentials ---- */

static void credential(json_t *items, const char *what, bool good, const char *text)
{
    json_array_append_new(items,
                          json_pack("{s:s, s:b, s:o}", "what", what, "found", good, "text", text_of(text)));
}

typedef struct found_secret {
    char text[512];
} found_secret;

static bool first_secret(void *ctx, ident *const *ids, size_t n, span value)
{
    found_secret *f = ctx;
    buf b = {0};
    if (n == 0)
        buf_put_str(&b, "the one without identities");
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%s", i ? " " : "", IDENT_STR(ids[i]));
    snprintf(f->text, sizeof(f->text), "secret of ipsec.secrets: %s (%zu octets%s)", buf_cstr(&b), value.n,
             value.n < 16 ? ": short" : "");
    buf_free(&b);
    return true;
}

static ident *id_of(const ip_addr *a)
{
    ident *id = NULL;
    if (!a->family || addr_is_any(a) || ident_from_text(&id, ADDR_STR(a), NULL) != ST_OK)
        return NULL;
    return id;
}

static void add_psk(const env *e, const report_conn *r, json_t *items)
{
    ident *me_addr = id_of(&r->me->host), *peer_addr = id_of(&r->peer->host);
    const ident *me[] = {r->my_id, me_addr};
    const ident *peer[] = {r->peer_id && ident_type(r->peer_id) != ID_ANY ? r->peer_id : NULL, peer_addr};
    found_secret f = {""};
    msgbuf why = {""};
    secret value = {0};
    if (credstore_each_shared(e->cred, SECRET_PSK, me, 2, peer, 2, first_secret, &f) > 0) {
        credential(items, "secret", true, f.text);
    } else {
        (void)!credstore_find_shared(e->cred, SECRET_PSK, me, 2, peer, 2, &value, &why);
        secret_free(&value);
        credential(items, "secret", false, why.text[0] ? why.text : "no secret for these identities");
    }
    ident_unref(me_addr);
    ident_unref(peer_addr);
}

static bool add_cert(const env *e, const cert *c, json_t *items)
{
    char text[1024];
    int64_t now = runtime_wall_s(e->rt);
    bool good = cert_not_before(c) <= now && now <= cert_not_after(c);
    snprintf(text, sizeof(text), "%s%s", IDENT_STR(cert_subject(c)),
             now > cert_not_after(c)    ? ": has expired"
             : now < cert_not_before(c) ? ": is not valid yet"
                                        : "");
    credential(items, "certificate", good, text);
    return good;
}

static bool count_one(void *ctx, cert *c, int64_t loaded_at)
{
    (void)c;
    (void)loaded_at;
    ++*(size_t *)ctx;
    return true;
}

static void add_pubkey(const env *e, const report_conn *r, json_t *items)
{
    msgbuf why = {""};
    char text[640];
    size_t cas = 0;
    cert *own = NULL;
    if (!r->my_cert && r->my_id)
        own = credstore_find_own_cert(e->cred, KEY_ANY, r->my_id, NULL);
    const cert *c = r->my_cert ? r->my_cert : own;
    if (c)
        add_cert(e, c, items);
    else if (r->me->cert)
        credential(items, "certificate", false,
                   "the file that leftcert or rightcert names is not loaded: see the log");
    privkey *k = credstore_find_privkey(e->cred, KEY_ANY, c, r->my_id, &why);
    if (k) {
        snprintf(text, sizeof(text), "our %s key is there",
                 ENUM_STR(key_type_names, pubkey_type(privkey_public(k))));
        credential(items, "private key", true, text);
    } else {
        credential(items, "private key", false, why.text[0] ? why.text : "no private key of ours");
    }
    privkey_unref(k);
    cert_unref(own);
    credstore_each_cert(e->cred, DIR_CACERTS, count_one, &cas);
    if (r->peer->cert)
        snprintf(text, sizeof(text), "only the peer's certificate %s is accepted", r->peer->cert);
    else if (r->peer->rsasigkey && r->peer->rsasigkey[0] != '%')
        snprintf(text, sizeof(text), "the raw key of the conn is accepted");
    else
        snprintf(text, sizeof(text), "%zu CA certificates are loaded to check the peer's%s%s", cas,
                 r->peer->ca ? "; it must come from " : "", r->peer->ca ? r->peer->ca : "");
    credential(items, "trust",
               r->peer->cert || (r->peer->rsasigkey && r->peer->rsasigkey[0] != '%') || cas > 0, text);
}

static json_t *credentials(const env *e, const report_conn *r)
{
    json_t *items = json_array();
    unsigned mine = r->me->auth ? r->me->auth : r->c->authby;
    unsigned theirs = r->peer->auth ? r->peer->auth : r->c->authby;
    if (items && e->cred && (mine | theirs) & (AUTH_PSK | AUTH_XAUTH_PSK))
        add_psk(e, r, items);
    if (items && e->cred && (mine | theirs) & (AUTH_PUBKEY | AUTH_XAUTH_RSA))
        add_pubkey(e, r, items);
    return items;
}

json_t *report_conn_new(const env *e, const report_conn *r)
{
    static const char *const autos[] = {"ignore", "add", "route", "start", "start"};
    json_t *lines = json_array();
    explain_each(e->explain, r->name, add_line, lines);
    json_t *j = json_pack(
        "{s:o, s:s, s:s, s:b, s:b, s:b, s:I, s:o, s:o, s:o}", "name", text_of(r->name), "keyexchange",
        r->c->version == CONN_IKE_BOTH ? "ike"
        : r->c->version == CONN_IKEV2  ? "ikev2"
                                       : "ikev1",
        "auto", autos[r->c->autostart], "up", r->children > 0, "routed", r->routed, "oriented", r->oriented,
        "children", (json_int_t)r->children, "local", end_new(r->c, r->me, r->my_id), "remote",
        end_new(r->c, r->peer, r->peer_id), "explain", lines);
    if (j && r->details)
        json_object_set_new(j, "credentials", credentials(e, r));
    return j;
}

/* ---- children ---- */

static json_t *selectors(const traffic_sel *ts, size_t n)
{
    json_t *items = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(items, json_string(TS_STR(&ts[i])));
    return items;
}

static json_t *spi_text(uint32_t spi)
{
    return json_sprintf("%08x", spi);
}

json_t *report_child_new(const report_child *r)
{
    json_t *j = json_pack("{s:o, s:I, s:s, s:b, s:s, s:o, s:o, s:I, s:I, s:o, s:o}", "conn", text_of(r->conn),
                          "id", (json_int_t)r->id, "state", r->state, "installed", r->installed, "mode",
                          r->mode, "spi_in", spi_text(r->spi_in), "spi_out", spi_text(r->spi_out), "bytes_in",
                          (json_int_t)r->bytes_in, "bytes_out", (json_int_t)r->bytes_out, "local_ts",
                          selectors(r->mine, r->n_mine), "remote_ts", selectors(r->theirs, r->n_theirs));
    if (j && r->established)
        json_object_set_new(j, "established", json_integer((json_int_t)r->established));
    return j;
}

status report_end(json_t *doc, buf *out)
{
    char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
    json_decref(doc);
    if (!text)
        return ST_NO_MEMORY;
    buf_put_str(out, text);
    free(text);
    return buf_ok(out) ? ST_OK : ST_NO_MEMORY;
}
