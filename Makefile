# Hesper. `make help` lists the targets. The work is Meson's; this file adds what a person types.

BUILD ?= build
PREFIX ?= /usr/local
# A prefix that holds include/vulkan and share/vulkan/registry/vk.xml; empty: found, or fetched.
REGISTRY ?=
MESON_ARGS ?=
FUZZ_SECONDS ?= 300
COVERAGE_SECONDS ?= 20
NINJA = ninja -C $(BUILD) $(if $(JOBS),-j $(JOBS))

.PHONY: all build bare test test-vm test-desktop test-web quick unit demo fuzz coverage sanitize format check-format install clean help

all: build

help:
	@echo 'make               build/hesper, without tests'
	@echo 'make demo          a virtual machine with its GPU, and pictures: demo-*.png'
	@echo 'make bare          build/guest/bare.elf, bare-arm64.elf: Vulkan with no operating system, for hesper run --kernel'
	@echo 'make test          unit tests, real programs of three Mesa versions, two virtual machines'
	@echo 'make quick         unit tests and the newest Mesa only (some minutes)'
	@echo 'make unit          unit tests'
	@echo 'make test-vm       all that is tried in virtual machines: kernels x Mesa versions x profiles (an hour)'
	@echo 'make test-desktop  desktops in virtual machines, looked at: console, weston, X, cage (half an hour)'
	@echo 'make test-web      the screen in a headless Chromium'
	@echo 'make sanitize      unit tests and real programs: address+undefined, then thread'
	@echo 'make fuzz          each fuzzer for FUZZ_SECONDS=$(FUZZ_SECONDS)'
	@echo 'make coverage      which lines of which room unit tests run, and fuzzers in COVERAGE_SECONDS=$(COVERAGE_SECONDS) each'
	@echo 'make check         formatting, both compilers without warnings, an older Vulkan registry, macOS, packages'
	@echo 'make check-macos   that everything builds for macOS, arm64 and x86-64 (about a minute)'
	@echo 'make deb           Debian packages, for an apt-get install of build/deb/*.deb'
	@echo 'make format        as check-format wants it'
	@echo 'make install       to PREFIX=$(PREFIX), with DESTDIR'
	@echo 'make clean'
	@echo 'Variables: BUILD, JOBS, REGISTRY (a prefix with vk.xml), MESON_ARGS, PREFIX, LIBDIR'
	@echo './demo and ./test are make demo and make test for a machine that does not have make yet'

# --- building --------------------------------------------------------------------------------------

# Libraries go where Debian's pkg-config looks. Meson knows the place only if dpkg-dev is there, compilers always.
LIBDIR ?= $$([ ! -e /etc/debian_version ] || $(CC) -print-multiarch 2>/dev/null | sed 's,^.,lib/&,')
SETUP_ARGS = --prefix=$(PREFIX) $${libdir:+--libdir=$$libdir} $(if $(REGISTRY),-Dvulkan_registry=$(REGISTRY)) $(MESON_ARGS)
SETUP = libdir=$(LIBDIR); meson setup $(BUILD)

# configure(TESTS): the build folder also holds downloads, so its existence says nothing.
define configure
	@if [ -e $(BUILD)/build.ninja ]; then \
	    meson configure $(BUILD) -Dtests=$(1) $(if $(REGISTRY),-Dvulkan_registry=$(REGISTRY)) $(MESON_ARGS); \
	else \
	    $(SETUP) -Dtests=$(1) $(SETUP_ARGS); \
	fi
	$(again)
endef

# A library of a display that was installed since: Meson looks for it again only if it is told to.
again = @scripts/displays check $(BUILD) || meson setup --reconfigure $(BUILD) >/dev/null

# Plain `make` leaves a configured folder as it is, so that it may follow `make test`.
build:
	@command -v meson >/dev/null && command -v ninja >/dev/null || \
	    { echo 'make: meson and ninja are missing: run scripts/setup' >&2; exit 1; }
	@$(if $(REGISTRY),:,scripts/tree registry --if-needed)
	@[ -e $(BUILD)/build.ninja ] || { $(SETUP) -Dtests=false $(SETUP_ARGS); }
	$(again)
	$(NINJA)
	@scripts/displays report $(BUILD)

# A program for a machine without an operating system (guest/bare). Meson looks for the compiler of shaders again if
# it was not there before.
bare:
	scripts/setup build bare
	@$(MAKE) --no-print-directory build
	@grep -qs '^build guest/bare.elf:' $(BUILD)/build.ninja || meson setup --reconfigure $(BUILD) >/dev/null
	$(NINJA) guest/bare.elf $$(grep -qs '^build guest/bare-arm64.elf:' $(BUILD)/build.ninja && echo guest/bare-arm64.elf)

# --- tests -----------------------------------------------------------------------------------------

.PHONY: prepare
prepare:
	scripts/setup build test
	$(if $(REGISTRY),,scripts/tree registry)
	$(call configure,true)
	$(NINJA) all meson-test-prereq

unit: prepare
	scripts/test $(BUILD) --unit

test: prepare
	scripts/tree trixie trixie-backports sid
	scripts/guest trixie trixie-backports
	scripts/test $(BUILD)

test-desktop: prepare
	HESPER_BUILD=$(abspath $(BUILD)) tests/vm/desktop_run

test-vm: prepare
	scripts/tree sid
	scripts/guest trixie trixie-backports
	scripts/test $(BUILD) --vm

test-web: prepare
	scripts/setup web
	tests/vnc/browser $(BUILD)

quick: prepare
	scripts/tree sid
	scripts/test $(BUILD) --quick

demo:
	scripts/setup build demo
	$(if $(REGISTRY),,scripts/tree registry)
	@$(MAKE) --no-print-directory build
	scripts/tree sid
	scripts/guest trixie trixie/desktop
	HESPER_BUILD=$(abspath $(BUILD)) scripts/demo .

sanitize:
	scripts/setup build test dev
	scripts/sanitize

fuzz:
	scripts/setup build dev
	scripts/tree registry
	scripts/fuzz $(FUZZ_SECONDS)

coverage:
	scripts/setup build test dev
	scripts/tree registry
	scripts/coverage --seconds $(COVERAGE_SECONDS)

# --- what CI checks beside the tests -----------------------------------------------------------------

.PHONY: check warnings old-registry check-macos deb
check: check-format warnings old-registry check-macos deb

# Everything with both compilers, and no warning.
warnings:
	scripts/setup build test dev
	$(if $(REGISTRY),,scripts/tree registry)
	$(call strict,gcc,)
	$(call strict,clang,-Dfuzz=true)

# strict(COMPILER,ARGS)
define strict
	@[ -e $(BUILD)/strict-$(1)/build.ninja ] || \
	    CC=$(1) meson setup $(BUILD)/strict-$(1) -Dtests=true -Dwerror=true $(2) \
	        $(if $(REGISTRY),-Dvulkan_registry=$(REGISTRY)) >/dev/null
	ninja -C $(BUILD)/strict-$(1) $(if $(JOBS),-j $(JOBS)) --quiet
endef

# The oldest registry that a supported Debian has: fewer commands, everything else the same.
old-registry:
	scripts/setup build test
	scripts/tree registry trixie
	@[ -e $(BUILD)/old-registry/build.ninja ] || meson setup $(BUILD)/old-registry \
	    -Dvulkan_registry=$(CURDIR)/build/registry-trixie/usr >/dev/null
	ninja -C $(BUILD)/old-registry $(if $(JOBS),-j $(JOBS)) --quiet all meson-test-prereq
	meson test -C $(BUILD)/old-registry --no-rebuild --print-errorlogs

# For a machine that is no Mac, where it can only be built: both architectures, linked, looked into.
check-macos:
	scripts/setup build
	$(if $(REGISTRY),,scripts/tree registry)
	@HESPER_BUILD=$(abspath $(BUILD)) JOBS=$(JOBS) REGISTRY=$(REGISTRY) scripts/check-macos

# Built in a copy of these sources, and looked into: hesper, and hesper-vnc, whose library is under the GPL.
deb:
	scripts/setup build deb
	$(if $(REGISTRY),,scripts/tree registry)
	@REGISTRY=$(REGISTRY) JOBS=$(JOBS) scripts/deb $(BUILD)/deb
	@scripts/check-deb $(BUILD)/deb

C_FILES = $$(git ls-files '*.c' '*.h')

# The style is that of clang-format 14, which other versions do not keep to the letter.
CLANG_FORMAT ?= $(firstword $(shell command -v clang-format-14 || command -v clang-format))

format:
	$(CLANG_FORMAT) -i $(C_FILES)

check-format:
	@scripts/setup dev
	@case "$$($(CLANG_FORMAT) --version)" in \
	*' version 14.'*) echo check-format; $(CLANG_FORMAT) --dry-run --Werror $(C_FILES) ;; \
	*) echo 'check-format: skipped: it wants clang-format 14' ;; \
	esac

# --- the rest --------------------------------------------------------------------------------------

# Another PREFIX than the folder was configured with takes a moment of building.
install: build
	@$(if $(filter file,$(origin PREFIX)),:,meson configure $(BUILD) --prefix=$(PREFIX) && $(NINJA))
	meson install -C $(BUILD) --no-rebuild

clean:
	@[ ! -e $(BUILD)/build.ninja ] || $(NINJA) clean
