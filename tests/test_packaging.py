"""What is shipped: the wheel's content and that it runs, the declared dependencies, their licences, and the lock files."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")
COPYLEFT = re.compile(r"\b(?:A|L)?GPL|GNU (?:Affero|Lesser|Library|General)", re.IGNORECASE)

# Packages whose import name is not their own, and those that are named in a string: uvicorn's parser, the event loop.
IMPORTED_AS = {"dns": "dnspython", "flufl": "flufl-bounce", "prometheus_client": "prometheus-client"}
LOADED_BY_NAME = {"httptools", "uvloop"}

EXTRAS = r"(?:\[[a-z0-9,-]+\])?"


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def names_of(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def runtime_requirements() -> list[str]:
    table = project()["project"]
    return [*table["dependencies"], *table["optional-dependencies"]["uvloop"]]


def with_all_they_need(names: Iterable[str]) -> dict[str, importlib.metadata.Distribution]:
    """The distributions of these names and of everything that they depend on."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = importlib.metadata.distribution(name)
        for text in found[name].requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(canonicalize_name(requirement.name))
    return found


def imports_of(folder: Path) -> set[str]:
    """The top-level names that the source imports from outside itself and the standard library."""
    names: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
                names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"waybill"}


def licences_of(distribution: importlib.metadata.Distribution) -> str:
    """What a distribution says of its licence: the expression, else the first line of the field and the classifiers."""
    metadata = distribution.metadata.json
    expression = metadata.get("license_expression")
    if expression is not None:
        return str(expression)
    named = [str(metadata.get("license", "")).strip().partition("\n")[0], *metadata.get("classifier", ())]
    return " | ".join(text for text in (named[0], *(name for name in named[1:] if name.startswith("License"))) if text)


def locked(lock: str) -> dict[str, str]:
    """Each package of a lock file, by name, with its version."""
    text = (ROOT / lock).read_text("utf-8")
    return dict(re.findall(rf"^([a-z0-9][a-z0-9.-]*){EXTRAS}==(\S+) \\$", text, re.MULTILINE))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=60)
    [path] = folder.glob("*.whl")
    return path


def test_the_wheel_carries_everything_that_is_read_at_run_time(wheel: Path) -> None:
    """Every file of the package is in the wheel: data, SQL, models and the typing marker as well."""
    source = ROOT / "src"
    expected = {
        str(path.relative_to(source))
        for path in (source / "waybill").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("waybill/")}
    assert expected == packed
    assert {
        "waybill/py.typed",
        "waybill/model/causes.json",
        "waybill/deliver/rules.toml",
        "waybill/standing/blocklists.toml",
        "waybill/api/models/sesv2.json",
        "waybill/api/models/ses.json",
        "waybill/api/models/sns.json",
        "waybill/store/sqlite/migrations/0001_ledger.sql",
    } <= packed


def test_the_wheel_names_its_licence_command_and_python(wheel: Path) -> None:
    """LICENSE and NOTICE are in the wheel, and its metadata say what the project says."""
    archive = zipfile.ZipFile(wheel)
    info = "waybill-0.1.0.dist-info"
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= set(archive.namelist())
    assert "waybill = waybill.cli:main" in archive.read(f"{info}/entry_points.txt").decode()
    metadata = archive.read(f"{info}/METADATA").decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.11" in metadata


def test_the_wheel_runs(wheel: Path, tmp_path: Path) -> None:
    """From the wheel alone, without the source: help lists the commands, and a reply is classified by the shipped rules."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "waybill", *arguments]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=30, cwd=tmp_path, env=environment
        ).stdout

    where = [sys.executable, "-c", "import waybill; print(waybill.__file__)"]
    found = subprocess.run(where, check=True, capture_output=True, text=True, cwd=tmp_path, env=environment).stdout
    assert str(tmp_path / "waybill" / "__init__.py") == found.strip()
    shown = run("--help")
    assert all(f"  {command} " in shown for command in ("demo", "serve", "explain", "find", "keys"))
    assert "user_unknown" in run("classify", "550 5.1.1 user unknown")


def test_every_import_is_a_declared_dependency() -> None:
    """What the source imports is declared, and nothing is declared that it does not use."""
    imported = {canonicalize_name(IMPORTED_AS.get(name, name)) for name in imports_of(ROOT / "src")}
    assert imported | LOADED_BY_NAME == names_of(runtime_requirements())


def test_no_dependency_at_run_time_is_copyleft() -> None:
    """No GPL, AGPL or LGPL among what is needed at run time, and every licence is known."""
    distributions = with_all_they_need(names_of(runtime_requirements()))
    licences = {name: licences_of(distribution) for name, distribution in distributions.items()}
    assert {} == {name: text for name, text in licences.items() if COPYLEFT.search(text) or not text}
    assert {"aiohttp", "yarl", "multidict"} <= set(licences), "the dependencies of dependencies count"


@pytest.mark.parametrize("text", ["GPL-3.0-only", "LGPLv2+", "AGPL", "GNU Lesser General Public License v3 (LGPLv3)"])
def test_copyleft_is_recognised(text: str) -> None:
    """The names that the licences go by."""
    assert COPYLEFT.search(text)


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_file_holds_versions_and_hashes_only(lock: str) -> None:
    """Every line is a pinned package or one of its hashes: no index, no place, no comment."""
    text = (ROOT / lock).read_text("utf-8")
    digest = r"    --hash=sha256:[0-9a-f]{64}"
    package = rf"[a-z0-9][a-z0-9.-]*{EXTRAS}==\S+ \\\n(?:{digest} \\\n)*{digest}\n"
    assert re.fullmatch(rf"(?:{package})+", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_an_extra_that_a_locked_package_needs_is_locked_with_it(lock: str) -> None:
    """Before 23.3, pip looked for the newest `coverage[toml]` although `coverage` was pinned, and then refused it."""
    text = (ROOT / lock).read_text("utf-8")
    needed = [
        Requirement(requirement)
        for distribution in with_all_they_need(locked(lock)).values()
        for requirement in distribution.requires or ()
    ]
    for requirement in needed:
        if requirement.extras and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            [pinned] = re.findall(rf"^{canonicalize_name(requirement.name)}\[([^]]+)\]==", text, re.MULTILINE)
            assert requirement.extras <= set(pinned.split(",")), str(requirement)


def test_the_lock_files_cover_what_is_declared() -> None:
    """Everything declared is locked to a version that fits, with what it needs; the two files agree."""
    table = project()
    build = [*table["build-system"]["requires"], "editables"]
    to_run = [*runtime_requirements(), *build]
    for lock, requirements in zip(LOCKS, (to_run, [*to_run, *table["dependency-groups"]["dev"]]), strict=True):
        versions = locked(lock)
        unfit = [
            text
            for text, requirement in ((text, Requirement(text)) for text in requirements)
            if not requirement.specifier.contains(
                versions.get(canonicalize_name(requirement.name), "0"), prereleases=True
            )
            or canonicalize_name(requirement.name) not in versions
        ]
        assert [] == unfit, lock
    assert set(with_all_they_need(names_of(to_run))) <= set(locked(LOCKS[0]))
    assert locked(LOCKS[0]).items() <= locked(LOCKS[1]).items()
