/* Folders of the installation, see paths.h. */
#include "libstrongswan/run/paths.h"

#include "config.h"

#include <stdio.h>
#include <stdlib.h>

static const char *from_env(const char *name, const char *built_in)
{
    const char *v = secure_getenv(name);
    return v && v[0] == '/' ? v : built_in;
}

const char *path_confdir(void)
{
    return from_env("IPSEC_CONFDIR", IPSEC_CONFDIR);
}

const char *path_piddir(void)
{
    return from_env("IPSEC_PIDDIR", IPSEC_PIDDIR);
}

const char *path_ipsecdir(void)
{
    return from_env("IPSEC_DIR", IPSEC_DIR);
}

char *path_join(const char *dir, const char *name, char *dst, size_t size)
{
    if (size)
        snprintf(dst, size, "%s/%s", dir, name);
    return dst;
}
