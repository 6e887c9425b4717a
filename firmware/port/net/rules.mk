# What the bare-metal boards with a network have in common.
BARE_CFLAGS := -Os $(WARN) -ffunction-sections -fdata-sections
BARE_CONFIG := -DEDG_CONFIG_FILE='"../port/net/config.h"'
BARE_HEADERS := $(wildcard core/*.h greenhouse/*.h port/net/*.h port/lx106/*.h port/cortexm3/*.h)
NET := $(addprefix port/net/,arp.c udp.c)
NET_PORT := $(NET) $(addprefix port/net/,main.c eeprom.c console.c stack.c)
NET_GREENHOUSE := $(CORE) $(GREENHOUSE) $(NET_PORT)

boards: lx106 m3

# Sections as they stand in the image: $(1) names the board, $(2) is the program `size`, $(3) the image, $(4) what is kept in flash, $(5) in RAM; the stack is apart.
bare_size = @$(2) -A $(3) | awk -v flash='$(4)' -v ram='$(5)' '$$1 ~ "^(" flash ")$$" { f += $$2 } $$1 ~ "^(" ram ")$$" { r += $$2 } \
	END { printf "board=$(1) image=base flash=%d static=%d\n", f, r }'

.PHONY: boards
