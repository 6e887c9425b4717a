# A Cortex-M3 board: $(OUT)/greenhouse-cortexm3.elf for `qemu-system-arm -M lm3s6965evb`.   make m3
# Any other bare-metal image for this board: compile with M3_CFLAGS, link M3_BARE with M3_LDFLAGS.

M3_CC ?= arm-none-eabi-gcc
M3_DIR := port/cortexm3
M3_ARCH := -mcpu=cortex-m3 -mthumb --specs=nano.specs
M3_CFLAGS := $(M3_ARCH) $(BARE_CFLAGS)
M3_LDFLAGS := $(M3_ARCH) -nostartfiles -Wl,--gc-sections -T $(M3_DIR)/image.ld
M3_C := $(addprefix $(M3_DIR)/,start.c semi.c board.c nic.c)
M3_CLANG := --target=thumbv7m-none-eabi -isystem /usr/lib/arm-none-eabi/include $(BARE_CONFIG)
M3_BARE := $(addprefix $(OUT)/cortexm3/$(M3_DIR)/,start.c.o semi.c.o)

$(OUT)/cortexm3/%.c.o: %.c $(BARE_HEADERS) $(M3_DIR)/rules.mk
	@mkdir -p $(@D)
	@echo "  m3-gcc   $<"; $(M3_CC) $(M3_CFLAGS) -c -o $@ $<

M3_ELF := $(OUT)/greenhouse-cortexm3.elf
M3_OBJ := $(patsubst %,$(OUT)/cortexm3/base/%.o,$(NET_GREENHOUSE) $(M3_DIR)/board.c $(M3_DIR)/nic.c)

m3: $(M3_ELF)

$(M3_ELF): $(M3_OBJ) $(M3_BARE) $(M3_DIR)/image.ld
	@echo "  m3-ld    $@"; $(M3_CC) $(M3_LDFLAGS) -o $@ $(M3_OBJ) $(M3_BARE)

$(OUT)/cortexm3/base/%.c.o: %.c $(BARE_HEADERS) $(M3_DIR)/rules.mk port/net/rules.mk
	@mkdir -p $(@D)
	@echo "  m3-gcc   $<"; $(M3_CC) $(M3_CFLAGS) $(BARE_CONFIG) -DGREENHOUSE_BOARD='"LM3S6965"' -c -o $@ $<

size-m3: $(M3_ELF) $(OUT)/edg-board-stack
	$(call bare_size,cortexm3,arm-none-eabi-size,$<,\.text|\.data,\.data|\.bss,qemu-system-arm -M lm3s6965evb)

size: size-m3

.PHONY: m3 size-m3
