# first process of a scenario host
test-programs += labinit
labinit-src := $(d)/labinit.c
labinit-libs :=
