# Makefile - builds, runs and tests mod_datalake; `make help` lists the targets.
#
# Non-recursive.  A source file is found by its folder: mod_datalake/core/*.c
# is the library both sides link, mod_datalake/*.c the httpd module,
# consumers/dlc_*.c what the daemons share, every other consumers/*.c one
# program.  Everything made lies under build/.

BUILD   := build
VERSION := 1.0.0
CC      ?= gcc
JOBS    := $(shell nproc)
# As many jobs as processors, unless the caller said how many.
PARALLEL = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))
# Tests wait as long as they compute: one more than processors keeps these busy.
TEST_JOBS := $(shell expr $(JOBS) + 1)

# --- Flags ------------------------------------------------------------------
WARNINGS := -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wshadow \
  -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
  -Wmissing-declarations -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef \
  -Wvla -Wformat=2 -Wswitch-enum -Wimplicit-fallthrough -Wnested-externs \
  -Wold-style-definition -Wredundant-decls
HARDENING := -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
OPTIMISE  := -O2 -g
SANITIZE  :=
CFLAGS_ALL = $(WARNINGS) $(OPTIMISE) $(HARDENING) -fPIC $(SANITIZE) \
  -DDL_VERSION='"$(VERSION)"' $(CFLAGS)
LDFLAGS_ALL = -Wl,-z,relro,-z,now $(SANITIZE) $(LDFLAGS)

# Foreign headers come by -isystem: their warnings are not ours.
system = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(1) 2>/dev/null))
CORE_PACKAGES      := apr-1 apr-util-1 libmariadb jansson libzstd libsodium libcrypto
CONSUMERS_PACKAGES := rdkafka libsystemd
CORE_INCLUDES      := -Imod_datalake/core -I$(BUILD)/gen $(call system,$(CORE_PACKAGES))
CONSUMERS_INCLUDES := -Iconsumers $(CORE_INCLUDES) $(call system,$(CONSUMERS_PACKAGES))
MODULE_INCLUDES    := -Imod_datalake $(CORE_INCLUDES) \
  -isystem $(shell apxs -q INCLUDEDIR 2>/dev/null || echo /usr/include/apache2)
CORE_LIBS      := $(shell pkg-config --libs $(CORE_PACKAGES) 2>/dev/null) -lm -lpthread
CONSUMERS_LIBS := $(shell pkg-config --libs $(CONSUMERS_PACKAGES) 2>/dev/null)

# --- Files ------------------------------------------------------------------
CORE_SOURCES    := $(wildcard mod_datalake/core/*.c)
MODULE_SOURCES  := $(wildcard mod_datalake/*.c)
SHARED_SOURCES  := $(wildcard consumers/dlc_*.c)
PROGRAM_SOURCES := $(filter-out $(SHARED_SOURCES),$(wildcard consumers/*.c))
UNIT_SOURCES    := $(wildcard t/unit/test_*.c)

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
CORE_LIBRARY   := $(BUILD)/lib/libdatalake.a
SHARED_LIBRARY := $(BUILD)/lib/libdlc.a
PROGRAMS       := $(patsubst consumers/%.c,$(BUILD)/bin/%,$(PROGRAM_SOURCES))
UNIT_TESTS     := $(patsubst t/unit/%.c,$(BUILD)/unit/%,$(UNIT_SOURCES))
TOOL_SOURCES   := $(wildcard t/tools/*.c)
TOOLS          := $(patsubst t/tools/%.c,$(BUILD)/tools/%,$(TOOL_SOURCES))
FUZZ_SOURCES   := $(wildcard t/fuzz/fuzz_*.c)
FUZZ_PURE      := $(addprefix t/fuzz/fuzz_,path.c query.c value.c cursor.c header.c)
UNIT_PURE      := t/unit/test_window.c t/unit/test_header.c t/unit/test_wh_pool.c
UNIT_SHARED    := t/unit/test_moved_row.c t/unit/test_mail.c
TORTURE_SOURCES := $(wildcard t/torture/*.c)
ROOTS_SOURCE   := t/sanitizer/roots.c
FUZZERS        := $(patsubst t/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SOURCES))
BENCH_SOURCES  := $(wildcard t/bench/*.c)
BENCHES        := $(patsubst t/bench/%.c,$(BUILD)/bench/%,$(BENCH_SOURCES))
STACK_TESTS    := $(sort $(wildcard t/*.t))
ASAN_TESTS     := $(filter-out t/0%,$(STACK_TESTS))
MODULE         := $(if $(MODULE_SOURCES),$(BUILD)/mod_datalake.so)
STATEMENTS     := $(BUILD)/gen/dl_statements.h
MIGRATIONS     := $(BUILD)/gen/dl_migrations.h
FOLD_TABLE     := $(BUILD)/gen/dl_fold_table.h
WORDS          := $(BUILD)/gen/mdl_openapi_table.h
# One for all variants of the build.
WWW            := build/www/docs.html
GENERATED      := $(STATEMENTS) $(MIGRATIONS) $(WORDS) $(FOLD_TABLE)
SOURCES        := $(CORE_SOURCES) $(MODULE_SOURCES) $(SHARED_SOURCES) \
  $(PROGRAM_SOURCES) $(UNIT_SOURCES) $(TOOL_SOURCES) \
  $(FUZZ_SOURCES) t/fuzz/engine.c $(TORTURE_SOURCES) $(BENCH_SOURCES) \
  $(ROOTS_SOURCE)
OBJECTS        := $(call objects,$(SOURCES))

.PHONY: all unit test soak figures bench check dialect asan tsan valgrind coverage \
  asan-built tsan-built coverage-built fuzz fuzz-built check-static format tidy analyzer lint \
  flags install deb packages run stop status reset help clean
.DELETE_ON_ERROR:
.SECONDARY:

all: $(CORE_LIBRARY) $(SHARED_LIBRARY) $(PROGRAMS) $(MODULE) $(TOOLS) $(WWW) ## build everything

help: ## list the targets
	@awk -F':.*## ' '/^[a-z][a-z_% -]*:.*## /{printf "%-18s %s\n", $$1, $$2}' \
	  $(MAKEFILE_LIST)

# --- Generated: every SQL statement that C runs -----------------------------
$(STATEMENTS): sql/statements.sql sql/statements.awk
	@mkdir -p $(@D)
	awk -f sql/statements.awk $< > $@

$(MIGRATIONS): sql/migrations.awk $(wildcard sql/[0-9]*.sql) sql/accounts.sql
	@mkdir -p $(@D)
	awk -f $^ > $@

# The words of the API description; fails when a route has none.
$(WORDS): mod_datalake/openapi/embed mod_datalake/mdl_route_table.c \
  mod_datalake/mdl_problem.c $(wildcard mod_datalake/openapi/*.json)
	@mkdir -p $(@D)
	perl $^ > $@

# What browsers get: pinned packages from npm and our pages.
$(WWW): mod_datalake/www/bundle $(wildcard mod_datalake/www/*.*) \
  mod_datalake/www/.npmrc
	@echo "NPM $(@D)"
	@$< $(@D)

$(FOLD_TABLE): mod_datalake/core/dl_fold_table.pl
	@mkdir -p $(@D)
	perl $< > $@

# --- Objects ----------------------------------------------------------------
# Each folder gets its own compiler flags and no others: core and the unit
# tests cannot see httpd or Kafka, the request side cannot see consumers.
includes_of = $(if $(filter $(FUZZ_PURE) $(UNIT_PURE),$(1)),-Imod_datalake $(CORE_INCLUDES),\
$(if $(filter $(UNIT_SHARED),$(1)),-Iconsumers $(CORE_INCLUDES),\
$(if $(filter mod_datalake/core/% t/unit/% t/fuzz/% t/torture/% t/bench/%,$(1)),$(CORE_INCLUDES),\
$(if $(filter mod_datalake/%,$(1)),$(MODULE_INCLUDES),$(CONSUMERS_INCLUDES)))))

$(BUILD)/obj/%.o: %.c | $(GENERATED)
	@mkdir -p $(@D)
	@echo "CC $<"
	@$(CC) $(CFLAGS_ALL) $(call includes_of,$<) -MMD -MP -c -o $@ $<

flags: $(GENERATED)
	@:$(foreach source,$(SOURCES),$(info $(source) $(CFLAGS_ALL) $(call includes_of,$(source))))

# --- Libraries, programs, module --------------------------------------------
$(CORE_LIBRARY): $(call objects,$(CORE_SOURCES))
$(SHARED_LIBRARY): $(call objects,$(SHARED_SOURCES))
$(CORE_LIBRARY) $(SHARED_LIBRARY):
	@mkdir -p $(@D)
	@rm -f $@
	@echo "AR $@"
	@ar crs $@ $^

# XGBoost, and the OpenMP it brings, are for the one program that trains; it
# sends mails as well.
$(BUILD)/bin/datalake-jobs: CONSUMERS_LIBS += -lxgboost \
  $(shell pkg-config --libs libcurl 2>/dev/null)

# So is SQLite for the one that collects, and jemalloc: a record is six pieces
# of memory at librdkafka.  A sanitizer brings its own malloc.
$(BUILD)/bin/datalake-collect: CONSUMERS_LIBS += -lsqlite3 \
  $(if $(SANITIZE),,$(shell pkg-config --libs jemalloc 2>/dev/null))

$(BUILD)/bin/%: $(BUILD)/obj/consumers/%.o $(SHARED_LIBRARY) $(CORE_LIBRARY)
	@mkdir -p $(@D)
	@echo "LD $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $(CONSUMERS_LIBS) $(CORE_LIBS)

$(BUILD)/tools/%: $(BUILD)/obj/t/tools/%.o $(SHARED_LIBRARY) $(CORE_LIBRARY)
	@mkdir -p $(@D)
	@echo "LD $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $(CONSUMERS_LIBS) $(CORE_LIBS)

# nodelete: httpd unloads modules at each restart, but what is kept over one
# (the former settings, secrets of libsodium) points to functions.
$(BUILD)/mod_datalake.so: $(call objects,$(MODULE_SOURCES)) $(CORE_LIBRARY)
	@echo "LD $@"
	@$(CC) -shared -Wl,-z,nodelete $(LDFLAGS_ALL) -o $@ $^ $(CORE_LIBS) \
	  $(shell pkg-config --libs rdkafka)

# --- Unit tests: core alone, so that a leak of httpd or Kafka cannot link -----
$(BUILD)/unit/%: $(BUILD)/obj/t/unit/%.o $(CORE_LIBRARY)
	@mkdir -p $(@D)
	@echo "LD $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(CORE_LIBRARY) $(CORE_LIBS)

# Windows in shared memory know nothing of httpd.
$(BUILD)/unit/test_window: \
  $(call objects,$(addprefix mod_datalake/mdl_,window.c pid_lock.c))

# Neither do values of headers.
$(BUILD)/unit/test_header: \
  $(call objects,$(addprefix mod_datalake/mdl_,header.c rows.c))

# Nor does the pool of warehouse connections; the test is its server.
$(BUILD)/unit/test_wh_pool: \
  $(call objects,$(addprefix mod_datalake/mdl_,wh.c wh_keeper.c wh_life.c))

# Nor does what is left of a row know of Kafka.
$(BUILD)/unit/test_moved_row: $(call objects,consumers/dlc_wh_moved_row.c)

# Nor does the text of a mail.
$(BUILD)/unit/test_mail: $(call objects,consumers/dlc_mail.c)

$(BUILD)/bench/%: $(BUILD)/obj/t/bench/%.o $(CORE_LIBRARY)
	@mkdir -p $(@D)
	@echo "LD $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $(CORE_LIBS)

# --- Fuzz targets: by clang's libFuzzer, or gcc and a main of their own --------
FUZZ_LINK :=
$(BUILD)/fuzz/%: $(BUILD)/obj/t/fuzz/%.o $(BUILD)/obj/t/fuzz/engine.o \
  $(call objects,$(ROOTS_SOURCE)) $(CORE_LIBRARY)
	@mkdir -p $(@D)
	@echo "LD $@"
	@$(CC) $(LDFLAGS_ALL) $(FUZZ_LINK) -o $@ $(filter %.o,$^) $(CORE_LIBRARY) \
	  $(CORE_LIBS)

# Parsers of the request side that know nothing of httpd.
$(patsubst t/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_PURE)): \
  $(call objects,$(addprefix mod_datalake/mdl_,path.c query.c value.c format.c cursor.c header.c))

# --- Allocations of core, each failing once (t/f04-allocation.t) ---------------
WRAPPED := malloc calloc realloc aligned_alloc sodium_malloc
$(BUILD)/torture: $(call objects,$(TORTURE_SOURCES)) $(CORE_LIBRARY)
	@mkdir -p $(@D)
	@echo "LD $@"
	@$(CC) $(LDFLAGS_ALL) $(WRAPPED:%=-Wl,--wrap=%) -o $@ $^ $(CORE_LIBS)

# --- What httpd loads under the address sanitizer; fuzz targets have it inside --
$(BUILD)/roots.so: $(call objects,$(ROOTS_SOURCE))
	@echo "LD $@"
	@$(CC) -shared $(LDFLAGS_ALL) -o $@ $^

fuzz-built: $(FUZZERS) $(BUILD)/torture

# What calls core for other builds is compiled, too: it must not fall behind.
unit: $(UNIT_TESTS) $(call objects,$(FUZZ_SOURCES) $(TORTURE_SOURCES)) ## build and run the unit tests
	prove --exec '' $(UNIT_TESTS)

# --- The development stack: t/lib/stack does the work ------------------------
# Servers that are named on the command line are used instead of private ones.
from_command_line = $(if $(filter command,$(origin $(1))),$($(1)))
run stop status reset: export STACK_KAFKA = $(call from_command_line,DATALAKE_KAFKA)
run stop status reset: export STACK_DSN = $(call from_command_line,DATALAKE_DSN)

run: packages ## build and start everything, with sample data
	@$(MAKE) -s --no-print-directory $(PARALLEL) all
	@t/lib/stack run

stop status reset: ## stop the stack; show it; empty it
	@t/lib/stack $@

start-%: ## start one program of it
	@t/lib/stack start $*

stop-%: ## stop one program of it
	@t/lib/stack stop $*

# --- Tests ------------------------------------------------------------------
packages: ## install the Debian packages that are missing
	@t/lib/packages

test: packages ## unit tests, then every t/*.t against real servers
	@$(MAKE) -s --no-print-directory $(PARALLEL) all $(UNIT_TESTS)
	@t/fuzz/run --build
	@t/lib/stack prepare
	t/lib/suite -j$(TEST_JOBS) $(UNIT_TESTS) $(STACK_TESTS)

soak: packages ## the figures at full size (hours)
	@$(MAKE) -s --no-print-directory $(PARALLEL) all
	DL_SIZE=S t/lib/suite $(filter t/f%,$(STACK_TESTS))

figures: ## the values of the last test run beside their goals
	@perl -It/lib -MDataLake::Figure=figures -e 'print figures'

bench: packages ## performance beside its baselines (an hour)
	@$(MAKE) -s --no-print-directory $(PARALLEL) all
	t/lib/bench $(FIGURES)

# The same suite, built with a sanitizer or counters in a folder of its own.
variant = $(MAKE) -s --no-print-directory $(PARALLEL) BUILD=$(BUILD)/$(1)
suite_of = DL_BUILD=$(BUILD)/$(1) t/lib/suite -j$(TEST_JOBS) \
  $(patsubst $(BUILD)/%,$(BUILD)/$(1)/%,$(UNIT_TESTS))
ASAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
  -fno-omit-frame-pointer
runtime = $(shell $(CC) -print-file-name=$(1))

# The tests' own tools are those of the plain build.
asan: packages all ## the suite under address and undefined-behaviour sanitizers
	@[ "$$(id -u)" != 0 ] || setpriv --reuid=nobody --clear-groups test -r t/lib/lsan.txt || \
	  { echo "asan: servers do not run as root and cannot read $(CURDIR): use a folder that everybody may enter" >&2; exit 1; }
	@$(call variant,asan) SANITIZE='$(ASAN)' HARDENING= asan-built
	ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 \
	  LSAN_OPTIONS=suppressions=$(CURDIR)/t/lib/lsan.txt \
	  DL_PRELOAD='$(call runtime,libasan.so) $(call runtime,libubsan.so) $(CURDIR)/$(BUILD)/asan/roots.so' \
	  $(call suite_of,asan) $(ASAN_TESTS)

tsan: packages ## unit tests of core under the thread sanitizer
	@$(call variant,tsan) SANITIZE=-fsanitize=thread HARDENING= tsan-built
	TSAN_OPTIONS=halt_on_error=1 $(call suite_of,tsan)

MEMCHECK := valgrind -q --error-exitcode=9 --suppressions=t/lib/valgrind.supp
LEAKS    := --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite

valgrind: packages ## unit tests and one server run under memcheck
	@$(MAKE) -s --no-print-directory $(PARALLEL) all $(UNIT_TESTS)
	prove -j$(TEST_JOBS) --exec '$(MEMCHECK) $(LEAKS)' $(UNIT_TESTS)
	DL_HTTPD_UNDER='$(MEMCHECK)' t/lib/suite t/20-metrics.t

fuzz: packages ## every fuzz target: its corpus, then SECONDS (5) each
	@t/fuzz/run $(or $(SECONDS),5)

coverage: packages all ## line and branch coverage of the suite, with floors
	@$(call variant,coverage) CFLAGS=--coverage LDFLAGS=--coverage \
	  OPTIMISE='-O0 -g' HARDENING= coverage-built
	@t/lib/coverage --begin $(BUILD)/coverage
	$(call suite_of,coverage) $(ASAN_TESTS); status=$$?; \
	  t/lib/coverage $(BUILD)/coverage && exit $$status

asan-built tsan-built coverage-built: all $(UNIT_TESTS)
asan-built: $(BUILD)/roots.so

check: test check-static dialect asan tsan valgrind coverage ## everything (an hour)

dialect: packages ## the SQL and the loader on MySQL 8
	@$(MAKE) -s --no-print-directory $(PARALLEL) all
	t/lib/suite t/check/mysql8.t

check-static: packages ## second compiler, format, tidy, analyzers, lint
	@t/lib/check-static

format: ## clang-format over every C file, nothing changed
	@t/lib/check-static format

tidy: ## clang-tidy
	@t/lib/check-static tidy

analyzer: ## gcc -fanalyzer and cppcheck
	@t/lib/check-static analyzer cppcheck

lint: ## codespell, shellcheck, perl -wc, mandoc
	@t/lib/check-static spelling shell perl manuals

# --- Installation: DESTDIR is put before every path ---------------------------
PREFIX        := /usr
SYSCONF       := /etc
MODULE_FOLDER = $(shell apxs -q LIBEXECDIR)
HTTPD_CONF    = $(shell apxs -q SYSCONFDIR)
CTL_PROGRAMS  := $(filter %/datalakectl %/datalake-simulate,$(PROGRAMS))
MANUALS       := $(wildcard consumers/*.[158] mod_datalake/*.[158] conf/*.[158])
install_files = install -D -m $(1) -t '$(DESTDIR)$(2)' $(3)

install: all ## programs, module, settings, manuals, units (DESTDIR, PREFIX)
	$(call install_files,755,$(PREFIX)/sbin,$(filter-out $(CTL_PROGRAMS),$(PROGRAMS)))
	$(call install_files,755,$(PREFIX)/bin,$(CTL_PROGRAMS))
	$(call install_files,644,$(MODULE_FOLDER),$(MODULE))
	$(call install_files,644,$(PREFIX)/share/datalake,conf/datalake.ini conf/datalake.conf conf/datalake-vhost.conf)
	$(call install_files,644,$(PREFIX)/share/datalake/datasets,$(wildcard conf/datasets/*.json))
	$(call install_files,644,$(PREFIX)/share/datalake/www,$(dir $(WWW))*)
	$(call install_files,644,$(HTTPD_CONF)/mods-available,conf/datalake.load)
	$(call install_files,644,$(SYSCONF)/logrotate.d,conf/logrotate/datalake)
	$(call install_files,644,/lib/systemd/system,$(wildcard conf/systemd/*.service))
	t/lib/install-settings '$(DESTDIR)' '$(SYSCONF)/datalake' '$(HTTPD_CONF)'
	$(foreach manual,$(MANUALS),install -D -m 644 -t \
	  '$(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(manual)))' $(manual) &&) :

# What `make install` installs, as two packages of Debian.
deb: all ## Debian packages, in build/deb
	@rm -rf $(BUILD)/deb
	@mkdir -p $(BUILD)/deb
	@cp -R conf/debian $(BUILD)/deb/debian
	cd $(BUILD)/deb && DEB_BUILD_OPTIONS=noautodbgsym \
	  dpkg-buildpackage --build=binary --no-sign --no-check-builddeps
	@mv $(BUILD)/*_$(VERSION)_* $(BUILD)/deb/
	@rm -rf $(BUILD)/deb/debian
	@ls $(BUILD)/deb/*.deb

clean: ## remove everything that was built
	rm -rf $(BUILD)

-include $(OBJECTS:.o=.d)
