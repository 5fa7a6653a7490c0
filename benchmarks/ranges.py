"""What `--ranges` sees in loops that are right and in loops that are not: the distributions its thresholds stand on.

    python benchmarks/ranges.py [ID...] [--seed N]

Runs every scenario's gold (or the control) and its broken loop with CUDA emulated and the census on, each in a process
of its own, and keeps by layer: the exponent of the largest activation, values that are not finite, and the share of its
gradients that float16 flushes to zero at the scale recommended for the run. Figures are kept in
benchmarks/results/ranges.json; printed are their quantiles.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ampfix.lab.spec import ScenarioSpec, all_specs
from ampfix.watch.ranges import ACTIVATION
from ampfix.watch.scale_advice import FLUSH, Ranges
from benchmarks import watch_runs

RESULTS = Path(__file__).parent / "results" / "ranges.json"
QUANTILES = (0.5, 0.9, 0.99, 1.0)


def layers_of(spec: ScenarioSpec, files: dict[str, str], seed: int) -> list[dict[str, Any]]:
    """Figures of each layer of one run; none where the run never came to a round that is looked at."""
    ranges = Ranges()

    def work() -> dict[str, Any]:
        told = watch_runs.watched(spec, files, seed, companions=(ranges,))
        return {**told, "alarms": [_figures(ranges)]}

    (found,) = watch_runs.apart(work).alarms
    return list(found["layers"])


def _figures(ranges: Ranges) -> dict[str, Any]:
    scale = ranges.advice.recommended
    figures = []
    for layer in ranges.layers:
        activation = layer.side == ACTIVATION
        figures.append({
            "module": layer.module, "side": layer.side, "dtype": layer.dtype, "nonfinite": layer.nonfinite,
            "highest": layer.highest,
            "flushed": None if activation or scale is None else layer.share_below(FLUSH - scale),
            "span": None if not layer.counts else max(layer.counts) - min(layer.counts),
        })  # fmt: skip
    return {"layers": figures}


def quantiles(values: list[float]) -> str:
    ordered = sorted(values)
    if not ordered:
        return "none"
    picked = [ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in QUANTILES]
    return ", ".join(f"{share:.0%} {value:.4g}" for share, value in zip(QUANTILES, picked, strict=True))


def report(results: list[dict[str, Any]]) -> None:
    for variant in ("gold", "broken"):
        layers = [layer for result in results for layer in result.get(variant, ())]
        half = [layer for layer in layers if layer["dtype"] == "float16"]
        highest = [layer["highest"] for layer in half if layer["side"] == ACTIVATION and layer["highest"] is not None]
        flushed = [layer["flushed"] for layer in layers if layer["flushed"] is not None]
        print(f"{variant}: {len(layers)} layers of {sum(bool(result.get(variant)) for result in results)} loops")
        print(f"  highest exponent of float16 activations: {quantiles(highest)}")
        print(f"  share of gradients flushed at the recommended scale: {quantiles(flushed)}")
        print(f"  layers with activations that are not finite: {sum(layer['nonfinite'] > 0 for layer in half)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    known = {item["id"]: item for item in (json.loads(RESULTS.read_text()) if RESULTS.is_file() else [])}
    for spec in all_specs():
        if (args.ids and spec.id not in args.ids) or spec.processes > 1:
            continue
        known[spec.id] = {"id": spec.id, "kind": spec.kind, "gold": layers_of(spec, spec.gold_files(), args.seed)}
        if spec.kind == "bug":
            known[spec.id]["broken"] = layers_of(spec, spec.loop_files(), args.seed)
        rows = [json.dumps(known[name]) for name in sorted(known)]
        RESULTS.write_text("[\n" + ",\n".join(rows) + "\n]\n")
    report(list(known.values()))


if __name__ == "__main__":
    main()
