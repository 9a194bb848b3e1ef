"""Explain: facts in, the answer out. Pure; it opens no socket and reads no store."""

from waybill.explain.engine import explain
from waybill.explain.facts import Facts
from waybill.explain.record import Explanation, to_json

__all__ = ["Explanation", "Facts", "explain", "to_json"]
