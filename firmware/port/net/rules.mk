# What the bare-metal boards with a network have in common.
BARE_CFLAGS := -Os $(WARN) -ffunction-sections -fdata-sections
BARE_CONFIG := -DEDG_CONFIG_FILE='"../port/net/config.h"'
BARE_HEADERS := $(wildcard core/*.h greenhouse/*.h port/net/*.h port/lx106/*.h port/cortexm3/*.h)
NET := $(addprefix port/net/,arp.c udp.c)
NET_PORT := $(NET) $(addprefix port/net/,main.c eeprom.c console.c stack.c)
NET_GREENHOUSE := $(CORE) $(GREENHOUSE) $(NET_PORT)

boards: lx106 m3

# The stack of the boards, measured as they run: what their callers do comes over UDP from here.
BOARD_STACK := $(addprefix sim/,stack.c handle.c life.c board.c) test/caller.c $(SIM_SHARED) $(filter-out core/handle.c,$(CORE))

$(OUT)/edg-board-stack: $(BOARD_STACK) $(wildcard sim/*.h core/*.h test/*.h) | $(OUT)
	@$(CC) $(SIM_FLAGS) -o $@ $(filter %.c,$^) $(SIM_LIBS)

# $(1) names the board, $(2) is the program `size`, $(3) the image, $(4) sections in flash, $(5) sections in RAM but for the stack, $(6) the emulator.
define bare_size
	@stack=$$($(OUT)/edg-board-stack $(OUT) $(6) -kernel $(3)) && $(2) -A $(3) | awk -v flash='$(4)' -v ram='$(5)' -v stack=$$stack '$$1 ~ "^(" flash ")$$" { f += $$2 } $$1 ~ "^(" ram ")$$" { r += $$2 } \
		END { printf "board=$(1) image=base flash=%d static=%d stack=%d\n", f, r, stack }'
endef

.PHONY: boards
