"""Deliverability in SES v2: what there is to put right, what became of mail by the day, and what blocklists say."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from waybill.api.call import ApiError, Call, Operation
from waybill.api.paging import Range, cut, open_page
from waybill.deliver.provider import load_providers
from waybill.mail.address import AddressError, canonical
from waybill.model.clock import DAY, Instant
from waybill.model.standing import Advice, DayTally, Figures, ListingState, Recommendation

DAYS_KEPT = 60 * DAY
_ALL = 10_000
_PAGE_SIZE = Range(parameter="PageSize", default=100, maximum=100)
_CONFIGURATION_SET = "configuration-set"

_METRICS: dict[str, Callable[[Figures], int]] = {
    "SEND": lambda figures: figures.sent,
    "DELIVERY": lambda figures: figures.delivered,
    "DELIVERY_COMPLAINT": lambda figures: figures.delivered,
    "PERMANENT_BOUNCE": lambda figures: figures.permanent,
    "TRANSIENT_BOUNCE": lambda figures: figures.transient,
    "COMPLAINT": lambda figures: figures.complaints,
}
"""The metrics that Waybill counts; opens and clicks are not tracked, so that those have no values."""

_TOGETHER = ({"STATUS", "IMPACT"}, {"STATUS", "TYPE"})
"""Filters that SES takes together."""

_SES_NAMES = {"gmail": "google", "outlook": "microsoft", "hotmail": "microsoft", "aol": "yahoo", "icloud": "apple"}
"""What SES calls some of the providers."""


async def list_recommendations(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Open ones, and for thirty days those that were fixed. Raises: ApiError for filters that SES does not combine, SesError."""
    page = open_page(request.get("NextToken"), request.get("PageSize"), _PAGE_SIZE)
    wanted = _filter(call, request.get("Filter") or {})
    found = await call.service.store.scan(Recommendation, call.account, after=page.after, limit=_ALL)
    shown, token = cut([one for one in found if wanted(one)][: page.limit + 1], page, lambda one: one.name)
    return {"Recommendations": [_recommendation(call, one) for one in shown], "NextToken": token}


def _filter(call: Call, filters: Mapping[str, str]) -> Callable[[Recommendation], bool]:
    if len(filters) > 1 and set(filters) not in _TOGETHER:
        raise ApiError(
            "BadRequestException",
            "Filter takes one key, or STATUS with IMPACT, or STATUS with TYPE.",
        )
    allowed = {"TYPE": {one.value for one in Advice}, "IMPACT": {"LOW", "HIGH"}, "STATUS": {"OPEN", "FIXED"}}
    for key, value in filters.items():
        if key in allowed and value not in allowed[key]:
            raise ApiError(
                "BadRequestException", f"Filter {key} is {value!r}; allowed are {', '.join(sorted(allowed[key]))}."
            )

    def wanted(one: Recommendation) -> bool:
        shown = _recommendation(call, one)
        names = {"TYPE": "Type", "IMPACT": "Impact", "STATUS": "Status", "RESOURCE_ARN": "ResourceArn"}
        return all(shown[names[key]] == value for key, value in filters.items())

    return wanted


def _recommendation(call: Call, one: Recommendation) -> dict[str, Any]:
    return {
        "ResourceArn": _arn(call, one),
        "Type": one.type.value,
        "Description": f"{one.text} {one.fix}",
        "Status": "OPEN" if one.fixed_at is None else "FIXED",
        "Impact": "HIGH" if one.high else "LOW",
        "CreatedTimestamp": one.opened_at,
        "LastUpdatedTimestamp": one.updated_at,
    }


def _arn(call: Call, one: Recommendation) -> str:
    if not one.about:
        resource = "account"
    elif one.type is Advice.IP_LISTING:
        resource = f"dedicated-ip/{one.about}"
    elif one.name.endswith(f" {_CONFIGURATION_SET}"):
        resource = f"{_CONFIGURATION_SET}/{one.about}"
    else:
        resource = f"identity/{one.about}"
    return f"arn:aws:ses:{call.service.region}:{call.account}:{resource}"


async def batch_get_metric_data(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """What became of mail, by the day (UTC), for up to ten questions. Raises: ApiError: a period that ends before it begins."""
    queries = request["Queries"]
    results = []
    for query in queries:
        since, until = _period(call, query)
        days = await call.service.store.standing.by_day(call.account, since, until) if since < until else []
        results.append(_result(query, since, until, days))
    return {"Results": results, "Errors": []}


def _period(call: Call, query: Mapping[str, Any]) -> tuple[Instant, Instant]:
    """Whole days, none of them older than is kept, none in the future."""
    start, end = query["StartDate"], query["EndDate"]
    if end < start:
        raise ApiError("BadRequestException", f"Query {query['Id']}: EndDate is before StartDate.")
    now = call.service.clock()
    since = max(start - start % DAY, now - now % DAY - DAYS_KEPT)
    return since, min(end, now + 1)


def _result(query: Mapping[str, Any], since: Instant, until: Instant, days: Iterable[DayTally]) -> dict[str, Any]:
    metric = _METRICS.get(query["Metric"])
    dimensions = query.get("Dimensions") or {}
    if metric is None or "TENANT_NAME" in dimensions:
        return {"Id": query["Id"], "Timestamps": [], "Values": []}
    values = dict.fromkeys(range(since, until, DAY), 0)
    for tally in days:
        if _fits(tally, dimensions):
            values[tally.day] = values.get(tally.day, 0) + metric(tally.figures)
    return {"Id": query["Id"], "Timestamps": list(values), "Values": list(values.values())}


def _fits(tally: DayTally, dimensions: Mapping[str, str]) -> bool:
    for name, value in dimensions.items():
        if name == "CONFIGURATION_SET" and tally.configuration_set != value:
            return False
        if name == "ISP" and tally.provider not in _providers(value):
            return False
        if name == "EMAIL_IDENTITY" and not _is_of(tally.identity, value):
            return False
    return True


def _is_of(identity: str, asked: str) -> bool:
    """Whether an identity's mail belongs to the identity asked for: an address also to its domain."""
    try:
        asked = canonical(asked) if "@" in asked else asked.lower()
    except AddressError:
        return False
    return identity == asked or identity.endswith(f"@{asked}")


@lru_cache(maxsize=64)
def _providers(asked: str) -> frozenset[str]:
    """The names of providers that a mailbox provider is asked for by: ours, its title, or SES's."""
    wanted = asked.strip().lower()
    named = {one.name for one in load_providers().all if wanted in (one.name, one.title.lower())}
    return frozenset(named | ({_SES_NAMES[wanted]} if wanted in _SES_NAMES else set()))


async def get_blacklist_reports(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """What blocklists say now of source addresses; an address that none lists, or that was never asked about, has no entries."""
    asked = request["BlacklistItemNames"]
    found = await call.service.store.standing.listings(subjects=asked)
    return {
        "BlacklistReport": {
            name: [
                {"RblName": one.zone, "ListingTime": one.since, "Description": one.text}
                for one in found
                if one.subject == name and one.state is ListingState.LISTED
            ]
            for name in asked
        }
    }


OPERATIONS: dict[str, Operation] = {
    "ListRecommendations": list_recommendations,
    "BatchGetMetricData": batch_get_metric_data,
    "GetBlacklistReports": get_blacklist_reports,
}

PARTIAL = {
    "ListRecommendations": "Description is in words, not one of SES's codes; FEEDBACK_3P is never given.",
    "BatchGetMetricData": (
        "OPEN, CLICK, DELIVERY_OPEN and DELIVERY_CLICK have no values, since opens and clicks are not tracked; "
        "mail to several recipients counts, which SES leaves out."
    ),
    "GetBlacklistReports": "Of our own source addresses and domains, as the lists said when they were asked last.",
}
