"""Postfix as somebody would set it up who wants it fast, with or without OpenDKIM: instances of their own, removed afterwards.

Both are the distribution's packages. Root is needed: Postfix gives its processes users of their own.
"""

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from service import DOMAIN, cpu_of_tree

from waybill.mail.dkim import generate_rsa

PROGRAMS = ("postfix", "postconf")

# What tuning a relay comes to: no delay at the door, nothing looked up, connections kept on either side, as many processes
# as there are clients. The queue is on the same disk as Waybill's store, and Postfix syncs each message to it.
MAIN = """compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
myhostname = postfix.bench.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:{sink}
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
disable_dns_lookups = yes
smtp_host_lookup = native
smtpd_peername_lookup = no
smtpd_client_restrictions =
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions =
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
smtpd_delay_reject = no
in_flow_delay = 0
default_process_limit = 200
default_destination_concurrency_limit = {concurrency}
initial_destination_concurrency = {concurrency}
smtp_destination_concurrency_limit = {concurrency}
smtp_connection_cache_destinations = [127.0.0.1]:{sink}
smtp_connection_reuse_time_limit = 300s
qmgr_message_active_limit = 40000
qmgr_message_recipient_limit = 40000
hash_queue_names = deferred, defer
enable_long_queue_ids = yes
minimal_backoff_time = 1s
queue_run_delay = 1s
smtp_tls_security_level = none
smtpd_tls_security_level = none
strict_rfc821_envelopes = no
{milter}
"""

MASTER = """127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""

MILTER = """smtpd_milters = inet:127.0.0.1:{milter}
milter_default_action = tempfail
milter_protocol = 6
"""

OPENDKIM = """Syslog no
RequireSafeKeys no
Mode s
Canonicalization relaxed/relaxed
SignatureAlgorithm rsa-sha256
Domain {domain}
Selector bench
KeyFile {folder}/bench.pem
Socket inet:{port}@127.0.0.1
InternalHosts 127.0.0.1
MilterDebug 0
"""


class PostfixError(Exception):
    """It cannot be run here; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Postfix:
    """A running instance: its port, the process that leads it, and that of its milter."""

    port: int
    master: int
    milter: int | None

    def cpu(self) -> dict[str, float]:
        """CPU seconds that Postfix and OpenDKIM have used until now."""
        used = {"postfix": cpu_of_tree(self.master)}
        return used if self.milter is None else used | {"opendkim": cpu_of_tree(self.milter)}


def missing(*, signing: bool) -> str | None:
    """What this machine lacks for it, in words."""
    if os.geteuid() != 0:
        return "Postfix needs root"
    programs = [*PROGRAMS, *["opendkim"] * signing]
    lacking = [name for name in programs if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    return f"not installed: {', '.join(lacking)}" if lacking else None


@contextmanager
def running_postfix(*, sink: int, data: Path, signing: bool, concurrency: int) -> Iterator[Postfix]:
    """Runs it; it delivers to the sink's port, over at most ``concurrency`` connections. Raises: PostfixError."""
    fault = missing(signing=signing)
    if fault is not None:
        raise PostfixError(fault)
    folder = Path(tempfile.mkdtemp(prefix="postfix-bench-", dir=data))
    folder.chmod(0o755)
    port, milter_port = _free_port(), _free_port()
    milter: subprocess.Popen[bytes] | None = None
    try:
        if signing:
            milter = _start_opendkim(folder, milter_port)
        milter_lines = MILTER.format(milter=milter_port) if signing else ""
        config = folder / "etc"
        config.mkdir()
        settings = MAIN.format(folder=folder, sink=sink, concurrency=concurrency, milter=milter_lines)
        (config / "main.cf").write_text(settings)
        (config / "master.cf").write_text(MASTER.format(port=port))
        _own_folders(folder)
        _postfix(config, "start")
        master = int((folder / "spool/pid/master.pid").read_text())
        try:
            _wait_for(port)
            yield Postfix(port=port, master=master, milter=milter.pid if milter else None)
        finally:
            _postfix(config, "stop")
            _wait_for_end(master)
    finally:
        if milter is not None:
            milter.send_signal(signal.SIGTERM)
            milter.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _own_folders(folder: Path) -> None:
    (folder / "spool").mkdir(mode=0o755)
    data = folder / "data"
    data.mkdir(mode=0o700)
    user, group = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postfix").gr_gid
    os.chown(data, user, group)


def _postfix(config: Path, command: str) -> None:
    ran = subprocess.run(
        ["postfix", "-c", str(config), command], capture_output=True, text=True, timeout=30, check=False
    )
    if ran.returncode:
        raise PostfixError(f"postfix {command}: {ran.stderr.strip() or ran.stdout.strip()}")


def _start_opendkim(folder: Path, port: int) -> subprocess.Popen[bytes]:
    key = folder / "bench.pem"
    pem, _ = generate_rsa()
    key.write_text(pem)
    key.chmod(0o600)
    config = folder / "opendkim.conf"
    config.write_text(OPENDKIM.format(domain=DOMAIN, folder=folder, port=port))
    process = subprocess.Popen(["opendkim", "-f", "-x", str(config)])
    try:
        _wait_for(port)
    except PostfixError:
        process.kill()
        raise
    return process


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as client:
            client.settimeout(1)
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise PostfixError(f"nothing listens on port {port}")


def _wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
