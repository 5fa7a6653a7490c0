"""Records of watched runs and profiles to draw, without running anything."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from ampfix.hardware.profile import decision
from ampfix.hardware.profile.results import (
    ArmTime,
    Bound,
    Cast,
    Census,
    Conditions,
    Kernels,
    OpWork,
    Product,
    Profile,
    Rate,
)

BAD_OP = {
    "code": "AMP406", "name": "square-overflow", "message": "mul in <b>norm</b> made float16 that is not finite",
    "path": "train.py", "line": 12, "step": 30,
    "evidence": {
        "op": "mul", "backward": False, "dtype": "float16", "module": "norm",
        "inputs": [{"dtype": "float16", "shape": [8, 64], "low": "-inf", "high": 310.0, "smallest": 0.1}],
    },
}  # fmt: skip


def steps(count: int, optimizer: str = "optimizer") -> list[dict[str, Any]]:
    """Every 25th is skipped and halves the scale; attempt 30 has no finite loss."""
    scale, told = 65536.0, []
    for attempt in range(count):
        applied = attempt % 25 != 0
        loss: Any = "nan" if attempt == 30 else 2.0 * 0.99**attempt
        told.append(
            {"kind": "step", "attempt": attempt, "optimizer": optimizer, "applied": applied, "scale": scale,
             "loss": loss, "grad_norm": 1.0 + attempt % 3, "norm_before_clip": 2.0, "lr": 0.001}
        )  # fmt: skip
        scale = scale if applied else scale / 2
    return told


def layer(module: str, side: str, low: int) -> dict[str, Any]:
    return {
        "module": module, "type": "Linear", "side": side, "dtype": "float16", "zeros": 1, "nonfinite": 0, "low": low,
        "counts": [1, 4, 9, 4, 1],
    }  # fmt: skip


RANGES = {
    "kind": "ranges", "attempt": 64, "scale": 1024.0, "rounds": 3,
    "layers": [layer("0", "activation", -3), layer("0", "gradient", -27), layer("2", "gradient", -20)],
    "advice": {"lowest": 4, "highest": 30, "recommended": 28, "wants_float32": {"0": "its activations reach 2^15"}},
}  # fmt: skip
END = {
    "kind": "end", "seconds": 1.5, "attempts": 100, "flops": {"float16": 900, "float32": 100},
    "scale_model": {"settings": {}, "threshold": {}, "forecast": {
        "settling": 300.0, "first": 4.0, "scale": 4096.0, "low": 2048.0, "high": 8192.0, "skipped": 0.013}},
}  # fmt: skip


def record(folder: Path, *more: dict[str, Any], count: int = 100, end: bool = True, name: str = "watch-0") -> Path:
    """Write a record, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    begin = {"kind": "begin", "schema": 1, "pid": 1, "rank": 0, "argv": ["train.py", "--name", "<x>"]}
    lines = [begin, *steps(count), *more, *([END] if end else [])]
    (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder


def profile() -> Profile:
    """Of a GPU, with everything that can be told."""
    times = {"fp32": [10.0, 10.2, 10.1, 10.3], "tf32": [7.0, 7.1, 7.0, 7.2], "bf16": [4.0, 4.1, 4.0, 4.1]}
    gains = decision.gains(times)
    measured = [
        ArmTime(
            arm=arm, status="measured", passes=tuple(passes), step_ms=statistics.median(passes), spread=0.02,
            peak_bytes=10**9, memory_from="torch.cuda.max_memory_allocated",
        )
        for arm, passes in times.items()
    ]  # fmt: skip
    work = (
        OpWork(op="mm", dtype="bfloat16", calls=3, flops=10**12, bytes=10**9),
        OpWork(op="_to_copy", dtype="float32", calls=9, flops=0, bytes=10**8),
    )
    products = (Product(module="<head>", dtype="bfloat16", shape=(8, 768, 50257), calls=1, reason="none"),)
    return Profile(
        target="train:build",
        whole_script=False,
        parameters=124_000_000,
        conditions=Conditions(
            device="A100", threads=8, torch="2.13", throttled=("software power cap",), clocks_mhz=(1410.0, 1300.0),
            warnings=("the GPU was held back: software power cap",),
        ),
        arms=(*measured, ArmTime(arm="fp16", status="not_measured", reason="does not run: <TypeError>")),
        gains=gains,
        verdict=decision.verdict(gains, {"fp16": "does not run"}),
        bounds=(
            Bound(arm="bf16", device="A100", bound_ms=1.1, memory_share=0.6, reached=0.28),
            Bound(arm="bf16", device="H100", bound_ms=0.6, memory_share=0.7),
        ),
        census=(
            Census(
                arm="bf16", work=work, products=products,
                casts=(Cast(source="float32", target="bfloat16", count=70, bytes=10**8),),
            ),
        ),
        kernels=(
            Kernels(arm="bf16", status="measured", share=0.63, names=("ampere_bf16_s16816gemm",)),
            Kernels(arm="fp32", status="not_measured", reason="the profiler saw no kernel"),
        ),
        rates=(
            Rate(dtype="bf16", layout="NT", shape=(4096, 4096, 4096), tflops=250.0),
            Rate(dtype="fp16", layout="NN", shape=(4096, 4096, 4096), reason="none"),
        ),
    )  # fmt: skip
