# `make` builds build/ha-ai; `make demo` and `make test` also install what is missing. `make help` lists all.
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR    ?=
MODE       ?= release
VERSION    := 0.1.0

PKGS       := libmosquitto json-c libcurl sqlite3 libmicrohttpd yaml-0.1
OUT        := build/$(MODE)
SRCS       := $(filter-out src/main.c,$(wildcard src/*/*.c))
OBJS       := $(SRCS:src/%.c=$(OUT)/%.o)
UNIT_SRCS  := $(wildcard tests/unit/*.c)
UNIT_BINS  := $(UNIT_SRCS:tests/unit/%.c=$(OUT)/unit/%)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wvla -Walloca -Wformat=2 -Wundef -Wnull-dereference -Werror
BASE := -std=c17 -D_POSIX_C_SOURCE=200809L -Isrc -DHA_AI_VERSION='"$(VERSION)"' \
        -DHA_AI_DATADIR='"$(PREFIX)/share/ha-ai"' -fPIE -g
FLAGS_release := -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
FLAGS_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_tsan    := -O1 -fsanitize=thread
LINK_release  := -Wl,-z,relro,-z,now
LINK_asan     := -fsanitize=address,undefined
LINK_tsan     := -fsanitize=thread

CFLAGS  := $(WARN) $(BASE) $(FLAGS_$(MODE)) $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDFLAGS := -pie $(LINK_$(MODE))
# Debian's libwslay-dev has no pkg-config file.
LDLIBS  := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lwslay -lm -lpthread
READY   := $(shell pkg-config --exists $(PKGS) 2>/dev/null && \
             $(CC) -include wslay/wslay.h -E -x c /dev/null >/dev/null 2>&1 && command -v $(CC))
JOBS    := -j$(shell nproc)
Q       := $(if $(V),,@)

.PHONY: all demo test test-long unit unit-build asan bench lint format check-layers install uninstall clean help ready FORCE
.DELETE_ON_ERROR:
all: build/ha-ai ## build/ha-ai, the program (default; V=1 shows the commands, MODE=release|asan|tsan)

build/ha-ai: $(OUT)/ha-ai
	@mkdir -p build && cp -f $< $@

$(OUT)/ha-ai: $(OUT)/main.o $(OUT)/lib.a
	@echo "  LD  $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/lib.a: $(OBJS)
	@rm -f $@ && $(AR) rcs $@ $^

$(OUT)/%.o: src/%.c $(OUT)/flags | ready
	@mkdir -p $(@D) && echo "  CC  $@"
	$(Q)$(CC) $(CFLAGS) -include src/core/banned.h -MMD -MP -c -o $@ $<

$(OUT)/unit/%: tests/unit/%.c $(OUT)/lib.a
	@mkdir -p $(@D) && echo "  CC  $@"
	$(Q)$(CC) $(CFLAGS) -MMD -MP -o $@ $< $(OUT)/lib.a $(LDFLAGS) -lcmocka $(LDLIBS)

# Small programs that the tests on real parts drive; each test makes its own.
$(OUT)/drivers/%: tests/e2e/drivers/%.c $(OUT)/lib.a
	@mkdir -p $(@D) && echo "  CC  $@"
	$(Q)$(CC) $(CFLAGS) -MMD -MP -o $@ $< $(OUT)/lib.a $(LDFLAGS) $(LDLIBS)

# Other flags (PREFIX=, an updated library) build everything anew.
FLAGS_TEXT = $(subst ','\'',$(CC) $(CFLAGS))
$(OUT)/flags: FORCE
	@mkdir -p $(@D) && echo '$(FLAGS_TEXT)' | cmp -s - $@ || echo '$(FLAGS_TEXT)' >$@

# Without compiler or libraries: one line that names them, instead of the compiler's errors.
ready:
	@test -n "$(READY)" || { contrib/install-packages --check build; \
	    echo "make: install these, or run 'make demo' or 'make test', which do it for you" >&2; exit 1; }

demo: ## a broker, a simulated home of thirty days and the daemon, until Ctrl-C; installs what is missing
	@contrib/install-packages demo
	@$(MAKE) --no-print-directory $(JOBS) build/ha-ai
	@build/ha-ai demo $(ARGS)

test: ## everything that proves it, with a real broker and Home Assistant; installs what is missing
	@contrib/install-packages test
	@JOBS=$(JOBS) tests/run

test-long: ## the same, and what takes longer: the newest Home Assistant (root), ...
	@contrib/install-packages test-long
	@JOBS=$(JOBS) tests/run --long

asan: ## build/ha-ai-asan, the program with AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory MODE=asan build/asan/ha-ai && cp -f build/asan/ha-ai build/ha-ai-asan

unit-build: $(UNIT_BINS)

unit: $(UNIT_BINS) ## unit tests of this MODE (SEED= replays one)
	@for t in $(UNIT_BINS); do $$t || exit 1; done

bench: build/ha-ai ## the figures of the README: time and memory
	@tests/bench/run

lint: check-layers ## layers, formatting, shell scripts
	@if command -v clang-format-19 >/dev/null; then clang-format-19 --dry-run -Werror src/*.[ch] src/*/*.[ch] $(UNIT_SRCS); \
	    else echo "lint: no clang-format-19 here: formatting not checked"; fi
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run contrib/install-packages tests/run tests/check-layers; \
	    else echo "lint: no shellcheck here: scripts not checked"; fi

format: ## formats the C sources
	clang-format-19 -i src/*.[ch] src/*/*.[ch] $(UNIT_SRCS)

check-layers: ## a folder includes only lower layers and itself
	@tests/check-layers

install: build/ha-ai ## program, entities, unit and templates under DESTDIR, PREFIX, SYSCONFDIR
	install -D -m 755 build/ha-ai $(DESTDIR)$(PREFIX)/bin/ha-ai
	install -d $(DESTDIR)$(PREFIX)/share/ha-ai/discovery
	install -m 644 discovery/*.json $(DESTDIR)$(PREFIX)/share/ha-ai/discovery
	install -d $(DESTDIR)$(PREFIX)/share/ha-ai/discovery/lang
	install -m 644 discovery/lang/*.json $(DESTDIR)$(PREFIX)/share/ha-ai/discovery/lang
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/ha-ai contrib/env.template contrib/dashboard.yaml
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/ha-ai/blueprints/automation/ha-ai contrib/blueprints/automation/ha-ai/*.yaml
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/local|$(PREFIX)|g; s|/etc/|$(SYSCONFDIR)/|g' contrib/ha-ai.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/ha-ai.service

uninstall: ## removes what install put there; settings and data stay
	rm -rf $(DESTDIR)$(PREFIX)/bin/ha-ai $(DESTDIR)$(PREFIX)/share/ha-ai $(DESTDIR)$(PREFIX)/lib/systemd/system/ha-ai.service

clean: ## delete everything built
	rm -rf build

help: ## this list
	@awk -F': *[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

-include $(OBJS:.o=.d) $(OUT)/main.d $(UNIT_BINS:=.d)
