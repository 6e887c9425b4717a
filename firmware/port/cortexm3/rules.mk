# A Cortex-M3 board: $(OUT)/greenhouse-cortexm3.elf for `qemu-system-arm -M lm3s6965evb`.   make m3
# Any other bare-metal image for this board: compile with M3_CFLAGS, link M3_BARE with M3_LDFLAGS.

M3_CC ?= arm-none-eabi-gcc
M3_DIR := port/cortexm3
M3_ARCH := -mcpu=cortex-m3 -mthumb --specs=nano.specs
M3_CFLAGS := $(M3_ARCH) $(BARE_CFLAGS)
M3_LDFLAGS := $(M3_ARCH) -nostartfiles -Wl,--gc-sections -T $(M3_DIR)/image.ld
M3_BARE := $(addprefix $(OUT)/cortexm3/$(M3_DIR)/,start.c.o semi.c.o)

$(OUT)/cortexm3/%.c.o: %.c $(BARE_HEADERS) $(M3_DIR)/rules.mk
	@mkdir -p $(@D)
	@echo "  m3-gcc   $<"; $(M3_CC) $(M3_CFLAGS) $(M3_DEFINES) -c -o $@ $<
