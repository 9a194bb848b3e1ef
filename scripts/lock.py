"""Resolves requirements.lock (to run) and requirements-dev.lock (to develop) from pyproject.toml, with hashes."""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def resolve(requirements: list[str], target: Path) -> None:
    """Writes the lock file: versions and hashes, nothing of where they were found.

    Extras are kept: pip before 23.3 takes `coverage[toml]` for a requirement that `coverage==7.17.3` does not pin.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "requirements.in")
        source.write_text("\n".join(requirements) + "\n", "utf-8")
        resolved = Path(folder, "requirements.lock")
        if target.exists():
            resolved.write_text(target.read_text("utf-8"), "utf-8")  # what is pinned stays, unless it must move
        tool = [sys.executable, "-m", "piptools", "compile", "--quiet", "--generate-hashes", "--allow-unsafe"]
        plain = ["--no-header", "--no-annotate", "--no-strip-extras", "--no-emit-index-url", "--no-emit-find-links"]
        subprocess.run([*tool, *plain, "-o", str(resolved), str(source)], check=True)
        lines = resolved.read_text("utf-8").splitlines()
        target.write_text("".join(f"{line}\n" for line in lines if line and not line.startswith("#")), "utf-8")


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    # The project itself is installed from its folder, without the network: what builds it must be there.
    build = [*project["build-system"]["requires"], "editables"]
    runtime = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["uvloop"], *build]
    resolve(runtime, ROOT / "requirements.lock")
    resolve([*runtime, *project["dependency-groups"]["dev"]], ROOT / "requirements-dev.lock")


if __name__ == "__main__":
    main()
