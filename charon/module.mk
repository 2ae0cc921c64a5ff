libcharon-src += $(filter-out $(d)/main.c,$(wildcard $(d)/*.c))
programs += $(if $(wildcard $(d)/main.c),charon)
charon-src := $(d)/main.c
charon-libs := libcharon libfreeswan libstrongswan
