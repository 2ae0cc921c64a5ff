test-programs += hostile
hostile-src := $(wildcard $(d)/*.c)
hostile-libs := $(if $(libpluto-src),libpluto) libcharon libfreeswan libstrongswan
