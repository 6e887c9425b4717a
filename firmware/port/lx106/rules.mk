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
	@echo "  lx106-gcc  $<"; $(LX106_CC) $(LX106_CFLAGS) $(LX106_DEFINES) -c -o $@ $<

$(OUT)/lx106/%.S.o: %.S $(LX106_DIR)/rules.mk
	@mkdir -p $(@D)
	@echo "  lx106-gcc  $<"; $(LX106_CC) $(LX106_ARCH) -c -o $@ $<
