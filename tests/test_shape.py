"""The shape that keeps the code readable: small files and functions, names that say something, text of its own."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "waybill").rglob("*.py"))
ALL = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "scripts").glob("*.py"))]
MOST_LINES, MOST_FUNCTION_LINES, MOST_PARAMETERS = 400, 60, 6
DRAWER = re.compile(r"manager|handler|helper|util|misc|common", re.IGNORECASE)
MACHINE_PATH = re.compile(r"(?<![\w.~])/(?:root|home|tmp|work)/")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def parsed(path: Path) -> tuple[str, ast.Module, str]:
    text = path.read_text("utf-8")
    return name_of(path), ast.parse(text), text


def faults_of_size(name: str, tree: ast.Module, text: str) -> Iterator[str]:
    lines = text.count("\n")
    if lines > MOST_LINES:
        yield f"{name} has {lines} lines"
    for function in functions(tree):
        long = (function.end_lineno or 0) - function.lineno + 1
        if long > MOST_FUNCTION_LINES:
            yield f"{name}: {function.name} has {long} lines"


def faults_of_source(name: str, tree: ast.Module, text: str) -> Iterator[str]:
    if text.strip() and not ast.get_docstring(tree):
        yield f"{name} has no docstring"
    if DRAWER.search(name):
        yield f"{name} is named like a drawer"
    if MACHINE_PATH.search(text):
        yield f"{name} names a path of some machine"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and DRAWER.search(node.name):
            yield f"{name}: {node.name} is named like a drawer"
    for function in functions(tree):
        arguments = function.args
        given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        count = len([argument for argument in given if argument.arg not in ("self", "cls")])
        if count > MOST_PARAMETERS:
            yield f"{name}: {function.name} has {count} parameters"
        for node in ast.walk(function):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if any(module.partition(".")[0] == "waybill" for module in modules):
                yield f"{name}: {function.name} imports {modules[0]}"


def test_everything_is_small() -> None:
    """At most 400 lines in a file, 60 in a function; tables of test cases are part of no function."""
    assert [] == [fault for path in ALL for fault in faults_of_size(*parsed(path))]


def test_sources_are_in_shape() -> None:
    """Docstrings, names, parameters, imports at the top, and no machine's paths."""
    assert [] == [fault for path in SOURCES for fault in faults_of_source(*parsed(path))]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = 1", "has no docstring"),
        ('"""A."""\nclass FileHelper: ...', "FileHelper is named like a drawer"),
        ('"""A."""\ndef f(a, b, c, *, d, e, f, g): ...', "f has 7 parameters"),
        ('"""A."""\ndef f():\n    from waybill.model import cause', "f imports waybill.model"),
        ('"""A."""\nx = "/home/ada/x"', "names a path of some machine"),
    ],
)
def test_faults_are_found(text: str, fault: str) -> None:
    """The test itself can fail."""
    (found,) = faults_of_source("a.py", ast.parse(text), text)
    assert found.endswith(fault)
