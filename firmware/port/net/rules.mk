# What the bare-metal boards with a network have in common.
BARE_CFLAGS := -Os $(WARN) -ffunction-sections -fdata-sections
BARE_CONFIG := -DEDG_CONFIG_FILE='"../port/net/config.h"'
BARE_HEADERS := $(wildcard core/*.h greenhouse/*.h port/net/*.h port/lx106/*.h port/cortexm3/*.h)
NET := $(addprefix port/net/,arp.c udp.c)
NET_GREENHOUSE := $(CORE) $(GREENHOUSE) $(NET) $(addprefix port/net/,main.c eeprom.c console.c)
