# one host of the kernel room's integration tests: run by kernel_cases.py
test-programs += kernel-node
kernel-node-src := $(d)/kernel_node.c
kernel-node-libs := libfreeswan libstrongswan
