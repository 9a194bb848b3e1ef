"""AWS on loopback, and the command line on a store of its own."""

from collections.abc import Iterator

import pytest

from tests.cli.conftest import run as run
from tests.watch.aws_lab import AwsLab, aws_lab, pointed_at


@pytest.fixture(scope="module")  # one test puts the entry back, with another date
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsLab]:
    """One AWS for all tests."""
    with aws_lab(tmp_path_factory.mktemp("aws")) as found:
        yield found


@pytest.fixture
def aws(lab: AwsLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsLab]:
    """AWS, with credentials in the environment."""
    with pointed_at(lab, monkeypatch):
        yield lab
