# The commands of the repository. `make run` and `make test` are all that a newcomer needs.

# Outside the clone, so that it stays warm for every clone of this user.
CARGO_TARGET_DIR ?= $(HOME)/.cache/fresnel/target
export CARGO_TARGET_DIR

# What a test that passes has to tell (what it skipped and why, how much it compared) no runner shows:
# it goes to this file, shown in the end.
export FRESNEL_TEST_REPORT := $(abspath $(CARGO_TARGET_DIR))/test-report.txt
TEST_THREADS = $$((2 * $$(nproc)))

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.SILENT: help test deny web unit sdk-unit page semver
.PHONY: help run demo test setup format lint features deny doc web build unit sdk sdk-unit reference semver bench bench-metrics bench-sdk soak fuzz gen page clean

help: ## list the commands
	grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: page ## build everything, the page included, and start the server
	cargo run --locked --profile quick --package fresnel-server --bin fresnel -- serve

demo: page ## start a small shop that fills every page
	cargo run --locked --profile quick --package fresnel-server --bin fresnel -- demo

# The tests of the workspace take longest, wait more than they compute, and hold no lock of cargo's
# meanwhile: the SDK's part fills the gaps, at a lower priority, so that it does not slow them down. What it
# says is shown in the end, and is in a file until then. Whichever fails first ends the other; what failed
# is named last.
test: setup format web deny lint build ## everything that must hold
	said="$(CARGO_TARGET_DIR)/test-sdk.txt"
	: > "$(FRESNEL_TEST_REPORT)"
	set -m # a group of processes for each, so that it can be ended with all that it started
	$(MAKE) --no-print-directory unit reference < /dev/null & unit=$$!
	nice $(MAKE) --no-print-directory sdk < /dev/null > "$$said" 2>&1 & sdk=$$!
	end() { kill -- "-$$unit" "-$$sdk" 2> /dev/null || true; wait; }
	trap end EXIT
	failed=
	wait -n -p ended && wait -n -p ended || failed=$$ended
	end
	if [ "$$failed" = "$$unit" ]; then echo "what the SDK's part said until it was ended: $$said"; else cat "$$said"; fi
	echo; echo "what the tests tell:"; sort "$(FRESNEL_TEST_REPORT)"
	case "$$failed" in
	  "") ;;
	  "$$unit") echo "failed: make unit reference" >&2; exit 1 ;;
	  *) echo "failed: make sdk" >&2; exit 1 ;;
	esac

setup: ## install what the tests need, once
	cargo xtask setup

format:
	cargo fmt --all --check

lint:
	cargo clippy --workspace --all-targets --locked -- -D warnings

# All that must hold for the SDK with other features than the workspace wants of it.
sdk: features doc sdk-unit

# What a service takes is seldom all of it: all of the features, none, and each alone must do, without a
# word from the compiler; `lint` looks at the default.
features:
	cargo clippy --package fresnel-sdk --all-features --all-targets --locked -- -D warnings
	cargo clippy --package fresnel-sdk --no-default-features --all-targets --locked -- -D warnings
	for feature in $$(sed -n '/^\[features\]/,/^\[dependencies\]/s/^\([a-z-]*\) = .*/\1/p' sdk/rust/Cargo.toml); do
	  cargo clippy --package fresnel-sdk --no-default-features --features "$$feature" --locked -- -D warnings
	done
	cargo test --package fresnel-sdk --lib --locked -- logging::tests::redaction

# Of what others program against: a link that leads nowhere is an error.
doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --package fresnel-sdk --all-features --no-deps --locked

# The advisory database is not asked: the tests run without a network.
deny:
	deny="$(CARGO_TARGET_DIR)/tools/bin/cargo-deny"
	if [ -x "$$deny" ]; then
	  "$$deny" --locked check bans licenses sources
	else
	  echo "skipped: cargo-deny is missing"
	  [ "$${FRESNEL_NO_SKIP:-0}" != 1 ]
	fi

# Types, style, unit tests and the bundle; the bundle is what the binary carries.
web:
	if [ -d web/node_modules ]; then
	  cd web && npm run --silent check && npm run --silent test && npm run --silent build
	else
	  echo "skipped: web/node_modules is missing"
	  [ "$${FRESNEL_NO_SKIP:-0}" != 1 ]
	fi

# The tests, and the server that those of the SDK start.
build:
	cargo test --workspace --no-run --locked

# nextest where it is installed: a test of its own process and a bound on its time. Documentation
# examples are not among what it runs. The SDK has a run of its own, with the parts that the server
# does without, so that the server is tested as it is shipped. Most tests wait for a server, a disk
# or a client more than they compute: two of them for each core.
unit:
	if cargo nextest --version > /dev/null 2>&1; then
	  cargo nextest run --workspace --locked --test-threads "$(TEST_THREADS)" -E 'not package(fresnel-sdk)'
	  cargo test --workspace --locked --doc
	else
	  cargo test --workspace --locked
	fi

sdk-unit:
	if cargo nextest --version > /dev/null 2>&1; then
	  cargo nextest run --package fresnel-sdk --all-features --locked --test-threads "$(TEST_THREADS)"
	  cargo test --package fresnel-sdk --all-features --locked --doc
	else
	  cargo test --package fresnel-sdk --all-features --locked
	fi

reference:
	cargo xtask gen --check

# Builds the page when Node is there and something changed; without Node the binary says how.
page:
	if ! command -v npm > /dev/null; then
	  echo "npm is missing: the binary will carry no page, only a note that says how to build it"
	elif [ ! -f web/dist/index.html ] || [ -n "$$(find web/src web/public web/index.html web/package-lock.json web/vite.config.ts -newer web/dist/index.html -print -quit)" ]; then
	  cd web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build
	fi

# Of what users run. `quick` is built sooner and is a few percent slower: BENCH_PROFILE=quick.
BENCH_PROFILE ?= release
BENCH = $(CARGO_TARGET_DIR)/$(BENCH_PROFILE)

bench: page setup ## compare speed and size with others, in one run; `make bench SCENARIOS=road` for one
	cargo build --locked --profile $(BENCH_PROFILE) --workspace --bins
	"$(BENCH)/bench" --server "$(BENCH)/fresnel" --python "$(CARGO_TARGET_DIR)/clients/venv/bin/python" \
	  --dir "$(CARGO_TARGET_DIR)/bench" $(SCENARIOS)

# A replay of scrapes that are taken now: three minutes of them at full scale.
bench-metrics: ## metrics beside VictoriaMetrics and Prometheus
	$(MAKE) bench SCENARIOS=metrics

# Fails when a floor does not hold; to be asked of an idle machine.
bench-sdk: ## what the instrumentation of a request costs, beside tracing-opentelemetry and others
	cargo run --locked --profile $(BENCH_PROFILE) --package bench-sdk

# One set of packages for both, so that what they share is built once. What it runs is a copy, so that
# a build meanwhile does not replace it.
SOAK = cargo test --locked --profile quick --package fresnel-server --package store

soak: ## a thousand kills, thousands of power cuts, minutes of overload; FRESNEL_SOAK_ROUNDS=50 for fewer
	$(SOAK) --test fault --lib --no-run
	export FRESNEL_SOAK_BINARY="$(CARGO_TARGET_DIR)/soak/fresnel" FRESNEL_TEST_REPORT="$(CARGO_TARGET_DIR)/soak/report.txt"
	export FRESNEL_SOAK_ROUNDS="$${FRESNEL_SOAK_ROUNDS:-1000}" FRESNEL_FAULT_SECONDS="$${FRESNEL_FAULT_SECONDS:-60}"
	mkdir -p "$(CARGO_TARGET_DIR)/soak"
	cp "$(CARGO_TARGET_DIR)/quick/fresnel" "$$FRESNEL_SOAK_BINARY"
	: > "$$FRESNEL_TEST_REPORT"
	trap 'echo; echo "what the tests tell:"; cat "$$FRESNEL_TEST_REPORT"' EXIT
	$(SOAK) --lib -- --ignored nothing_is_lost_or_doubled_many
	$(SOAK) --test fault -- --nocapture --test-threads=1

fuzz: ## look for panics in the decoders, five minutes each; needs cargo-fuzz and a nightly compiler
	cd crates/wire
	for target in $$(cargo +nightly fuzz list); do
	  cargo +nightly fuzz run "$$target" -- -max_total_time=$${FRESNEL_FUZZ_SECONDS:-300}
	done

# Without a tag there is no version to compare with.
semver: ## before a release: what the SDK breaks since the last tag; needs cargo-semver-checks
	if ! tag="$$(git describe --tags --abbrev=0 2> /dev/null)"; then
	  echo "skipped: there is no tag yet"
	elif ! command -v cargo-semver-checks > /dev/null; then
	  echo "skipped: cargo-semver-checks is missing: cargo install --locked cargo-semver-checks"
	else
	  cargo semver-checks --package fresnel-sdk --all-features --baseline-rev "$$tag"
	fi

gen: ## write the generated references
	cargo xtask gen

clean: ## remove what was built
	rm -rf web/dist "$(CARGO_TARGET_DIR)"
