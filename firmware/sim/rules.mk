# The simulator of the ATmega328P board: $(OUT)/edg-sim, and edg-sim-check with its tests.   make sim, make sim-test, make size

SIM_SHARED := $(addprefix sim/,chip.c factory.c) port/posix/setupcode.c
SIM_FLAGS := $(WARN) $(CFLAGS) -D_GNU_SOURCE -isystem /usr/include/simavr
SIM_LIBS := -lsimavr -lelf

sim: $(OUT)/edg-sim
avr: $(OUT)/edg-sim

$(OUT)/edg-sim: $(addprefix sim/,main.c line.c store.c report.c) $(SIM_SHARED) $(CORE) $(wildcard sim/*.h core/*.h port/atmega328p/marks.h) sim/rules.mk | $(OUT)
	$(CC) $(SIM_FLAGS) -o $@ $(filter %.c,$^) $(SIM_LIBS)

# The line of edg_device_handle leads to the chip there, so the core is linked without its own.
SIM_CHECK := $(addprefix sim/,check.c tests.c life.c board.c report.c) test/caller.c $(SIM_SHARED) $(filter-out core/handle.c,$(CORE))

$(OUT)/edg-sim-check: $(SIM_CHECK) $(wildcard sim/*.h core/*.h test/*.h port/atmega328p/marks.h) sim/rules.mk | $(OUT)
	$(CC) $(SIM_FLAGS) -o $@ $(filter %.c,$^) $(SIM_LIBS)

sim-test: $(OUT)/edg-sim-check $(OUT)/edg-sim $(AVR_ELF)
	$(OUT)/edg-sim-check test $(AVR_ELF) $(OUT)/edg-sim

# What each request costs on the chip.
sim-cost: $(OUT)/edg-sim-check $(AVR_ELF)
	@$(OUT)/edg-sim-check cost $(AVR_ELF)

size: $(OUT)/edg-sim-check $(AVR_ELF)
	@$(OUT)/edg-sim-check size base $(AVR_ELF)

.PHONY: sim sim-test sim-cost
