"""Real content filters for tests: Rspamd and SpamAssassin's spamd, on loopback, in a temporary folder, asking no network."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SEARCHED = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
RSPAMD, SPAMD = shutil.which("rspamd", path=_SEARCHED), shutil.which("spamd", path=_SEARCHED)
RULES = Path("/usr/share/rspamd/rules/rspamd.lua")
PATIENCE = 60.0

_RSPAMD = """
options {{
    filters = "regexp"; disable_hyperscan = true; url_tld = "{folder}/tops.dat"; tempdir = "{folder}";
    dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }}
    cache_file = "{folder}/cache"; history_file = "{folder}/history"; dynamic_conf = "{folder}/dynamic";
    stats_file = "{folder}/stats"; control_socket = "{folder}/control mode=0600"; pidfile = "{folder}/pid";
}}
logging {{ type = "console"; level = "notice"; color = false; }}
lua = "{rules}";
modules {{ path = "/usr/share/rspamd/plugins/phishing.lua"; }}
phishing {{ symbol = "PHISHING"; }}
.include "/etc/rspamd/groups.conf"
.include "/etc/rspamd/actions.conf"
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
"""


@contextmanager
def rspamd(folder: Path) -> Iterator[str]:
    """The URL of an Rspamd with its own rules and none of its maps."""
    port = _free_port()
    (folder / "tops.dat").write_text("com\nexample\n")
    (folder / "rspamd.conf").write_text(_RSPAMD.format(folder=folder, rules=RULES, port=port))
    command = [str(RSPAMD), "-f", "--insecure", "-c", str(folder / "rspamd.conf")]
    with _daemon(command, folder, port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def spamd(folder: Path) -> Iterator[int]:
    """The port of a spamd with the rules that came with it."""
    port = _free_port()
    command = [
        *(
            str(SPAMD),
            "--local",
            f"--listen=127.0.0.1:{port}",
            "--max-children=1",
            "--nouser-config",
            "--syslog=stderr",
        ),
        *(f"--pidfile={folder / 'pid'}", f"--helper-home-dir={folder}"),
    ]
    with _daemon(command, folder, port):
        yield port


@contextmanager
def _daemon(command: list[str], folder: Path, port: int) -> Iterator[None]:
    log = folder / "log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output, cwd=folder) as process:
        try:
            _wait_for(port, process, log)
            yield
        finally:
            process.terminate()


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text("utf-8", "replace")[-2_000:]
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text("utf-8", "replace")[-2_000:])


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
