#!/usr/bin/env bash
# What a machine with a GPU can add: times of a training step and, where the suite supports the device, its verdicts.
# Usage: benchmarks/gpu/run.sh [OUTPUT_FOLDER]   (python: $PYTHON, else .venv's, else python3)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
out=${1:-$root/demo-output/gpu}
python=${PYTHON:-$([ -x "$root/.venv/bin/python" ] && echo "$root/.venv/bin/python" || echo python3)}
mkdir -p "$out"
cd "$root"
"$python" -m ampfix doctor --output-format json >"$out/doctor.json" || true
"$python" benchmarks/gpu/step_time.py | tee "$out/step_time.json"
if grep -q '"status": "measured"' "$out/step_time.json"; then
  # 1: a verdict that is not as the scenario claims, which is a result; 2: the suite could not run
  "$python" -m ampfix suite --device cuda --output-format json --output-file "$out/suite.json" || test $? -eq 1 ||
    echo '{"status": "not_measured", "reason": "the suite cannot run on this device"}' >"$out/suite.json"
  echo "wrote $out/suite.json" >&2
else
  echo '{"status": "not_measured", "reason": "torch sees no CUDA device"}' | tee "$out/suite.json"
fi
