# The front door. CMake does the building (see CMakePresets.json); this says what people do.
#   make demo    from nothing to a batch that runs        make test    all tests
.DEFAULT_GOAL := help
SHELL := /bin/bash
PREFIX ?= /usr/local
DEV := build/dev
JOBS ?= $(shell nproc)

.PHONY: help deps build demo run certs test test-vm soak asan tsan fuzz bench bench-pieces bench-compare lint fmt install clean

help:
	@echo 'make demo    build, start a daemon, run and follow a real batch, stop'
	@echo 'make test    build and run all tests'
	@echo 'make run     a development daemon in the foreground'
	@echo 'make install DESTDIR=… PREFIX=…'
	@echo 'also: deps build certs test-vm soak asan tsan fuzz bench bench-pieces bench-compare lint fmt clean'

deps:
	@scripts/deps.sh

build: deps
	@mkdir -p build && { cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }; }
	@cmake --build build -j $(JOBS) --target programs

# Development certificates, users and configuration in build/dev.
certs: deps
	@scripts/dev-setup.sh $(DEV)

demo: build certs
	@scripts/demo.sh $(DEV)

run: build certs
	@scripts/dev-setup.sh --hint $(DEV)
	@exec build/bin/jobd --config $(DEV)/jobd.toml

test: build
	@scripts/deps.sh programs
	@cmake --build build -j $(JOBS)
	@JOBD_TEST_STRICT=1 ctest --test-dir build --output-on-failure -j $(JOBS)

# What only a real machine shows: systemd, the unit and pure cgroup v2, in a virtual one.
test-vm: build
	@scripts/deps.sh vm
	@tests/vm/test.sh build

# Random workloads under random kills; then every job, byte and process is accounted for.
MINUTES ?= 10
soak: build
	@cmake --build build -j $(JOBS) --target soak
	@build/bin/soak $(MINUTES) $(SEED)

# The same tests under AddressSanitizer and UndefinedBehaviorSanitizer.
asan: deps
	@cmake --preset asan >/dev/null && cmake --build build-asan -j $(JOBS) && \
	  JOBD_TEST_STRICT=1 ctest --test-dir build-asan --output-on-failure -j $(JOBS)

# Those without gRPC under ThreadSanitizer, which cannot see the locks of a library that is not built with it.
tsan: deps
	@cmake --preset tsan >/dev/null && cmake --build build-tsan -j $(JOBS) --target tests_without_grpc && \
	  JOBD_TEST_STRICT=1 ctest --test-dir build-tsan --output-on-failure -j $(JOBS) -R '^(unit|process)_' -E '^unit_(server|cli)$$'

# Each target for FUZZ_SECONDS; needs clang and its runtime.
FUZZ_SECONDS ?= 30
fuzz: deps
	@scripts/fuzz.sh $(FUZZ_SECONDS)

# Against what a user would pick instead; see bench/run.sh for BENCH='--quick', sections and more peers.
bench: build
	@cmake --preset release -DJOBD_BENCH=ON >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build build -j $(JOBS) --target bench/all
	@bench/run.sh $(BENCH)

# Single pieces by themselves: FLAGS=--benchmark_filter=Queue. Of two revisions: A=main, and B, by default the working tree.
bench-pieces: deps
	@mkdir -p build && cmake --preset release -DJOBD_BENCH=ON >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build build -j $(JOBS) --target bench_pieces && build/bin/bench_pieces $(FLAGS)

bench-compare: deps
	@bench/compare.sh $(A) $(B) -- $(FLAGS)

lint: deps
	@scripts/lint.sh

fmt:
	@git ls-files '*.h' '*.cc' | xargs clang-format -i

install: build
	@DESTDIR=$(DESTDIR) cmake --install build --prefix $(PREFIX)

clean:
	rm -rf build build-asan build-tsan build-fuzz build-dev
