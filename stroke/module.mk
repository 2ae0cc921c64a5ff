programs += $(if $(wildcard $(d)/*.c),stroke)
stroke-src := $(wildcard $(d)/*.c)
stroke-libs := libfreeswan libstrongswan
