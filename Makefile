PYTHON ?= python3
BIN := .venv/bin
# The SDK looks for its helper programs on the PATH.
export PATH := $(CURDIR)/$(BIN):$(PATH)
READY := .venv/ready
DEV := .venv/ready-dev
LAB := .venv/ready-lab
DBT := .venv-dbt/ready
NODE_CLIENT := tests/node/node_modules/.package-lock.json
export DO_NOT_TRACK := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo try report picture lab dbt test long chaos lint package deploy bill bench clean

help:  ## this list
	@awk -F ':.*  ## ' '/^[a-z]+:.*  ## / {printf "%-8s %s\n", $$1, $$2}' Makefile

demo: $(READY)  ## a simulated HubSpot, a real sync, a look at the tables; again: a day later
	@python -m simulator.demo

try: $(READY)  ## a simulated HubSpot in the foreground, and a configuration.json for it
	@python -m simulator.foreground

report: $(READY)  ## report.html beside the warehouse (the demo's where there is no other); fails if something is failing
	@python -m report

picture:  ## docs/report.png, of the demo's last report (needs chromium)
	@chromium --headless --no-sandbox --hide-scrollbars --window-size=1000,1120 --screenshot=docs/report.png build/demo/files/report.html

lab: $(LAB)  ## the notebooks in JupyterLab
	@jupyter lab notebooks

dbt: $(DBT)  ## the dbt package on the warehouse of the last demo, or WAREHOUSE=…
	@.venv-dbt/bin/dbt build --project-dir dbt --profiles-dir dbt

test: $(DEV)  ## the tests, but those of make long
	@python -m pytest -n auto -m "not long"

long: $(DEV) $(DBT) $(NODE_CLIENT)  ## the tests that take minutes: memory, kills, generated promises, the dbt package
	@python -m pytest -n auto -m long

chaos: $(DEV)  ## syncs killed 1,000 times (KILLS=…), and nothing lost, in under half an hour
	@python -m tests.promises.chaos --kills $(or $(KILLS),1000)

lint: $(DEV)  ## format, lint and types, without a change
	@ruff format --quiet --check . && ruff check --quiet .
	@mypy

# The SDK looks at every .py file below the folder it packages and takes the imports of tests for the connector's.
build/package: connector.py requirements.txt $(shell find pipeline -name '*.py')
	@rm -rf $@ && mkdir -p $@
	@cp connector.py requirements.txt $@/ && cp -R pipeline $@/ && find $@ -name __pycache__ -exec rm -rf {} +

package: $(READY) build/package  ## build/package/files/package.zip
	@cd build/package && fivetran package

deploy: $(READY) build/package  ## to where options.toml says, or ARGS="--destination NAME --connection NAME"; FIVETRAN_API_KEY is the key
	@cd build/package && fivetran deploy --configuration ../../configuration.json \
		$(if $(wildcard options.toml),--options-file ../../options.toml) $(ARGS)

bill: $(DEV)  ## build/bill.json: a software bill of materials of what production installs (CycloneDX)
	@mkdir -p build && cyclonedx-py requirements requirements.txt --output-file build/bill.json

bench:  ## side by side, into bench/results.*; FULL=1 adds 10,000,000 events, ONLY="latency quota" runs those alone
	@$(PYTHON) -m venv .venv-bench && .venv-bench/bin/pip install --quiet --requirement bench/requirements.txt
	@$(PYTHON) -m venv .venv-dlt && .venv-dlt/bin/pip install --quiet --requirement bench/requirements-dlt.txt
	@.venv-bench/bin/python -m bench $(if $(FULL),--full) $(ONLY)

clean:  ## delete all environments and all that was built
	@rm -rf .venv .venv-bench .venv-dbt .venv-dlt build files tests/node/node_modules

# What a demo, a report and a deployment need, and nothing more; the others add theirs to it.
$(READY): requirements.txt requirements-demo.txt
	@echo "Setting up .venv (once) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --requirement requirements-demo.txt
	@touch $@

$(DEV): $(READY) requirements-dev.txt $(wildcard */requirements.txt)
	@echo "Adding to .venv what tests need (once) ..."
	@$(BIN)/pip install --quiet --requirement requirements-dev.txt
	@touch $@

$(LAB): $(READY) $(wildcard */requirements.txt)
	@echo "Adding to .venv what notebooks need (once) ..."
	@$(BIN)/pip install --quiet --requirement notebooks/requirements.txt
	@touch $@

# An environment of its own, since dbt and the SDK want different versions of one package.
$(DBT): dbt/requirements.txt
	@$(PYTHON) -m venv .venv-dbt
	@.venv-dbt/bin/pip install --quiet --requirement $< && touch $@ || echo "dbt could not be installed: its tests are skipped."

$(NODE_CLIENT): tests/node/package-lock.json
	@npm ci --prefix tests/node --no-audit --no-fund --fetch-retries=0 >/dev/null 2>&1 || \
		echo "HubSpot's Node client could not be installed: its tests are skipped."
