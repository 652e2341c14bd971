# Everything is made in this folder: .venv, and demo for the demonstration.
#
#   make demo    scan simulated recordings, end to end
#   make test    lint, types, tests

PYTHON ?= python3
# A Python that somebody names is the only one that is tried.
PYTHONS = $(PYTHON) $(if $(filter file,$(origin PYTHON)),python3.14 python3.13 python3.12 python3.11)

VENV_PYTHON = .venv/bin/python
PIP_INSTALL = $(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check \
	--constraint constraints.txt --editable
ECGSCREEN = $(VENV_PYTHON) -m ecgscreen

SIMULATE = simulate demo/records --count 24 --seed 1 --faults 2
SCAN = scan demo/records --labels rhythm.txt --out demo/screening

# Prints "use NAME", or a sentence that says what is missing. A name may be there and not run
# (a version manager's), so each is asked for its version.
FIND_PYTHON = \
	ask='import sys; print("%d %s" % (sys.version_info >= (3, 11), sys.version.split()[0]))'; \
	found=; \
	for python in $(PYTHONS); do \
		answer=$$("$$python" -c "$$ask" 2>/dev/null) || continue; \
		found="$${found:+$$found, }$$python $${answer\#* }"; \
		case $$answer in \
			0*) continue;; \
		esac; \
		if "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
			echo "use $$python"; \
		else \
			echo "$$python has no venv module: apt install $${python\#\#*/}-venv"; \
		fi; \
		exit; \
	done; \
	echo "ecgscreen needs Python 3.11 or later, found $${found:-no $(PYTHON)}:" \
		"apt install python3 python3-venv, or name another: make PYTHON=/path/to/python3"

.PHONY: help demo test lint clean

help:
	@echo 'make demo    install into .venv, simulate 24 recordings, scan them'
	@echo 'make test    install into .venv with all extras (torch too); lint, types, tests'
	@echo 'make lint    ruff and mypy only'
	@echo 'make clean   remove .venv, demo and all caches'

demo: .venv/.core
	@rm -rf demo
	@echo '$$ ecgscreen $(SIMULATE)'
	@$(ECGSCREEN) $(SIMULATE)
	@echo '$$ ecgscreen $(SCAN)'
	@code=0; $(ECGSCREEN) $(SCAN) || code=$$?; \
	if [ $$code -ne 3 ]; then \
		echo "make demo: exit code $$code of the scan; 3 is expected, two recordings are faulty" >&2; \
		exit 1; \
	fi
	@echo 'Exit code 3 is right here: two of the 24 recordings are faulty on purpose.'
	@echo 'The truth about each recording is in demo/records/truth.csv.'
	@echo 'Your own folder: .venv/bin/ecgscreen scan FOLDER --labels rhythm.txt --out screening'

test: lint
	@$(VENV_PYTHON) -m pytest

lint: .venv/.dev
	@$(VENV_PYTHON) -m ruff check
	@$(VENV_PYTHON) -m ruff format --check
	@$(VENV_PYTHON) -m mypy

clean:
	rm -rf .venv demo build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find bench ecgscreen engines tests trainer -name __pycache__ -prune -exec rm -rf {} +

# The core only: a scan needs no torch.
.venv/.core: pyproject.toml constraints.txt
	$(eval CHOICE := $(shell $(FIND_PYTHON)))
	$(if $(filter use,$(firstword $(CHOICE))),,$(error $(CHOICE)))
	@echo 'Installing into .venv; the first time takes a minute or two.'
	@$(VENV_PYTHON) -m pip --version >/dev/null 2>&1 || $(lastword $(CHOICE)) -m venv --clear .venv
	@$(PIP_INSTALL) .
	@touch $@

.venv/.dev: .venv/.core
	@echo 'Installing what the tests need, torch among it.'
	@$(PIP_INSTALL) '.[dev]'
	@touch $@
