# one end of peer-load
test-programs += load-node
load-node-src := $(d)/load_node.c
load-node-libs := libcharon libfreeswan libstrongswan
