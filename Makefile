# One target for each thing a person does. Every target works from a fresh clone: it sets up what it needs, once.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python
# Steps and tests run one process a core; threads inside numerical libraries would only fight over them.
export OMP_NUM_THREADS ?= 1
# Without byte code every process would compile half a million lines at its start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup setup-dev setup-science web check-codegen e2e bench-web bench-events up down demo test test-postgres lint format contracts fuzz fuzz-long soak-engine bench-engine bench-run bench-steps \
	argo-conformance argo-run-sample faults check-openapi commands-page lock clean

help: ## what there is to do
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 26

setup: ## the environments (.venv, .venv-science) and the pages; does nothing when they are as the locks say
	@$(PYTHON) tools/setup_env.py dev science
	@$(PYTHON) tools/build_web.py --optional

setup-dev:
	@$(PYTHON) tools/setup_env.py dev

setup-science:
	@$(PYTHON) tools/setup_env.py science

web: ## build the pages (frontend/dist); does nothing when they are as their sources say
	@$(PYTHON) tools/build_web.py

check-codegen: web ## the pages' types are the published schema's, and their own tests pass
	@cd frontend && npm run -s codegen && git diff --exit-code --stat -- src/api/generated && npm run -s test

up: setup ## start Fubini in the background; prints its URL and a login (ARGS="--port N")
	@$(BIN)/fubini up --detach $(ARGS)

down: setup-dev ## stop what `make up` started
	@$(BIN)/fubini down

demo: setup ## the concurrent-learning kit on three local sites, start to finish
	@$(BIN)/fubini demo --json-to build/demo.json $(ARGS)

e2e: setup web ## the pages in a real browser, in both languages; screenshots in build/e2e
	@$(RUN) -m pytest tests/e2e $(ARGS)

test: setup ## the whole test suite
	@$(RUN) -m pytest $(ARGS)

test-postgres: setup-dev ## what works on rows, on a private PostgreSQL: tests/unit/fubini and a part of tests/integration (ARGS="--only runs")
	@$(RUN) -m tests.on_postgres $(ARGS)

lint: setup-dev ## style, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(MAKE) contracts

format: setup-dev ## let ruff mend what it can
	@$(BIN)/ruff check --fix .

contracts: setup-dev ## who may import whom
	@$(BIN)/lint-imports --no-cache

fuzz: setup-dev web ## hostile input at the counts of continuous integration; writes build/fuzz.json
	@$(RUN) -m tests.fuzz --level ci $(ARGS)

fuzz-long: setup-dev web ## the same at the nightly counts
	@$(RUN) -m tests.fuzz --level nightly $(ARGS)

soak-engine: setup-dev ## 20,000 random workflows: replay, restart anywhere, order of leaves; writes build/soak-engine.json
	@$(RUN) -m tests.fuzz --level nightly --only workflows --out build/soak-engine.json $(ARGS)

bench-engine: setup-dev ## work per engine event up to 100,000 nodes; writes build/bench-engine.json
	@$(RUN) -m tests.performance.bench_engine $(ARGS)

bench-run: setup-dev ## one run of 20,000 nodes: submit, bytes a node, paging, resume after a kill; writes build/bench-run.json
	@$(RUN) -m tests.performance.bench_run $(ARGS)

bench-steps: setup-dev ## 1,000 no-op steps through the whole path, beside peers; writes build/bench-steps.json
	@$(RUN) -m tests.performance.bench_steps $(ARGS)

bench-web: setup-dev web ## the run page at 2,000 steps in a real browser; writes build/bench-web.json
	@$(RUN) -m tests.performance.bench_web $(ARGS)

bench-events: setup-dev web ## 200 readers of live events and a browser, broken off at random; writes build/bench-events.json
	@$(RUN) -m tests.performance.bench_events $(ARGS)

argo-conformance: setup-dev ## CASES=DIR ENGINE=embedded OUT=DIR: the interpreter against recorded leaf outcomes
	@$(RUN) -m tests.conformance.run --engine "$(or $(ENGINE),embedded)" \
		--cases "$(or $(CASES),../shared/conformance/argo/cases)" --out "$(or $(OUT),build/argo-conformance)" $(ARGS)

argo-run-sample: setup-dev ## recorded cases really run, REST to processes, and their trees compared; writes build/argo-run-sample.json
	@$(RUN) -m tests.conformance.sample $(if $(CASES),--cases "$(CASES)") $(ARGS)

faults: setup-dev ## kill -9 of every process kind over real runs; writes build/faults.json
	@$(RUN) -m tests.integration.faults $(ARGS)

check-openapi: setup-dev ## the OpenAPI schema generated from the code is whole and valid; it is written to build/openapi.yaml
	@mkdir -p build
	@DJANGO_SETTINGS_MODULE=fubini.settings.test $(RUN) manage.py spectacular --file build/openapi.yaml --validate --fail-on-warn
	@echo "build/openapi.yaml: $$(grep -c operationId build/openapi.yaml) operations, no warnings"

commands-page: setup-dev ## write docs/commands.md from the command line itself
	@$(RUN) tools/commands_page.py

lock: setup-dev ## resolve requirements anew; the only target that changes the locks
	@$(PYTHON) tools/lock.py

clean: ## remove what can be made again (not the state folder, not the environments)
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find platform scheduler edge_agent tests kits tools -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
