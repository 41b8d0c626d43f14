# Troupe's commands; the build itself is CMake's.
#
#   make run        dependencies, build, first-run set-up in data/, then the server in the foreground
#   make check      all tests; ends with `N passed, N failed`       SANITIZE=address,undefined or thread
#   make install    into PREFIX, default /usr/local
#   make deb        a Debian package in build/
#   make bench      measures this machine (tests/bench)
#   make fuzz       every fuzz target for FUZZ_SECONDS, default 60; needs clang
#   make format     clang-format over all sources
BUILD ?= build$(if $(SANITIZE),-$(firstword $(subst $(comma), ,$(SANITIZE))))
DATA ?= data
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
SANITIZE ?=
comma := ,

.PHONY: run check install deb bench fuzz format dependencies configure server clean
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
	@cmake --build $(BUILD) -j $(JOBS)
	@tests/run $(BUILD)

install: server
	@cmake --install $(BUILD) --prefix $(PREFIX)

deb: server
	@packaging/install-dependencies dpkg-dev file
	@cd $(BUILD) && cpack -G DEB

bench: server
	@cmake --build $(BUILD) -j $(JOBS) --target troupe_bench
	@tests/bench/run $(BUILD)

fuzz:
	@packaging/install-dependencies clang
	@cmake -S . -B build-fuzz -G Ninja --log-level=WARNING -DCMAKE_CXX_COMPILER=clang++ -DTROUPE_FUZZ=ON \
	  -DTROUPE_SANITIZE=address,undefined >/dev/null
	@cmake --build build-fuzz -j $(JOBS)
	@set -e; for target in build-fuzz/tests/fuzz_*; do echo "-- $$target"; \
	  corpus=tests/fuzz/corpus/$${target##*/fuzz_}; mkdir -p build-fuzz/corpus/$${target##*/}; \
	  [ -d $$corpus ] || corpus=; \
	  $$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -verbosity=1 -print_final_stats=1 \
	    build-fuzz/corpus/$${target##*/} $$corpus; done

format:
	@git ls-files '*.cpp' '*.hpp' | xargs clang-format -i

clean:
	@rm -rf build build-address build-thread build-fuzz
