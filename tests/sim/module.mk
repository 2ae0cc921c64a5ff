libsim-src += $(wildcard $(d)/lib/*.c)
