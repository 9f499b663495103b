#!/bin/sh
# The built wheel, alone in an empty environment and away from the checkout: its command runs the
# demonstration, so configs/ is in it and no dependency is missing.
set -eu
bin=$(cd "$1" && pwd)
root=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$bin/python" -m build --wheel --no-isolation --outdir "$work/dist" . > "$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
"${PYTHON:-python3}" -m venv "$work/env"
"$bin/uv" pip install --quiet --python "$work/env/bin/python" --constraint requirements.lock "$work"/dist/*.whl \
  || "$work/env/bin/python" -m pip install --quiet --constraint requirements.lock "$work"/dist/*.whl
cd "$work"
env/bin/python -c "import ocpipe, pipeline; assert ocpipe is pipeline"
env/bin/ocpipe check-config demo > /dev/null
env/bin/ocpipe run "$root"/sample_data/scenes/*.nc -c demo --networks "$root/sample_data/networks" -o out
test -s out/*.demo.nc
echo "wheel smoke test passed: $(basename dist/*.whl)"
