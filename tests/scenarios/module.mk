# first process of a scenario host
programs += labinit
labinit-src := $(d)/labinit.c
labinit-libs :=
