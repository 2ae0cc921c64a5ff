test-programs += hostile
hostile-src := $(wildcard $(d)/*.c) tests/sim/faultalloc.c
hostile-libs := $(if $(libpluto-src),libpluto) libcharon libfreeswan libstrongswan
