#!/usr/bin/env bash
# Makes .venv with the tests' Python packages, or brings it up to date. Does nothing where it is as it should be.
set -euo pipefail
cd "$(dirname "$0")/.."

requirements=Tests/Integration/requirements.txt
stamp=.venv/requirements.installed
if [ -x .venv/bin/python ] && cmp -s "$requirements" "$stamp" && .venv/bin/python -c 'import pytest, smpplib' 2>/dev/null; then
    echo "venv: up to date"
    exit 0
fi
# Debian's own python3 has the venv module that deps.sh installed; another one on PATH may not.
python=/usr/bin/python3
[ -x "$python" ] || python=python3
rm -rf .venv
"$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$requirements"
cp "$requirements" "$stamp"
