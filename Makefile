# Two targets for newcomers. Everything else is in tox.ini.
PYTHON ?= python3

.PHONY: demo test

demo: .venv/ready
	.venv/bin/deployer demo

test: .venv/ready
	.venv/bin/tox

.venv/ready: constraints.txt platform/deployer/pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	.venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python -c constraints.txt -e 'platform/deployer[local]' tox tox-uv
	.venv/bin/python -m compileall -q platform/deployer/src
	touch $@
