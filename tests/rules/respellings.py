"""Other ways to write a module that does the same: text -> text, or None where a way has nothing to change."""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Callable, Iterable

Respelling = Callable[[str], "str | None"]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_IMPORTS = (ast.Import, ast.ImportFrom)
_LEAVES = (ast.Break, ast.Continue, ast.Return, ast.Yield, ast.Await, ast.Global, ast.Nonlocal, ast.Lambda)


def written(tree: ast.Module) -> str:
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def unparsed(text: str) -> str | None:
    """As Python writes it: other quotes, parentheses and line breaks, and no comments."""
    return written(ast.parse(text))


def decorated(text: str) -> str | None:
    """Functions have a decorator that nothing is known of."""
    tree = ast.parse(text)
    plain = [node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS) and not node.decorator_list]
    for function in plain:
        function.decorator_list.append(_expression("logger.catch"))
    _insert(tree, "from loguru import logger")
    return written(tree) if plain else None


def with_progress(text: str) -> str | None:
    """Loaders are wrapped by a progress bar."""
    tree = ast.parse(text)
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.For) and "loader" in ast.unparse(node.iter)]
    for loop in loops:
        loop.iter = ast.Call(ast.Name("tqdm"), [loop.iter], [ast.keyword("desc", ast.Constant("epoch"))])
    _insert(tree, "from tqdm import tqdm")
    return written(tree) if loops else None


def by_keyword(text: str) -> str | None:
    """Functions of the module are called by keyword."""
    tree = ast.parse(text)
    functions = {node.name: node.args for node in _top(tree)}
    calls = [call for call in _calls(tree) if isinstance(call.func, ast.Name) and call.func.id in functions]
    plain = [call for call in calls if call.args and not any(isinstance(one, ast.Starred) for one in call.args)]
    for call in plain:
        assert isinstance(call.func, ast.Name)
        names = [one.arg for one in functions[call.func.id].args]
        call.keywords = [*map(ast.keyword, names, call.args), *call.keywords]
        call.args = []
    return written(tree) if plain else None


def of_a_class(text: str) -> str | None:
    """Functions are static methods of a class."""
    tree = ast.parse(text)
    functions = [node for node in _top(tree) if node.name != "main"]
    names = {node.name for node in functions}
    if not functions or names & {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}:
        return None

    class Qualify(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return ast.Attribute(ast.Name("Engine"), node.id, node.ctx) if node.id in names else node

    Qualify().visit(tree)
    for function in functions:
        function.decorator_list.insert(0, ast.Name("staticmethod"))
    at = tree.body.index(functions[0])
    engine = ast.ClassDef("Engine", [], [], list(functions), [])
    tree.body = [*tree.body[:at], engine, *(node for node in tree.body[at:] if node not in functions)]
    return written(tree)


def in_an_object(text: str) -> str | None:
    """The first function of several parameters is the method of an object that keeps them."""
    tree = ast.parse(text)
    for function in _top(tree):
        names = [one.arg for one in function.args.args]
        if len(names) > 1 and not function.decorator_list and _is_plain(function, set(names)):
            used = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == function.name]
            calls = [call for call in _calls(tree) if call.func in used]
            if len(calls) == len(used):
                _keep_in_object(tree, function, names, calls)
                return written(tree)
    return None


def stepped(text: str) -> str | None:
    """What a loop that trains does in a turn is a function."""
    tree = ast.parse(text)
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.For) and "backward" in ast.unparse(node)]
    inner = [loop for loop in loops if not any(one is not loop and one in ast.walk(loop) for one in loops)]
    made = [name for number, loop in enumerate(inner) if (name := _take_out(tree, loop, f"turn{number}"))]
    return written(tree) if made else None


def with_region_kept(text: str) -> str | None:
    """Regions are kept in variables before they are entered."""
    tree = ast.parse(text)
    found = 0

    class Keep(ast.NodeTransformer):
        def visit_With(self, node: ast.With) -> ast.With | list[ast.stmt]:
            nonlocal found
            self.generic_visit(node)
            item = node.items[0]
            is_region = "autocast" in ast.unparse(item.context_expr)
            if len(node.items) > 1 or item.optional_vars is not None or not is_region:
                return node
            found += 1
            kept = ast.Assign([ast.Name(f"precision{found}", ast.Store())], item.context_expr)
            item.context_expr = ast.Name(f"precision{found}")
            return [kept, node]

    Keep().visit(tree)
    return written(tree) if found else None


def with_scaler_made_by_a_helper(text: str) -> str | None:
    """A function builds the scaler."""
    return _by_helper(text, "GradScaler", "make_scaler")


def with_region_made_by_a_helper(text: str) -> str | None:
    """A function makes the region."""
    return _by_helper(text, "autocast", "amp_context")


RESPELLINGS: tuple[Respelling, ...] = (
    unparsed, decorated, with_progress, by_keyword, of_a_class, in_an_object, stepped, with_region_kept,
    with_scaler_made_by_a_helper, with_region_made_by_a_helper,
)  # fmt: skip


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _top(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in tree.body if isinstance(node, ast.FunctionDef)]


def _calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _insert(tree: ast.Module, *statements: str) -> None:
    """Put statements behind the imports."""
    at = next((i for i, node in enumerate(tree.body) if not isinstance(node, _IMPORTS)), len(tree.body))
    tree.body[at:at] = [node for text in statements for node in ast.parse(text).body]


def _names(nodes: Iterable[ast.AST], kind: type[ast.expr_context]) -> set[str]:
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, kind)}


def _is_plain(function: ast.FunctionDef, names: set[str]) -> bool:
    """Whether it has plain parameters only, which no function inside has again."""
    rest = (function.args.vararg, function.args.kwarg, *function.args.kwonlyargs, *function.args.posonlyargs)
    nested = [node.args for node in ast.walk(function) if isinstance(node, (*_FUNCTIONS, ast.Lambda))][1:]
    again = {one.arg for arguments in nested for one in arguments.args} & names
    shared = any(isinstance(node, (ast.Global, ast.Nonlocal)) for node in ast.walk(function))
    return not (any(rest) or again or shared)


def _keep_in_object(tree: ast.Module, function: ast.FunctionDef, names: list[str], calls: list[ast.Call]) -> None:
    class Qualify(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return ast.Attribute(ast.Name("self"), node.id, node.ctx) if node.id in names else node

    job = ast.parse("class Job:\n    def __init__(self):\n        pass\n\n    def run(self):\n        pass").body[0]
    assert isinstance(job, ast.ClassDef)
    init, run = job.body
    assert isinstance(init, ast.FunctionDef)
    assert isinstance(run, ast.FunctionDef)
    init.args = copy.deepcopy(function.args)
    init.args.args.insert(0, ast.arg("self"))
    init.body = [node for name in names for node in ast.parse(f"self.{name} = {name}").body]
    run.body = [Qualify().visit(statement) for statement in function.body]
    for call in calls:
        call.func = ast.Attribute(ast.Call(ast.Name("Job"), call.args, call.keywords), "run")
        call.args, call.keywords = [], []
    tree.body[tree.body.index(function)] = job


def _take_out(tree: ast.Module, loop: ast.For, name: str) -> str | None:
    """Make a function of a loop's body; None where it leaves the loop, or sets what may not be set."""
    inside = [node for statement in loop.body for node in ast.walk(statement)]
    if loop.orelse or any(isinstance(node, (*_LEAVES, *_DEFINITIONS)) for node in inside):
        return None
    outside = [node for node in ast.walk(tree) if node not in set(inside)]
    known = {node.name for node in tree.body if isinstance(node, _DEFINITIONS)} | set(dir(builtins))
    imported = [one for node in outside if isinstance(node, _IMPORTS) for one in node.names]
    known |= {one.asname or one.name.split(".")[0] for one in imported}
    around = _names(outside, ast.Store) | {node.arg for node in outside if isinstance(node, ast.arg)}
    added = {n.target.id for n in inside if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)}
    parameters = sorted(((_names(inside, ast.Load) | added) - known) & around)
    results = sorted(_names(inside, ast.Store) & _names(outside, ast.Load))
    if set(results) - set(parameters):
        return None
    body = [*loop.body, *ast.parse(f"return {', '.join(results)}").body] if results else loop.body
    function = ast.FunctionDef(name, ast.arguments([], [*map(ast.arg, parameters)], None, [], [], None, []), body, [])
    call = f"{name}({', '.join(parameters)})"
    loop.body = ast.parse(f"{', '.join(results)} = {call}" if results else call).body
    at = next(i for i, node in enumerate(tree.body) if not isinstance(node, _IMPORTS))
    tree.body.insert(at, function)
    return name


def _by_helper(text: str, what: str, name: str) -> str | None:
    """Let a function of the module make what is called so, where it is made in one way of nothing local."""
    tree = ast.parse(text)
    decorators = {one for node in ast.walk(tree) if isinstance(node, _DEFINITIONS) for one in node.decorator_list}
    made = [c for c in _calls(tree) if ast.unparse(c.func).endswith(what) and c not in decorators]
    given = [value for call in made for value in (*call.args, *(word.value for word in call.keywords))]
    local = [n for v in given for n in ast.walk(v) if isinstance(n, ast.Name) and n.id != "torch"]
    if len({ast.unparse(call) for call in made}) != 1 or local:
        return None
    helper = f"def {name}():\n    return {ast.unparse(made[0])}"
    for call in made:
        call.func, call.args, call.keywords = ast.Name(name), [], []
    _insert(tree, helper)
    return written(tree)
