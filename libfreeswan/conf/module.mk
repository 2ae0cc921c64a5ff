libfreeswan-src += $(wildcard $(d)/*.c)
