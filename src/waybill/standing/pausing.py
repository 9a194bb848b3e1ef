"""Pausing and resuming an account or a configuration set, as every hand does it: rule, operator or API. Pure."""

from dataclasses import replace

from waybill.model.clock import HOUR, Instant
from waybill.model.resource import Account, ConfigurationSet, Pause

RULE = "rule:"
OPERATOR = "operator"


def is_by_rule(pause: Pause | None) -> bool:
    """Whether Waybill itself paused it, for its rates."""
    return pause is not None and pause.by.startswith(RULE)


def resumed_account(account: Account, at: Instant) -> Account:
    """The account sending again, with a fresh start: what it is judged by from now on has not been sent yet.

    SES gives a fresh start when it ends a pause ("LastFreshStart"); without one the same old bounces would pause it at once.
    """
    return account if account.paused is None else replace(account, paused=None, last_fresh_start=at)


def paused_set(configuration_set: ConfigurationSet, pause: Pause) -> ConfigurationSet:
    """The configuration set stopped; who stopped it first stands."""
    if not configuration_set.sending_enabled:
        return configuration_set
    return replace(configuration_set, sending_enabled=False, paused=pause)


def resumed_set(configuration_set: ConfigurationSet, at: Instant) -> ConfigurationSet:
    """The configuration set sending again, with a fresh start."""
    if configuration_set.sending_enabled:
        return configuration_set
    return replace(configuration_set, sending_enabled=True, paused=None, last_fresh_start=at)


def judged_from(fresh_start: Instant | None) -> Instant:
    """From when mail counts after a fresh start: the next full hour, since it is added up by hours. 0: there was none."""
    return 0 if fresh_start is None else fresh_start + -fresh_start % HOUR
