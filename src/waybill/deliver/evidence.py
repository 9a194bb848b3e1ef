"""What is known of an attempt when it ends: the words it is classified by."""

from dataclasses import dataclass
from enum import StrEnum

from waybill.model.outcome import Reply, Stage


class Failure(StrEnum):
    """What went wrong where no server's reply decided the attempt."""

    DOMAIN_NOT_FOUND = "domain_not_found"  # NXDOMAIN
    NULL_MX = "null_mx"  # RFC 7505
    NO_ADDRESS = "no_address"  # neither MX nor A nor AAAA, or MX hosts without an address
    DNS_FAILURE = "dns_failure"  # SERVFAIL, REFUSED, or an answer that makes no sense
    DNS_TIMEOUT = "dns_timeout"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_TIMEOUT = "connection_timeout"
    UNREACHABLE = "unreachable"  # no route to that host or network
    CONNECTION_LOST = "connection_lost"  # closed or reset by the server in the middle of the conversation
    TIMEOUT = "timeout"  # connected, but no answer in time
    MALFORMED_REPLY = "malformed_reply"  # what was said is no SMTP reply
    TLS_FAILED = "tls_failed"
    TLS_NOT_OFFERED = "tls_not_offered"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"  # a relay's certificate, which has to be good
    DANE_MISMATCH = "dane_mismatch"  # no TLSA record of the host fits its certificate (RFC 7672)
    MTA_STS_CERTIFICATE = (
        "mta_sts_certificate"  # the certificate is not what the domain's policy asks for (RFC 8461 §4.1)
    )
    MTA_STS_HOST = "mta_sts_host"  # an MX host that the domain's policy does not list
    LOOP = "loop"  # the best MX is ourselves
    PRIVATE_ADDRESS = "private_address"  # a private or loopback address, and those are not allowed
    ADDRESS_LITERAL = "address_literal"  # user@[192.0.2.1]
    SIZE_EXCEEDED = "size_exceeded"  # larger than the SIZE that the server offers (RFC 1870)
    I18N_UNSUPPORTED = "i18n_unsupported"  # SMTPUTF8 is needed and not offered (RFC 6531)
    NO_SOURCE = "no_source"  # none of our addresses may send it now
    NETWORK_DOWN = "network_down"  # our side: no network at all, or a source address that is not ours


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """How an attempt ended: a reply, or a failure and our words for it, and where that was."""

    stage: Stage
    recipient: str
    reply: Reply | None = None
    failure: Failure | None = None
    text: str = ""
    command: str | None = None
    host: str | None = None
    ip: str | None = None
    tls_required: bool = False
