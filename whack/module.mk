programs += $(if $(wildcard $(d)/*.c),whack)
whack-src := $(wildcard $(d)/*.c)
whack-libs := libfreeswan libstrongswan
