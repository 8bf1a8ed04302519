# Hesper. `make help` lists the targets. The work is Meson's; this file adds what a person types.

BUILD ?= build
PREFIX ?= /usr/local
# A prefix that holds include/vulkan and share/vulkan/registry/vk.xml; empty: found, or fetched.
REGISTRY ?=
MESON_ARGS ?=
FUZZ_SECONDS ?= 300
NINJA = ninja -C $(BUILD) $(if $(JOBS),-j $(JOBS))

.PHONY: all build test quick unit demo fuzz sanitize format check-format install clean help

all: build

help:
	@echo 'make               build/hesper, without tests'
	@echo 'make demo          a real program rendered through Hesper, as demo.png'
	@echo 'make test          everything: unit tests, then real programs of three Mesa versions'
	@echo 'make quick         unit tests and the newest Mesa only (some minutes)'
	@echo 'make unit          unit tests'
	@echo 'make sanitize      unit tests and the quick real programs, address+undefined, then thread'
	@echo 'make fuzz          each fuzzer for FUZZ_SECONDS=$(FUZZ_SECONDS)'
	@echo 'make check-format  or: make format'
	@echo 'make install       to PREFIX=$(PREFIX), with DESTDIR'
	@echo 'make clean'
	@echo 'Variables: BUILD, JOBS, REGISTRY (a prefix with vk.xml), MESON_ARGS, PREFIX'

# --- building --------------------------------------------------------------------------------------

# configure(TESTS): the build folder also holds downloads, so its existence says nothing.
define configure
	@if [ -e $(BUILD)/build.ninja ]; then \
	    meson configure $(BUILD) -Dtests=$(1) $(if $(REGISTRY),-Dvulkan_registry=$(REGISTRY)) $(MESON_ARGS); \
	else \
	    meson setup $(BUILD) --prefix=$(PREFIX) -Dtests=$(1) \
	        $(if $(REGISTRY),-Dvulkan_registry=$(REGISTRY)) $(MESON_ARGS); \
	fi
endef

# Plain `make` leaves a configured folder as it is, so that it may follow `make test`.
build:
	@command -v meson >/dev/null && command -v ninja >/dev/null || \
	    { echo 'make: meson and ninja are missing: run scripts/setup build' >&2; exit 1; }
	@$(if $(REGISTRY),:,scripts/tree registry --if-needed)
	@[ -e $(BUILD)/build.ninja ] || \
	    meson setup $(BUILD) --prefix=$(PREFIX) -Dtests=false \
	        $(if $(REGISTRY),-Dvulkan_registry=$(REGISTRY)) $(MESON_ARGS)
	$(NINJA)

# --- tests -----------------------------------------------------------------------------------------

unit: prepare
	meson test -C $(BUILD) --no-rebuild --print-errorlogs

.PHONY: prepare
prepare:
	scripts/setup build test
	scripts/tree registry
	$(call configure,true)
	$(NINJA)

test: unit
	scripts/tree trixie trixie-backports sid
	HESPER_BUILD=$(abspath $(BUILD)) tests/vtest/run

quick: unit
	scripts/tree sid
	HESPER_BUILD=$(abspath $(BUILD)) tests/vtest/run --quick

demo:
	scripts/setup build demo
	scripts/tree registry
	@$(MAKE) --no-print-directory build
	scripts/tree sid
	HESPER_BUILD=$(abspath $(BUILD)) scripts/demo demo.png

sanitize:
	scripts/setup build test dev
	scripts/sanitize

fuzz:
	scripts/setup build dev
	scripts/tree registry
	scripts/fuzz $(FUZZ_SECONDS)

# --- the rest --------------------------------------------------------------------------------------

C_FILES = $$(git ls-files '*.c' '*.h')

format:
	clang-format -i $(C_FILES)

check-format:
	clang-format --dry-run --Werror $(C_FILES)

install: build
	meson install -C $(BUILD) --no-rebuild

clean:
	@[ ! -e $(BUILD)/build.ninja ] || $(NINJA) clean
