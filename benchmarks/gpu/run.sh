#!/usr/bin/env bash
# What a machine with a GPU can add: times of a training step, and the whole suite's verdicts on the device beside the
# emulated ones. Without a GPU every step says not_measured, and the exit code is 0.
# Usage: benchmarks/gpu/run.sh [OUTPUT_FOLDER] [suite_on_gpu.py's options]
#   python: $PYTHON, else .venv's, else python3. A run that was stopped goes on where it was, given the same folder.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
out=${1:-$root/demo-output/gpu}
[ $# -eq 0 ] || shift
python=${PYTHON:-$([ -x "$root/.venv/bin/python" ] && echo "$root/.venv/bin/python" || echo python3)}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$root"
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
"$python" -m ampfix doctor --output-format json >"$out/doctor.json" || true
nvidia-smi --query-gpu=name,clocks.sm,clocks.mem,temperature.gpu,power.draw,clocks_throttle_reasons.active --format=csv \
  >"$out/clocks.csv" 2>/dev/null || echo "not_measured: nvidia-smi does not answer" >"$out/clocks.csv"
"$python" benchmarks/gpu/step_time.py | tee "$out/step_time.json"
"$python" benchmarks/gpu/gpt2.py --output "$out/gpt2.json" | tee "$out/gpt2.txt"
"$python" benchmarks/gpu/gpt2.py --pad --no-compile --output "$out/gpt2_padded.json" | tee "$out/gpt2_padded.txt"
"$python" benchmarks/gpu/suite_on_gpu.py --output "$out/suite.json" "$@" | tee "$out/suite.txt"
echo "wrote $out" >&2
