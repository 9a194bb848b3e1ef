"""``waybill watch amazon-ses`` and ``waybill explain --from-file``: events in, answers out."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from awscli.clidriver import create_clidriver

from tests.cli.conftest import Run, rows
from tests.watch import events
from tests.watch.aws_lab import REGION, AwsLab
from tests.watch.stories import STORIES


def write(path: str, *documents: Any) -> str:
    Path(path).write_text("\n".join(json.dumps(one) for one in documents), "utf-8")
    return path


def test_one_notification_in_a_file_is_enough(run: Run) -> None:
    """One command, the right answer, and nothing is kept."""
    write("bounce.json", events.in_sns(events.legacy(events.bounce())))
    told = run("explain", "--from-file", "bounce.json")
    assert told.startswith(
        "bo@mail.example: not delivered. mail.example's mail server says this mailbox does not exist."
    )
    assert told == run("explain", "--from-file", "bounce.json", events.MESSAGE_ID)
    assert told == run("watch", "amazon-ses", "--file", "bounce.json", "--explain")
    assert not Path("waybill.db").exists()


def test_explained_as_json(run: Run) -> None:
    """One message is an object, several are a list."""
    other = events.bounce() | {"mail": events.mail(messageId="second")}
    write("one.json", events.bounce())
    write("two.json", events.bounce(), other)
    assert events.MESSAGE_ID == rows(run("explain", "--from-file", "one.json", "--json"))["message_id"]
    assert [events.MESSAGE_ID, "second"] == [
        one["message_id"] for one in rows(run("explain", "--from-file", "two.json", "--json"))
    ]
    assert "second" == rows(run("explain", "--from-file", "two.json", "second", "--json"))["message_id"]


def test_explained_from_standard_input(run: Run) -> None:
    """And the commands it prints name the file, or are left out where there is none."""
    told = run("explain", "--from-file", "-", given=json.dumps(events.bounce()))
    assert "--ask-amazon" not in told
    write("one.json", events.bounce())
    assert f"waybill explain {events.MESSAGE_ID} --ask-amazon --from-file one.json" in run(
        "explain", "--from-file", "one.json"
    )


def test_what_a_file_does_not_hold(run: Run) -> None:
    """Another id, no event at all, no file, no question."""
    write("one.json", events.bounce())
    write("none.json")
    assert "no event about 'nobody@mail.example' in one.json" in run(
        "explain", "--from-file", "one.json", "nobody@mail.example", code=4
    )
    assert "no event of Amazon SES in none.json" in run("explain", "--from-file", "none.json", code=4)
    assert "gone.json: cannot be read" in run("explain", "--from-file", "gone.json", code=2)
    assert "say which message" in run("explain", code=2)


def test_files_join_the_ledger(run: Run) -> None:
    """Then find, explain and events know the mail; a second time nothing is new."""
    write("events.json", events.send(), events.delivery(), events.in_sns({}, Type="SubscriptionConfirmation"))
    told = run("watch", "amazon-ses", "--file", "events.json")
    assert "2 events taken in, about 1 message.\n1 message of SNS itself, which tell of no mail.\n" == told
    (found,) = rows(run("find", "--json"))
    assert (events.MESSAGE_ID, "delivered") == (found["message_id"], found["status"])
    assert "accepted by mail.example's server" in run("explain", events.TO)
    assert 2 == len(rows(run("events", events.MESSAGE_ID, "--json")))
    counted = rows(run("watch", "amazon-ses", "--file", "events.json", "--json"))
    assert {"new": 0, "known": 2, "messages": 1, "no_events": 1, "faults": 0, "not_amazon_ses": []} == counted


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    """A line for each, with file and line; the answer is no."""
    write("events.json", events.send(), {"a": 1}, events.delivery())
    assert "waybill: events.json, line 2: it is neither an event" in run(
        "watch", "amazon-ses", "--file", "events.json", code=1
    )
    assert 2 == len(rows(run("events", events.MESSAGE_ID, "--json")))


def test_how_the_door_is_set_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without options: where SNS posts to, and of which topics it is taken; none is a no."""
    run("watch", "amazon-ses", code=1)
    monkeypatch.setenv("WAYBILL__AMAZON_SES__TOPICS", json.dumps([events.TOPIC]))
    assert {"url": "http://127.0.0.1:8025/ingest/amazon-ses", "topics": [events.TOPIC]} == rows(
        run("watch", "amazon-ses", "--json")
    )
    assert events.TOPIC in run("watch", "amazon-ses")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("TOPICS", '["ses-events"]', "a list of ARNs of SNS topics"), ("HOSTS", '["https://x"]', "a list of host names")],
)
def test_a_wrong_setting_is_named(run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str) -> None:
    """With what is allowed."""
    monkeypatch.setenv(f"WAYBILL__AMAZON_SES__{name}", value)
    assert words in run("watch", "amazon-ses", code=2)


@pytest.mark.parametrize(
    "arguments", [("--queue", "u", "--file", "f"), ("--queue", "u", "--explain"), ("--ask",), ("--explain",)]
)
def test_options_that_do_not_go_together(run: Run, arguments: tuple[str, ...]) -> None:
    """One line says so."""
    run("watch", "amazon-ses", *arguments, code=2)


def queue_with(aws: AwsLab, name: str, *bodies: str) -> str:
    sqs = aws.client("sqs")
    url = str(sqs.create_queue(QueueName=name)["QueueUrl"])
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body)
    return url


def left_in(aws: AwsLab, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


def test_a_queue_is_drained(run: Run, aws: AwsLab) -> None:
    """Twelve messages in two batches; each is deleted after it was written."""
    others = [events.send(messageId=f"message-{number}") for number in range(11)]
    url = queue_with(aws, "events", *(json.dumps(one) for one in (events.in_sns(events.bounce()), *others)))
    assert "12 events taken in, about 12 messages.\n" == run("watch", "amazon-ses", "--queue", url, "--once")
    assert 0 == left_in(aws, url)


def test_what_cannot_be_read_stays_in_the_queue(run: Run, aws: AwsLab) -> None:
    """For its redrive policy; the rest is taken."""
    url = queue_with(aws, "broken", "nonsense", json.dumps(events.bounce()))
    told = run("watch", "amazon-ses", "--queue", url, "--once", code=1)
    assert "not JSON: 'nonsense'" in told
    assert 1 == left_in(aws, url)


def test_a_topic_leads_to_the_queue(run: Run, aws: AwsLab) -> None:
    """SES publishes to SNS, SNS to SQS."""
    url = queue_with(aws, "subscribed")
    sns = aws.client("sns")
    topic = sns.create_topic(Name="ses-events")["TopicArn"]
    arn = f"arn:aws:sqs:{REGION}:{events.ACCOUNT}:subscribed"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.publish(TopicArn=topic, Message=json.dumps(events.complaint()))
    assert "1 event taken in, about 1 message.\n" == run("watch", "amazon-ses", "--queue", url, "--once")
    assert "marked it as spam" in run("explain", events.TO)


def test_a_queue_that_is_not_there(run: Run, aws: AwsLab) -> None:
    """One line, and the exit code of what cannot be reached."""
    url = f"{aws.moto_url}/{events.ACCOUNT}/nowhere"
    assert "nowhere: " in run("watch", "amazon-ses", "--queue", url, "--once", code=3)


def test_with_credentials_the_answer_knows_more(run: Run, aws: AwsLab) -> None:
    """Asked afterwards, asked on the way in, and asked about a file."""
    listed = events.bounce(sub_type="OnAccountSuppressionList", words=events.ON_ACCOUNT_LIST)
    path = write("listed.json", listed)
    run("watch", "amazon-ses", "--file", path)
    assert "Not seen" in run("explain", events.TO)
    for told in (
        run("explain", events.TO, "--ask-amazon"),
        run("explain", events.TO),
        run("explain", "--from-file", path, "--ask-amazon"),
    ):
        assert "list entry: reason BOUNCE, added 2026-10-02" in told
        assert "Not seen" not in told


def test_asked_on_the_way_in(run: Run, aws: AwsLab) -> None:
    """Only about what went wrong."""
    path = write("events.json", events.bounce(), events.delivery() | {"mail": events.mail(messageId="fine")})
    run("watch", "amazon-ses", "--file", path, "--ask")
    kinds = [one["kind"] for one in rows(run("events", events.MESSAGE_ID, "--json"))]
    assert ["amazon_reported", *["amazon_asked"] * 4] == kinds
    assert 1 == len(rows(run("events", "fine", "--json")))


PRINTED = sorted(
    {
        remedy.command
        for story in STORIES.values()
        for remedy in story.explanation.recipients[0].telling.remedies
        if remedy.command and remedy.command.startswith("aws ")
    }
    | {
        one.command
        for story in STORIES.values()
        for one in story.explanation.recipients[0].hypotheses
        if one.command and one.command.startswith("aws ")
    }
    | {
        item.text.rpartition("  ")[2]
        for story in STORIES.values()
        for item in story.explanation.recipients[0].telling.evidence
        if item.kind == "not_seen" and "aws " in item.text
    }
)
_ANSWERED_NO = {
    "get-message-insights": "NotFoundException",
    "--template-data {}": "Attribute 'orderNumber' is not present in the rendering data.",
}
"""The lab's SES has not sent the message, and its template wants data."""


@pytest.mark.parametrize("command", PRINTED)
def test_printed_commands_work(command: str, aws: AwsLab, capsys: pytest.CaptureFixture[str]) -> None:
    """The AWS CLI takes every command as printed, and SES does what it asks."""
    words = shlex.split(command)
    code = create_clidriver().main(words[1:])
    told = capsys.readouterr()
    no = next((answer for part, answer in _ANSWERED_NO.items() if part in " ".join(words)), None)
    assert (255 if no else 0) == code, told.err
    assert (no or "") in told.err
    if words[2] == "delete-suppressed-destination":
        again = ["sesv2", "put-suppressed-destination", "--email-address", events.TO, "--reason", "BOUNCE"]
        assert 0 == create_clidriver().main([*again, "--region", REGION])
