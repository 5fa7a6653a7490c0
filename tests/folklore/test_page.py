"""docs/folklore.md says what the tests of this folder prove, and each of them refutes something."""

from __future__ import annotations

from tests.folklore.claims import Claim
from tests.folklore.page import PAGE, modules, page, proofs


def test_every_test_refutes_one_saying() -> None:
    claims = [getattr(test, "claim", name) for module in modules() for name, test in proofs(module).items()]
    assert not [claim for claim in claims if not isinstance(claim, Claim)]
    said = [claim.said for claim in claims]
    assert len(set(said)) == len(said) >= 25


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.folklore.page`"
