"""``waybill backup``: a copy that a service can go on from."""

from pathlib import Path

from tests.cli.conftest import Run, rows


def test_a_copy_is_a_store_of_its_own(run: Run, tmp_path: Path) -> None:
    """With its key beside it, for their owner alone, and what was sealed opens."""
    key = rows(run("keys", "create", "--json"))["access_key_id"]
    told = rows(run("backup", "copy.db", "--json"))
    copy = tmp_path / "copy.db"
    assert {"file": str(copy), "key": f"{copy}.key", "bytes": copy.stat().st_size} == told
    assert [0o600, 0o600] == [path.stat().st_mode & 0o777 for path in (copy, tmp_path / "copy.db.key")]
    config = tmp_path / "restored.toml"
    config.write_text(f'store = "sqlite:///{copy}"\n', "utf-8")
    assert key in run("keys", "list", "--config", str(config))


def test_no_file_is_replaced(run: Run, tmp_path: Path) -> None:
    """Neither an old copy nor its key; nor is a store made where there is none."""
    assert "there is no store" in run("backup", "copy.db", code=3)
    run("keys", "create")
    assert "Restore: stop the service" in run("backup", "copy.db")
    assert "is there already" in run("backup", "copy.db", code=3)
    (tmp_path / "copy.db").unlink()
    assert "copy.db.key is there already" in run("backup", "copy.db", code=3)
