"""The catalogue of causes: the closed vocabulary in which Waybill says why a message was not delivered.

``causes.json`` beside this file is the catalogue; the enumeration below names its codes so that
code and type checker can speak of them. A test holds the two together.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources


class Branch(StrEnum):
    """Which of the six questions (and ``account``) a cause answers."""

    TEMPLATE = "template"
    ADDRESS = "address"
    RECEIVER = "receiver"
    SPAM = "spam"
    DELAY = "delay"
    SERVICE = "service"
    ACCOUNT = "account"


class Scope(StrEnum):
    """What a refusal is about. Only ``recipient`` may ever lead to a suppression."""

    RECIPIENT = "recipient"
    RECIPIENT_DOMAIN = "recipient_domain"
    PROVIDER = "provider"
    SENDER_DOMAIN = "sender_domain"
    SOURCE_IP = "source_ip"
    CONTENT = "content"
    ACCOUNT = "account"
    SERVICE = "service"


class Responder(StrEnum):
    """Who said so."""

    REMOTE = "remote"
    DNS = "dns"
    NETWORK = "network"
    WAYBILL = "waybill"
    RECIPIENT = "recipient"


class Cause(StrEnum):
    """A code of the catalogue."""

    TEMPLATE_VARIABLE_MISSING = "template_variable_missing"
    TEMPLATE_DATA_INVALID = "template_data_invalid"
    TEMPLATE_SYNTAX_ERROR = "template_syntax_error"
    TEMPLATE_LIMIT_EXCEEDED = "template_limit_exceeded"
    USER_UNKNOWN = "user_unknown"
    MAILBOX_DISABLED = "mailbox_disabled"
    ADDRESS_MOVED = "address_moved"
    ADDRESS_INVALID = "address_invalid"
    DOMAIN_NOT_FOUND = "domain_not_found"
    DOMAIN_NO_MAIL = "domain_no_mail"
    MAILBOX_FULL = "mailbox_full"
    SUPPRESSED_ACCOUNT = "suppressed_account"
    SUPPRESSED_GLOBAL = "suppressed_global"
    UNSUBSCRIBED = "unsubscribed"
    ACCEPTED_BY_RECEIVER = "accepted_by_receiver"
    MESSAGE_TOO_LARGE = "message_too_large"
    ATTACHMENT_REJECTED = "attachment_rejected"
    CONTENT_MALFORMED = "content_malformed"
    POLICY_REJECTED = "policy_rejected"
    RECIPIENT_RESTRICTED = "recipient_restricted"
    SENDER_INVALID = "sender_invalid"
    RELAY_DENIED = "relay_denied"
    AUTH_REQUIRED = "auth_required"
    TLS_REQUIRED = "tls_required"
    TOO_MANY_RECIPIENTS = "too_many_recipients"
    I18N_UNSUPPORTED = "i18n_unsupported"
    PROTOCOL_ERROR = "protocol_error"
    ROUTING_LOOP = "routing_loop"
    SERVER_MISCONFIGURED = "server_misconfigured"
    SERVER_FULL = "server_full"
    SPAM_CONTENT = "spam_content"
    VIRUS_DETECTED = "virus_detected"
    IP_BLOCKLISTED = "ip_blocklisted"
    DOMAIN_BLOCKLISTED = "domain_blocklisted"
    LOW_REPUTATION = "low_reputation"
    AUTH_FAILED = "auth_failed"
    PTR_MISSING = "ptr_missing"
    COMPLAINT = "complaint"
    PLACED_IN_SPAM = "placed_in_spam"
    GREYLISTED = "greylisted"
    RATE_LIMITED = "rate_limited"
    RECIPIENT_RATE_LIMITED = "recipient_rate_limited"
    SERVER_UNAVAILABLE = "server_unavailable"
    CONNECTION_FAILED = "connection_failed"
    DNS_FAILURE = "dns_failure"
    HELD_BY_WAYBILL = "held_by_waybill"
    DELAYED_BEFORE_ACCEPTANCE = "delayed_before_acceptance"
    DELAYED_AFTER_ACCEPTANCE = "delayed_after_acceptance"
    DELIVERY_EXPIRED = "delivery_expired"
    WAYBILL_INCIDENT = "waybill_incident"
    PROVIDER_INCIDENT = "provider_incident"
    STUCK = "stuck"
    IDENTITY_NOT_VERIFIED = "identity_not_verified"
    MAIL_FROM_NOT_VERIFIED = "mail_from_not_verified"
    SENDING_PAUSED = "sending_paused"
    QUOTA_EXCEEDED = "quota_exceeded"
    SENDING_RATE_EXCEEDED = "sending_rate_exceeded"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, kw_only=True, slots=True)
class CauseEntry:
    """One entry of the catalogue.

    ``ses`` is SES's (bounceType, bounceSubType), ``delay_type`` its DeliveryDelay type; either is None
    where SES has no such event for the cause. ``suppress`` says whether a *certain, permanent* answer
    puts the recipient on the suppression lists.
    """

    code: Cause
    branch: Branch
    meaning: str
    not_meaning: str
    scope: Scope
    permanent: bool
    suppress: bool
    ses: tuple[str, str] | None
    delay_type: str | None
    remedy: str


def _load() -> dict[Cause, CauseEntry]:
    document = json.loads(resources.files("waybill.model").joinpath("causes.json").read_text("utf-8"))
    return {
        Cause(entry["code"]): CauseEntry(
            code=Cause(entry["code"]),
            branch=Branch(entry["branch"]),
            meaning=entry["meaning"],
            not_meaning=entry["not_meaning"],
            scope=Scope(entry["scope"]),
            permanent=entry["permanent"],
            suppress=entry["suppress"],
            ses=tuple(entry["ses"]) if entry["ses"] else None,
            delay_type=entry["delay_type"],
            remedy=entry["remedy"],
        )
        for entry in document["causes"]
    }


CATALOGUE: dict[Cause, CauseEntry] = _load()
