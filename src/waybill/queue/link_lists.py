"""Asks blocklists of domains about the hosts that links lead to. The resolver remembers, so a mailing is asked about once."""

import asyncio
import logging
from collections.abc import Sequence

from waybill.mail.lint.links import organisation
from waybill.mail.lint.rules import found
from waybill.model.content import Finding
from waybill.model.ip import is_ip
from waybill.model.standing import ListingState
from waybill.net.resolver import Resolver
from waybill.standing.blocklists import Blocklist, look_up

log = logging.getLogger(__name__)

MOST_HOSTS = 10
SECONDS = 10.0


class DomainLists:
    """The lists that the settings name. Only "listed" is a finding: no answer, or a refusal to answer, says nothing."""

    def __init__(self, resolver: Resolver, lists: Sequence[Blocklist]) -> None:
        self._resolver = resolver
        self._lists = [one for one in lists if one.about == "domain"]

    async def judge(self, hosts: Sequence[str]) -> tuple[Finding, ...]:
        """What the lists say against the hosts. Raises nothing."""
        domains = dict.fromkeys(organisation(host) for host in hosts if "." in host and not is_ip(host))
        asked = [(domain, one) for domain in list(domains)[:MOST_HOSTS] for one in self._lists]
        answers = await asyncio.gather(*(self._ask(domain, one) for domain, one in asked))
        return tuple(finding for finding in answers if finding is not None)

    async def _ask(self, domain: str, one: Blocklist) -> Finding | None:
        try:
            async with asyncio.timeout(SECONDS):
                listing = await look_up(self._resolver, one, domain)
        except TimeoutError:
            return None
        except ValueError as error:  # what stands in a link need not be a name
            log.info("domain_not_asked domain=%s list=%s error=%s", domain, one.id, error)
            return None
        if listing.state is not ListingState.LISTED:
            return None
        return found("link-on-blocklist", where=None, host=domain, list=one.name, answer=", ".join(listing.answers))
