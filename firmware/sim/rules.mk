# The simulator of the ATmega328P board: $(OUT)/edg-sim, and edg-sim-check with its tests.   make sim, make sim-test, make size

SIM_SHARED := $(addprefix sim/,chip.c factory.c) port/posix/setupcode.c
SIM_FLAGS := $(WARN) $(CFLAGS) -D_GNU_SOURCE -isystem /usr/include/simavr
SIM_LIBS := -lsimavr -lelf

sim: $(OUT)/edg-sim
avr: $(OUT)/edg-sim

$(OUT)/edg-sim: $(addprefix sim/,main.c line.c store.c report.c) $(SIM_SHARED) $(CORE) $(wildcard sim/*.h core/*.h port/atmega328p/marks.h) sim/rules.mk | $(OUT)
	$(CC) $(SIM_FLAGS) -o $@ $(filter %.c,$^) $(SIM_LIBS)

# The line of edg_device_handle leads to the chip there, so the core is linked without its own.
SIM_CHECK := $(addprefix sim/,check.c tests.c fixture.c handle.c life.c board.c report.c) test/caller.c $(SIM_SHARED) $(filter-out core/handle.c,$(CORE))

$(OUT)/edg-sim-check: $(SIM_CHECK) $(wildcard sim/*.h core/*.h test/*.h port/atmega328p/marks.h) sim/rules.mk | $(OUT)
	$(CC) $(SIM_FLAGS) -o $@ $(filter %.c,$^) $(SIM_LIBS)

# An image whose service was compiled with room for one temperature more than its core: only the check at start can refuse it.
AVR_UNFIT := $(OUT)/greenhouse-atmega328p-unfit.elf
AVR_UNFIT_OBJ := $(patsubst %greenhouse/greenhouse.c.o,%greenhouse-unfit.c.o,$(AVR_OBJ))

$(OUT)/avr/greenhouse-unfit.c.o: $(GREENHOUSE) $(wildcard core/*.h greenhouse/*.h $(AVR_DIR)/*.h) $(AVR_DIR)/rules.mk
	@mkdir -p $(@D)
	@echo "  avr-gcc  $< (unfit)"; $(AVR_CC) $(AVR_FLAGS) $(AVR_CFLAGS) -DGREENHOUSE_KEEP=33 -c -o $@ $<

$(AVR_UNFIT): $(AVR_UNFIT_OBJ)
	@echo "  avr-ld   $@"; $(AVR_CC) -mmcu=atmega328p $(AVR_OPT) -Wl,--gc-sections,--relax,--sort-section=alignment -o $@ $(AVR_UNFIT_OBJ) $(AVR_CHECK_LD)

sim-test: $(OUT)/edg-sim-check $(OUT)/edg-sim $(AVR_ELF) $(AVR_UNFIT)
	$(OUT)/edg-sim-check test $(AVR_ELF) $(OUT)/edg-sim $(AVR_UNFIT)

# What each request costs on the chip.
sim-cost: $(OUT)/edg-sim-check $(AVR_ELF) $(AVR_FULL)
	@$(OUT)/edg-sim-check cost $(AVR_ELF)
	@echo "the full image:"; $(OUT)/edg-sim-check cost $(AVR_FULL) | grep 'private\|program'

size: $(OUT)/edg-sim-check $(AVR_ELF) $(AVR_FULL)
	@$(OUT)/edg-sim-check size base $(AVR_ELF)
	@$(OUT)/edg-sim-check size full $(AVR_FULL)

# What programs cost on the chip, in an image of their own: the board's has none (EDG_PROGRAM is 0 there).
$(OUT)/program-chip.elf: sim/program_chip.c core/program.c core/program_check.c $(wildcard core/*.h sim/program_bodies.h) sim/rules.mk port/atmega328p/rules.mk | $(OUT)
	$(AVR_CC) $(AVR_FLAGS) $(AVR_CFLAGS) -DEDG_PROGRAM=1 -Wl,--gc-sections,--relax -o $@ $(filter %.c,$^)

$(OUT)/edg-program-cost: sim/program_cost.c sim/program_bodies.h sim/rules.mk | $(OUT)
	$(CC) $(SIM_FLAGS) -o $@ sim/program_cost.c $(SIM_LIBS)

program-cost: $(OUT)/edg-program-cost $(OUT)/program-chip.elf
	@$(OUT)/edg-program-cost $(OUT)/program-chip.elf

.PHONY: sim sim-test sim-cost program-cost
