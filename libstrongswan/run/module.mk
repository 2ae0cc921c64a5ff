libstrongswan-src += $(addprefix $(d)/,runtime.c timers.c mailbox.c child.c ctlserver.c ctlclient.c process.c)
