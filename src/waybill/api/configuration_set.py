"""Configuration sets and their event destinations, as v1 and v2 share them."""

import re
from collections.abc import Callable
from dataclasses import replace

from waybill.api.call import Call
from waybill.api.ses_error import SesError, invalid
from waybill.model.resource import ConfigurationSet, EventDestination, Pause, Topic
from waybill.standing.pausing import OPERATOR, paused_set, resumed_set
from waybill.store.protocol import AlreadyExists, NewNotice, NotFound, NoticeKind

MAX_EVENT_DESTINATIONS = 10
TOPIC_VALIDATED = b"Successfully validated SNS topic for Amazon SES event publishing."

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


async def create_configuration_set(call: Call, record: ConfigurationSet) -> None:
    """Raises: SesError if the name is taken or not allowed."""
    if not _NAME.fullmatch(record.name):
        raise SesError(
            f"Invalid configuration set name <{record.name}>: allowed are 1 to 64 of A-Z, a-z, 0-9, '_' and '-'.",
            v2="BadRequestException",
            v1="InvalidConfigurationSet",
        )
    try:
        await call.service.store.create(record)
    except AlreadyExists:
        raise SesError(
            f"Configuration set <{record.name}> already exists.",
            v2="AlreadyExistsException",
            v1="ConfigurationSetAlreadyExists",
        ) from None


async def find_configuration_set(call: Call, name: str) -> ConfigurationSet:
    """The account's configuration set. Raises: SesError if there is none of this name."""
    record = await call.service.store.get(ConfigurationSet, call.account, name)
    if record is None:
        raise _missing(name)
    return record


async def change_configuration_set(
    call: Call, name: str, change: Callable[[ConfigurationSet], ConfigurationSet]
) -> None:
    """Raises: SesError if there is none of this name, and what ``change`` raises."""
    try:
        await call.service.store.update(ConfigurationSet, call.account, name, change)
    except NotFound:
        raise _missing(name) from None


async def set_sending_of_set(call: Call, name: str, *, enabled: bool) -> None:
    """Pauses or resumes sending with a configuration set; resumed it has a fresh start.

    Raises:
        SesError: there is none of this name, or the pause is the operator's, which the customer cannot end.
    """
    at = call.service.clock()
    pause = Pause(by=f"api:{call.access_key_id}", reason=f"{call.operation} was called", at=at)

    def change(old: ConfigurationSet) -> ConfigurationSet:
        if not enabled:
            return paused_set(old, pause)
        if old.paused is not None and old.paused.by == OPERATOR:
            raise invalid(f"Sending was paused by {OPERATOR} ({old.paused.reason}); only the operator can resume it.")
        return resumed_set(old, at)

    await change_configuration_set(call, name, change)


async def delete_configuration_set(call: Call, name: str) -> None:
    """Raises: SesError if there is none of this name."""
    if not await call.service.store.delete(ConfigurationSet, call.account, name):
        raise _missing(name)


async def add_event_destination(call: Call, set_name: str, new: EventDestination) -> None:
    """Adds the destination and tells its topic. Raises: SesError."""
    if not _NAME.fullmatch(new.name):
        raise invalid(
            f"Invalid event destination name <{new.name}>: allowed are 1 to 64 of A-Z, a-z, 0-9, '_' and '-'."
        )
    await _check(call, new)

    def change(old: ConfigurationSet) -> ConfigurationSet:
        if any(one.name == new.name for one in old.event_destinations):
            raise SesError(
                f"An event destination with name {new.name} already exists for configuration set {set_name}.",
                v2="AlreadyExistsException",
                v1="EventDestinationAlreadyExists",
            )
        if len(old.event_destinations) >= MAX_EVENT_DESTINATIONS:
            raise SesError(
                f"A configuration set has at most {MAX_EVENT_DESTINATIONS} event destinations.",
                v2="LimitExceededException",
                v1="LimitExceeded",
            )
        return replace(old, event_destinations=(*old.event_destinations, new))

    await change_configuration_set(call, set_name, change)
    await _greet(call, new)


async def replace_event_destination(call: Call, set_name: str, new: EventDestination) -> None:
    """Replaces the destination of the same name and tells a topic that is new. Raises: SesError."""
    await _check(call, new)
    before: list[str | None] = []

    def change(old: ConfigurationSet) -> ConfigurationSet:
        before[:] = [one.topic_arn for one in old.event_destinations if one.name == new.name]
        if not before:
            raise _no_destination(set_name, new.name)
        return replace(
            old,
            event_destinations=tuple(new if one.name == new.name else one for one in old.event_destinations),
        )

    await change_configuration_set(call, set_name, change)
    if new.topic_arn not in before:
        await _greet(call, new)


async def remove_event_destination(call: Call, set_name: str, name: str) -> None:
    """Raises: SesError if the set or the destination is not there."""

    def change(old: ConfigurationSet) -> ConfigurationSet:
        kept = tuple(one for one in old.event_destinations if one.name != name)
        if len(kept) == len(old.event_destinations):
            raise _no_destination(set_name, name)
        return replace(old, event_destinations=kept)

    await change_configuration_set(call, set_name, change)


async def _check(call: Call, new: EventDestination) -> None:
    if not new.event_types:
        raise invalid("MatchingEventTypes is empty; at least one event type is needed.")
    if (new.topic_arn is not None) + len(new.other) != 1:
        raise invalid("The event destination needs exactly one kind of destination, such as the SNS one.")
    if new.topic_arn is None:
        return
    if await call.service.store.get(Topic, call.account, new.topic_arn) is None:
        raise SesError(f"SNS topic <{new.topic_arn}> not found.", v2="NotFoundException", v1="InvalidSNSDestination")


async def _greet(call: Call, new: EventDestination) -> None:
    """SES publishes this text, without a subject, to a topic that events will go to; consumers know it."""
    if new.topic_arn is None:
        return
    notice = NewNotice(
        kind=NoticeKind.TOPIC,
        account=call.account,
        target=new.topic_arn,
        at=call.service.clock(),
        body=TOPIC_VALIDATED,
    )
    await call.service.store.notify([notice])


def _missing(name: str) -> SesError:
    return SesError(
        f"Configuration set <{name}> does not exist.", v2="NotFoundException", v1="ConfigurationSetDoesNotExist"
    )


def _no_destination(set_name: str, name: str) -> SesError:
    return SesError(
        f"An event destination with name {name} does not exist for configuration set {set_name}.",
        v2="NotFoundException",
        v1="EventDestinationDoesNotExist",
        text_v1=f"No EventDestination found for {set_name}",
    )
