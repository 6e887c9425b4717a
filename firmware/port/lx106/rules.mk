# The ESP8266's core: $(OUT)/greenhouse-lx106.elf for `qemu-system-xtensa -M lx60-nommu -cpu lx106`.   make lx106
# Any other bare-metal image for this core: compile with LX106_CFLAGS, link LX106_BARE with LX106_LDFLAGS.

LX106_CC ?= xtensa-lx106-elf-gcc
LX106_DIR := port/lx106
# picolibc gives the string functions. Debian's libgcc for this core is compiled for calls of any distance, and so is everything here.
LX106_ARCH := -mlongcalls -mtext-section-literals --specs=/usr/lib/xtensa-lx106-elf/picolibc.specs
LX106_CFLAGS := $(LX106_ARCH) $(BARE_CFLAGS)
LX106_LDFLAGS := $(LX106_ARCH) -nostartfiles -T $(LX106_DIR)/image.ld
LX106_BARE := $(addprefix $(OUT)/lx106/$(LX106_DIR)/,start.S.o semi.c.o divide.c.o)

$(OUT)/lx106/%.c.o: %.c $(BARE_HEADERS) $(LX106_DIR)/rules.mk
	@mkdir -p $(@D)
	@echo "  lx106-gcc  $<"; $(LX106_CC) $(LX106_CFLAGS) -c -o $@ $<

$(OUT)/lx106/%.S.o: %.S $(LX106_DIR)/rules.mk
	@mkdir -p $(@D)
	@echo "  lx106-gcc  $<"; $(LX106_CC) $(LX106_ARCH) -c -o $@ $<

LX106_ELF := $(OUT)/greenhouse-lx106.elf
LX106_OBJ := $(patsubst %,$(OUT)/lx106/base/%.o,$(NET_GREENHOUSE) $(LX106_DIR)/board.c $(LX106_DIR)/nic.c)

lx106: $(LX106_ELF)

$(LX106_ELF): $(LX106_OBJ) $(LX106_BARE) $(LX106_DIR)/image.ld
	@echo "  lx106-ld   $@"; $(LX106_CC) $(LX106_LDFLAGS) -o $@ $(LX106_OBJ) $(LX106_BARE)

$(OUT)/lx106/base/%.c.o: %.c $(BARE_HEADERS) $(LX106_DIR)/rules.mk port/net/rules.mk
	@mkdir -p $(@D)
	@echo "  lx106-gcc  $<"; $(LX106_CC) $(LX106_CFLAGS) $(BARE_CONFIG) -DGREENHOUSE_BOARD='"lx106"' -c -o $@ $<

size-lx106: $(LX106_ELF) $(OUT)/edg-board-stack
	$(call bare_size,lx106,xtensa-lx106-elf-size,$<,\.iram|\.text|\.rodata|\.data,\.iram|\.rodata|\.data|\.bss,qemu-system-xtensa -M lx60-nommu -cpu lx106)

size: size-lx106

.PHONY: lx106 size-lx106
