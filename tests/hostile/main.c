/* hostile [-v] [WORD]: runs the groups whose name holds WORD, all without; prints what failed and a last line
 * "hostile: N passed, M failed, K skipped". */
#include "tests/hostile/hostile.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const char conf_responder[] =
    "conn any\n"
    "\tkeyexchange=ikev2\n\tleft=" TARGET_IP "\n\tleftid=@target\n\tleftsubnet=10.1.0.0/16\n"
    "\tright=%any\n\trightsubnet=10.2.0.0/16\n\tauthby=secret\n"
    "\tike=aes128-sha1-curve25519-ecp256-modp2048!\n\tesp=aes128-sha1!\n\tauto=add\n";
const char conf_initiator[] =
    "conn call\n"
    "\tkeyexchange=ikev2\n\tleft=" TARGET_IP "\n\tleftid=@target\n\tleftsubnet=10.1.0.0/16\n"
    "\tright=" HONEST_IP "\n\trightid=@honest\n\trightsubnet=10.2.0.0/16\n\tauthby=secret\n"
    "\tike=aes128-sha1-curve25519-ecp256!\n\tesp=aes128-sha1!\n\tkeyingtries=1\n\tauto=add\n";
const char conf_honest[] = "conn answer\n"
                           "\tkeyexchange=ikev2\n\tleft=" HONEST_IP
                           "\n\tleftid=@honest\n\tleftsubnet=10.2.0.0/16\n"
                           "\tright=%any\n\trightid=@target\n\trightsubnet=10.1.0.0/16\n\tauthby=secret\n"
                           "\tike=aes128-sha1-curve25519-ecp256!\n\tesp=aes128-sha1!\n\tauto=add\n";

const char conf_v1[] =
    "conn any\n"
    "\tkeyexchange=ikev1\n\tleft=" TARGET_IP "\n\tleftid=@target\n\tleftsubnet=10.1.0.0/16\n"
    "\tright=%any\n\trightsubnetwithin=10.2.0.0/16\n\tauthby=secret\n"
    "\tike=aes128-sha1-ecp256,aes128-sha1-modp2048!\n\tesp=aes128-sha1!\n\tpfs=no\n\tauto=add\n";
const char conf_v1_call[] =
    "conn call\n"
    "\tkeyexchange=ikev1\n\tleft=" TARGET_IP "\n\tleftid=@target\n\tleftsubnet=10.1.0.0/16\n"
    "\tright=" HONEST_IP "\n\trightid=@honest\n\trightsubnet=10.2.0.0/16\n\tauthby=secret\n"
    "\tike=aes128-sha1-ecp256!\n\tesp=aes128-sha1!\n\tpfs=no\n\tkeyingtries=1\n\tauto=add\n";

const char conf_v1_honest[] = "conn answer\n"
                              "\tkeyexchange=ikev1\n\tleft=" HONEST_IP
                              "\n\tleftid=@honest\n\tleftsubnet=10.2.0.0/16\n"
                              "\tright=" TARGET_IP
                              "\n\trightid=@target\n\trightsubnet=10.1.0.0/16\n\tauthby=secret\n"
                              "\tike=aes128-sha1-ecp256!\n\tesp=aes128-sha1!\n\tpfs=no\n\tauto=add\n";

static unsigned passed, failed, skipped;

bool check(bool ok, const char *fmt, ...)
{
    va_list ap;
    if (ok) {
        passed++;
        return true;
    }
    failed++;
    va_start(ap, fmt);
    printf("FAILED ");
    vprintf(fmt, ap);
    printf("\n");
    fflush(stdout);
    va_end(ap);
    return false;
}

void skip(const char *why)
{
    skipped++;
    printf("SKIPPED %s\n", why);
}

void start_target(target *t, const char *address, const char *conf)
{
    status st = target_start(t, conf == conf_v1 || conf == conf_v1_call || conf == conf_v1_honest, address,
                             conf, HOSTILE_PSK);
    if (st != ST_OK) {
        fprintf(stderr, "hostile: unable to start an engine: %s\n", status_text(st));
        exit(2);
    }
}

void expect_no_orphans(target *t, const char *what)
{
    buf text = {0};
    size_t n = kernel_fake_orphans(t->env.kernel, &text);
    check(n == 0, "%s: left in the kernel: %s", what, buf_cstr(&text));
    buf_free(&text);
}

void expect_rest(target *t, const char *what)
{
    target_forget(t);
    target_pass(t, REST_MS);
    target_forget(t);
    check(target_ike_sas(t) == 0, "%s: %u IKE_SAs are left", what, target_ike_sas(t));
    check(kernel_fake_sas(t->env.kernel) == 0 && kernel_fake_reserved(t->env.kernel) == 0 &&
              kernel_fake_policies(t->env.kernel) == 0,
          "%s: %zu SAs, %zu reserved SPIs, %zu policies are left", what, kernel_fake_sas(t->env.kernel),
          kernel_fake_reserved(t->env.kernel), kernel_fake_policies(t->env.kernel));
}

static const struct {
    const char *name;
    void (*run)(void);
} groups[] = {
    {"ikev2-malformed", v2_malformed}, {"ikev2-auth", v2_auth_inputs},
    {"ikev2-states", v2_states},       {"ikev2-established", v2_established},
    {"ikev2-initiator", v2_initiator}, {"ikev2-fragments", v2_fragments},
    {"ikev2-flood", v2_flood},         {"ikev1-malformed", v1_malformed},
    {"ikev1-states", v1_states},       {"ikev1-quick", v1_quick},
    {"ikev1-fragments", v1_fragments}, {"ikev1-flood", v1_flood},
    {"ikev1-initiator", v1_initiator}, {"ikev2-noise", v2_noise},
    {"ikev1-noise", v1_noise},         {"ikev2-memory", oom_v2},
    {"ikev1-memory", oom_v1},
};

int main(int argc, char **argv)
{
    int arg = 1;
    if (arg < argc && strcmp(argv[arg], "-v") == 0) {
        verbose = true;
        arg++;
    }
    oom_prepare();
    if (lib_load() != ST_OK) {
        fprintf(stderr, "hostile: no algorithms\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        unsigned before = passed + failed;
        struct timespec a, b;
        if (arg < argc && !strstr(groups[i].name, argv[arg]))
            continue;
        clock_gettime(CLOCK_MONOTONIC, &a);
        groups[i].run();
        clock_gettime(CLOCK_MONOTONIC, &b);
        printf("%-20s %6u checks in %.1f s\n", groups[i].name, passed + failed - before,
               (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
    }
    lib_free();
    printf("hostile: %u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed ? 1 : 0;
}
