"""The arrows between packages point down only, and the programs of the jail know little of ampfix."""

from __future__ import annotations

import sys

import pytest

from .modules import ROOT, imports, module_name, python_files

# From the ground up. A package may import those of lower rows.
LAYERS = (
    {"", "assets", "atomic", "extras", "parcel", "patterns", "records"},
    {"findings", "protocol", "dryrun"},
    {"program"},
    {"rules"},
    {"lint", "codemods", "watch", "emulate"},
    {"lab", "hardware"},
    {"agents"},
    {"report", "lsp"},
    {"cli"},
    {"__main__"},
)
RANK = {package: rank for rank, row in enumerate(LAYERS) for package in row}

# Inside a row: a repair is applied until check finds nothing more; a run is too small for good only where check says so
# of its source; a user's run is timed with the lab's statistics.
SIDEWAYS = {("codemods", "lint"), ("watch", "lint"), ("hardware", "lab")}

# The package itself, for its folder and version; parcel, since both ends of a stream must speak alike.
GRADERS_MAY_IMPORT = {"", "parcel", "protocol", "watch", "emulate"}


def package_of(module: str) -> str:
    """The package of ampfix a module belongs to: ampfix.lint.engine -> lint, and "" for ampfix itself."""
    top, _, rest = module.partition(".")
    assert top == "ampfix"
    first = rest.partition(".")[0]
    return first if first in RANK else ""


def ampfix_imports(folder: str) -> list[tuple[str, str, str]]:
    """(importing module, imported package of ampfix, place) for everything below a folder."""
    return [
        (module_name(path), package_of(name), f"{path.relative_to(ROOT)}:{line}")
        for path in python_files(folder)
        for name, line in imports(path)
        if name.partition(".")[0] == "ampfix"
    ]


def test_every_package_has_a_place_in_the_layers() -> None:
    packages = {path.stem if path.is_file() else path.name for path in (ROOT / "ampfix").iterdir()}
    assert packages - {"__init__", "__pycache__", "py", "_assets"} <= set(RANK)


def test_arrows_point_down_only() -> None:
    wrong = [
        f"{place}: {importer} imports ampfix.{imported}"
        for module, imported, place in ampfix_imports("ampfix")
        if (importer := package_of(module)) != imported
        and RANK[imported] >= RANK[importer]
        and (importer, imported) not in SIDEWAYS
    ]
    assert not wrong, "\n".join(wrong)


def test_the_test_sees_an_arrow_that_points_up() -> None:
    """Guards the two tests around it: the layers are ordered and a package is told from a submodule."""
    assert RANK[package_of("ampfix.cli.check")] > RANK[package_of("ampfix.lint.engine")] > RANK[package_of("ampfix")]
    arrows = {(package_of(module), imported) for module, imported, _ in ampfix_imports("ampfix")}
    assert ("cli", "") in arrows


def test_programs_of_the_jail_import_only_what_the_jail_holds() -> None:
    wrong = [
        f"{place}: imports ampfix.{imported}"
        for _, imported, place in ampfix_imports("graders")
        if imported not in GRADERS_MAY_IMPORT
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_imports_graders() -> None:
    own = {path.stem for path in python_files("graders")} - {"__init__"}
    names = {"graders"} | {name for name in own if name not in sys.stdlib_module_names}
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: imports {name}"
        for path in python_files("ampfix")
        for name, line in imports(path)
        if name.partition(".")[0] in names
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", ["findings", "protocol", "program", "rules", "lint"])
def test_what_check_needs_imports_the_standard_library_alone(package: str) -> None:
    allowed = set(sys.stdlib_module_names) | {"ampfix", "tomli"}
    paths = python_files(f"ampfix/{package}") or [ROOT / "ampfix" / f"{package}.py"]
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: imports {name}"
        for path in paths
        for name, line in imports(path)
        if name.partition(".")[0] not in allowed
    ]
    assert not wrong, "\n".join(wrong)
