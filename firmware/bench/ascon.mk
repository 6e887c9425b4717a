# Ascon alone on the simulated ATmega328P, as it is and with EDG_PORT_ASCON_SMALL.   make ascon

ASCON_IN := bench/ascon_avr.c core/ascon.c core/bytes.c $(AVR_DIR)/ascon_permute.S
ASCON_AVR := $(AVR_CC) $(AVR_FLAGS) $(AVR_CFLAGS) -Wl,--gc-sections,--relax
ASCON_IMAGES := $(addprefix $(OUT)/ascon-,none.elf fast.elf fast-data.elf small.elf small-data.elf)

$(OUT)/ascon-none.elf: ASCON_DEF := -DASCON_NOTHING
$(OUT)/ascon-fast-data.elf: ASCON_DEF := -DASCON_DATA
$(OUT)/ascon-small.elf: ASCON_DEF := -DEDG_PORT_ASCON_SMALL
$(OUT)/ascon-small-data.elf: ASCON_DEF := -DEDG_PORT_ASCON_SMALL -DASCON_DATA
$(ASCON_IMAGES): $(ASCON_IN) bench/ascon_job.h $(wildcard core/*.h $(AVR_DIR)/*.h) bench/ascon.mk | $(OUT)
	@echo "  avr-gcc  $@"; $(ASCON_AVR) $(ASCON_DEF) -o $@ $(ASCON_IN)

$(OUT)/ascon-sim: bench/ascon_sim.c test/ascon_kat.c test/bench.c $(CORE) bench/ascon_job.h $(HEADERS) bench/ascon.mk | $(OUT)
	$(CC) $(SIM_FLAGS) -DEDG_SLOTS=4 -o $@ $(filter %.c,$^) $(SIM_LIBS)

# Every official vector on the chip's own code, cycles and stack; flash is what the image grows by, the C around the permutation included.
ascon: $(OUT)/ascon-sim $(ASCON_IMAGES)
	@set -e; none=$$(avr-size $(OUT)/ascon-none.elf | awk 'NR == 2 {print $$1}'); for size in fast small; do \
		echo "$$size: flash=$$(($$(avr-size $(OUT)/ascon-$$size.elf | awk 'NR == 2 {print $$1}') - none))"; \
		$(OUT)/ascon-sim $(OUT)/ascon-$$size-data.elf $(ASCON_VECTORS); done

sim-test: ascon

.PHONY: ascon
