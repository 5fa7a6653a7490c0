"""Half tensors followed into other files of a project: reported where the checked file calls them, repaired nowhere."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from ampfix.findings import Finding
from ampfix.lint import Settings
from ampfix.lint.engine import check_text
from ampfix.lint.project import Project

PROJECT = Path(__file__).parents[1] / "data" / "numerics" / "losses_and_layers"
_EXPECT = re.compile(r"# expect: (\w+)")


def checked(folder: Path, name: str, project: Project) -> tuple[Finding, ...]:
    text = (folder / name).read_text(encoding="utf-8")
    return check_text(text, str(folder / name), Settings(select=("AMP4",)), project).findings


def test_operations_of_other_files_show_at_the_call_that_reaches_them(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(PROJECT, tmp_path / "project"))
    for order in (("layers.py", "losses.py", "train.py"), ("train.py", "losses.py", "layers.py")):
        project = Project()
        for name in order:
            lines = (folder / name).read_text(encoding="utf-8").splitlines()
            expected = [(n, m[1]) for n, line in enumerate(lines, 1) if (m := _EXPECT.search(line))]
            findings = checked(folder, name, project)
            assert [(finding.span.start.line, finding.code) for finding in findings] == expected


def test_they_name_the_place_and_have_no_repair_here(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(PROJECT, tmp_path / "project"))
    mask, loss = checked(folder, "train.py", Project())
    assert mask.repair is None
    assert loss.repair is None
    assert "layers.py:10" in mask.message
    assert "losses.py:6" in loss.no_fix_reason
    assert [Path(point.path).name for finding in (mask, loss) for point in finding.trace] == ["layers.py", "losses.py"]


def test_without_the_project_the_file_is_silent() -> None:
    text = (PROJECT / "train.py").read_text(encoding="utf-8")
    assert check_text(text, "train.py", Settings(select=("AMP4",))).findings == ()


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("AMP401", "torch.exp(x) / torch.exp(x).sum(-1, keepdim=True)"),
        ("AMP401", "x.exp() / x.exp().sum(-1, keepdim=True)"),
        ("AMP402", "x.sigmoid().log()"),
        ("AMP403", "torch.nn.functional.binary_cross_entropy(x.sigmoid(), x)"),
        ("AMP404", "x / (x.std(-1, keepdim=True) + 1e-8)"),
        ("AMP405", "torch.where(x > 0, x, -1e9)"),
        ("AMP406", "(x * x).sum(-1).sqrt()"),
        ("AMP412", "torch.softmax(x @ x.transpose(1, 2), -1) @ x"),
    ],
)
def test_a_helper_that_is_all_its_file_holds_is_followed(tmp_path: Path, code: str, body: str) -> None:
    (tmp_path / "helper.py").write_text(f"import torch\n\ndef helper(x):\n    return {body}\n", encoding="utf-8")
    region = 'with torch.autocast("cuda"):\n        helper(torch.mm(x, x))\n'
    text = f"import torch\nfrom helper import helper\n\ndef train(x):\n    {region}"
    (tmp_path / "train.py").write_text(text, encoding="utf-8")
    assert [finding.code for finding in checked(tmp_path, "train.py", Project())] == [code]


ODD = """\
import torch
from torch.cuda.amp import autocast
class Up(torch.nn.Module):
    def __init__(self):
        super().__init__(); self.crit = torch.nn.BCELoss(reduction='none')
        self.net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Sigmoid())
    def training_step(self, batch):
        x, y = batch
        pred = self.net(x)
        return self.crit(pred, y).sum()
    @autocast()
    def fit(self, loader):
        for b in loader:
            loss = self.training_step(b)
            yield loss
async def go(m, loader):
    async with foo() as z:
        pass
    with autocast(), torch.no_grad():
        p = [m(x)[0].sigmoid() for x in loader]
        q = torch.stack(p).log()
        match q:
            case None: w = 1
            case _: w = q.exp_()
        a, *rest = m(loader)
        lam = (lambda t: t * t)(a)
        for i, (u, v) in enumerate(zip(p, q)):
            u[i] += 1e-8
            del v
        try:
            w = w.masked_fill(u > 0, value=-1e10)
        except Exception:
            raise
        else:
            w = w if i else -w
    print(f'{w.exp():.3f}')
"""


def test_unusual_code_is_followed_as_far_as_it_goes() -> None:
    findings = check_text(ODD, "odd.py", Settings(select=("AMP4",))).findings
    assert [(finding.span.start.line, finding.code) for finding in findings] == [(10, "AMP403")]
    assert all(finding.repair is not None or finding.no_fix_reason for finding in findings)
