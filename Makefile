# Edgeistry. `make help` lists the targets; README.md starts with the two that matter.

GO          ?= go
GO_OLDEST   := 1.21
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS     := -s -w -buildid= -X main.version=$(VERSION)
GOBUILD     := $(GO) build -ldflags '$(LDFLAGS)'
TOOL        := $(GO) tool -modfile=tools/go.mod
OUT         := build
CROSS       := linux/amd64 linux/arm64 linux/arm/7 darwin/arm64 windows/amd64

# Debian packages. demo: what the main job needs beyond Go. boards: the 32-bit boards and their emulators. test: what the checks need on top.
PKGS_DEMO   := gcc libc6-dev make gcc-avr avr-libc libsimavr-dev libelf-dev
PKGS_BOARDS := gcc-xtensa-lx106 picolibc-xtensa-lx106-elf qemu-system-misc gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm
PKGS_TEST   := $(PKGS_DEMO) $(PKGS_BOARDS) libcoap3-bin spin frama-c-base eprover clang libclang-rt-14-dev
PKGS_LINT   := $(PKGS_DEMO) $(PKGS_BOARDS) clang
PKGS_BENCH  := $(PKGS_DEMO) $(PKGS_BOARDS) dpkg-dev
PKGS_FUZZ   := $(PKGS_LINT) libclang-rt-14-dev lld
PKGS_PROOF  := gcc libc6-dev make spin frama-c-base eprover

# One set of flags for build, vet, staticcheck and tests, so that the dependencies are compiled once; the race detector needs cgo.
# Go 1.21 and newer fetch the toolchain that go.mod asks for, if they are older than it.
export GOTOOLCHAIN := auto
export CGO_ENABLED := 0
export GOFLAGS     := -trimpath
.DEFAULT_GOAL := help
.PHONY: help demo test check test-go test-race test-c test-fuzz e2e lint bench bench-node bench-e2e bench-capability counts figures recording size fuzz torture build firmware boards cross cross-check clean deps-go deps-demo deps-boards deps-test deps-lint deps-bench deps-fuzz wasm proof deps-proof

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: deps-demo build firmware ## the main job: a mesh, an 8-bit chip, a capability shared and revoked (KEEP=1 leaves it up)
	$(GO) build -o $(OUT)/demo ./e2e/demo
	$(OUT)/demo $(if $(KEEP),--keep)

test: deps-test build firmware boards test-c proof test-fuzz test-race e2e ## every test: C under sanitizers, proofs, a minute of fuzzing, Go under the race detector, the demo end to end

check: deps-go ## a minute of checks for daily work: format, vet, the build, and the quick Go tests
	@bad=$$($(TOOL) gofumpt -l $$(git ls-files '*.go')); if [ -n "$$bad" ]; then echo "gofumpt would change:"; echo "$$bad"; exit 1; fi
	$(GO) vet ./...
	$(GO) test -short . ./capability/... ./coap/... ./denylist/... ./dht/... ./relay/... ./proxy/... ./internal/... ./node/state/...

test-go: ## the Go tests without the race detector (quick, while working)
	$(GO) test $$($(GO) list ./... | grep -v /e2e)

# What starts the binary again and again, scripts of the command line and e2e, runs without the race detector: with it a start takes eight times as long.
# -p 4: many tests wait for time to pass, while others are built.
test-race: deps-go
	CGO_ENABLED=1 $(GO) test -race -p 4 -timeout 8m $$($(GO) list ./... | grep -v -e /e2e -e /cmd/)

test-c: deps-test
	$(MAKE) --no-print-directory -C firmware test sim-test

test-fuzz: deps-test
	$(MAKE) --no-print-directory -C firmware fuzz FUZZTIME=60s

proof: deps-proof ## models of the protocol and of the device, the C parsers under Frama-C; each with mutants (docs/design/proof.md)
	@$(MAKE) --no-print-directory -C firmware proof
	@sh capability/proof/horn.sh $(OUT)/proof/horn
	@sh capability/proof/proverif.sh $(OUT)/proof/proverif

e2e: deps-test build firmware boards
	$(GO) test -count=1 -p 4 -timeout 8m ./cmd/... ./e2e/...

lint: deps-lint ## gofumpt, vet, staticcheck; gcc, clang and avr-gcc warnings as errors
	@bad=$$($(TOOL) gofumpt -l $$(git ls-files '*.go')); if [ -n "$$bad" ]; then echo "gofumpt would change:"; echo "$$bad"; exit 1; fi
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	$(MAKE) --no-print-directory -C firmware lint

bench: bench-node bench-e2e bench-capability size ## every benchmark; tables here, figures in bench/out/

bench-node: deps-demo build firmware ## start, memory, resolve, call, append: bench/out/node.json
	$(GO) run ./bench/node

bench-e2e: deps-demo build firmware ## device to cloud beside RSA-2048 TLS: bench/out/e2e.json
	$(GO) run ./bench/e2e

bench-capability: deps-bench ## the construction beside RSA-2048 and ECDSA P-256, on three cores and in Go: bench/out/capability.json
	@$(MAKE) --no-print-directory -j2 -C firmware bench-count bench-baseline
	$(GO) run ./bench/capability

counts: deps-boards ## compare the exact counts with bench/capability/counts.txt (UPDATE=1 brings it up to date)
	@$(MAKE) --no-print-directory -j2 -C firmware bench-count
	$(GO) run ./bench/capability -check $(if $(UPDATE),-update)

figures: bench-capability ## measure, and bring docs/guide/capability-figures.* up to date
	$(GO) run ./bench/capability -page docs/guide/capability-figures.md
	$(GO) -C bench/plot run . ../out/capability.json ../../docs/guide/capability-figures.svg

recording: deps-demo build firmware ## run the demo and draw docs/demo.svg, the README's picture of it, from what it printed
	$(GO) build -o $(OUT)/demo ./e2e/demo
	script -qec $(OUT)/demo $(OUT)/demo.ansi
	LC_ALL=C awk -f docs/recording.awk $(OUT)/demo.ansi >$(OUT)/recording.ansi
	$(GO) run github.com/charmbracelet/freeze@v0.2.2 --language ansi --font.size 14 --line-height 1.35 --padding 20 --border.radius 8 --background '#0d1117' \
		--font.family "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" --output docs/demo.svg $(OUT)/recording.ansi

size: deps-boards build firmware ## flash, RAM and worst stack of the boards; size of the binary
	@$(MAKE) --no-print-directory -C firmware size
	@printf 'binary=%s bytes=%s\n' $(OUT)/edgeistry $$(stat -c %s $(OUT)/edgeistry)

FUZZTIME ?= 60s
fuzz: deps-fuzz ## every fuzz target for FUZZTIME (60s) each
	@set -e; for pkg in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
		echo "== $$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg; done; done
	$(MAKE) -C firmware fuzz FUZZTIME=$(FUZZTIME)

wasm: deps-fuzz ## rebuild the sample handlers in function/testdata
	sh function/testdata/build.sh

torture: deps-test build firmware boards ## hours: ten million datagrams, a thousand kills
	EDGEISTRY_TORTURE=1 EDGEISTRY_TORTURE_ROUNDS=1000 $(GO) test -count=1 -timeout 6h ./logstore/ ./function/ ./proxy/ ./e2e/...

build: deps-go ## build/edgeistry
	$(GOBUILD) -o $(OUT)/edgeistry ./cmd/edgeistry

firmware: deps-demo ## the device images, the POSIX device and the simulator: build/firmware/
	@$(MAKE) --no-print-directory -C firmware all

boards: deps-boards ## the images for an ESP8266's core and a Cortex-M3, for QEMU: docs/guide/boards.md
	@$(MAKE) --no-print-directory -C firmware boards

cross: deps-go ## the binary for every supported platform: build/cross/
	@# Stripped binaries need no DWARF; not making it saves compile time where nothing else shares the packages.
	@set -e; host=$$($(GO) env GOHOSTOS)/$$($(GO) env GOHOSTARCH); for p in $(CROSS); do os=$${p%%/*}; rest=$${p#*/}; arch=$${rest%%/*}; arm=; case $$rest in */*) arm=$${rest#*/};; esac; \
		if [ $$p = $$host ]; then lean=; else lean=-gcflags=all=-dwarf=false; fi; \
		echo "cross $$p"; GOOS=$$os GOARCH=$$arch GOARM=$$arm $(GOBUILD) $$lean -o $(OUT)/cross/edgeistry-$$os-$$arch$$arm ./cmd/edgeistry; done

cross-check: deps-go ## type-check the binary for every supported platform, from sources: a fraction of the time of building it
	@$(GO) -C tools build -o ../$(OUT)/crosscheck ./crosscheck
	@$(OUT)/crosscheck ./cmd/edgeistry $(CROSS)

clean: ## remove what was built; measured figures (bench/out) stay
	rm -rf $(OUT)

deps-go:
	@command -v $(GO) >/dev/null || { echo "Go $(GO_OLDEST) or newer is needed and none is on the PATH: https://go.dev/dl/ (Debian's own is older)"; exit 1; }
	@v=$$(GOTOOLCHAIN=local $(GO) env GOVERSION | sed 's/^go//'); printf '%s\n%s\n' $(GO_OLDEST) "$$v" | sort -CV || { echo "Go $(GO_OLDEST) or newer is needed, this is $$v: https://go.dev/dl/ (Debian's own is older)"; exit 1; }

# install-packages(list): apt-get for what dpkg-query does not show as installed.
define install-packages
	@mkdir -p $(OUT); missing=; for p in $(1); do [ "$$(dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null)" = installed ] || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
		apt="apt-get -o DPkg::Lock::Timeout=300"; line="$$apt update && $$apt install -y --no-install-recommends$$missing"; \
		if [ "$$(id -u)" = 0 ]; then run=; elif command -v sudo >/dev/null; then run=sudo; else echo "missing packages; as root: $$line"; exit 1; fi; \
		echo "installing:$$missing"; \
		$$run env DEBIAN_FRONTEND=noninteractive sh -c "$$line" >$(OUT)/apt.log 2>&1 || { tail -n 20 $(OUT)/apt.log; exit 1; }; \
	fi
endef

deps-demo: deps-go
	$(call install-packages,$(PKGS_DEMO))

deps-boards: deps-go
	$(call install-packages,$(PKGS_DEMO) $(PKGS_BOARDS))

deps-test: deps-go
	$(call install-packages,$(PKGS_TEST))

deps-lint: deps-go
	$(call install-packages,$(PKGS_LINT))

deps-bench: deps-go
	$(call install-packages,$(PKGS_BENCH))

deps-fuzz: deps-go
	$(call install-packages,$(PKGS_FUZZ))

deps-proof:
	$(call install-packages,$(PKGS_PROOF))
