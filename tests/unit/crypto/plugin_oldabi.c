/* A plugin built for another version, for test_loader. */
#include "libstrongswan/crypto/plugin.h"

extern const plugin_desc oldabi_plugin;
const plugin_desc oldabi_plugin = {.abi = PLUGIN_ABI + 1, .name = "oldabi"};
