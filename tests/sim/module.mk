libsim-src += $(wildcard $(d)/lib/*.c)
test-programs += ikesim
ikesim-src := $(addprefix $(d)/,ikesim.c scenarios.c parties.c checks.c mishaps.c faultalloc.c)
ikesim-libs := libsim libcharon libpluto libfreeswan libstrongswan
