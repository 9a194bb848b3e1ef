import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.talk import submit
from waybill.lab.scenario import Scenario, load_scenario, run_lab
from waybill.lab.table import ScenarioError
from waybill.model.outcome import Stage

EXAMPLE = Path(__file__).parents[2] / "docs" / "example-lab.toml"


def _on_free_ports(scenario: Scenario) -> Scenario:
    plans = tuple(replace(plan, port=0) for plan in scenario.receivers)
    return replace(scenario, dns_port=0, receivers=plans, feedback=None)


async def test_example_of_the_docs_plays_its_script() -> None:
    """Each receiver of docs/example-lab.toml does what its rules say, and what is usual elsewhere."""
    async with await run_lab(_on_free_ports(load_scenario(EXAMPLE))) as lab:
        shop = lab.receivers["mx1.shop.example"]
        said = [await submit(f"{local}@shop.example", port=shop.port) for local in ("full", "new", "new", "new")]
        assert [(answer.stage, answer.reply and answer.reply.code) for answer in said] == [
            (Stage.RCPT, 452),
            (Stage.RCPT, 451),
            (Stage.RCPT, 451),
            (Stage.MESSAGE, 250),
        ]
        elsewhere = await submit("a@elsewhere.example", port=shop.port)
        assert elsewhere.reply is not None
        assert elsewhere.reply.text == "554 5.7.1 <a@elsewhere.example>: Relay access denied"
        old = lab.receivers["mx.old.example"]
        assert lab.addresses() == (
            f"dns: {lab.dns_address}",
            f"receiver mx1.shop.example: 127.0.0.1:{shop.port}",
            f"receiver mx.old.example: 127.0.0.2:{old.port}",
        )
        no_ehlo = await submit("a@old.example", port=old.port, host=old.host)
        assert (no_ehlo.stage, no_ehlo.reply and no_ehlo.reply.code) == (Stage.EHLO, 502)


def test_receivers_are_in_the_zones() -> None:
    """A receiver's domains lead to it without being written twice; what is written stays."""
    zones = load_scenario(EXAMPLE).zones
    assert zones["shop.example"] == ("MX 10 mx1.shop.example",)
    assert zones["mx1.shop.example"] == ("A 127.0.0.1",)
    assert zones["parked.example"] == ("MX 0 .",)


RECEIVER = '[[receiver]]\nname = "mx.b.example"\n'
RULE = RECEIVER + "[[receiver.rule]]\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = [", "is no TOML"),
        ("dns = 1", "dns = 1; allowed is a table [dns]"),
        ('[dns]\nlisten = "here"', "dns: listen = 'here'; allowed is an address and a port such as '127.0.0.1:2525'"),
        ('[dns]\ncolour = "red"', "dns: unknown key 'colour'; allowed are listen, zones"),
        ('[dns.zones]\n"b.example" = ["MX mx"]', "zones: b.example: 'MX mx' cannot be read as MX"),
        ('[dns.zones]\n"b.example" = ["HELLO"]', "'HELLO' is no record; allowed is a record such as"),
        ('[dns.zones]\n"b.example" = "A 127.0.0.1"', "b.example = 'A 127.0.0.1'; allowed is a list of texts"),
        ("[[receiver]]", "receiver 1: name is missing; allowed is a text"),
        (RECEIVER + 'offers = ["TURN"]', "receiver mx.b.example: offers = 'TURN'; allowed is PIPELINING"),
        (RECEIVER + "rule = 1", "rule = 1; allowed is an array of tables [[rule]]"),
        (RULE + 'reply = "550 x"', "rule 1: stage is missing; allowed is one of greeting"),
        (RULE + 'stage = "hello"\nreply = "550 x"', "stage = 'hello'; allowed is one of greeting, ehlo"),
        (RULE + 'stage = "rcpt"', "rule 1: does nothing; give it a reply"),
        (RULE + 'stage = "rcpt"\ntimes = 0\nreply = "550 x"', "times = 0; allowed is a whole number from 1"),
        (RULE + 'stage = "rcpt"\ndelay = -1', "delay = -1; allowed is a number of seconds from 0"),
        (RULE + 'stage = "rcpt"\ndisconnect = 1', "disconnect = 1; allowed is true or false"),
        (RULE + 'stage = "rcpt"\nthen = "bounce"', "then belongs to stage = 'message'"),
        (
            RULE + 'stage = "message"\nthen = "song"',
            "then = 'song'; allowed is one of bounce, complaint, delay, auto-reply",
        ),
        ("[feedback]\ndelay = 1", "feedback: to is missing"),
    ],
)
def test_fault_names_file_key_and_what_is_allowed(tmp_path: Path, text: str, fault: str) -> None:
    """Every mistake in a scenario is one line that says where it is and what would do."""
    path = tmp_path / "scenario.toml"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=re.escape(fault)) as caught:
        load_scenario(path)
    assert str(caught.value).startswith(str(path))


def test_absent_file_is_named(tmp_path: Path) -> None:
    """A scenario that is not there is said to be not there."""
    with pytest.raises(ScenarioError, match=r"none\.toml: cannot be read"):
        load_scenario(tmp_path / "none.toml")


async def test_taken_port_closes_what_was_started(tmp_path: Path) -> None:
    """Where one receiver cannot start, nothing stays behind."""
    path = tmp_path / "scenario.toml"
    path.write_text(RECEIVER)
    async with await run_lab(load_scenario(path)) as lab:
        port = lab.receivers["mx.b.example"].port
        path.write_text(f'{RECEIVER}listen = "127.0.0.1:{port}"\n')
        with pytest.raises(OSError, match="in use"):
            await run_lab(load_scenario(path))
