# The project's front door: each target is a line or two onto CMake or one script.
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
BUILD := build
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 600
CMAKE_FLAGS ?=
VM_PACKAGES := qemu-system-x86 busybox-static

# every target: none is a file
.PHONY: $(shell sed -nE 's/^([a-z0-9-]+):.*/\1/p' $(MAKEFILE_LIST))

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## */\1\t/' | \
		awk -F'\t' '{ printf "  make %-10s %s\n", $$1, $$2 }'

packages: ## install what the project needs, from Debian (root)
	@scripts/install_packages.sh

build: packages ## build everything into build/
	@cmake -S . -B $(BUILD) $(CMAKE_FLAGS) -Wno-dev >.configure.log 2>&1 || { cat .configure.log; exit 1; }
	@rm -f .configure.log
	@cmake --build $(BUILD) -j$(JOBS)

demo: build ## the main job: a VM absorbs a real spike, without Flare and with it (root, 7 minutes)
	@scripts/demo.sh $(BUILD)

test: build fuzz-build ## unit tests, the BPF programs on made packets, end to end, on other kernels, fuzzed (root)
	@scripts/install_packages.sh $(VM_PACKAGES)
	@scripts/test.sh $(BUILD)

test-unit: build ## the unit tests alone
	@scripts/test.sh $(BUILD) unit

test-bpf: build ## the shipped BPF programs on made packets alone (root)
	@scripts/test.sh $(BUILD) bpf

test-sanitized: packages ## the unit tests with address and undefined-behaviour sanitizers, into build-sanitize/ (root)
	@cmake -S . -B build-sanitize -DFLARE_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug $(CMAKE_FLAGS) -Wno-dev >.configure.log 2>&1 || \
		{ cat .configure.log; exit 1; }
	@rm -f .configure.log
	@$(MAKE) -C build-sanitize/tests/unit -j$(JOBS)
	@ASAN_OPTIONS=detect_leaks=1:$(ASAN_OPTIONS) UBSAN_OPTIONS=print_stacktrace=1 scripts/test.sh build-sanitize unit

e2e: build ## the end-to-end tests alone (root)
	@scripts/test.sh $(BUILD) e2e

vmtest: build ## the BPF programs and their tests on other kernels, under QEMU
	@scripts/install_packages.sh $(VM_PACKAGES)
	@scripts/vmtest.sh $(BUILD)

bench: build ## ns a packet as ratios to an XDP_PASS floor, ns a connect() as ratios to a plain one (root)
	@scripts/bench.sh $(BUILD)

accuracy: build ## counts, in-flight and latency of the datapath against the servers' own (root, 8 minutes)
	@scripts/install_packages.sh nginx-light haproxy redis-server redis-tools wrk hey apache2-utils curl \
		nghttp2-client python3 python3-grpcio python3-requests python3-urllib3 nodejs \
		openjdk-17-jdk-headless openssl jq
	@scripts/accuracy.sh $(BUILD)

robustness: build ## a step, wrong capacities, slow VMs: is policy cap in time and not misled (root, 21 minutes)
	@scripts/install_packages.sh curl jq
	@scripts/robustness.sh $(BUILD)

keepalive: build ## connections of 1 to 1,000 requests, and moving them under real clients (root, 30 minutes)
	@scripts/install_packages.sh nginx-light wrk apache2-utils hey haproxy nghttp2-client nodejs \
		openjdk-17-jdk-headless golang-go python3 python3-requests python3-urllib3 python3-pycurl \
		python3-grpcio curl jq
	@scripts/keepalive.sh $(BUILD)

connect: build ## connect() of curl, python and nginx directed: splits, cap, fallback (root, 1 minute)
	@scripts/install_packages.sh nginx-light python3 curl
	@scripts/connect.sh $(BUILD)

balance: build ## new flows over a balancer's backends: weights, least against hash, changes (root, 2 minutes)
	@scripts/balance.sh $(BUILD)

disruption: build ## open connections through a balancer while backends, agent and maps change (root, 2 minutes)
	@scripts/disruption.sh $(BUILD)

continuity: build ## kills, program swaps, another layout of the maps and back, each packet counted (root, 30 minutes)
	@scripts/install_packages.sh jq
	@scripts/continuity.sh $(BUILD)

soak: build ## steady traffic with a fault every 30 s: what is lost, what grows (root, FLARE_SOAK_SECONDS=3600)
	@scripts/soak.sh $(BUILD)

scale: build ## flared with 4,096 services, 65,535 backends and a million flows: times, CPU, memory (root, 2 minutes)
	@scripts/install_packages.sh jq
	@scripts/scale.sh $(BUILD)

ejection: build ## a balancer whose VM dies, refuses or becomes slow: how soon it is out, and back (root, 6 minutes)
	@scripts/install_packages.sh curl jq
	@scripts/ejection.sh $(BUILD)

eval-quick: build ## a real spike with VM-only, the paper's way, and cap, on a page (root, 6 minutes)
	@scripts/install_packages.sh haproxy socat curl jq zstd
	@scripts/eval.sh $(BUILD) quick

eval: build ## the paper's evaluation, whole: goes on where it was interrupted (root, hours)
	@scripts/install_packages.sh haproxy socat curl jq zstd
	@scripts/eval.sh $(BUILD) full

simulate: build ## the evaluation's tables by simulation, into build/reports/sim.json (5 minutes)
	@mkdir -p $(BUILD)/reports && $(BUILD)/bin/flare-sim table all --json $(BUILD)/reports/sim.json --jobs $(JOBS)

hardening: build ## systemd's score of the unit, and that flared gets by with what the unit leaves it (root)
	@scripts/install_packages.sh systemd strace
	@scripts/hardening.sh $(BUILD)

sbom: build ## what flared and flarectl are made of, as CycloneDX: build/reports/sbom.json
	@scripts/install_packages.sh jq
	@scripts/sbom.sh $(BUILD)

reproducible: build ## the BPF objects built twice more, elsewhere, are the same byte by byte
	@scripts/reproducible.sh $(BUILD)

fuzz-build: packages
	@scripts/install_packages.sh libclang-rt-14-dev
	@cmake -S . -B build-fuzz -DFLARE_FUZZ=ON -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
		$(CMAKE_FLAGS) -Wno-dev >.configure.log 2>&1 || { cat .configure.log; exit 1; }
	@rm -f .configure.log
	@cmake --build build-fuzz -j$(JOBS) --target fuzz_targets

fuzz: fuzz-build ## the datapath in user space and the agent's parsers under libFuzzer, FUZZ_SECONDS each (600)
	@scripts/fuzz.sh build-fuzz $(FUZZ_SECONDS)

fuzz-quick: fuzz-build ## the same, 10 seconds each
	@scripts/fuzz.sh build-fuzz 10

fuzz-coverage: build ## which lines of the datapath the corpora reach: at least 95 %
	@scripts/install_packages.sh libclang-rt-14-dev
	@cmake -S . -B build-coverage -DFLARE_FUZZ=ON -DFLARE_FUZZ_COVERAGE=ON -DCMAKE_C_COMPILER=clang \
		-DCMAKE_CXX_COMPILER=clang++ $(CMAKE_FLAGS) -Wno-dev >.configure.log 2>&1 || { cat .configure.log; exit 1; }
	@rm -f .configure.log
	@cmake --build build-coverage -j$(JOBS) --target fuzz_xdp fuzz_tc
	@scripts/fuzz_coverage.sh $(BUILD) build-coverage

fuzz-corpus: build fuzz-build ## the corpora in tests/fuzz/corpus anew: fixtures, what is there, what was found
	@cmake --build $(BUILD) --target flare_fuzz_seeds
	@scripts/fuzz_corpus.sh $(BUILD) build-fuzz

reliability: build ## docs/reliability.md anew, from the last results of the tests and of the long runs
	@$(BUILD)/bin/flare-trust-report --catalogue tests/trust/catalogue --tests $(BUILD)/reports/tests \
		--results $(BUILD)/reports/trust --json $(BUILD)/reports/trust.json --markdown docs/reliability.md

lab: build ## set up the lab's namespaces and leave them there; scripts/lab.sh down removes them (root)
	@scripts/lab.sh up

check: build ## format, tidy, shellcheck, include direction; all findings are errors
	@scripts/check.sh $(BUILD)

fmt: ## format the sources in place
	@scripts/check.sh --format

vmlinux: ## make vmlinux/vmlinux.h anew from this kernel's BTF
	@scripts/vmlinux.sh

install: build ## install flared, flarectl, the unit, man pages and completion (root)
	@cmake --install $(BUILD)

clean: ## remove the build folder
	@rm -rf $(BUILD)
