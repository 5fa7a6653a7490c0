"""How findings in real code are counted."""

from __future__ import annotations

import sys
from pathlib import Path

from .modules import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
from corpus_findings import Found, measure

LABELS = """\
source,file,line,rule,scope,why
a/b,train.py,10,AMP101,file,clip while scaled
a/b,train.py,90,AMP203,file,checkpoint without the scaler's state
"""
VERDICTS = """\
source,file,line,rule,severity,verdict,why
a/b,train.py,20,AMP304,note,true,evaluated outside
a/b,train.py,30,AMP304,note,false,the teacher
a/b,old.py,5,AMP304,note,moot,imports a module that does not exist
"""


def test_what_code_that_cannot_run_is_told_counts_as_false_and_is_left_out_of_a_figure_of_its_own(
    tmp_path: Path,
) -> None:
    (tmp_path / "labels.csv").write_text(LABELS)
    (tmp_path / "verdicts.csv").write_text(VERDICTS)
    found = [
        Found("a/b", "train.py", 12, "AMP101", "error"),
        *(Found("a/b", "train.py", line, "AMP304", "note") for line in (20, 30, 40)),
        Found("a/b", "old.py", 5, "AMP304", "note"),
    ]
    counted = measure(found, tmp_path)
    assert _parts(counted["precision"]) == (2, 4)
    assert _parts(counted["precision_where_code_runs"]) == (2, 3)
    assert _parts(counted["recall"]) == (1, 2)
    assert counted["unread"] == 1


def _parts(share: object) -> tuple[int, int]:
    assert isinstance(share, dict)
    return share["hits"], share["of"]
