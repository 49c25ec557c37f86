# Everything sets itself up: Rust, a JDK 17 and Python 3 with pip are all it needs.
# `make components` wants Maven, Go and Debian's apt besides.
# Downloads (Flink, a mail server, …) are kept in .cache/ and verified.

CARGO ?= cargo
# Further releases of Flink for `make e2e`.
E2E_FLINKS ?= 1.17.2 2.3.0
# Most tests wait: for Flink, for a poll, for a timer. More of them than cores run at a time.
export RUST_TEST_THREADS ?= 4

# For `make scenarios`; without releases: those of the table.
SCENARIOS ?= --table rules/SCENARIOS.md
# What tests of components record, a line of JSON each.
ROWS ?= $(CURDIR)/.cache/components.jsonl
# The tests of `make e2e-smoke`.
SMOKE ?= stores_testbed:: inventory_testbed:: doctor_real::mariadb doctor_real::postgres doctor_real::flink
# For the demo, such as ARGS="--flink 2.2.1 --language zh --for 3m".
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help build demo test e2e e2e-smoke components scenarios bench lint fmt clean-cache

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build weir for use: target/release/weir
	@$(CARGO) build --release --quiet --locked
	@ls -l target/release/weir

demo: ## A real Flink, five jobs, and what people hear of them (Ctrl-C ends it)
	@echo "building Weir and the demo (the first time takes some minutes) …"
	@$(CARGO) build --quiet --locked --bin weir --example demo
	@$(CARGO) run --quiet --locked --example demo -- $(ARGS)

test: ## Everything: unit tests, and tests against a real Flink, mail server and stand-ins
	@echo "building the tests (the first time takes some minutes) …"
	@$(CARGO) test --quiet --locked --no-run
	@$(CARGO) test --quiet --locked

e2e: ## The main road on further releases of Flink, real components, and the scenarios
	@set -e; for version in $(E2E_FLINKS); do \
		echo "the main road on Flink $$version"; \
		WEIR_TESTBED_FLINK=$$version $(CARGO) test --quiet --locked --test it main_road; \
	done
	@$(MAKE) --no-print-directory components
	@$(MAKE) --no-print-directory scenarios

# What starts soon, also from an empty cache, without Maven and Go: databases, inventories, the doctor.
e2e-smoke: ## Some minutes of make components: real databases, and weir doctor on them and on Flink
	@$(CARGO) test --quiet --locked --test it -- --ignored --test-threads 1 $(SMOKE)

# One at a time: each starts several JVMs. The table is written of what passed, even when some failed.
components: ## Real YARN, Kubernetes, Kafka, databases and failovers; writes tests/COMPONENTS.md
	@rm -f $(ROWS) && mkdir -p $(dir $(ROWS))
	@failed=0; \
	WEIR_TESTBED_ROWS=$(ROWS) $(CARGO) test --quiet --locked --test it -- \
		--ignored --test-threads 1 _testbed:: _real:: || failed=$$?; \
	$(CARGO) run --quiet --locked --example components -- $(ROWS) tests/COMPONENTS.md && exit $$failed

scenarios: ## Every way a job goes wrong, on real Flinks; writes rules/SCENARIOS.md
	@echo "building Weir and the scenarios (the first time takes some minutes) …"
	@$(CARGO) build --quiet --locked --bin weir --example scenarios
	@$(CARGO) run --quiet --locked --example scenarios -- $(SCENARIOS)

bench: ## What Weir costs, how fast and how little it tells; writes tests/bench/NUMBERS.md
	@$(CARGO) bench --quiet --locked --bench fleet -- --numbers tests/bench/NUMBERS.md

lint: ## Format, lints and documentation, with warnings denied
	@$(CARGO) fmt --check
	@$(CARGO) clippy --quiet --locked --all-targets -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet --locked --no-deps --lib --document-private-items

fmt: ## Format the code
	@$(CARGO) fmt

clean-cache: ## Remove what the tests and the demo downloaded
	@rm -rf .cache
