"""`ampfix profile`: what is counted is what runs, and what is concluded follows from intervals.

What a device cannot show is said to be not measured.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ampfix.cli.main import main
from ampfix.emulate.profiles import accelerated_by
from ampfix.hardware.models import ModelError
from ampfix.hardware.place import Place
from ampfix.hardware.profile import bench, decision, kernels, padding, peak_memory, roofline
from ampfix.hardware.profile.arms import Arm, arms, matmul_precision, why_not
from ampfix.hardware.profile.census import Call, StepCensus
from ampfix.hardware.profile.conditions import Reading, conditions, parse
from ampfix.hardware.profile.modelled import Effort, profile_model
from ampfix.hardware.profile.results import NOT_MEASURED, Product
from ampfix.hardware.profile.workload import Step, Workload, build, mean_of_squares

CPU = Place("cpu", "CPU", frozenset({"bfloat16"}))
A100 = Place("cuda", "A100", accelerated_by((8, 0)))
T4 = Place("cuda", "T4", accelerated_by((7, 5)))
ARM = {arm.name: arm for arm in arms(compiled=True)}


def work(inner: int = 16) -> Workload:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, inner), nn.GELU(), nn.Linear(inner, 8))
    return Workload(model, (torch.randn(32, 16),), mean_of_squares, torch.device("cpu"))


def counted(step: Step) -> StepCensus:
    step()
    census = StepCensus()
    census.start()
    step()
    census.stop()
    return census


def test_a_step_in_fp32_casts_nothing_and_works_in_float32() -> None:
    found = counted(Step(work(), ARM["fp32"])).result("fp32")
    assert found.casts == () and found.products == ()
    assert {row.dtype for row in found.work if row.flops} == {"float32"}
    # Forward 2mnk for both layers, backward twice that, without the gradient of the inputs.
    assert sum(row.flops for row in found.work) == 2 * 32 * (16 * 16 * 2 + 16 * 8 * 3)


def test_a_step_in_bf16_casts_weights_and_works_in_half() -> None:
    found = counted(Step(work(), ARM["bf16"])).result("bf16")
    to_half = next(cast for cast in found.casts if cast.target == "bfloat16")
    assert to_half.source == "float32"
    assert to_half.count >= 5  # the input, and each layer's weight and bias
    assert {row.dtype for row in found.work if row.flops} == {"bfloat16"}


def test_odd_sizes_are_found_with_their_module_and_only_in_half() -> None:
    found = counted(Step(work(13), ARM["bf16"])).result("bf16").products
    assert {(one.module, one.shape) for one in found if one.module != "(backward)"} == {
        ("0", (32, 16, 13)),
        ("2", (32, 13, 8)),
    }
    assert counted(Step(work(13), ARM["fp32"])).result("fp32").products == ()


def test_a_census_leaves_results_as_they_are() -> None:
    plain, watched = work(), work()
    Step(plain, ARM["bf16"])()
    census = StepCensus()
    census.start()
    Step(watched, ARM["bf16"])()
    census.stop()
    for one, other in zip(plain.model.parameters(), watched.model.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("place", "measured"),
    [
        (CPU, {"fp32", "bf16"}),
        (A100, {"fp32", "tf32", "fp16", "bf16"}),
        (T4, {"fp32", "fp16"}),
        (Place("cuda", "P100", accelerated_by((6, 0))), {"fp32"}),
    ],
)
def test_emulated_formats_are_no_support(place: Place, measured: set[str]) -> None:
    assert {arm.name for arm in arms() if not why_not(arm, place)} == measured


def test_tf32_is_off_in_the_base_and_as_it_was_afterwards() -> None:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    with matmul_precision(tf32=False):
        assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32
    with matmul_precision(tf32=True):
        assert torch.backends.cuda.matmul.allow_tf32 and torch.backends.cudnn.allow_tf32
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == before


def passes(base: float, wobble: float = 0.0) -> list[float]:
    return [base * (1 + wobble * ((-1) ** index)) for index in range(8)]


@pytest.mark.parametrize(
    ("speed", "band", "claimed"),
    [(3.0, "excellent", True), (2.0, "good", True), (1.2, "modest", True), (1.06, "none", True), (1.04, "none", False),
     (0.7, "none", False)],
)  # fmt: skip
def test_bands_follow_the_measured_ratio(speed: float, band: str, claimed: bool) -> None:
    (gain,) = decision.gains({"fp32": passes(10.0), "bf16": passes(10.0 / speed)})
    assert (gain.band, gain.claimed) == (band, claimed)


def test_a_gain_whose_interval_reaches_down_to_nothing_is_none() -> None:
    arm = [10.0, 8.0, 10.0, 8.0, 10.2, 8.1, 9.9, 8.2]
    (gain,) = decision.gains({"fp32": passes(10.0), "bf16": arm})
    assert gain.ratio.ratio > 1.05 > gain.ratio.low
    assert not gain.claimed and gain.band == "none"


def test_times_that_spread_conclude_nothing() -> None:
    times = {"fp32": passes(30.0, 0.3), "bf16": passes(10.0)}
    (gain,) = decision.gains(times)
    assert gain.band == "too noisy" and not gain.claimed
    assert "spread too much" in decision.verdict([gain], {})


def test_halves_are_held_against_tf32_and_compiled_against_eager() -> None:
    names = ("fp32", "tf32", "bf16", "bf16-compiled")
    found = decision.gains({name: passes(10.0 - index) for index, name in enumerate(names)})
    assert {(gain.arm, gain.base) for gain in found} == {
        ("tf32", "fp32"), ("bf16", "fp32"), ("bf16", "tf32"), ("bf16-compiled", "fp32"), ("bf16-compiled", "tf32"),
        ("bf16-compiled", "bf16"),
    }  # fmt: skip


def test_arms_alternate_so_that_drift_falls_on_all() -> None:
    order: list[str] = []
    bench.passes({name: (lambda name=name: order.append(name)) for name in "AB"}, 1e-9, 2, "cpu")
    timed = order[2 * bench.WARM_UP :]
    blocks = [name for index, name in enumerate(timed) if index == 0 or name != timed[index - 1]]
    assert blocks == ["A", "B", "A", "B", "A"]  # A B, B A, A B, B A
    assert timed.count("A") == timed.count("B")


PEAK = roofline.Peak("toy", {"float32": 1.0, "bfloat16": 4.0}, 100.0)


@given(st.integers(1, 10**13), st.integers(1, 10**11))
def test_an_op_takes_the_longer_of_arithmetic_and_memory(flops: int, moved: int) -> None:
    found = roofline.bound("bf16", {Call("mm", "bfloat16", flops, moved): 1}, PEAK, tf32=False)
    assert found.bound_ms == pytest.approx(1e3 * max(flops / 4e12, moved / 1e11))
    assert found.memory_share in (0.0, 1.0)


def test_bounds_add_up_over_calls_and_say_how_much_of_them_is_reached() -> None:
    calls = {Call("mm", "float32", 10**9, 1): 2, Call("add", "float32", 0, 10**8): 1}
    found = roofline.bound("fp32", calls, PEAK, tf32=False, measured_ms=6.0)
    assert (found.bound_ms, found.memory_share, found.reached) == pytest.approx((3.0, 1 / 3, 0.5))


@pytest.mark.parametrize(
    ("name", "cores"),
    [
        ("ampere_bf16_s16816gemm_bf16_128x256_ldg8_f2f_stages_64x3_tn", True),
        ("sm80_xmma_gemm_tf32f32_tf32f32_f32_tn_n_tilesize128x128x16_stage4_warpsize2x2x1_tensor16x8x8_kernel", True),
        ("void cutlass::Kernel2<cutlass_80_tensorop_bf16_s16816gemm_relu_bf16_256x128_32x3_nn_align8>", True),
        ("volta_fp16_s884gemm_fp16_128x128_ldg8_f2f_nn", True),
        ("turing_fp16_s1688gemm_fp16_128x128_ldg8_f2f_tn", True),
        ("sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64_warpgroupsize1x1x1_execute_segment_k_off", True),
        ("nvjet_hsh_128x256_64x4_2x1_v_bz_coopA_TNT", True),
        ("void pytorch_flash::flash_fwd_kernel<...>", True),
        ("ampere_sgemm_128x64_tn", False),
        ("void cutlass::Kernel2<cutlass_80_simt_sgemm_256x128_8x4_nn_align1>", False),
        ("void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float>>", False),
        ("void at::native::(anonymous namespace)::multi_tensor_apply_kernel<...>", False),
    ],
)
def test_kernels_tell_by_name_whether_they_use_tensor_cores(name: str, cores: bool) -> None:
    assert kernels.is_tensor_core(name) is cores


def test_the_share_of_tensor_cores_is_of_time() -> None:
    found = kernels.summed("bf16", {"ampere_bf16_s16816gemm_x": 30.0, "elementwise": 70.0})
    assert found.share == pytest.approx(0.3) and found.names[0].startswith("ampere")
    assert kernels.summed("bf16", {}).status == NOT_MEASURED


@pytest.mark.parametrize(
    ("told", "reasons", "clock"),
    [
        ("0x0000000000000000, 1410, 41", (), 1410.0),
        ("0x0000000000000001, 210, 30", (), 210.0),
        ("0x0000000000000044, 1100, 88", ("software power cap", "hardware thermal slowdown"), 1100.0),
        ("[N/A], 1410, 41", None, 1410.0),
        ("", None, None),
        ("No devices were found", None, None),
    ],
)
def test_throttling_is_read_from_the_driver(told: str, reasons: tuple[str, ...] | None, clock: float | None) -> None:
    assert parse(told) == Reading(reasons, clock)


def test_throttling_and_drift_are_warned_of() -> None:
    slower = {"fp32": [10.0, 10.0, 12.0, 12.0]}
    found = conditions(A100, Reading((), 1410.0), Reading(("hardware slowdown",), 1000.0), slower)
    assert found.throttled == ("hardware slowdown",) and found.clocks_mhz == (1410.0, 1000.0)
    assert any("held back" in line for line in found.warnings) and any(
        "slower by 20%" in line for line in found.warnings
    )
    assert conditions(CPU, Reading(), Reading(), {}).throttled is None


def test_memory_at_the_peak_holds_weights_and_optimizer() -> None:
    busy = work(512)
    step = Step(busy, ARM["fp32"])
    step()
    found, source = peak_memory.measure(busy, step)
    weights = 4 * busy.parameters
    assert found is not None and 4 * weights <= found < 8 * weights
    assert source == peak_memory.TRACKED


def test_padding_is_measured_for_the_largest_products_and_never_in_float16_on_a_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(padding, "_SECONDS", 0.01)
    products = [
        Product(module="a", dtype="bfloat16", shape=(15, 15, 15), calls=1),
        Product(module="b", dtype="float16", shape=(33, 33, 33), calls=1),
    ]
    large, small = padding.with_gains(products, CPU)
    assert (large.module, large.gain) == ("b", None) and "float16" in large.reason
    assert small.gain is not None and small.gain.low <= small.gain.ratio <= small.gain.high


def test_a_profile_measures_what_a_cpu_can_and_says_what_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(padding, "_SECONDS", 0.01)
    found = profile_model("toy:build", work(13), CPU, Effort(seconds=0.2, rounds=2, predict="A100"))
    by_name = {arm.arm: arm for arm in found.arms}
    assert {name for name, arm in by_name.items() if arm.step_ms is not None} == {"fp32", "bf16"}
    assert all(by_name[name].reason for name in ("tf32", "fp16"))
    assert [(gain.arm, gain.base) for gain in found.gains] == [("bf16", "fp32")]
    assert {bound.arm for bound in found.bounds if bound.device == "A100"} == {"fp32", "tf32", "fp16", "bf16"}
    assert all(bound.reached is None for bound in found.bounds if bound.device == "A100")
    assert found.kernels[0].status == NOT_MEASURED
    assert type(found).model_validate_json(found.to_json()) == found


def test_a_precision_that_a_model_refuses_is_not_measured() -> None:
    class Picky(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = super().forward(x)
            if out.dtype is torch.bfloat16:
                raise TypeError("no halves here\nmore")
            return out

    refusing = Workload(Picky(4, 4), (torch.ones(2, 4),), mean_of_squares, torch.device("cpu"))
    found = profile_model("toy:build", refusing, CPU, Effort(seconds=0.05, rounds=2))
    bf16 = next(arm for arm in found.arms if arm.arm == "bf16")
    assert bf16.status == NOT_MEASURED and "no halves here" in bf16.reason and "more" not in bf16.reason
    assert "no two precisions" in found.verdict


def test_targets_say_what_they_must_return(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "profiled.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def alone(): return nn.Linear(2, 2)\n"
        "def odd(): return 1, 2\n"
        "def right(): return nn.Linear(2, 2), torch.ones(3, 2), lambda out: out.sum()\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    cpu = torch.device("cpu")
    with pytest.raises(ModelError, match="inputs"):
        build("profiled:alone", cpu)
    with pytest.raises(ModelError, match="int"):
        build("profiled:odd", cpu)
    made = build("profiled:right", cpu)
    assert made.inputs[0].shape == (3, 2) and made.parameters == 6


def test_the_cli_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "no_such_module:build"]) == 2
    assert "no_such_module" in capsys.readouterr().err
    assert main(["profile", "--matmul", "x:y"]) == 2
    assert main(["profile", "--compile", "--", str(tmp_path / "absent.py")]) == 2
    assert main(["profile"]) == 2


def test_arms_have_one_base_and_scalers_belong_to_float16() -> None:
    assert [arm for arm in arms() if not arm.tf32] == [Arm("fp32")]
    assert {arm.name for arm in arms() if arm.has_scaler} == {"fp16"}
