"""Writes the pages of ``docs/`` that are made from the code; ``--check`` only compares."""

import sys
from pathlib import Path

from pages import causes_page, settings_page

from waybill.api.compatibility import compatibility
from waybill.api.registry import OPERATIONS, PARTIAL
from waybill.api.shapes import load_model
from waybill.publish.events_page import events_page

DOCS = Path(__file__).parents[1] / "docs"


def compatibility_page() -> str:
    """The text of ``docs/compatibility.md``."""
    models = {service: load_model(service) for service in ("sesv2", "ses", "sns")}
    return compatibility(models, OPERATIONS, PARTIAL)


PAGES = {
    "causes.md": causes_page,
    "compatibility.md": compatibility_page,
    "events.md": events_page,
    "settings.md": settings_page,
}


def main() -> int:
    """Exit code 1 where ``--check`` finds a page that is not what the code says."""
    stale = []
    for name, page in PAGES.items():
        target, text = DOCS / name, page()
        if target.exists() and target.read_text("utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            target.write_text(text, "utf-8")
    if stale and "--check" in sys.argv:
        print(f"{', '.join(stale)}: not what the code says; run scripts/generate_docs.py")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
