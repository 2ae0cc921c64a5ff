libstrongswan-src += $(addprefix $(d)/,status.c msgbuf.c span.c buf.c secret.c arena.c hashmap.c heap.c enumname.c clock.c text.c settings.c log.c)
