"""Waybill: email sending that can say why a message was not delivered."""
