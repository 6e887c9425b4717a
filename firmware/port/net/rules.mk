# What the bare-metal boards with a network have in common.
BARE_CFLAGS := -Os $(WARN) -ffreestanding -ffunction-sections -fdata-sections
BARE_HEADERS := $(wildcard core/*.h greenhouse/*.h port/net/*.h port/lx106/*.h port/cortexm3/*.h)
