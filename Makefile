# mod_auth_guard: `make help` lists the targets.
#
# Everything built lies below build/. The flags of httpd, APR and APR-util are
# asked of apxs, apr-1-config and apu-1-config; what `make deps` installs is
# all that is needed.

APXS ?= apxs
CC ?= gcc
CFLAGS ?= -O2 -g
WERROR ?=
DESTDIR ?=
PREFIX ?= /usr/local
B := build

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wvla $(WERROR)

# Asked once, and only when something is compiled.
APXS_INCLUDE = $(eval APXS_INCLUDE := $$(shell $(APXS) -q INCLUDEDIR))$(APXS_INCLUDE)
APR_FLAGS = $(eval APR_FLAGS := $$(shell apr-1-config --includes --cppflags) \
	$$(shell apu-1-config --includes))$(APR_FLAGS)
APR_LIBS = $(eval APR_LIBS := $$(shell apr-1-config --link-ld) \
	$$(shell apu-1-config --link-ld))$(APR_LIBS)
RUNTIMEDIR = $(eval RUNTIMEDIR := $$(shell $(APXS) -q runtimedir))$(RUNTIMEDIR)

COMPILE = $(CC) -std=gnu11 -fPIC -fvisibility=default -pthread $(CFLAGS) \
	$(WARN) $(CPPFLAGS) -Isrc -isystem $(APXS_INCLUDE) \
	$(patsubst -I%,-isystem %,$(APR_FLAGS)) -MMD -MP

# The lower half stands on APR alone: the module, htguard and the unit tests
# share it.
LOWER_SRC := $(filter-out src/guard_store_redis%,$(wildcard src/guard_key*.c src/guard_text*.c \
	src/guard_policy*.c src/guard_store*.c src/guard_wait*.c \
	src/guard_conf_args*.c \
	src/guard_reply_body*.c))
UPPER_SRC := mod_auth_guard.c $(filter-out $(LOWER_SRC) \
	src/guard_store_redis%,$(wildcard src/*.c))
LOWER := $(LOWER_SRC:%.c=$B/%.o)
UPPER := $(UPPER_SRC:%.c=$B/%.o)
TOOL := $(patsubst %.c,$B/%.o,$(wildcard tools/*.c))
UNIT_SRC := $(wildcard t/unit/*.c)
UNIT := $(UNIT_SRC:t/unit/%.c=$B/t/%.t)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help install clean test demo deps unit check-asan check-tsan tidy \
	format

all: $B/mod_auth_guard.so $B/htguard ## build the module and htguard

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' \
	    $(MAKEFILE_LIST)

$B/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

$B/mod_auth_guard.so: $(UPPER) $(LOWER) mod_auth_guard.map
	$(CC) -shared -pthread $(CFLAGS) $(LDFLAGS) -o $@ $(UPPER) $(LOWER) \
	    -Wl,--version-script=mod_auth_guard.map -Wl,-z,relro,-z,now \
	    $(APR_LIBS)

$B/tools/htguard.o: CPPFLAGS += -DGUARD_RUNTIMEDIR='"$(RUNTIMEDIR)"'
$B/htguard: $(TOOL) $(LOWER)
	$(CC) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $^ -Wl,-z,relro,-z,now \
	    $(APR_LIBS)

# Unit tests compile the lower half again, with the steps of its critical
# section made visible to them.
$B/steps/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) -DGUARD_STEPS -c -o $@ $<

$B/t/%.t: $B/steps/t/unit/%.o $(LOWER_SRC:%.c=$B/steps/%.o)
	@mkdir -p $(@D)
	$(CC) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $^ $(APR_LIBS)

# In the three below a sub-make builds, so that under -j too nothing is built
# before what it needs is installed.
demo test: export AUTHGUARD_SO = $(abspath $B/mod_auth_guard.so)

deps: ## install what building and testing need (not root: say what)
	@tools/deps

demo: ## watch the guard at work; PORT=nnnn, or ONCE=1 to end by itself
	@tools/deps build
	@$(MAKE) --no-print-directory all
	@tools/demo

test: ## build, and run every test
	@tools/deps
	@$(MAKE) --no-print-directory all $(UNIT)
	prove -j2 $(UNIT) $(wildcard t/*.t)

# a2enmod's files go where Debian keeps them; a configuration that is there
# already is the administrator's.
install: all ## install into the system, or below DESTDIR
	@set -e; lib=$(DESTDIR)$$($(APXS) -q LIBEXECDIR); \
	etc=$$($(APXS) -q SYSCONFDIR)/mods-available; \
	install -d "$$lib" "$(DESTDIR)$(PREFIX)/sbin"; \
	install -m 644 $B/mod_auth_guard.so "$$lib"; \
	install -m 755 $B/htguard "$(DESTDIR)$(PREFIX)/sbin"; \
	if test -d "$$etc" || test -d "$(DESTDIR)$$etc"; then \
	    install -d "$(DESTDIR)$$etc"; \
	    install -m 644 conf/auth_guard.load "$(DESTDIR)$$etc"; \
	    test -e "$(DESTDIR)$$etc/auth_guard.conf" || \
	        install -m 644 conf/auth_guard.conf "$(DESTDIR)$$etc"; \
	fi

unit: $(UNIT) ## run the unit tests alone
	prove $(UNIT)

# The lower half under the compiler's eyes: what is built for it lies apart.
SANE = $(MAKE) --no-print-directory CFLAGS='-O1 -g -fno-omit-frame-pointer
check-asan: ## run the unit tests under ASan and UBSan
	$(SANE) -fsanitize=address,undefined -fno-sanitize-recover=undefined' \
	    B=$B/asan unit

check-tsan: ## run the unit tests under ThreadSanitizer
	$(SANE) -fsanitize=thread' B=$B/tsan unit

tidy: ## look at the sources with clang-tidy
	clang-tidy --quiet $(UPPER_SRC) $(LOWER_SRC) tools/htguard.c -- \
	    -std=gnu11 -Isrc -isystem $(APXS_INCLUDE) \
	    $(patsubst -I%,-isystem %,$(APR_FLAGS)) \
	    -DGUARD_RUNTIMEDIR='""' -DGUARD_STEPS

clean: ## remove what was built
	rm -rf $B

format: ## lay the C sources out by .clang-format
	clang-format -i mod_auth_guard.c $(wildcard src/*.[ch] tools/*.[ch] t/unit/*.[ch] t/mod/*.c)

-include $(shell find $B -name '*.d' 2>/dev/null)
