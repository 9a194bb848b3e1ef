"""``python -m waybill``."""

from waybill.cli import main

main()
