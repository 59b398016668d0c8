# Standfast. Everything starts here: `make help` lists the commands. Needs Python 3.11 to 3.13 and nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
export UV_PYTHON_DOWNLOADS := never
unexport PYTHONDONTWRITEBYTECODE # or each of the many processes started compiles everything anew

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

TEST_ARGS ?=
FAULT_ARGS ?=
LOCK := pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate pyproject.toml

.PHONY: demo test faults faults-ci check format generate lock bench data clean help

demo: $(READY) ## run the delay-claim demo end to end (KEEP=1 leaves the stack running)
	@$(BIN)/standfast demo $(if $(KEEP),--keep)

test: $(READY) ## run all tests, four at a time since many only wait (TEST_ARGS="-k name" narrows)
	@$(BIN)/python -m wiring.embedded
	@$(BIN)/pytest -n 4 --dist loadfile $(TEST_ARGS)

faults-ci: $(READY) ## run the fault scenarios at the scale of CI, about ten minutes (FAULT_ARGS="--scenario S1 --seed 7")
	@$(BIN)/python -m wiring.embedded
	@$(BIN)/python -m tests.faults --scale ci $(FAULT_ARGS)
	@$(BIN)/python -m tests.faults.tampers --count 1000

faults: $(READY) ## run the fault scenarios with the full numbers and every planted bug, several hours; writes build/faults.json
	@$(BIN)/python -m wiring.embedded
	@mkdir -p build
	@$(BIN)/python -m tests.faults --scale full --report build/faults.json $(FAULT_ARGS)
	@$(BIN)/python -m tests.faults.tampers --count 10000
	@$(BIN)/python -m tests.security.residue
	@$(BIN)/python -m tests.faults --plant all --scale smoke

check: $(READY) ## format, lint, room rules, types, unused code and packages, architecture tests
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/lint-imports
	$(BIN)/pyright
	$(BIN)/deptry .
	$(BIN)/vulture
	$(BIN)/pytest -q tests/architecture
	@$(BIN)/python -m tests.architecture.report

format: $(READY) ## format the sources and mend what ruff can mend
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

generate: $(READY) ## rewrite the generated parts of ARCHITECTURE.md and docs/, and the SQL of reads
	$(BIN)/python -m adapters.postgres.reads
	$(BIN)/python -m docs.generate

lock: $(READY) ## resolve requirements.lock and requirements-dev.lock anew (UPGRADE=1 moves versions)
	PATH="$$PATH:$(BIN)" uv $(LOCK) $(if $(UPGRADE),--upgrade) -o requirements.lock
	PATH="$$PATH:$(BIN)" uv $(LOCK) $(if $(UPGRADE),--upgrade) --group dev -o requirements-dev.lock

bench: $(READY) ## measure steps, segments, journal and ledger beside what they stand on
	@$(BIN)/python -m benchmarks.step_overhead
	@$(BIN)/python -m benchmarks.peers
	@$(BIN)/python -m benchmarks.agent_turns
	@$(BIN)/python -m benchmarks.journal_cost
	@$(BIN)/python -m benchmarks.append_rate
	@$(BIN)/python -m benchmarks.budget_cost
	@$(BIN)/python -m benchmarks.long_run
	@$(BIN)/python -m benchmarks.verify_speed
	@$(BIN)/python -m benchmarks.inbox
	@$(BIN)/python -m benchmarks.approve_latency
	@$(BIN)/python -m benchmarks.waiting
	@$(BIN)/python -m benchmarks.sandbox_start
	@$(BIN)/python -m benchmarks.sandbox_stop
	@$(BIN)/python -m benchmarks.token_delay
	@$(BIN)/python -m benchmarks.policy_decision

data: $(READY) ## unpack the flight tables of February to December 2013
	@$(BIN)/python -m examples.delay_claim.unpack_data

clean: ## remove .venv and caches; `standfast dev --reset` removes runs and keys
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): requirements-dev.lock pyproject.toml clients/python/pyproject.toml clients/verify/pyproject.toml tools/venv.sh
	@tools/venv.sh
	@touch $@
