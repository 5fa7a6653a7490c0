"""What turns a scaler or a region on, and what decides its dtype. Shared by rules that compare the two."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.patterns import pattern
from ampfix.program import AutocastOpened, Form, ScalerBuilt, Source
from ampfix.program.tree import walk
from ampfix.rules import _places as places
from ampfix.rules._shapes import is_without_grad

_ABOUT_DTYPE = pattern(r"(?:[a-z_\"']|[=!]= |\bin [(\[{])16|half|dtype|precision|bf|fp(?!s)", re.IGNORECASE)
_BFLOAT16 = pattern(r"b(?:rain)?_?f(?:loat|p)?_?16", re.IGNORECASE)
_FLOAT16 = pattern(r"(?<![a-z])f(?:loat|p)?_?16|half", re.IGNORECASE)
_FLAG = pattern(r"(^|[._])(mixed_precision|dtype)$")
_A_HALF = pattern(r"16|half", re.IGNORECASE)
_LISTED = (ast.Tuple, ast.List, ast.Set)
_ABOUT_DEVICE = pattern(r"cuda|device|gpu|cpu|mps", re.IGNORECASE)


def scale_calls(scaler: ScalerBuilt, source: Source) -> list[ast.Call]:
    """Where this scaler scales a loss, as far as the name it is built under tells, or the parameters it is given to;
    of one that a helper hands back, where it is held."""
    if not scaler.target:
        return [call for call in places.all_methods_called(source, "scale") if _is_held(scaler, call, source)]
    last = scaler.target.rpartition(".")[2]
    calls = list(places.all_methods_called(source, "scale"))
    named = [call for call in calls if places.receiver(call).rpartition(".")[2] == last]
    if named or not calls:
        return [call for call in named if not _is_another(scaler, call, source)]
    handed = set(_handed_to(scaler.target, source))
    return [call for call in calls if (places.function_of(call, source), places.receiver(call)) in handed]


def _is_held(scaler: ScalerBuilt, call: ast.Call, source: Source) -> bool:
    """Whether a method is called on a scaler."""
    assert isinstance(call.func, ast.Attribute)
    return any(held.node is scaler.node for held in source.resolve(call.func.value))


def _is_another(scaler: ScalerBuilt, call: ast.Call, source: Source) -> bool:
    """Whether a method is called on a scaler of the same name that is built elsewhere in the file."""
    assert isinstance(call.func, ast.Attribute)
    given = source.given(call.func.value)
    built = {held.node for one in given for held in source.resolve(one) if isinstance(held.node, ast.Call)}
    return bool(built) and scaler.node not in built


def _handed_to(target: str, source: Source) -> Iterator[tuple[ast.AST, str]]:
    """The functions of this file, with their parameters, that get what is called so, directly or through others."""
    pending, seen = [target], set[tuple[ast.AST, str]]()
    calls = [node for node in source.nodes((ast.Call,)) if isinstance(node, ast.Call)]
    while pending:
        name = pending.pop()
        for call in calls:
            for found in _parameters_given(name, call, source):
                if found not in seen:
                    seen.add(found)
                    pending.append(found[1])
                    yield found


def _parameters_given(name: str, call: ast.Call, source: Source) -> Iterator[tuple[ast.AST, str]]:
    at = [index for index, one in enumerate(call.args) if places.spelled(one) == name]
    words = [word.arg for word in call.keywords if word.arg and places.spelled(word.value) == name]
    for binding in source.resolve(call.func) if at or words else ():
        if binding.form is Form.FUNCTION and isinstance(binding.node, ast.FunctionDef):
            arguments = [one.arg for one in (*binding.node.args.posonlyargs, *binding.node.args.args)]
            yield from ((binding.node, parameter) for parameter in words)
            yield from ((binding.node, arguments[index]) for index in at if index < len(arguments))


def is_on(enabled: ast.expr | None) -> bool:
    """Whether an `enabled` argument leaves no way to switch off."""
    return enabled is None or places.is_constant(enabled, True)


def deciding(scaler: ScalerBuilt, source: Source) -> str:
    """The text of all that decides whether the scaler scales: its switch, the tests around it and around its use."""
    return " ".join(text for test in deciding_tests(scaler, source) for text in spellings(test, source))


def deciding_tests(scaler: ScalerBuilt, source: Source) -> list[ast.expr]:
    """The scaler's switch, the tests around its construction and around its use, and those that return before it."""
    enabled = (scaler.arguments or {}).get("enabled")
    tests = [*tests_before(scaler, source), *([enabled] if enabled is not None else [])]
    tests += [test for call in _made_by(scaler, source) for test in places.tests_around(call, source)]
    for call in scale_calls(scaler, source):
        tests += places.tests_around(call, source)
    return tests


def tests_before(scaler: ScalerBuilt, source: Source) -> list[ast.expr]:
    """The tests around a scaler's construction, and those that return before it."""
    return [*places.tests_around(scaler.node, source), *_returning_before(scaler.node, source)]


def _made_by(scaler: ScalerBuilt, source: Source) -> Iterator[ast.Call]:
    """The calls of the helper that hands a scaler back."""
    helper = places.function_of(scaler.node, source) if not scaler.target else None
    if isinstance(helper, (ast.FunctionDef, ast.AsyncFunctionDef)):
        yield from places.calls_of(helper, source)


def _returning_before(node: ast.AST, source: Source) -> Iterator[ast.expr]:
    """The tests of `if` statements above a node that leave its function."""
    function = places.function_of(node, source)
    for one in walk(function) if function is not None else ():
        if isinstance(one, ast.If) and isinstance(one.body[-1], ast.Return) and one.lineno < getattr(node, "lineno", 0):
            yield one.test


def looks_at_dtype(tests: list[ast.expr], regions: list[AutocastOpened], source: Source) -> bool:
    """Whether tests know of the regions' dtype: one that also switches the regions themselves on does not."""
    switches = {places.spelled(region.enabled) if region.enabled is not None else "" for region in regions}
    shared = next(iter(switches)) if len(switches) == 1 else ""
    others = [test for test in tests if places.spelled(test) != shared and source.truth(test) is None]
    return any(_tells_halves_apart(test, source) for test in others) or any(
        isinstance(test, ast.Name) and _is_unpacked(test, source) for test in others
    )


def _is_unpacked(switch: ast.Name, source: Source) -> bool:
    """Whether a helper or a table gives a switch beside others: `dtype, scaled = pick()` may choose both at once."""
    return any(switch.id in names for names in _unpacked(source))


def _unpacked(source: Source) -> Iterator[set[str]]:
    """The names that one value of a helper or a table is unpacked to."""
    for node in source.nodes((ast.Assign,)):
        assert isinstance(node, ast.Assign)
        for target in node.targets:
            if isinstance(target, ast.Tuple) and not isinstance(node.value, ast.Tuple):
                yield set(map(places.spelled, target.elts))


def comes_with(switch: ast.expr, region: AutocastOpened, source: Source) -> bool:
    """Whether a helper or a table gives a switch beside the dtype or the switch of a region."""
    own = places.names_in(switch)
    others = {name for one in (region.dtype, region.enabled) if one is not None for name in places.names_in(one)}
    return any(own & names and others & names for names in _unpacked(source))


def has_own_switch(scaler: ScalerBuilt, source: Source) -> bool:
    """Whether a setting of the scaler's own, that this file leaves open, decides on it: `cfg.use_scaler`."""
    enabled = (scaler.arguments or {}).get("enabled")
    tests = [*places.tests_around(scaler.node, source), *([enabled] if enabled is not None else [])]
    return any("scal" in places.spelled(test).lower() and source.truth(test) is None for test in tests)


def _tells_halves_apart(test: ast.expr, source: Source) -> bool:
    """Whether a test, with what its names are set to, speaks of the dtype and may differ between the two halves."""
    open_parts = (part for asked in _telling(test) for value in values(asked, source) for part in _telling(value))
    return any(speaks_of_dtype(_without_what_holds(part)) for part in open_parts)


def _telling(test: ast.expr) -> Iterator[ast.expr]:
    """The parts of a test that may not hold for both halves: `args.mixed_precision`, `bool(dtype)` and
    `dtype is not None` do."""
    if isinstance(test, ast.BoolOp):
        yield from (part for value in _open_parts(test) for part in _telling(value))
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _telling(test.operand)
    elif isinstance(test, ast.Call) and places.spelled(test.func) == "bool" and test.args:
        yield from _telling(test.args[0])
    elif isinstance(test, ast.Compare):
        yield from [] if _holds_for_both(test) else [test]
    elif not isinstance(test, (ast.Name, ast.Attribute)) or _FLAG.search(places.spelled(test)) is None:
        yield test


def _open_parts(test: ast.BoolOp) -> list[ast.expr]:
    """The parts of a test but for `fp16 or bf16`, which holds for both halves."""
    halves = {value: _half_named(value) for value in test.values} if isinstance(test.op, ast.Or) else {}
    both = {"float16", "bfloat16"} <= set(halves.values())
    return [value for value in test.values if not (both and halves[value])]


def _half_named(test: ast.expr) -> str:
    """The half that a flag, or a comparison with a name, stands for; empty for neither."""
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], (ast.Eq, ast.Is)) and len(test.ops) == 1:
        test = test.comparators[0]
    if not isinstance(test, (ast.Name, ast.Attribute, ast.Constant)):
        return ""
    name = places.spelled(test)
    return "bfloat16" if _BFLOAT16.search(name) else "float16" if _FLOAT16.search(name) else ""


def _without_what_holds(test: ast.expr) -> str:
    """The text of a test but for comparisons in it that hold for both halves."""
    text = places.spelled(test)
    for node in walk(test):
        if isinstance(node, ast.Compare) and _holds_for_both(node):
            text = text.replace(places.spelled(node), "")
    return text


def _holds_for_both(test: ast.Compare) -> bool:
    """`dtype in ("bf16", "fp16")`, `mode != "fp32"`, `dtype is not None`, `"16" in mode`."""
    left, operator, right = places.spelled(test.left), test.ops[0], test.comparators[0]
    if len(test.ops) != 1:
        return False
    if isinstance(operator, (ast.NotEq, ast.IsNot)):
        return _A_HALF.search(left) is None and _A_HALF.search(places.spelled(right)) is None
    if not isinstance(operator, ast.In):
        return False
    if not isinstance(right, _LISTED):
        return isinstance(test.left, ast.Constant) and test.left.value == "16"
    bfloat16 = [bool(_BFLOAT16.search(places.spelled(each))) for each in right.elts]
    return any(bfloat16) and not all(bfloat16)


def spellings(test: ast.expr, source: Source) -> Iterator[str]:
    """A test as written, then with what its names are set to, or handed where they are parameters."""
    return (places.spelled(value) for value in values(test, source))


def values(test: ast.expr, source: Source) -> Iterator[ast.expr]:
    """A test, what its names are set to, and what calls hand in for them with what that is set to."""
    yield from _set(test, source)
    held = {node.value for node in walk(test) if isinstance(node, (ast.Attribute, ast.Subscript))}
    for name in (node for node in walk(test) if isinstance(node, ast.Name) and node not in held):
        for given in source.given(name):
            if given is not name:
                yield from _set(given, source)


def _set(test: ast.expr, source: Source) -> Iterator[ast.expr]:
    yield test
    read = places.names_in(test)
    for node in source.nodes((ast.Assign,)):
        assert isinstance(node, ast.Assign)
        for target, value in places.assignments(node):
            is_unpacked = value is node.value and target not in node.targets
            if not is_unpacked and places.spelled(target) in read:
                yield from _read_of(value, places.spelled(target), test, source)


def _read_of(value: ast.expr, name: str, test: ast.expr, source: Source) -> Iterator[ast.expr]:
    """What a test reads of a value: of a table in braces the entries whose keys it names, if it names all."""
    uses = [node for node in walk(test) if isinstance(node, ast.expr) and places.spelled(node) == name]
    reads = [(node, parent) for node in uses if isinstance(parent := next(source.ancestors(node), None), ast.Subscript)]
    keys = [parent.slice for node, parent in reads if parent.value is node]
    all_named = len(keys) == len(uses) > 0 and all(isinstance(key, ast.Constant) for key in keys)
    if not isinstance(value, ast.Dict) or not all_named:
        yield value
    else:
        wanted = {places.spelled(key) for key in keys}
        pairs = zip(value.keys, value.values, strict=True)
        yield from (one for key, one in pairs if key is None or places.spelled(key) in wanted)


def speaks_of_dtype(text: str) -> bool:
    return bool(_ABOUT_DTYPE.search(text))


def speaks_of_device(text: str) -> bool:
    return bool(_ABOUT_DEVICE.search(text))


def training_regions(source: Source) -> list[AutocastOpened]:
    """The file's regions that may be on, without those of the CPU and those where nothing is trained."""
    return [
        region
        for region in source.autocasts
        if region.device != "cpu"
        and not places.is_constant(region.enabled, False)
        and not is_without_grad(region.node, source)
    ]


def entered_regions(source: Source) -> list[AutocastOpened]:
    """The same, and those that helpers of other files make and this one enters, as far as these say."""
    own = {region.node for region in source.autocasts}
    return training_regions(source) + [
        AutocastOpened(region.opening, region.device, region.dtypes)
        for region in source.regions
        if region.call is not None
        and region.call not in own
        and region.device != "cpu"
        and region.enabled is not False
        and not is_without_grad(region.opening, source)
    ]


def is_handed_back(scaler: ScalerBuilt, regions: list[AutocastOpened], source: Source) -> bool:
    """Whether a helper returns it beside its region, and leaves early for no dtype."""
    function = places.function_of(scaler.node, source)
    if function is None or not any(places.function_of(region.node, source) is function for region in regions):
        return False
    returns = [node for node in walk(function) if isinstance(node, ast.Return) and node.value is not None]
    tests = [test for node in returns for test in places.tests_around(node, source)]
    handed = any(scaler.target in map(places.spelled, getattr(node.value, "elts", ())) for node in returns)
    return handed and not looks_at_dtype(tests, [], source)


def is_choice_of_device(region: AutocastOpened, source: Source) -> bool:
    """`torch.float16 if device.type == "cuda" else torch.bfloat16`: bfloat16 is the CPU's, where the scaler is off."""
    text = " ".join(spellings(region.dtype, source)) if region.dtype is not None else ""
    return speaks_of_device(text) and not any(word in text for word in ("bf16_supported", "capability"))


def reachable(expression: ast.expr, at: ast.AST, source: Source) -> bool:
    """Whether all names of an expression are known where another node stands."""
    roots = [child for child in walk(expression) if isinstance(child, ast.Name)]
    return all(_known(root, expression, at, source) for root in roots)


def _known(root: ast.Name, expression: ast.expr, at: ast.AST, source: Source) -> bool:
    if root.id in source.import_aliases:
        return True
    paths = [name for name in places.names_in(expression) if name.partition(".")[0] == root.id]
    return places.in_reach(min(paths, key=lambda path: (path.count(".") != 1, len(path))), at, source)


def set_together(one: ast.expr, other: ast.expr, source: Source) -> bool:
    """Whether branches set both, as for each precision: what they are together is decided there."""
    both = {places.spelled(one), places.spelled(other)}
    branches = (node for node in source.nodes((ast.If,)) if isinstance(node, ast.If))
    return any(both <= set(_assigned(block)) for node in branches for block in (node.body, node.orelse))


def _assigned(block: list[ast.stmt]) -> Iterator[str]:
    for statement in block:
        for target in statement.targets if isinstance(statement, ast.Assign) else ():
            yield from (places.spelled(inner) for inner in getattr(target, "elts", [target]))
