# The project's commands. `make help` lists them.

UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
RUN := $(UV) run --quiet --extra devnet

.DEFAULT_GOAL := help
.PHONY: help setup demo assets test quick check format bench browser pictures judge simulate mutants chaos contracts \
	blueprint kafka schemas dashboards fuzz licences audit-dependencies clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-19s %s\n", $$1, $$2}'

.tools/bin/uv: # where no uv is installed, pip brings one, into this folder only
	python3 -m venv .tools && .tools/bin/pip install --quiet uv

setup: $(filter .tools/bin/uv,$(UV)) ## Install everything into .venv
	@$(UV) sync --quiet --extra devnet

demo: setup ## A devnet with frauds, its event log, its tables, and the dashboard over them, until Ctrl-C
	@$(RUN) cellwitness demo

assets: setup ## Fetch what the dashboard's pages load and nobody committed, by its lock file
	@$(RUN) python -m consumers.dashboard.vendor

test: setup browser check ## Every check and every test, on real engines
	@$(RUN) --extra contracts pytest

quick: setup ## The tests that take seconds
	@$(RUN) --extra contracts pytest -m "not long"

check: setup ## Lint, format and types
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy

format: setup ## Rewrite the code in the project's format
	@$(RUN) ruff check --fix --quiet . ; $(RUN) ruff format .

bench: setup ## Speed, as ratios within one run
	@$(RUN) --group bench python -m tests.bench

browser: setup ## Bring what the browser tests need: Chromium (as root, in Debian), axe-core and the dashboard's assets
	@$(RUN) python -m tests.consumers.browser.tools

pictures: browser ## Make the pictures in docs/pictures anew, with a real browser over labelled frauds
	@CELLWITNESS_PICTURES=1 $(RUN) --extra contracts pytest -q tests/consumers/browser/test_pictures.py

simulate: setup ## Nodes, log and readers under faults: SEED=…, BLOCKS=…, MIX=long|live|storm|calm, REPLAY=file
	@$(RUN) python -m tests.simulation --seed $(or $(SEED),1) --blocks $(or $(BLOCKS),100000) --mix $(or $(MIX),long) \
		$(if $(REPLAY),--replay $(REPLAY))

judge: setup ## Labelled frauds: what catches each, and how often honest people are accused: SEED=…, DAYS=…
	@$(RUN) --extra contracts python -m tests.judge $(if $(SEED),--seed $(SEED)) $(if $(DAYS),--days $(DAYS))

mutants: setup ## Plant faults in our own code: each must be found
	@$(RUN) python -m tests.simulation.mutate

chaos: setup ## Everything as processes, under faults: MINUTES=…, SEED=…, CONTROL=fence|retractions|checkpoint
	@$(RUN) python -m tests.chaos --minutes $(or $(MINUTES),5) $(if $(SEED),--seed $(SEED)) \
		$(if $(CONTROL),--control $(CONTROL)) $(if $(REPORT),--report $(REPORT))

kafka: setup ## Apache Kafka on this machine, until Ctrl-C; BROKERS=3 for three brokers
	@$(RUN) python -m deploy.kafka.broker

schemas: setup ## Write docs/schemas anew from the code
	@mkdir -p docs/schemas
	@$(RUN) cellwitness schema events > docs/schemas/events.schema.json
	@$(RUN) cellwitness schema asyncapi > docs/schemas/asyncapi.json
	@$(RUN) cellwitness schema cddl > docs/schemas/reading.cddl

fuzz: setup ## Inputs grown by the branches they reach, against all that strangers' bytes reach: INPUTS=…, SECONDS=…, TARGET=…
	@$(RUN) --group fuzz python -W ignore -m tests.fuzz --inputs $(or $(INPUTS),1000000) --seconds $(or $(SECONDS),3600) \
		$(if $(TARGET),--target $(TARGET)) $(if $(SEED),--seed $(SEED))

licences: setup ## Write docs/licences.md anew from the lock file and what packages say of themselves
	@$(UV) run --quiet --all-extras python -m tests.deploy.licences

audit-dependencies: setup ## Known faults of what an install brings, and parts lists for scanners in build/audit
	@$(RUN) python -m tests.deploy.audit

dashboards: setup ## Write deploy/grafana/dashboards anew from the code
	@$(RUN) python -m deploy.grafana

contracts: setup ## What the contracts cost: sizes, units and fees at mainnet's parameters
	@$(RUN) --extra contracts python -W ignore -m tests.deploy.contracts.report

blueprint: ## Compile the contracts from source again, for the devnet's operator
	@$(UV) run --quiet --extra devnet --extra contracts python -W ignore -m deploy.contracts.build \
		--operator 13f3b6a92f98fe70ff32fd5bd7fa325f562e53f0189cef21804585e3 --slot-zero-ms 1704067200000 \
		--out deploy/contracts

clean: ## Remove what the targets made, databases and logs of the demo included
	rm -rf .venv .tools .cellwitness .mypy_cache .ruff_cache .pytest_cache .hypothesis
