"""The service under measurement: a store with what the load needs, the real process tree, and what it used."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from waybill.mail.dkim import RSA, generate_ed25519, generate_rsa
from waybill.model.clock import now
from waybill.model.resource import (
    DEFAULT_ACCOUNT,
    INSTALLATION,
    AccessKey,
    Account,
    ConfigurationSet,
    DkimKey,
    Identity,
    Verification,
)
from waybill.store.open import open_store

DOMAIN = "sender.bench.example"
CONFIGURATION_SET = "bench"
KEY = AccessKey(
    account=INSTALLATION,
    name="AKIABENCH00000000000",
    owner=DEFAULT_ACCOUNT,
    label="bench",
    secret="bench-secret",
    created_at=0,
)
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """What is measured. ``signing`` is ``rsa``, ``ed25519`` or ``none``."""

    data: Path
    workers: int
    signing: str
    events: bool
    dns: str
    sink_port: int
    profiles: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a process has used: CPU seconds since it began, and the most memory it had, in MiB."""

    cpu: float
    peak_mib: float


async def prepare(setup: Setup, delivery: Mapping[str, object]) -> Path:
    """Makes the store and the settings file, with these further settings of delivery; the file's path."""
    database = setup.data / "waybill.db"
    store = await open_store(f"sqlite:///{database}", clock=now)
    await store.put(Account(account=INSTALLATION, name=DEFAULT_ACCOUNT, created_at=now()))
    await store.put(KEY)
    await store.put(ConfigurationSet(account=DEFAULT_ACCOUNT, name=CONFIGURATION_SET, created_at=now()))
    await store.put(_identity(setup.signing))
    await store.close()
    config = setup.data / "waybill.toml"
    file = f'file = "{setup.data / "events.jsonl"}"' if setup.events else ""
    more = "".join(f", {key} = {json.dumps(value)}" for key, value in delivery.items())
    config.write_text(
        f"""store = "sqlite:///{database}"
service = {{ simulator = false }}
http = {{ listen = "127.0.0.1:0" }}
submission = {{ listen = "127.0.0.1:0" }}
inbound = {{ listen = "127.0.0.1:0" }}
dns = {{ servers = ["{setup.dns}"] }}
delivery = {{ hostname = "waybill.bench.example", port = {setup.sink_port}, allow_private = true{more} }}
[publish]
{file}
"""
    )
    return config


def _identity(signing: str) -> Identity:
    keys: tuple[DkimKey, ...] = ()
    if signing != "none":
        pem, public = generate_rsa() if signing == RSA else generate_ed25519()
        keys = (DkimKey(selector="bench", algorithm=signing, private_pem=pem, public=public, created_at=now()),)
    return Identity(
        account=DEFAULT_ACCOUNT,
        name=DOMAIN,
        created_at=now(),
        token="bench",
        verification=Verification.SUCCESS,
        dkim_keys=keys,
        dkim_verification=Verification.SUCCESS,
    )


class Service:
    """The running process tree. ``http`` and ``smtp`` are its ports."""

    def __init__(self, process: Process, http: int, smtp: int) -> None:
        self._process = process
        self.http = http
        self.smtp = smtp

    @classmethod
    async def start(
        cls,
        setup: Setup,
        delivery: Mapping[str, object] = MappingProxyType({}),
        fill: Callable[[Path], None] | None = None,
    ) -> "Service":
        """Starts it, its store filled before, and waits until it is ready. Raises: RuntimeError: it does not come up."""
        config = await prepare(setup, delivery)
        if fill is not None:
            await asyncio.to_thread(fill, setup.data / "waybill.db")
        environment = dict(os.environ)
        if setup.profiles is not None:
            environment |= {
                "BENCH_PROFILES": str(setup.profiles),
                "PYTHONPATH": os.pathsep.join(
                    [str(Path(__file__).parent / "profiled"), *filter(None, [os.environ.get("PYTHONPATH")])]
                ),
            }
        command = (sys.executable, "-m", "waybill", "serve", "--config", str(config), "--workers", str(setup.workers))
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, cwd=setup.data, env=environment)
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        words = line.split()
        if not line.startswith("Waybill is ready"):
            raise RuntimeError(f"the service did not start: {line!r}")
        http = words[words.index("HTTP") + 1]
        smtp = words[words.index("SMTP") + 1]
        return cls(process, int(http.rpartition(":")[2]), int(smtp.rpartition(":")[2]))

    @property
    def pid(self) -> int:
        """The supervisor's process."""
        return self._process.pid

    def usage(self) -> dict[str, Usage]:
        """What the supervisor and each worker have used until now."""
        found = {"supervisor": usage_of(self._process.pid)}
        for number, pid in enumerate(children_of(self._process.pid), 1):
            found[f"worker {number}"] = usage_of(pid)
        return found

    async def stop(self) -> None:
        """Lets it drain and waits for its end."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(self._process.wait(), 60)


def children_of(pid: int) -> list[int]:
    """The process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def usage_of(pid: int) -> Usage:
    """What a process has used (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    peak = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return Usage(cpu=(int(fields[11]) + int(fields[12])) / TICKS, peak_mib=int(peak.split()[1]) / 1024)


def cpu_of_tree(pid: int) -> float:
    """CPU seconds that a process and all below it have used, those that have ended and were waited for included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    used = sum(map(int, fields[11:15])) / TICKS
    for child in children_of(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended just now
            used += cpu_of_tree(child)
    return used


def used_between(before: dict[str, Usage], after: dict[str, Usage]) -> dict[str, dict[str, float]]:
    """CPU seconds between two readings, and the peak of memory until the second."""
    zero = Usage(cpu=0, peak_mib=0)
    return {
        name: asdict(Usage(cpu=round(usage.cpu - before.get(name, zero).cpu, 2), peak_mib=round(usage.peak_mib, 1)))
        for name, usage in after.items()
    }
