libstrongswan-src += $(wildcard $(d)/*.c)
