/* The stroke server over a true socket: what a client asks, what it is shown, and how its command ends. */
#include "charon/plugins/stroke/stroke.h"
#include "tests/unit/charon/duo.h"
#include <pthread.h>

static const char conf[] =
    "conn net\n keyexchange=ikev2\n authby=secret\n left=10.0.0.1\n right=10.0.0.2\n leftid=@a.test\n"
    " rightid=@b.test\n leftsubnet=10.1.0.0/16\n rightsubnet=10.2.0.0/16\n auto=add\n";

typedef struct talk {
    duo *d;
    stroke_server *s;
    char path[96];
    buf out;
} talk;

static void take_line(void *ctx, int code, span text)
{
    (void)code;
    buf_put(&((talk *)ctx)->out, text);
    buf_put_u8(&((talk *)ctx)->out, '\n');
}

static int ask(talk *t, ctl_request *r)
{
    ctl_reply_ops ops = {.line = take_line, .ctx = t};
    ctl_conn c;
    buf body = {0};
    msgbuf why = {0};
    int code = -1;

    buf_reset(&t->out);
    assert_int_equal(ctl_encode(r, &body, &why), ST_OK);
    assert_int_equal(ctl_connect(&c, t->path, CTL_MAGIC_STROKE), ST_OK);
    assert_int_equal(ctl_send(&c, (uint16_t)r->type, buf_span(&body)), ST_OK);
    assert_int_equal(ctl_receive(&c, &ops, 20000, &code), ST_OK);
    ctl_close(&c);
    buf_free(&body);
    return code;
}

static int simple(talk *t, ctl_type type, const char *name)
{
    ctl_request r;

    ctl_request_init(&r, type);
    r.name = name;
    return ask(t, &r);
}

static bool shown(talk *t, const char *text)
{
    return strstr(buf_cstr(&t->out), text) != NULL;
}

static int add(talk *t, ctl_type type)
{
    config *cfg = NULL;
    ctl_request r;
    buf body = {0};
    int code;

    assert_int_equal(config_parse(&cfg, conf, sizeof(conf) - 1, "x", NULL), ST_OK);
    assert_int_equal(conn_encode(cfg->conns[0], &body), ST_OK);
    ctl_request_init(&r, type);
    r.conn = buf_span(&body);
    code = ask(t, &r);
    buf_free(&body);
    config_free(cfg);
    return code;
}

static void *loop(void *arg)
{
    runtime_run(((talk *)arg)->d->rt);
    return NULL;
}

static void commands(void **state)
{
    talk t = {.d = duo_make(NULL, 2, true)};
    ctl_request r;
    pthread_t thread;
    msgbuf why = {0};

    (void)state;
    snprintf(t.path, sizeof(t.path), "%s/charon.ctl", t.d->p[0].dir);
    for (int i = 0; i < 2; i++)
        duo_psk(&t.d->p[i], "%any", "%any", "a secret");
    duo_add(&t.d->p[1], conf);
    assert_int_equal(stroke_server_new(&t.s, t.d->p[0].ch, t.path, NULL, &why), ST_OK);
    assert_int_equal(pthread_create(&thread, NULL, loop, &t), 0);

    assert_int_equal(simple(&t, CTL_REQ_STATUS, NULL), 0);
    assert_true(shown(&t, "Security Associations:\n  none\n"));
    assert_int_not_equal(simple(&t, CTL_REQ_INITIATE, "net"), 0);
    assert_true(shown(&t, "no config named 'net'"));
    assert_int_equal(add(&t, CTL_REQ_ADD_CONN), 0);
    assert_int_equal(add(&t, CTL_REQ_ADD_CONN), 0); /* the same again */
    assert_int_equal(add(&t, CTL_REQ_REPLACE_CONN), 0);
    assert_int_equal(simple(&t, CTL_REQ_INITIATE, "net"), 0);
    assert_true(shown(&t, "initiating IKE_SA 'net' to 10.0.0.2\n"));
    assert_true(shown(&t, "generating IKE_SA_INIT request 0 [ SA KE No "));
    assert_true(shown(&t, "IKE_SA 'net' established between 10.0.0.1[a.test]...[b.test]10.0.0.2\n"));
    assert_true(shown(&t, "CHILD_SA 'net' established successfully\n"));
    assert_int_equal(simple(&t, CTL_REQ_ROUTE, "net"), 0);
    assert_int_equal(simple(&t, CTL_REQ_UNROUTE, "net"), 0);
    assert_int_not_equal(simple(&t, CTL_REQ_UNROUTE, "net"), 0);
    ctl_request_init(&r, CTL_REQ_LIST);
    r.mask = CTL_LIST_ALL;
    assert_int_equal(ask(&t, &r), 0);
    assert_true(shown(&t, "List of registered IKEv2 Algorithms:"));
    ctl_request_init(&r, CTL_REQ_STATUS);
    r.all = true;
    assert_int_equal(ask(&t, &r), 0);
    assert_true(shown(&t, "         net{1}:  INSTALLED, TUNNEL, ESP SPIs: "));
    assert_int_equal(simple(&t, CTL_REQ_TERMINATE, "net{}"), 0);
    assert_true(shown(&t, "closing CHILD_SA 10.1.0.0/16 === 10.2.0.0/16\n"));
    assert_int_equal(simple(&t, CTL_REQ_TERMINATE, "net"), 0);
    assert_true(shown(&t, "IKE_SA deleted\n"));
    assert_int_not_equal(simple(&t, CTL_REQ_TERMINATE, "net"), 0);
    assert_true(shown(&t, "no such SA found\n"));
    assert_int_equal(simple(&t, CTL_REQ_DEL_CONN, "net"), 0);
    assert_int_not_equal(simple(&t, CTL_REQ_DEL_CONN, "net"), 0);

    runtime_stop(t.d->rt, 0);
    pthread_join(thread, NULL);
    stroke_server_free(t.s);
    buf_free(&t.out);
    duo_free(t.d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
