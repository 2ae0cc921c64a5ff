libpluto-src += $(filter-out $(d)/main.c,$(wildcard $(d)/*.c))
programs += $(if $(wildcard $(d)/main.c),pluto)
pluto-src := $(d)/main.c
pluto-libs := libpluto libfreeswan libstrongswan
