"""Builds the lane that examines contents, as the settings have it."""

from waybill.model.clock import Clock
from waybill.net.content_filter import ContentFilter
from waybill.net.resolver import Resolver
from waybill.net.rspamd import Rspamd
from waybill.net.spamd import SpamAssassin
from waybill.queue.examine import ExamineParts, Examiner, NoLists
from waybill.queue.link_lists import DomainLists
from waybill.queue.trouble import Watch
from waybill.settings import Settings
from waybill.standing.blocklists import blocklists
from waybill.store.protocol import Store


def content_filters(settings: Settings) -> tuple[ContentFilter, ...]:
    """The filters that are to be asked about every message."""
    filters: list[ContentFilter] = []
    content = settings.content
    if content.rspamd:
        filters.append(Rspamd(content.rspamd))
    if content.spamassassin:
        host, _, port = content.spamassassin.rpartition(":")
        filters.append(SpamAssassin(host.strip("[]"), int(port)))
    return tuple(filters)


def content_examiner(settings: Settings, *, store: Store, clock: Clock, watch: Watch, resolver: Resolver) -> Examiner:
    """The lane. It lets go of the filters' connections when it ends."""
    asked = set(settings.content.link_lists)
    lists = [one for one in blocklists() if one.id in asked]
    return Examiner(
        ExamineParts(
            store=store,
            clock=clock,
            watch=watch,
            filters=content_filters(settings),
            lists=DomainLists(resolver, lists) if lists else NoLists(),
        )
    )
