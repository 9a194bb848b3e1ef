"""How a golden text is made: what ``waybill explain`` prints into a pipe, and the words that it leaves out."""

import io
from pathlib import Path

from rich.console import Console

from waybill.cli.show import show_explanation
from waybill.explain import Explanation

FOLDER = Path(__file__).parent / "golden"


def golden_text(explanation: Explanation) -> str:
    """The whole explanation as text."""
    out = io.StringIO()
    show_explanation(explanation, Console(file=out, width=80, force_terminal=False))
    for recipient in explanation.recipients:
        out.write("\n")
        for branch, finding in recipient.branches.items():
            out.write(f"{branch.value:10} {finding.verdict.value:15} {finding.text}\n")
        out.write("\n")
        for entry in recipient.timeline:
            out.write(f"{entry.kind:18} {entry.text}\n")
    return out.getvalue()
