"""Records behave as the standard library's dataclasses, as far as they are used here."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix import records


def _defined(module: Any) -> tuple[type[Any], type[Any]]:
    @module.dataclass(frozen=True)
    class Point:
        x: int
        y: int = 2
        tags: dict[str, int] = module.field(default_factory=dict)
        note: str = module.field(default="", compare=False)
        place: str = module.field(default="", repr=False)
        axes: ClassVar[int] = 2

        @property
        def sum(self) -> int:
            return self.x + self.y

    @module.dataclass
    class Counter:
        seen: list[int] = module.field(default_factory=list)

    return Point, Counter


Point, Counter = _defined(records)
StandardPoint, _ = _defined(dataclasses)


@records.dataclass(frozen=True)
class Pair:
    left: int
    right: tuple[int, ...] = ()


@records.dataclass(frozen=True)
class Other:
    left: int
    right: tuple[int, ...] = ()


numbers = st.integers(0, 3)


@given(numbers, numbers, st.text(max_size=2), st.text(max_size=2))
def test_a_record_shows_and_compares_as_the_standard_one(x: int, y: int, note: str, place: str) -> None:
    ours, standard = (kind(x, y, note=note, place=place) for kind in (Point, StandardPoint))
    assert repr(ours) == repr(standard)
    assert ours.sum == standard.sum
    for base in (Point(x, y), Point(0, 0, note=note), Point(x, y, place=place)):
        as_standard = StandardPoint(base.x, base.y, base.tags, base.note, base.place)
        assert (ours == base) == (standard == as_standard)


@given(numbers, st.lists(numbers).map(tuple), numbers)
def test_equal_records_hash_alike_and_a_copy_differs_in_what_was_changed(
    left: int, right: tuple[int, ...], other: int
) -> None:
    pair = Pair(left, right)
    assert hash(pair) == hash(Pair(left, right))
    assert records.replace(pair, left=other) == Pair(other, right)
    assert pair == Pair(left, right) != Other(left, right)
    assert pickle.loads(pickle.dumps(pair)) == pair


@given(numbers, st.lists(numbers).map(tuple), numbers)
def test_the_standard_functions_take_records(left: int, right: tuple[int, ...], other: int) -> None:
    assert dataclasses.replace(Pair(left, right), left=other) == Pair(other, right)
    assert dataclasses.asdict(Pair(left, right)) == {"left": left, "right": right}
    assert dataclasses.asdict(Point(left)) == dataclasses.asdict(StandardPoint(left))


def test_what_a_factory_makes_is_not_shared() -> None:
    one, other = Counter(), Counter()
    one.seen.append(1)
    assert other.seen == []
    assert Counter([1]) == one
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


@pytest.mark.parametrize("given_", [(), (1, 2, {}, "", "", 6)])
def test_a_wrong_number_of_values_is_refused(given_: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match="argument"):
        Point(*given_)
    with pytest.raises(TypeError, match="argument"):
        records.replace(Point(1), z=1)


def test_fields_and_patterns_follow_the_order_of_the_class() -> None:
    assert [(each.name, each.default) for each in dataclasses.fields(Pair)][1:] == [("right", ())]
    match Pair(1, (2,)):
        case Pair(left, right):
            assert (left, right) == (1, (2,))


def test_check_starts_without_the_standard_ones() -> None:
    """They import `inspect` and compile half a dozen methods a class, which is half the time of checking a file."""
    code = "import sys, ampfix.cli.main as m; m.main(['check', '--isolated', '--no-cache', '-']); print(*sys.modules)"
    setup, clip = "scaler = torch.amp.GradScaler()", "torch.nn.utils.clip_grad_norm_(p, 1.0)"
    loop = f"import torch\n{setup}\nscaler.scale(loss).backward()\n{clip}\nscaler.step(o)\n"
    done = subprocess.run([sys.executable, "-c", code], input=loop, capture_output=True, text=True, check=True)
    assert "AMP101" in done.stdout
    assert not {"dataclasses", "inspect"} & set(done.stdout.splitlines()[-1].split())
