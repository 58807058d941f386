# Every verb installs what it needs first; `make help` lists the verbs.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
RUN_ARGS ?=

.PHONY: help install run test search check openapi clients fuzz parity agents coverage chaos faults bench format clean

help: ## List the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(STAMP) ## Make .venv with all dependencies
$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
		|| (echo "Python 3.11 or 3.12 is needed: make PYTHON=python3.11 …" >&2; exit 1)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
		--constraint requirements.txt --editable '.[all,dev]'
	touch $@

run: install ## Start the service on 127.0.0.1:8000 (RUN_ARGS="--clock request …")
	exec $(BIN)/decision-service serve $(RUN_ARGS)

check: install ## Types and style only: mypy strict, ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .

test: check ## All tests on two cores, mypy (strict) and ruff; the same in every run
	PYTHONHASHSEED=0 $(BIN)/python -m pytest --numprocesses 2 --dist loadgroup

ROUNDS ?= 1
SEARCH_IN ?= tests

search: install ## Search new examples for the property tests (hours; ROUNDS=3 SEARCH_IN=tests/policies)
	for round in $$(seq $(ROUNDS)); do $(BIN)/python -m pytest $(SEARCH_IN) -m hypothesis --hypothesis-profile search \
		--timeout 3600 --numprocesses 2 --dist loadgroup $(SEARCH_ARGS) || exit 1; done

openapi: install ## Write docs/openapi.json as the service says it
	$(BIN)/python -m decision_service.api docs/openapi.json

clients: install ## Generate typed clients from docs/openapi.json and try them (needs npm and Java)
	test -x build/clients/tools/bin/python || $(PYTHON) -m venv build/clients/tools
	build/clients/tools/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/clients/requirements.txt
	npm install --silent --no-audit --no-fund --prefix build/clients/npm openapi-typescript@7.13.0 typescript@5.9.3
	$(BIN)/python -m benchmarks.clients

fuzz: install ## Send random requests to every endpoint of the running service (FUZZ_ARGS="--examples 30 --clock wall")
	test -x build/fuzz/tools/bin/python || $(PYTHON) -m venv build/fuzz/tools
	build/fuzz/tools/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/fuzz/requirements.txt
	$(BIN)/python -m benchmarks.fuzz $(FUZZ_ARGS)

parity: ## Compare offline evaluation with other libraries, in build/parity
	test -x build/parity/bin/python || $(PYTHON) -m venv build/parity
	build/parity/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/parity-requirements.txt
	build/parity/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python obp==0.5.7
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 build/parity/bin/python -m benchmarks.evaluation.parity $(PARITY_ARGS)

agents: ## Train an agent of sb3-contrib in the environment, in build/agents (20 minutes; AGENTS_ARGS="--steps 50000")
	test -x build/agents/bin/python || $(PYTHON) -m venv build/agents
	build/agents/bin/python -m pip install --quiet --disable-pip-version-check --constraint requirements.txt \
		--requirement benchmarks/agents/requirements.txt --editable '.[plots]'
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 build/agents/bin/python -m benchmarks.agents --json docs/results/agents.json \
		--markdown docs/results/agents.md --plot docs/results/agents.svg $(AGENTS_ARGS)

coverage: install ## Measure how often intervals contain the truth (minutes; COVERAGE_ARGS="--repetitions 400")
	$(BIN)/python -m benchmarks coverage $(COVERAGE_ARGS)

chaos: install ## Load the real service, rename, kill its Redis, audit the log (half an hour; CHAOS_ARGS="--decides 2000")
	$(BIN)/python -m benchmarks chaos --json docs/results/chaos.json --markdown docs/results/chaos.md $(CHAOS_ARGS)

faults: install ## Repeat faults on the running service, measure each outage (FAULTS="23 killed_haproxy")
	$(BIN)/python -m benchmarks faults $(FAULTS) --json docs/results/faults.json --markdown docs/results/faults.md

BENCH_FULL := $(if $(FULL),--full)
BENCH_AGAINST := $(if $(AGAINST),--against $(AGAINST))

bench: install ## Measure the path of a decision (half an hour, 4 GB; FULL=1 for all, AGAINST=../older-checkout)
	$(BIN)/python -m benchmarks guardrails --json docs/results/guardrails.json --markdown docs/results/guardrails.md
	$(BIN)/python -m benchmarks policy $(BENCH_AGAINST) --json docs/results/policy.json --markdown docs/results/policy.md
	$(BIN)/python -m benchmarks stages --json docs/results/stages.json --markdown docs/results/stages.md
	$(BIN)/python -m benchmarks append --json docs/results/append.json --markdown docs/results/append.md
	$(BIN)/python -m benchmarks decide $(BENCH_FULL) $(BENCH_AGAINST) --json docs/results/decide.json --markdown docs/results/decide.md
	$(BIN)/python -m benchmarks learn --json docs/results/learn.json --markdown docs/results/learn.md
	$(BIN)/python -m benchmarks growth $(BENCH_FULL) --json docs/results/growth.json --markdown docs/results/growth.md
	$(if $(FULL),$(BIN)/python -m benchmarks restart --json docs/results/restart.json --markdown docs/results/restart.md)
	$(if $(FULL),$(BIN)/python -m benchmarks memory --json docs/results/memory.json --markdown docs/results/memory.md)
	$(BIN)/python -m benchmarks figures

format: install ## Let ruff correct the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove caches (keeps .venv and data)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
