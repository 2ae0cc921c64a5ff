libcharon-src += $(wildcard $(d)/*.c)
