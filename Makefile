# mod_auth_guard: `make help` lists the targets.
#
# Everything built lies below build/. The flags of httpd, APR and APR-util are
# asked of apxs, apr-1-config and apu-1-config; what `make deps` installs is
# all that is needed.

APXS ?= apxs
CC ?= gcc
CFLAGS ?= -O2 -g
WERROR ?=
SOAK ?= 120
DESTDIR ?=
PREFIX ?= /usr/local
DOCDIR ?= $(PREFIX)/share/doc/mod_auth_guard
# Where htguard looks for the counts, told to a fresh build and to its install.
# A package names a directory that lasts over reboots; without one it is httpd's
# DefaultRuntimeDir.
STATEDIR ?=
# Where the half of htguard lies that knows Redis.
LIBEXECDIR ?= $(PREFIX)/lib/mod_auth_guard
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

# Where the compiler can, it looks over the files of a module at once, and inlines
# a little more than by itself: a request takes some 600 instructions less. The
# objects serve everybody else, too.
LTO_TRY := $(if $(findstring sanitize,$(CFLAGS)),,-flto=auto \
	-ffat-lto-objects -finline-limit=200)
LTO = $(eval LTO := $$(shell echo 'int main(void) { return 0; }' | \
	$(CC) -Werror $(LTO_TRY) -x c -o /dev/null - 2>/dev/null && \
	echo $(LTO_TRY)))$(LTO)

# The lower half stands on APR alone: the module, htguard and the unit tests
# share it.
LOWER_SRC := $(filter-out src/guard_store_redis%,$(wildcard src/guard_key*.c src/guard_text*.c \
	src/guard_policy*.c src/guard_store*.c src/guard_wait*.c \
	src/guard_conf_args*.c \
	src/guard_credentials*.c src/guard_reply_body*.c))
UPPER_SRC := mod_auth_guard.c $(filter-out $(LOWER_SRC) \
	src/guard_store_redis%,$(wildcard src/*.c))
LOWER := $(LOWER_SRC:%.c=$B/%.o)
UPPER := $(UPPER_SRC:%.c=$B/%.o)
# htguard reads the table by itself; what reads Redis is a program of its own,
# which it runs.
TOOL_SRC := $(wildcard tools/*.c)
TOOL := $(patsubst %.c,$B/%.o,$(filter-out %_redis_open.c,$(TOOL_SRC)))
TOOL_REDIS := $(patsubst %.c,$B/%.o,$(filter-out %_redis_exec.c,$(TOOL_SRC)))

# The store in Redis is a module of its own, built where hiredis is; TLS where
# OpenSSL is, too.
HAS = $(shell echo '\#include <$(1)>' | $(CC) $(CPPFLAGS) -E -x c - \
	>/dev/null 2>&1 && echo yes)
REDIS_LIBS := $(if $(call HAS,hiredis/hiredis.h),-lhiredis \
	$(if $(call HAS,openssl/ssl.h),-lssl -lcrypto))
REDIS_SRC := $(wildcard src/guard_store_redis*.c)
REDIS := $(REDIS_SRC:%.c=$B/%.o)

UNIT_SRC := $(filter-out $(if $(REDIS_LIBS),,t/unit/redis%),$(wildcard t/unit/*.c))
FUZZ_SRC := $(filter-out $(if $(REDIS_LIBS),,fuzz/redis%),$(wildcard fuzz/*.c))
FUZZ_LIB := $(filter-out %/replay.c,$(wildcard fuzz/lib/*.c))
UNIT := $(UNIT_SRC:t/unit/%.c=$B/t/%.t) $(FUZZ_SRC:fuzz/%.c=$B/t/replay_%.t)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help install clean test demo deps unit check-asan check-tsan fuzz \
	tidy format soak model uninstall deb check-deb bench bench-deps \
	bench-instructions bench-store

all: $B/mod_auth_guard.so $B/htguard ## build the modules and htguard
ifneq ($(REDIS_LIBS),)
all: $B/mod_auth_guard_redis.so $B/htguard-redis
endif

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' \
	    $(MAKEFILE_LIST)

$B/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

$(UPPER) $(LOWER): override CPPFLAGS += $(LTO)

$B/mod_auth_guard.so: $(UPPER) $(LOWER) mod_auth_guard.map
	$(CC) -shared -pthread $(CFLAGS) $(LTO) $(LDFLAGS) -o $@ \
	    $(UPPER) $(LOWER) \
	    -Wl,--version-script=mod_auth_guard.map -Wl,-z,relro,-z,now \
	    $(APR_LIBS)

# The lower half as a library: the linker takes what it needs.
$B/lower.a: $(LOWER)
	@rm -f $@
	ar rcs $@ $^

$B/mod_auth_guard_redis.so: $B/mod_auth_guard_redis.o $(REDIS) $B/lower.a \
		mod_auth_guard_redis.map
	$(CC) -shared -pthread $(CFLAGS) $(LDFLAGS) -o $@ \
	    $(filter-out %.map,$^) \
	    -Wl,--version-script=mod_auth_guard_redis.map -Wl,-z,relro,-z,now \
	    $(REDIS_LIBS) $(APR_LIBS)

# The script as it goes to the server: without its comments, line by line.
$B/guard_store_redis_script.inc: src/guard_store_redis_script.lua \
		src/guard_store_redis_script_rules.lua
	@mkdir -p $(@D)
	sed -e 's/^ *//' -e '/^--/d' -e '/^$$/d' -e 's/ *-- .*//' \
	    -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' $^ >$@
$B/src/guard_store_redis_script.o $B/steps/src/guard_store_redis_script.o: \
	$B/guard_store_redis_script.inc
$B/src/guard_store_redis%.o $B/steps/src/guard_store_redis%.o: override CPPFLAGS += -I$B

$B/tools/%.o: override CPPFLAGS += \
	-DGUARD_RUNTIMEDIR='"$(or $(STATEDIR),$(RUNTIMEDIR))"' \
	-DHTGUARD_LIBEXECDIR='"$(LIBEXECDIR)"'
$B/htguard: $(TOOL) $(LOWER)
	$(CC) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $^ -Wl,-z,relro,-z,now \
	    $(APR_LIBS)

$B/htguard-redis: $(TOOL_REDIS) $(REDIS) $B/lower.a
	$(CC) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $^ -Wl,-z,relro,-z,now \
	    $(REDIS_LIBS) $(APR_LIBS)

# Unit tests compile the lower half again, with the steps of its critical
# section made visible to them.
$B/steps/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) -DGUARD_STEPS -c -o $@ $<

$B/t/%.t: $B/steps/t/unit/%.o $(LOWER_SRC:%.c=$B/steps/%.o)
	@mkdir -p $(@D)
	$(CC) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $^ $(APR_LIBS)

$(filter $B/t/redis_%,$(UNIT)): $B/t/%.t: $B/steps/t/unit/%.o \
		$(REDIS_SRC:%.c=$B/steps/%.o) $(LOWER_SRC:%.c=$B/steps/%.o)
	@mkdir -p $(@D)
	$(CC) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $^ $(REDIS_LIBS) $(APR_LIBS)

# A fuzz target is built with libFuzzer, and for `make test` with what replays
# its corpus.
$B/fuzz/%.o $B/steps/fuzz/%.o: override CPPFLAGS += -Ifuzz/lib -It/unit \
	-DFUZZ_CORPUS='"$(abspath fuzz/corpus)"'

$B/t/replay_%.t: $B/steps/fuzz/%.o $B/steps/fuzz/lib/replay.o \
		$(FUZZ_LIB:%.c=$B/steps/%.o) $(LOWER_SRC:%.c=$B/steps/%.o)
	@mkdir -p $(@D)
	$(CC) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $^ $(APR_LIBS)

$(filter $B/t/replay_redis_%,$(UNIT)): $B/t/replay_%.t: $B/steps/fuzz/%.o \
		$B/steps/fuzz/lib/replay.o $(FUZZ_LIB:%.c=$B/steps/%.o) \
		$(REDIS_SRC:%.c=$B/steps/%.o) $(LOWER_SRC:%.c=$B/steps/%.o)
	@mkdir -p $(@D)
	$(CC) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $^ $(REDIS_LIBS) $(APR_LIBS)

FUZZER := $(FUZZ_SRC:fuzz/%.c=$B/%)
$(FUZZER): $B/%: $B/fuzz/%.o $(FUZZ_LIB:%.c=$B/%.o) $(LOWER)
	$(CC) -pthread $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ \
	    $(if $(filter redis_%,$(@F)),$(REDIS_LIBS)) $(APR_LIBS)
$(filter $B/redis_%,$(FUZZER)): $(REDIS)

# In the four below a sub-make builds, so that under -j too nothing is built
# before what it needs is installed.
demo soak test: export AUTHGUARD_SO = $(abspath $B/mod_auth_guard.so)

# Which redis-server the unit tests start: that of the environment, or what is
# found.
REDIS_SERVER = AUTHGUARD_REDIS="$${AUTHGUARD_REDIS:-$$(t/lib/redis-server --which)}"

deps: ## install what building and testing need (not root: say what)
	@tools/deps

demo: ## watch the guard at work; PORT=nnnn, or ONCE=1 to end by itself
	@tools/deps build
	@$(MAKE) --no-print-directory all
	@tools/demo

test: ## build, and run every test
	@tools/deps
	@$(MAKE) --no-print-directory all $(UNIT) $B/bench/store
	$(REDIS_SERVER) prove -j2 $(UNIT) $(wildcard t/*.t)

soak: ## play mixed traffic for SOAK=120 seconds, and check every count
	@tools/deps
	@$(MAKE) --no-print-directory all
	@SOAK=$(SOAK) t/soak/soak

install uninstall: PUT = DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' \
	DOCDIR='$(DOCDIR)' STATEDIR='$(STATEDIR)' LIBEXECDIR='$(LIBEXECDIR)' \
	B='$B' APXS='$(APXS)' \
	packaging/install

install: all ## install into the system, or below DESTDIR
	@$(PUT) put

uninstall: ## take it away again, but for configuration and counts
	@$(PUT) remove

deb: ## build Debian packages, into build/deb
	@tools/deps deb
	@tools/deb

check-deb: deb ## as root: install, upgrade and purge them in a scratch Debian
	@tools/deps check-deb
	@tools/deb-test

# What the bench measures stands in bench/.
$B/bench/store: $(patsubst %.c,$B/%.o,$(wildcard bench/store*.c)) $B/lower.a
	$(CC) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $^ $(APR_LIBS)

bench bench-instructions bench-store: export AUTHGUARD_SO = \
	$(abspath $B/mod_auth_guard.so)

bench-deps: ## fetch what `make bench` compares with; nothing of it is installed
	@tools/deps bench

bench: ## measure beside the peers, for some 16 minutes; QUICK=1: 2
	@tools/deps build
	@$(MAKE) --no-print-directory all
	@bench/run $(if $(QUICK),--quick) $(ARGS)

bench-instructions: ## count the instructions of a request, exactly
	@tools/deps
	@$(MAKE) --no-print-directory all
	@bench/instructions $(ARGS)

bench-store: ## time the store beside the least that any could take
	@tools/deps build
	@$(MAKE) --no-print-directory $B/bench/store
	@$B/bench/store

unit: $(UNIT) ## run the unit tests alone
	$(REDIS_SERVER) prove $(UNIT)

model: $B/t/explore.t $B/t/explore_pair.t ## explore the store's protocol: all states
	EXPLORE=big prove -v $^
	t/model/run $B/model

# The same tests under a sanitizer's eyes (t/README.md); what is built for it
# lies apart. httpd's children can't give reasons for undefined behaviour, so
# there it traps.
#
# Not in httpd under ASan: the demo starts an httpd by itself; bench, bench_*,
# fault_graceful, flood_cost, flood_slow, redis_budget, redis_cost and soak
# measure; house looks at the module as it ships, and valgrind is one of its own
# kind.
NOT_ASAN := bench bench_instructions bench_store demo fault_graceful flood_cost \
	flood_slow house redis_budget redis_cost soak valgrind
# Under ThreadSanitizer, which is slow: not what searches long in one thread,
# and in httpd where threads meet.
NOT_TSAN := explore explore_pair flood
WITH_TSAN := burst parallel_right repeat office overload forgive reload \
	redis_fleet redis_late
UNIT_TSAN = $(filter-out $(NOT_TSAN:%=$B/tsan/t/%.t),$(UNIT:$B/%=$B/tsan/%))
SANE = $(MAKE) --no-print-directory CFLAGS='-O1 -g -fno-omit-frame-pointer

check-asan: ## run the tests under ASan and UBSan
	@tools/deps
	@$(SANE) -fsanitize=address,undefined -fno-sanitize-recover=undefined' \
	    B=$B/asan $(UNIT:$B/%=$B/asan/%)
	@$(SANE) -fsanitize=address,undefined -fsanitize-undefined-trap-on-error' \
	    B=$B/asan all
	AUTHGUARD_SO=$(abspath $B/asan/mod_auth_guard.so) $(REDIS_SERVER) \
	    prove -j2 $(UNIT:$B/%=$B/asan/%) \
	    $(filter-out $(NOT_ASAN:%=t/%.t),$(wildcard t/*.t))

check-tsan: ## run the tests of what is concurrent under ThreadSanitizer
	@tools/deps
	@$(SANE) -fsanitize=thread' B=$B/tsan all $(UNIT_TSAN)
	$(REDIS_SERVER) prove -j2 $(UNIT_TSAN)
	@set -e; for mpm in event worker; do \
	    echo "in httpd, $$mpm:"; \
	    AUTHGUARD_MPM=$$mpm \
	        AUTHGUARD_SO=$(abspath $B/tsan/mod_auth_guard.so) \
	        prove -j2 $(WITH_TSAN:%=t/%.t); \
	done

FUZZ ?= 60
CLANG ?= clang
FUZZ_CFLAGS := -O1 -g -fno-omit-frame-pointer \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
FUZZ_TARGET = $(or $(TARGET),$(FUZZ_SRC:fuzz/%.c=%))
fuzz: ## look for inputs that break it; FUZZ=seconds each, TARGET=name
	@tools/deps build
	@CLANG=$(CLANG) fuzz/run need
	@$(MAKE) --no-print-directory CC=$(CLANG) CFLAGS='$(FUZZ_CFLAGS)' B=$B/fuzz \
	    $(FUZZ_TARGET:%=$B/fuzz/%)
	@fuzz/run $B/fuzz $(FUZZ) $(FUZZ_TARGET)

tidy: $(if $(REDIS_LIBS),$B/guard_store_redis_script.inc) ## look at the sources with clang-tidy
	clang-tidy --quiet $(UPPER_SRC) $(LOWER_SRC) $(wildcard tools/*.c) \
	    $(if $(REDIS_LIBS),mod_auth_guard_redis.c $(REDIS_SRC)) -- \
	    -std=gnu11 -Isrc -I$B -isystem $(APXS_INCLUDE) \
	    $(patsubst -I%,-isystem %,$(APR_FLAGS)) \
	    -DGUARD_RUNTIMEDIR='""' -DHTGUARD_LIBEXECDIR='""' -DGUARD_STEPS

clean: ## remove what was built
	rm -rf $B

format: ## lay the C sources out by .clang-format
	clang-format -i $(wildcard mod_auth_guard*.c src/*.[ch] tools/*.[ch] t/unit/*.[ch] \
	    t/mod/*.c t/tool/*.[ch] fuzz/*.c fuzz/lib/*.[ch] bench/*.[ch])

-include $(shell find $B -path $B/debs -prune -o -name '*.d' -print 2>/dev/null)
