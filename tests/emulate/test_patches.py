"""Patches are undone exactly, in reverse, whatever was patched how often."""

import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.emulate.patches import Patches

NAMES = st.sampled_from(["a", "b", "c"])


@given(st.dictionaries(NAMES, st.integers()), st.lists(st.tuples(NAMES, st.integers())))
def test_any_sequence_of_patches_is_undone(before, changes):
    owner = types.SimpleNamespace(**before)
    patches = Patches()
    for name, value in changes:
        patches.set(owner, name, value)
        assert getattr(owner, name) == value
    patches.undo()
    assert vars(owner) == before
    patches.undo()
    assert vars(owner) == before


def test_a_class_loses_what_covered_an_inherited_attribute():
    class Base:
        colour = "red"

    class Derived(Base):
        pass

    patches = Patches()
    patches.set(Derived, "colour", "blue")
    patches.undo()
    assert "colour" not in vars(Derived) and Derived.colour == "red"


def test_static_methods_and_properties_come_back_as_they_were():
    class Owner:
        static = staticmethod(len)
        computed = property(lambda self: 1)

    before = dict(vars(Owner))
    patches = Patches()
    patches.set(Owner, "static", None)
    patches.set(Owner, "computed", None)
    patches.undo()
    assert {name: vars(Owner)[name] for name in before} == before


def test_one_failing_action_does_not_keep_the_others_from_running():
    done = []
    patches = Patches()
    patches.on_undo(lambda: done.append("first"))
    patches.on_undo(lambda: 1 / 0)
    patches.on_undo(lambda: done.append("last"))
    with pytest.raises(ZeroDivisionError):
        patches.undo()
    assert done == ["last", "first"]
