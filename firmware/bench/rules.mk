# What the construction costs on each core, and what others cost on the same: counts between marks.
#
#   make bench-count      ours: the ATmega328P in libsimavr (cycles), the ESP8266's core and the Cortex-M3 in QEMU (instructions)
#   make bench-baseline   RSA-2048 and ECDSA P-256 by BearSSL on the same; fetches its source from Debian
#
# Each image leaves its counts in $(OUT)/bench/NAME.counts: lines of a name, the smallest count, and of how many runs.

GO ?= go
BENCH := $(OUT)/bench
BEARSSL := ../build/bearssl

$(BENCH):
	@mkdir -p $@

# ---- those who count ----

# The symbols that count.so calls are the emulator's own.
$(BENCH)/count.so: bench/count.c | $(BENCH)
	$(CC) $(WARN) -D_POSIX_C_SOURCE=200809L $(CFLAGS) -fPIC -fvisibility=hidden -shared -o $@ $<

$(BENCH)/edg-count-avr: bench/count_avr.c | $(BENCH)
	$(CC) $(SIM_FLAGS) -o $@ $< $(SIM_LIBS)

# ---- what the images play: the caller's part, recorded here ----

$(BENCH)/script: bench/script.c bench/verify.c test/caller.c test/bench.c $(GREENHOUSE) $(CORE) $(HEADERS) $(wildcard bench/*.h) | $(BENCH)
	@echo "  cc       $@"; $(CC) $(WARN) $(CFLAGS) $(BENCH_LIMITS) -Wl,--wrap=edg_device_handle -o $@ $(filter %.c,$^)

$(BENCH)/messages.h: $(BENCH)/script
	@$(BENCH)/script >$@.new && mv $@.new $@

# ---- the cores: how to compile for them and how to run them ----

# Every file for itself, without -flto: marks are calls.
BENCH_LIMITS := -DEDG_CONFIG_FILE='"../bench/config.h"'
BENCH_CFLAGS := -std=c99 -Os $(WARN) -ffunction-sections -fdata-sections -fno-ipa-icf $(BENCH_LIMITS) -I$(BENCH)
BENCH_CORES := lx106 m3

lx106_CC = $(LX106_CC) $(LX106_ARCH)
lx106_BARE = $(LX106_BARE)
lx106_LD = $(LX106_CC) $(LX106_LDFLAGS)
lx106_QEMU := qemu-system-xtensa -M sim -cpu lx106

m3_CC = $(M3_CC) $(M3_ARCH)
m3_BARE = $(M3_BARE)
m3_LD = $(M3_CC) $(M3_LDFLAGS)
m3_QEMU := qemu-system-arm -M lm3s6965evb

# The baseline needs more stack than the ATmega328P has RAM: an ATmega1284P has the same core and 16 KiB.
AVR_BIG := atmega1284p

# ---- BearSSL: the files that the two baselines need ----

BEARSSL_SRC := $(addprefix src/,settings.c codec/ccopy.c codec/dec16be.c codec/dec32be.c codec/enc32be.c codec/dec64be.c codec/enc64be.c codec/enc16be.c \
	hash/sha2small.c mac/hmac.c rand/hmac_drbg.c \
	rsa/rsa_i15_priv.c rsa/rsa_i15_pkcs1_sign.c rsa/rsa_i15_pub.c rsa/rsa_i15_pkcs1_vrfy.c rsa/rsa_pkcs1_sig_pad.c rsa/rsa_pkcs1_sig_unpad.c \
	ec/ec_p256_m15.c ec/ec_secp256r1.c ec/ec_secp384r1.c ec/ec_secp521r1.c ec/ecdsa_i15_bits.c ec/ecdsa_i15_sign_raw.c ec/ecdsa_i15_vrfy_raw.c \
	$(addprefix int/i15_,add.c bitlen.c decmod.c decode.c decred.c encode.c fmont.c iszero.c moddiv.c modpow.c modpow2.c montmul.c mulacc.c muladd.c ninv15.c \
	reduce.c rshift.c sub.c tmont.c))
BEARSSL_FLAGS := -I$(BEARSSL)/source/inc -I$(BEARSSL)/source/src -I$(BENCH) -w

$(BEARSSL)/source/inc/bearssl.h: bench/bearssl.sh
	@echo "  fetch    Debian's source package bearssl"; sh bench/bearssl.sh $(BEARSSL) && touch $@

$(BENCH)/keys.h: ../bench/keys/main.go | $(BENCH)
	@cd .. && $(GO) run ./bench/keys >$(abspath $@).new && mv $(abspath $@).new $(abspath $@)

# bench-core(core): objects and images of one core in QEMU.
bench-objects = $(patsubst %.c,$(BENCH)/$(1)/%.o,$(2))
BENCH_MAIN := bench/main_semi.c bench/mark.c
BENCH_DEPS := $(HEADERS) $(wildcard bench/*.h port/net/*.h) $(BENCH)/messages.h bench/rules.mk

define bench-core
$(BENCH)/$(1)/bearssl/%.o: $(BEARSSL)/source/inc/bearssl.h
	@mkdir -p $$(@D)
	@$$($(1)_CC) -Os -ffunction-sections -fdata-sections $(BEARSSL_FLAGS) -c -o $$@ $(BEARSSL)/source/$$*.c

$(BENCH)/$(1)/bench/baseline_%.o: bench/baseline_%.c bench/mark.h $(BENCH)/keys.h $(BEARSSL)/source/inc/bearssl.h
	@mkdir -p $$(@D)
	@$$($(1)_CC) -std=c99 -Os $(BEARSSL_FLAGS) -c -o $$@ $$<

$(BENCH)/$(1)/%.o: %.c $(BENCH_DEPS)
	@mkdir -p $$(@D)
	@$$($(1)_CC) $(BENCH_CFLAGS) -c -o $$@ $$<

$(BENCH)/$(1)-baseline_%.elf: $(BENCH)/$(1)/bench/baseline_%.o $(patsubst %.c,$(BENCH)/$(1)/bearssl/%.o,$(BEARSSL_SRC)) $(call bench-objects,$(1),$(BENCH_MAIN)) $$($(1)_BARE)
	@echo "  ld       $$@"; $$($(1)_LD) -Wl,--gc-sections,--defsym=STACK=12K -o $$@ $$^

$(BENCH)/$(1)-%.elf: $(BENCH)/$(1)/bench/%.o $(call bench-objects,$(1),$(BENCH_MAIN) bench/verify.c $(CORE) $(GREENHOUSE)) $$($(1)_BARE)
	@echo "  ld       $$@"; $$($(1)_LD) -Wl,--gc-sections -o $$@ $$^

$(BENCH)/$(1)-%.counts: $(BENCH)/$(1)-%.elf $(BENCH)/count.so bench/run.sh
	@echo "  run      $$<"; sh bench/run.sh $$< $(BENCH)/count.so $$@ $$($(1)_QEMU)
endef
$(foreach core,$(BENCH_CORES),$(eval $(call bench-core,$(core))))

# The ATmega328P: its own compression, compiled as its image is, but for the file with the marks.
AVR_BENCH_SRC := bench/capability.c bench/verify.c bench/main_avr.c $(CORE) $(GREENHOUSE)
AVR_BENCH_OBJ := $(patsubst %,$(BENCH)/avr/%.o,$(AVR_BENCH_SRC))

$(BENCH)/avr/%.c.o: %.c $(BENCH_DEPS) $(AVR_DIR)/rules.mk
	@mkdir -p $(@D)
	@$(AVR_CC) -mmcu=atmega328p $(AVR_CFLAGS) $(BENCH_LIMITS) -I$(BENCH) -c -o $@ $<

$(BENCH)/avr-capability.elf: $(AVR_BENCH_OBJ) $(OUT)/avr/$(AVR_DIR)/sha256_block.S.o $(BENCH)/avr/mark.o
	@echo "  avr-ld   $@"; $(AVR_CC) -mmcu=atmega328p $(AVR_OPT) -Wl,--gc-sections,--relax,--sort-section=alignment -o $@ $^

$(BENCH)/avr/mark.o: bench/mark.c bench/mark.h
	@mkdir -p $(@D)
	@$(AVR_CC) -mmcu=atmega328p -std=c99 -Os -fno-ipa-icf -c -o $@ $<

$(BENCH)/avr-capability.counts: $(BENCH)/avr-capability.elf $(BENCH)/edg-count-avr
	@echo "  run      $<"; $(BENCH)/edg-count-avr atmega328p $< >$@.new && mv $@.new $@

# The whole device, as it is flashed, over its line.
$(BENCH)/avr-cost.json: $(OUT)/edg-sim-check $(AVR_ELF) | $(BENCH)
	@echo "  run      $(AVR_ELF)"; $(OUT)/edg-sim-check cost $(AVR_ELF) --json >$@.new && mv $@.new $@

$(BENCH)/avr-cost-full.json: $(OUT)/edg-sim-check $(AVR_FULL) | $(BENCH)
	@echo "  run      $(AVR_FULL)"; $(OUT)/edg-sim-check cost $(AVR_FULL) --json >$@.new && mv $@.new $@

# Flash, static RAM and worst stack of the two images.
$(BENCH)/avr-size: $(OUT)/edg-sim-check $(AVR_ELF) $(AVR_FULL) | $(BENCH)
	@echo "  run      $(AVR_ELF) $(AVR_FULL)"; { $(OUT)/edg-sim-check size base $(AVR_ELF) && $(OUT)/edg-sim-check size full $(AVR_FULL); } >$@.new && mv $@.new $@

$(BENCH)/avr/bearssl/%.o: $(BEARSSL)/source/inc/bearssl.h
	@mkdir -p $(@D)
	@$(AVR_CC) -mmcu=$(AVR_BIG) -Os -ffunction-sections -fdata-sections $(BEARSSL_FLAGS) -c -o $@ $(BEARSSL)/source/$*.c

$(BENCH)/avr/bench/baseline_%.o: bench/baseline_%.c bench/mark.h $(BENCH)/keys.h $(BEARSSL)/source/inc/bearssl.h
	@mkdir -p $(@D)
	@$(AVR_CC) -mmcu=$(AVR_BIG) -std=c99 -Os $(BEARSSL_FLAGS) -c -o $@ $<

$(BENCH)/avr-baseline_p256.elf: $(BENCH)/avr/bench/baseline_p256.o bench/main_avr.c bench/mark.c $(patsubst %.c,$(BENCH)/avr/bearssl/%.o,$(BEARSSL_SRC))
	@echo "  avr-ld   $@"; $(AVR_CC) -mmcu=$(AVR_BIG) -std=c99 -Os -fno-ipa-icf -Wl,--gc-sections -o $@ $^

$(BENCH)/avr-baseline_p256.counts: $(BENCH)/avr-baseline_p256.elf $(BENCH)/edg-count-avr
	@echo "  run      $<"; $(BENCH)/edg-count-avr $(AVR_BIG) $< >$@.new && mv $@.new $@

bench-count: $(BENCH)/avr-capability.counts $(BENCH)/avr-size $(BENCH)/avr-cost.json $(BENCH)/avr-cost-full.json $(foreach core,$(BENCH_CORES),$(BENCH)/$(core)-capability.counts $(BENCH)/$(core)-session.counts)

bench-baseline: $(BENCH)/avr-baseline_p256.counts $(foreach core,$(BENCH_CORES),$(BENCH)/$(core)-baseline_rsa.counts $(BENCH)/$(core)-baseline_p256.counts)

.PHONY: bench-count bench-baseline
.SECONDARY:
