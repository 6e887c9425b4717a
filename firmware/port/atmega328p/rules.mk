# The ATmega328P images: $(OUT)/greenhouse-atmega328p.elf, and greenhouse-atmega328p-full.elf with programs and private requests.   make avr, avr-full, size

AVR_CC ?= avr-gcc
AVR_DIR := port/atmega328p
AVR_ELF := $(OUT)/greenhouse-atmega328p.elf
AVR_C := $(CORE) $(GREENHOUSE) $(addprefix $(AVR_DIR)/,main.c tick.c line.c eeprom.c restart.c valve.c button.c)
AVR_OBJ := $(patsubst %,$(OUT)/avr/%.o,$(AVR_C) $(addprefix $(AVR_DIR)/,sha256_block.S ascon_permute.S))
AVR_FLAGS := -mmcu=atmega328p -DF_CPU=16000000UL -DEDG_CONFIG_FILE='"../port/atmega328p/config.h"'
AVR_CHECK_LD := $(AVR_DIR)/checks.ld
# What is smallest with avr-gcc 5.4: each of these was measured with `make size`; without -flto the image has 1.4 kB more. With
# -fdata-sections nothing but the device is in .bss itself, and so it comes first in RAM (main.c).
AVR_OPT := -Os -flto -mcall-prologues -mstrict-X -fno-split-wide-types -fno-move-loop-invariants -fno-tree-scev-cprop -fno-ipa-sra \
	-fno-tree-dominator-opts -finline-limit=8 -fdata-sections
AVR_CFLAGS := -std=c99 $(AVR_OPT) -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wvla -Werror

# The same with a reading every 2 s, for the demo and the benchmarks.
AVR_QUICK := $(OUT)/greenhouse-atmega328p-2s.elf
AVR_QUICK_OBJ := $(patsubst %greenhouse/greenhouse.c.o,%greenhouse-2s.c.o,$(AVR_OBJ))

avr: $(AVR_ELF) $(AVR_QUICK)

$(AVR_ELF): $(AVR_OBJ)
	@echo "  avr-ld   $@"; $(AVR_CC) -mmcu=atmega328p $(AVR_OPT) -Wl,--gc-sections,--relax,--sort-section=alignment -o $@ $(AVR_OBJ) $(AVR_CHECK_LD)

$(AVR_QUICK): $(AVR_QUICK_OBJ)
	@echo "  avr-ld   $@"; $(AVR_CC) -mmcu=atmega328p $(AVR_OPT) -Wl,--gc-sections,--relax,--sort-section=alignment -o $@ $(AVR_QUICK_OBJ) $(AVR_CHECK_LD)

$(OUT)/avr/greenhouse-2s.c.o: $(GREENHOUSE) $(wildcard core/*.h greenhouse/*.h $(AVR_DIR)/*.h) $(AVR_DIR)/rules.mk
	@mkdir -p $(@D)
	@echo "  avr-gcc  $< (every 2 s)"; $(AVR_CC) $(AVR_FLAGS) $(AVR_CFLAGS) -DGREENHOUSE_PERIOD_SECONDS=2 -c -o $@ $<

$(OUT)/avr/%.c.o: %.c $(wildcard core/*.h greenhouse/*.h $(AVR_DIR)/*.h) $(AVR_DIR)/rules.mk
	@mkdir -p $(@D)
	@echo "  avr-gcc  $<"; $(AVR_CC) $(AVR_FLAGS) $(AVR_CFLAGS) -c -o $@ $<

$(OUT)/avr/%.S.o: %.S $(AVR_DIR)/rules.mk
	@mkdir -p $(@D)
	@echo "  avr-gcc  $<"; $(AVR_CC) $(AVR_FLAGS) -c -o $@ $<

# All that the core can. It leaves the chip no room for anything else.
AVR_FULL := $(OUT)/greenhouse-atmega328p-full.elf
AVR_FULL_OBJ := $(patsubst $(OUT)/avr/%,$(OUT)/avr-full/%,$(AVR_OBJ))
AVR_FULL_FLAGS := -DEDG_PROGRAM=1 -DEDG_PRIVACY=1 -DEDG_PORT_ASCON_SMALL

avr-full: $(AVR_FULL)

$(AVR_FULL): $(AVR_FULL_OBJ)
	@echo "  avr-ld   $@"; $(AVR_CC) -mmcu=atmega328p $(AVR_OPT) -Wl,--gc-sections,--relax,--sort-section=alignment -o $@ $(AVR_FULL_OBJ) $(AVR_CHECK_LD)

$(OUT)/avr-full/%.c.o: %.c $(wildcard core/*.h greenhouse/*.h $(AVR_DIR)/*.h) $(AVR_DIR)/rules.mk
	@mkdir -p $(@D)
	@echo "  avr-gcc  $< (full)"; $(AVR_CC) $(AVR_FLAGS) $(AVR_FULL_FLAGS) $(AVR_CFLAGS) -c -o $@ $<

$(OUT)/avr-full/%.S.o: %.S $(AVR_DIR)/rules.mk
	@mkdir -p $(@D)
	@echo "  avr-gcc  $< (full)"; $(AVR_CC) $(AVR_FLAGS) $(AVR_FULL_FLAGS) -c -o $@ $<

.PHONY: avr avr-full
