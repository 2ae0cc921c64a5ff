programs += $(if $(wildcard $(d)/*.c),starter)
starter-src := $(wildcard $(d)/*.c)
starter-libs := libfreeswan libstrongswan
