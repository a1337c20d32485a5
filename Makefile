# ha-ai: `make` builds build/ha-ai; `make demo` and `make test` are the two commands of the README.
PREFIX     ?= /usr/local
DESTDIR    ?=
MODE       ?= release
VERSION    := 0.1.0

PKGS       := libmosquitto json-c libcurl sqlite3 libmicrohttpd
OUT        := build/$(MODE)
SRCS       := $(filter-out src/main.c,$(wildcard src/*/*.c))
OBJS       := $(SRCS:src/%.c=$(OUT)/%.o)
UNIT_SRCS  := $(wildcard tests/unit/*.c)
UNIT_BINS  := $(UNIT_SRCS:tests/unit/%.c=$(OUT)/unit/%)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wvla -Wformat=2 -Wundef -Wnull-dereference -Werror
BASE := -std=c17 -D_POSIX_C_SOURCE=200809L -Isrc -DHA_AI_VERSION='"$(VERSION)"' \
        -DHA_AI_DATADIR='"$(PREFIX)/share/ha-ai"' -fPIE -g -MMD -MP
FLAGS_release := -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
FLAGS_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_tsan    := -O1 -fsanitize=thread
LINK_release  := -Wl,-z,relro,-z,now
LINK_asan     := -fsanitize=address,undefined
LINK_tsan     := -fsanitize=thread

CFLAGS  := $(WARN) $(BASE) $(FLAGS_$(MODE)) $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDFLAGS := -pie $(LINK_$(MODE))
LDLIBS  := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm -lpthread

.PHONY: all asan unit check-layers clean
all: build/ha-ai ## build/ha-ai, the program (default)

build/ha-ai: $(OUT)/ha-ai
	@mkdir -p build && cp -f $< $@

$(OUT)/ha-ai: $(OUT)/main.o $(OUT)/lib.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/lib.a: $(OBJS)
	@rm -f $@ && $(AR) rcs $@ $^

$(OUT)/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

$(OUT)/unit/%: tests/unit/%.c $(OUT)/lib.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $< $(OUT)/lib.a $(LDFLAGS) -lcmocka $(LDLIBS)

asan: ## build/asan/ha-ai, with AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory MODE=asan build/asan/ha-ai

unit: $(UNIT_BINS) ## unit tests of this MODE
	@for t in $(UNIT_BINS); do $$t || exit 1; done

check-layers: ## a folder includes only lower layers and itself
	@tests/check-layers

clean: ## delete everything built
	rm -rf build

-include $(OBJS:.o=.d) $(OUT)/main.d $(UNIT_BINS:=.d)
