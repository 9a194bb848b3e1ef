"""Inbound mail: bounces, complaints, automatic replies and reports come home."""

from waybill.inbound.door import Inbound, InboundConfig

__all__ = ["Inbound", "InboundConfig"]
