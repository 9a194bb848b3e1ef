"""Writes ``docs/compatibility.md`` from the operations that exist; ``--check`` only compares."""

import sys
from pathlib import Path

from waybill.api.compatibility import compatibility
from waybill.api.registry import OPERATIONS, PARTIAL
from waybill.api.shapes import load_model

TARGET = Path(__file__).parents[1] / "docs" / "compatibility.md"


def main() -> int:
    models = {service: load_model(service) for service in ("sesv2", "ses", "sns")}
    text = compatibility(models, OPERATIONS, PARTIAL)
    if TARGET.exists() and TARGET.read_text("utf-8") == text:
        return 0
    if "--check" in sys.argv:
        print(f"{TARGET} is not what the code says; run {sys.argv[0]}")
        return 1
    TARGET.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
