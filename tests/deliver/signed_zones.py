"""Real DNSSEC for tests: Knot DNS serves signed zones, and Unbound validates them, both on loopback in a temporary folder."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode

_SEARCHED = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
KNOTD, UNBOUND = shutil.which("knotd", path=_SEARCHED), shutil.which("unbound", path=_SEARCHED)
PATIENCE = 20.0
SOA = "@ 60 IN SOA ns.{zone}. postmaster.{zone}. 1 3600 600 86400 60\n@ 60 IN NS ns.{zone}.\nns 60 IN A 127.0.0.1\n"


@contextmanager
def validating(
    folder: Path, signed: Mapping[str, Sequence[str]], unsigned: Mapping[str, Sequence[str]], mistrusted: str
) -> Iterator[str]:
    """The address of a resolver that validates the ``signed`` zones; each has lines of its zone file.

    Of the ``mistrusted`` one it holds another zone's key, so that all its answers are bogus.
    """
    knot, unbound = _free_port(), _free_port()
    with ExitStack() as running:
        zones = {**signed, **unsigned}
        _write_knot(folder, knot, zones, signed)
        running.enter_context(_daemon([str(KNOTD), "-c", str(folder / "knot.conf")], folder / "knot.log"))
        keys = {zone: _key(knot, zone) for zone in signed}
        other = next(zone for zone in signed if zone != mistrusted)
        keys[mistrusted] = keys[other].replace(f"{other}.", f"{mistrusted}.")
        _write_unbound(folder, unbound, knot, zones, tuple(keys.values()))
        running.enter_context(_daemon([str(UNBOUND), "-d", "-c", str(folder / "unbound.conf")], folder / "unbound.log"))
        _ask_until_answered(unbound, next(iter(unsigned)), "SOA")
        yield f"127.0.0.1:{unbound}"


def _write_knot(
    folder: Path, port: int, zones: Mapping[str, Sequence[str]], signed: Mapping[str, Sequence[str]]
) -> None:
    blocks = []
    for zone, lines in zones.items():
        (folder / f"{zone}.zone").write_text("\n".join([SOA.format(zone=zone), *lines, ""]))
        blocks.append(
            f"  - domain: {zone}.\n    file: {zone}.zone\n    dnssec-signing: {'on' if zone in signed else 'off'}\n"
        )
    (folder / "knot.conf").write_text(
        f"server:\n    rundir: {folder}\n    listen: 127.0.0.1@{port}\n"
        f"database:\n    storage: {folder}\n    kasp-db-max-size: 20M\n    journal-db-max-size: 20M\n"
        f"log:\n  - target: stderr\n    any: info\n"
        f"template:\n  - id: default\n    storage: {folder}\n    zonefile-sync: -1\n    journal-content: none\n"
        f"zone:\n{''.join(blocks)}"
    )


def _write_unbound(folder: Path, port: int, knot: int, zones: Mapping[str, object], keys: Sequence[str]) -> None:
    anchors = "".join(f"    trust-anchor: '{key}'\n" for key in keys)
    stubs = "".join(f"stub-zone:\n    name: '{zone}.'\n    stub-addr: 127.0.0.1@{knot}\n" for zone in zones)
    (folder / "unbound.conf").write_text(
        f"server:\n    directory: '{folder}'\n    chroot: ''\n    username: ''\n    pidfile: ''\n    use-syslog: no\n"
        f"    interface: 127.0.0.1\n    port: {port}\n    num-threads: 1\n    do-ip6: no\n    do-not-query-localhost: no\n"
        f"    local-zone: 'test.' nodefault\n    module-config: 'validator iterator'\n{anchors}"
        f"remote-control:\n    control-enable: no\n{stubs}"
    )


@contextmanager
def _daemon(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def _key(port: int, zone: str) -> str:
    """The zone's key for signing keys, as a trust anchor is written."""
    response = _ask_until_answered(port, zone, "DNSKEY")
    record = next(each for each in response.answer[0] if each.flags & 1)
    return f"{zone}. IN DNSKEY {record.to_text()}"


def _ask_until_answered(port: int, name: str, kind: str) -> dns.message.Message:
    """The answer, once the daemon has started."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            response = dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", port=port, timeout=0.5)
            if response.rcode() == dns.rcode.NOERROR and response.answer:
                return response
        except (OSError, dns.exception.DNSException):
            pass
        if time.monotonic() > until:
            raise TimeoutError(f"no answer for {name} {kind} from port {port}")
        time.sleep(0.05)


def _free_port() -> int:
    """A port that is free for UDP and TCP."""
    for _ in range(50):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            port = int(udp.getsockname()[1])
            try:
                tcp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no port is free for UDP and TCP")
