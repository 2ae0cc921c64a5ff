libpluto-src += $(wildcard $(d)/*.c)
