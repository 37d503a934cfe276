# `make` lists what it can do.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := src tests examples
.DEFAULT_GOAL := help
.PHONY: help up test test-slow faults faults-once faults-ledger fuzz openapi check format bench bench-peers docs lock clean

help: ## List these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

up: .venv/.ready ## Start Kafka, the gateway and a worker; Ctrl-C stops them
	@$(BIN)/eventstream up

test: .venv/.ready ## Run every test but the slow ones
	@$(BIN)/pytest -n $$(($$(nproc) + 1)) --dist loadgroup

test-slow: .venv/.ready ## Run the long fault runs too
	@$(BIN)/pytest -m slow

faults: .venv/.ready ## Kill workers and brokers under load, FAULTS times each (20): most of an hour
	@$(BIN)/pytest -m slow -s tests/worker/test_fault_runs.py tests/log/native/test_native_faults.py

faults-once: .venv/.ready ## Kill gateways and PostgreSQL among repeated requests, FAULTS times each (20): forty minutes
	@$(BIN)/pytest -m slow -s tests/gateway/idempotency/test_repeated_requests.py

faults-ledger: .venv/.ready ## Kill, stop and cut off workers that write into databases, and those, FAULTS times each (10): an hour
	@$(BIN)/pytest -m slow -s tests/worker/test_ledger_faults.py

fuzz: .venv/.ready ## Send FUZZ broken requests (10,000,000) to both lanes, in memory: an hour
	@PYTHONPATH=tests $(BIN)/python tests/gateway/fuzzing.py $(or $(FUZZ),10000000)

openapi: .venv/.ready ## Ask both lanes OPENAPI random requests (300) an operation: minutes
	@OPENAPI=$(or $(OPENAPI),300) $(BIN)/pytest tests/gateway/openapi/test_conformance_to_description.py

check: .venv/.ready ## Format, lint, types, import contracts: seconds
	@$(BIN)/ruff format --quiet --check $(SOURCES)
	@$(BIN)/ruff check --quiet $(SOURCES)
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo > /dev/null || $(BIN)/lint-imports

format: .venv/.ready ## Put the sources into shape
	@$(BIN)/ruff check --quiet --fix $(SOURCES) || true
	@$(BIN)/ruff format --quiet $(SOURCES)

bench: .venv/.ready ## Measure this machine against the budgets in docs/performance.md
	@for what in gateway worker publish pipeline "pipeline --rate 20000"; do echo "== $$what"; $(BIN)/eventstream bench $$what || exit 1; done

bench-peers: .venv/.ready ## Measure our worker beside Confluent's Parallel Consumer, our gateway beside one in Go
	@for what in peers gateway-peer; do echo "== $$what"; $(BIN)/eventstream bench $$what || exit 1; done

docs: .venv/.ready ## Write docs/reference.md anew from the declarations
	@$(BIN)/python -m eventstream.cli.reference > docs/reference.md

lock: .venv/.ready ## Resolve the dependencies anew, Python's and Java's, with hashes
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --all-extras --group dev pyproject.toml -o requirements/dev.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --all-extras pyproject.toml -c requirements/dev.txt \
		-o requirements/run.txt
	@$(BIN)/python -m eventstream.local.lock

clean: ## Remove the environment and every cache in this folder
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
	@find src tests examples -name __pycache__ -type d -exec rm -rf {} +

.venv/.ready: requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "eventstream needs Python 3.11 or newer, and $(PYTHON) is %d.%d: make PYTHON=python3.12" % sys.version_info[:2])'
	@echo "Making the environment in .venv ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--only-binary :all: -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --no-index -e .
	@touch $@
