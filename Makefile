# Troupe's commands; the build itself is CMake's.
#
#   make run        dependencies, build, first-run set-up in data/, then the server in the foreground
#   make check      all tests; ends with `N passed, N failed`       SANITIZE=address,undefined or thread
#   make check-sanitized   the tests of the layers, under ASan and UBSan, then under TSan
#   make check-races       the actors' tests that TSan can judge
#   make install    into PREFIX, default /usr/local
#   make deb        a Debian package in build/
#   make bench      measures this machine (tests/bench)
#   make bench-long      the same, then 100 rounds of crashes and crowds of strangers: a quarter of an hour
#   make bench-million   a million sessions in memory: flat or not? SESSIONS=1000000; some 4 GB, minutes
#   make fuzz       every fuzz target for FUZZ_SECONDS, default 60, a core each; needs clang
#   make simulate   Raft groups under faults drawn from seeds, until stopped or until something is wrong
#   make format     clang-format over all sources
BUILD ?= build$(if $(SANITIZE),-$(firstword $(subst $(comma), ,$(SANITIZE))))
DATA ?= data
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
SESSIONS ?= 1000000
SANITIZE ?=
comma := ,
space := $() $()

.PHONY: run check check-sanitized check-races install deb bench bench-long bench-million fuzz simulate format dependencies configure server clean
.DEFAULT_GOAL := server

dependencies:
	@packaging/install-dependencies

configure: dependencies
	@cmake -S . -B $(BUILD) -G Ninja --log-level=WARNING -DTROUPE_SANITIZE=$(SANITIZE) >/dev/null

server: configure
	@cmake --build $(BUILD) -j $(JOBS) --target troupe

run: server
	@$(BUILD)/troupe init --data $(DATA)
	@exec $(BUILD)/troupe serve --config $(DATA)/troupe.conf

check: configure
	@cmake --build $(BUILD) -j $(JOBS) $(if $(TARGETS),--target $(TARGETS))
	@tests/run $(BUILD) $(if $(TARGETS),'@($(subst $(space),|,$(strip $(TARGETS))))')

install: server
	@cmake --install $(BUILD) --prefix $(PREFIX)

deb: server
	@packaging/install-dependencies dpkg-dev file
	@umask 022; cd $(BUILD) && cpack -G DEB # else its folders are for root alone

bench: server
	@cmake --build $(BUILD) -j $(JOBS) --target troupe_bench
	@tests/bench/run $(BUILD)

bench-long: server
	@cmake --build $(BUILD) -j $(JOBS) --target troupe_bench test_server
	@BENCH_LONG=1 tests/bench/run $(BUILD)

bench-million: configure
	@cmake --build $(BUILD) -j $(JOBS) --target bench_million
	@$(BUILD)/tests/bench_million --sessions $(SESSIONS)

fuzz:
	@packaging/install-dependencies clang libclang-rt-dev
	@cmake -S . -B build-fuzz -G Ninja --log-level=WARNING -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
	  -DTROUPE_FUZZ=ON -DTROUPE_SANITIZE=address,undefined >/dev/null
	@cmake --build build-fuzz -j $(JOBS) --target fuzz
	@tests/fuzz/run build-fuzz $(FUZZ_SECONDS)

simulate: configure
	@cmake --build $(BUILD) -j $(JOBS) --target test_cluster
	@tests/simulate $(BUILD)

# Sanitizers slow the whole server down too much for its clients' patience; the layers below it are what they are for.
# Protocol knows no threads.
check-sanitized:
	@TROUPE_RAFT_SEEDS=20 $(MAKE) --no-print-directory check SANITIZE=address,undefined \
	  TARGETS="test_net test_protocol test_persistence test_cluster test_actors"
	@TROUPE_RAFT_SEEDS=20 $(MAKE) --no-print-directory check SANITIZE=thread \
	  TARGETS="test_net test_persistence test_cluster"

# Not in continuous integration: it builds all actors once more. CAF is not instrumented: how its scheduler hands actors
# from thread to thread looks like races, hundreds of them; so TSan sees those of the actors' tests that have threads or
# locks of their own, and those that run actors one message at a time, but none that starts a whole server
# (shell_commands, shell_service).
actors_under_tsan := checking idle_queue_ logging counters the_registry_of_actors a_session_table a_throttle \
  those_who_have_not_signed_in watching_stanzas accounts_without_a_server shell_wire a_shard a_user a_supervised_actor \
  a_supervisor a_stream_s_control
check-races:
	@BOOST_TEST_RUN_FILTERS=$(subst $(space),$(comma),$(strip $(actors_under_tsan))) $(MAKE) --no-print-directory check \
	  SANITIZE=thread TARGETS=test_actors

format:
	@git ls-files '*.cpp' '*.hpp' | xargs clang-format -i

clean:
	@rm -rf build build-address build-thread build-fuzz
