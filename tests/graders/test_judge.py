"""The judge reads what a submission left without raising, whatever it is, and compares it with the model it knows."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graders import tensors
from graders.judge import _validated

INITIAL = {"model.weight": torch.arange(6.0).reshape(2, 3), "model.count": torch.tensor(3)}
RIGHT = tensors.dump(INITIAL)
LONGEST = 4096
REASONS = {"malformed_weights", "half_weights", "not_finite", ""}

settings.register_profile("files", suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
anything = settings(settings.get_profile("files"), max_examples=200)


def validated(folder: Path, data: bytes) -> tuple[dict[str, torch.Tensor] | None, str, str]:
    path = folder / "weights.safetensors"
    path.write_bytes(data)
    return _validated(path, INITIAL, LONGEST)


def file_of(header: object, body: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def test_the_models_own_weights_are_right(tmp_path: Path) -> None:
    state, problem, _ = validated(tmp_path, RIGHT)
    assert problem == "" and state is not None and torch.equal(state["model.weight"], INITIAL["model.weight"])


@anything
@given(data=st.binary(max_size=300))
def test_bytes_that_are_no_file_are_malformed(tmp_path: Path, data: bytes) -> None:
    assert validated(tmp_path, data)[:2] == (None, "malformed_weights")


@anything
@given(place=st.integers(0, len(RIGHT) - 1), byte=st.integers(0, 255))
def test_a_file_with_one_byte_changed_is_judged_all_the_same(tmp_path: Path, place: int, byte: int) -> None:
    state, problem, _ = validated(tmp_path, RIGHT[:place] + bytes([byte]) + RIGHT[place + 1 :])
    assert problem in REASONS and (state is None) == (problem == "malformed_weights")


_SIZES = st.lists(st.sampled_from([0, 1, 2, 3, 1 << 31, 1 << 40, 1 << 62, (1 << 63) - 1, 1 << 64, -1]), max_size=4)
_DTYPES = st.sampled_from(["F32", "F64", "F16", "BF16", "I64", "I8", "U16", "BOOL", "C64", "F8_E4M3", "F4", "no"])
_OFFSETS = st.tuples(st.sampled_from([0, 8, 24, 1 << 62]), st.sampled_from([0, 8, 24, 32, 1 << 62, -1]))


@anything
@given(dtype=_DTYPES, shape=_SIZES, offsets=_OFFSETS, body=st.binary(max_size=40))
def test_whatever_a_header_claims_nothing_is_raised(
    tmp_path: Path, dtype: str, shape: list[int], offsets: tuple[int, int], body: bytes
) -> None:
    tensor = {"dtype": dtype, "shape": shape, "data_offsets": list(offsets)}
    header = {"model.weight": tensor, "model.count": {"dtype": "I64", "shape": [], "data_offsets": [24, 32]}}
    assert validated(tmp_path, file_of(header, body))[1] in REASONS


@pytest.mark.parametrize("header", [[], None, 3, {"model.weight": 1}, {"__metadata__": {"a": 1}}, {"a": {"shape": {}}}])
def test_a_header_of_another_form_is_malformed(tmp_path: Path, header: object) -> None:
    assert validated(tmp_path, file_of(header))[1] == "malformed_weights"


def test_a_header_larger_than_any_of_this_model_is_not_parsed(tmp_path: Path) -> None:
    metadata = {"__metadata__": {"padding": "x" * LONGEST}}
    header = json.loads(RIGHT[8 : 8 + tensors.header_bytes(tmp_path_with(tmp_path, RIGHT))])
    padded = file_of(metadata | header, RIGHT[8 + len(json.dumps(header)) :])
    state, problem, detail = validated(tmp_path, padded)
    assert (state, problem) == (None, "malformed_weights") and "header of" in detail


def tmp_path_with(folder: Path, data: bytes) -> Path:
    path = folder / "right.safetensors"
    path.write_bytes(data)
    return path
