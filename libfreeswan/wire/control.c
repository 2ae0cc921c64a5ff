/* Control requests as tagged fields. One table says which member a tag fills and how it is checked; another
 * says what each request type needs. The same two tables encode and decode, so whack, stroke, starter and
 * both daemons agree.
 */
#include "libfreeswan/wire/control.h"
#include "libstrongswan/base/log.h"

enum { FIELD_HEADER = 6, NOT_SET = -1 };

typedef enum field_kind {
    FK_NAME,
    FK_TEXT,
    FK_DATA,
    FK_ADDR,
    FK_U16,
    FK_U32,
    FK_INT,
    FK_BOOL,
    FK_OPT_INT,
    FK_OPT_I64
} field_kind;

typedef struct ctl_field {
    uint16_t tag; /* never reused for something else */
    field_kind kind;
    uint16_t offset;
    const char *name;
    int64_t min, max; /* numbers; octets of text and data */
} ctl_field;

// clang-format off
#define FIELD(tag_, kind_, member, min_, max_) {tag_, kind_, offsetof(ctl_request, member), #member, min_, max_}
static const ctl_field fields[] = {
    FIELD(1,  FK_NAME, name, 1, CTL_MAX_NAME),
    FIELD(2,  FK_TEXT, text, 0, CTL_MAX_TEXT),
    FIELD(3,  FK_DATA, conn, 1, CTL_MAX_DATA),
    FIELD(4,  FK_DATA, ca,   1, CTL_MAX_DATA),
    FIELD(5,  FK_DATA, data, 0, CTL_MAX_DATA),
    FIELD(6,  FK_ADDR, from, 0, 0),
    FIELD(7,  FK_ADDR, to,   0, 0),
    FIELD(8,  FK_U32,  mask, 0, UINT32_MAX),
    FIELD(9,  FK_U32,  serial, 0, UINT32_MAX),
    FIELD(10, FK_INT,  group, 0, LG_COUNT),
    FIELD(11, FK_INT,  level, -1, 4),
    FIELD(12, FK_U16,  inbase, 16, 256),
    FIELD(13, FK_U16,  outbase, 16, 256),
    FIELD(14, FK_BOOL, asynchronous, 0, 1),
    FIELD(15, FK_BOOL, all, 0, 1),
    FIELD(16, FK_BOOL, utc, 0, 1),
    FIELD(17, FK_BOOL, keep, 0, 1),
    FIELD(18, FK_BOOL, json, 0, 1),
    FIELD(32, FK_OPT_INT, options.strictcrl, 0, 2),
    FIELD(33, FK_OPT_INT, options.cachecrls, 0, 1),
    FIELD(34, FK_OPT_INT, options.uniqueids, 0, 2),
    FIELD(35, FK_OPT_INT, options.nocrsend, 0, 1),
    FIELD(36, FK_OPT_INT, options.nat_traversal, 0, 1),
    FIELD(37, FK_OPT_INT, options.force_keepalive, 0, 1),
    FIELD(38, FK_OPT_INT, options.pkcs11keepstate, 0, 1),
    FIELD(39, FK_OPT_INT, options.pkcs11proxy, 0, 1),
    FIELD(40, FK_OPT_I64, options.crlcheckinterval_s, 0, INT32_MAX),
    FIELD(41, FK_OPT_I64, options.keep_alive_s, 0, INT32_MAX),
    FIELD(42, FK_OPT_I64, options.cookie_threshold, 0, INT32_MAX),
};
enum { N_FIELDS = sizeof(fields) / sizeof(fields[0]) };

enum { NEED_NAME = 1, NEED_TEXT = 2, NEED_CONN = 4, NEED_CA = 8, NEED_DATA = 16, NEED_FROM = 32, NEED_TO = 64, NEED_MASK = 128, NEED_SERIAL = 256 };
static const struct {
    const char *name;
    unsigned need;
} rules[CTL_REQ_END] = {
    [CTL_REQ_ADD_CONN]     = {"add connection",     NEED_CONN},
    [CTL_REQ_REPLACE_CONN] = {"replace connection", NEED_CONN},
    [CTL_REQ_DEL_CONN]     = {"delete connection",  NEED_NAME},
    [CTL_REQ_ADD_CA]       = {"add ca",             NEED_CA},
    [CTL_REQ_REPLACE_CA]   = {"replace ca",         NEED_CA},
    [CTL_REQ_DEL_CA]       = {"delete ca",          NEED_NAME},
    [CTL_REQ_INITIATE]     = {"initiate",           NEED_NAME},
    [CTL_REQ_TERMINATE]    = {"terminate",          NEED_NAME},
    [CTL_REQ_ROUTE]        = {"route",              NEED_NAME},
    [CTL_REQ_UNROUTE]      = {"unroute",            NEED_NAME},
    [CTL_REQ_STATUS]       = {"status",             0},
    [CTL_REQ_LIST]         = {"list",               NEED_MASK},
    [CTL_REQ_REREAD]       = {"reread",             NEED_MASK},
    [CTL_REQ_PURGE]        = {"purge",              NEED_MASK},
    [CTL_REQ_LOGLEVEL]     = {"loglevel",           0},
    [CTL_REQ_DEBUG]        = {"debug",              0},
    [CTL_REQ_LISTEN]       = {"listen",             0},
    [CTL_REQ_UNLISTEN]     = {"unlisten",           0},
    [CTL_REQ_SHUTDOWN]     = {"shutdown",           0},
    [CTL_REQ_CONFIG]       = {"config",             0},
    [CTL_REQ_DELETESTATE]  = {"delete state",       NEED_SERIAL},
    [CTL_REQ_CRASH]        = {"crash",              NEED_FROM},
    [CTL_REQ_MYID]         = {"myid",               NEED_TEXT},
    [CTL_REQ_ADD_PUBKEY]   = {"add public key",     NEED_TEXT},
    [CTL_REQ_SCENCRYPT]    = {"scencrypt",          NEED_DATA},
    [CTL_REQ_SCDECRYPT]    = {"scdecrypt",          NEED_DATA},
    [CTL_REQ_OPPO]         = {"opportunistic initiation", NEED_FROM | NEED_TO},
    [CTL_REQ_LEASES]       = {"leases",             0},
    [CTL_REQ_DOWN_SRCIP]   = {"terminate by source IP", NEED_FROM},
    [CTL_REQ_RELOAD]       = {"reload",             0},
    [CTL_REQ_CHECK]        = {"check",              NEED_CONN},
};

ENUM_NAMES(ctl_type_names,
    {CTL_REQ_ADD_CONN, "add connection"}, {CTL_REQ_REPLACE_CONN, "replace connection"},
    {CTL_REQ_DEL_CONN, "delete connection"}, {CTL_REQ_ADD_CA, "add ca"}, {CTL_REQ_REPLACE_CA, "replace ca"},
    {CTL_REQ_DEL_CA, "delete ca"}, {CTL_REQ_INITIATE, "initiate"}, {CTL_REQ_TERMINATE, "terminate"},
    {CTL_REQ_ROUTE, "route"}, {CTL_REQ_UNROUTE, "unroute"}, {CTL_REQ_STATUS, "status"}, {CTL_REQ_LIST, "list"},
    {CTL_REQ_REREAD, "reread"}, {CTL_REQ_PURGE, "purge"}, {CTL_REQ_LOGLEVEL, "loglevel"}, {CTL_REQ_DEBUG, "debug"},
    {CTL_REQ_LISTEN, "listen"}, {CTL_REQ_UNLISTEN, "unlisten"}, {CTL_REQ_SHUTDOWN, "shutdown"},
    {CTL_REQ_CONFIG, "config"}, {CTL_REQ_DELETESTATE, "delete state"}, {CTL_REQ_CRASH, "crash"},
    {CTL_REQ_MYID, "myid"}, {CTL_REQ_ADD_PUBKEY, "add public key"}, {CTL_REQ_SCENCRYPT, "scencrypt"},
    {CTL_REQ_SCDECRYPT, "scdecrypt"}, {CTL_REQ_OPPO, "opportunistic initiation"}, {CTL_REQ_LEASES, "leases"},
    {CTL_REQ_DOWN_SRCIP, "terminate by source IP"}, {CTL_REQ_RELOAD, "reload"}, {CTL_REQ_CHECK, "check"});

ENUM_NAMES(ctl_list_names,
    {CTL_LIST_ALGS, "algs"}, {CTL_LIST_PUBKEYS, "pubkeys"}, {CTL_LIST_CERTS, "certs"}, {CTL_LIST_CACERTS, "cacerts"},
    {CTL_LIST_ACERTS, "acerts"}, {CTL_LIST_AACERTS, "aacerts"}, {CTL_LIST_OCSPCERTS, "ocspcerts"},
    {CTL_LIST_GROUPS, "groups"}, {CTL_LIST_CAINFOS, "cainfos"}, {CTL_LIST_CRLS, "crls"}, {CTL_LIST_OCSP, "ocsp"},
    {CTL_LIST_CARDS, "cards"}, {CTL_LIST_ALL, "all"});

ENUM_NAMES(ctl_reread_names,
    {CTL_REREAD_SECRETS, "secrets"}, {CTL_REREAD_CACERTS, "cacerts"}, {CTL_REREAD_AACERTS, "aacerts"},
    {CTL_REREAD_OCSPCERTS, "ocspcerts"}, {CTL_REREAD_ACERTS, "acerts"}, {CTL_REREAD_CRLS, "crls"},
    {CTL_REREAD_GROUPS, "groups"}, {CTL_REREAD_ALL, "all"});

ENUM_NAMES(ctl_debug_names,
    {CTL_DEBUG_RAW, "raw"}, {CTL_DEBUG_CRYPT, "crypt"}, {CTL_DEBUG_PARSING, "parsing"},
    {CTL_DEBUG_EMITTING, "emitting"}, {CTL_DEBUG_CONTROL, "control"}, {CTL_DEBUG_LIFECYCLE, "lifecycle"},
    {CTL_DEBUG_KLIPS, "klips"}, {CTL_DEBUG_DNS, "dns"}, {CTL_DEBUG_NATT, "natt"}, {CTL_DEBUG_OPPO, "oppo"},
    {CTL_DEBUG_CONTROLMORE, "controlmore"}, {CTL_DEBUG_ALL, "all"}, {CTL_DEBUG_PRIVATE, "private"},
    {CTL_IMPAIR_DELAY_ADNS_KEY_ANSWER, "impair-delay-adns-key-answer"},
    {CTL_IMPAIR_DELAY_ADNS_TXT_ANSWER, "impair-delay-adns-txt-answer"}, {CTL_IMPAIR_BUST_MI2, "impair-bust-mi2"},
    {CTL_IMPAIR_BUST_MR2, "impair-bust-mr2"});
// clang-format on

void ctl_request_init(ctl_request *r, ctl_type type)
{
    memset(r, 0, sizeof(*r));
    r->type = type;
    r->group = LG_COUNT;
    r->options = (ctl_options){NOT_SET, NOT_SET, NOT_SET, NOT_SET, NOT_SET, NOT_SET,
                               NOT_SET, NOT_SET, NOT_SET, NOT_SET, NOT_SET};
}

/* ---- what a request needs ---- */

static status check_needs(const ctl_request *r, msgbuf *msg)
{
    // clang-format off
    const struct { unsigned bit; bool there; const char *what; } needs[] = {
        {NEED_NAME, r->name != NULL, "name"},       {NEED_TEXT, r->text != NULL, "text"},
        {NEED_CONN, r->conn.n != 0, "connection"},  {NEED_CA, r->ca.n != 0, "ca description"},
        {NEED_DATA, r->data.n != 0, "data"},        {NEED_FROM, r->from.family != 0, "address"},
        {NEED_TO, r->to.family != 0, "second address"}, {NEED_MASK, r->mask != 0, "choice"},
        {NEED_SERIAL, r->serial != 0, "number"},
    };
    // clang-format on
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
        if ((rules[r->type].need & needs[i].bit) && !needs[i].there)
            return msg_fail(msg, ST_INVALID, "%s: no %s given", rules[r->type].name, needs[i].what);
    return ST_OK;
}

static bool known_type(unsigned type)
{
    return type < CTL_REQ_END && rules[type].name;
}

/* ---- encoding ---- */

static const char *load_text(const void *member)
{
    const char *s;
    memcpy(&s, member, sizeof(s));
    return s;
}

/* The member as a number; false: it has its unset value and is not sent. */
static bool load_number(const ctl_field *f, const void *member, int64_t *v)
{
    switch (f->kind) {
    case FK_U16: {
        uint16_t u;
        memcpy(&u, member, sizeof(u));
        *v = u;
        return u != 0;
    }
    case FK_U32: {
        uint32_t u;
        memcpy(&u, member, sizeof(u));
        *v = u;
        return u != 0;
    }
    case FK_BOOL: {
        bool b;
        memcpy(&b, member, sizeof(b));
        *v = b;
        return b;
    }
    case FK_OPT_I64:
        memcpy(v, member, sizeof(*v));
        return *v >= 0;
    default: { /* FK_INT, FK_OPT_INT */
        int i;
        memcpy(&i, member, sizeof(i));
        *v = i;
        return f->kind == FK_INT || i >= 0;
    }
    }
}

/* The octets of a field; false: not set. room: 8 octets. */
static bool field_octets(const ctl_field *f, const ctl_request *r, uint8_t *room, span *out)
{
    const uint8_t *member = (const uint8_t *)r + f->offset;
    int64_t v = 0;
    switch (f->kind) {
    case FK_NAME:
    case FK_TEXT:
        *out = span_str(load_text(member));
        return load_text(member) != NULL;
    case FK_DATA:
        memcpy(out, member, sizeof(*out));
        return out->n != 0;
    case FK_ADDR:
        *out = addr_span((const ip_addr *)(const void *)member);
        return out->n != 0;
    default:
        if (!load_number(f, member, &v))
            return false;
        set_u64(room, (uint64_t)v);
        *out = span_of(room, 8);
        return true;
    }
}

static bool octets_ok(const ctl_field *f, span s)
{
    int64_t v;
    switch (f->kind) {
    case FK_NAME:
    case FK_TEXT:
        return (int64_t)s.n >= f->min && (int64_t)s.n <= f->max &&
               !memchr(s.n ? s.p : (const uint8_t *)"x", 0, s.n);
    case FK_DATA:
        return (int64_t)s.n >= f->min && (int64_t)s.n <= f->max;
    case FK_ADDR:
        return s.n == 4 || s.n == 16;
    default:
        if (s.n != 8)
            return false;
        v = (int64_t)get_u64(s.p);
        return v >= f->min && v <= f->max;
    }
}

status ctl_encode(const ctl_request *r, buf *body, msgbuf *msg)
{
    if (!known_type(r->type))
        return msg_fail(msg, ST_INVALID, "unknown request type %d", (int)r->type);
    status st = check_needs(r, msg);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < N_FIELDS; i++) {
        uint8_t room[8];
        span s = SPAN_NULL;
        if (!field_octets(&fields[i], r, room, &s))
            continue;
        if (!octets_ok(&fields[i], s))
            return msg_fail(msg, ST_INVALID, "%s: %s is out of range or too long", rules[r->type].name,
                            fields[i].name);
        buf_put_u16(body, fields[i].tag);
        buf_put_u32(body, (uint32_t)s.n);
        buf_put(body, s);
    }
    return buf_ok(body) ? ST_OK : ST_NO_MEMORY;
}

/* ---- decoding ---- */

static status store_text(void *member, span s, arena *mem)
{
    const char *text = arena_str(mem, s);
    if (!text)
        return ST_NO_MEMORY;
    memcpy(member, &text, sizeof(text));
    return ST_OK;
}

static void store_number(const ctl_field *f, void *member, int64_t v)
{
    switch (f->kind) {
    case FK_U16:
        memcpy(member, &(uint16_t){(uint16_t)v}, sizeof(uint16_t));
        break;
    case FK_U32:
        memcpy(member, &(uint32_t){(uint32_t)v}, sizeof(uint32_t));
        break;
    case FK_BOOL:
        memcpy(member, &(bool){v != 0}, sizeof(bool));
        break;
    case FK_OPT_I64:
        memcpy(member, &v, sizeof(v));
        break;
    default:
        memcpy(member, &(int){(int)v}, sizeof(int));
        break;
    }
}

static status store_field(const ctl_field *f, ctl_request *r, span s, arena *mem)
{
    void *member = (uint8_t *)r + f->offset;
    switch (f->kind) {
    case FK_NAME:
    case FK_TEXT:
        return store_text(member, s, mem);
    case FK_DATA:
        memcpy(member, &s, sizeof(s));
        return ST_OK;
    case FK_ADDR:
        return addr_from_bytes((ip_addr *)member, s) ? ST_OK : ST_INVALID;
    default:
        store_number(f, member, (int64_t)get_u64(s.p));
        return ST_OK;
    }
}

static const ctl_field *find_field(uint16_t tag, size_t *index)
{
    for (*index = 0; *index < N_FIELDS; ++*index)
        if (fields[*index].tag == tag)
            return &fields[*index];
    return NULL;
}

status ctl_decode(ctl_request *r, uint16_t type, span body, arena *mem, msgbuf *msg)
{
    uint64_t seen = 0;
    if (!known_type(type))
        return msg_fail(msg, ST_UNSUPPORTED, "unknown request type %u", type);
    ctl_request_init(r, (ctl_type)type);
    while (body.n) {
        if (body.n < FIELD_HEADER || get_u32(body.p + 2) > body.n - FIELD_HEADER)
            return msg_fail(msg, ST_INVALID, "%s: field goes beyond the record", rules[type].name);
        uint16_t tag = get_u16(body.p);
        span s = span_of(body.p + FIELD_HEADER, get_u32(body.p + 2));
        size_t index;
        const ctl_field *f = find_field(tag, &index);
        body = span_skip(body, FIELD_HEADER + s.n);
        if (!f)
            continue;
        if (seen & (uint64_t)1 << index)
            return msg_fail(msg, ST_INVALID, "%s: %s is given twice", rules[type].name, f->name);
        seen |= (uint64_t)1 << index;
        if (!octets_ok(f, s))
            return msg_fail(msg, ST_INVALID, "%s: %s is out of range, too long or no text", rules[type].name,
                            f->name);
        status st = store_field(f, r, s, mem);
        if (st != ST_OK)
            return msg_fail(msg, st, "%s: %s: %s", rules[type].name, f->name, status_text(st));
    }
    return check_needs(r, msg);
}
