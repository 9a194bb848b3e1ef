"""Where the test data lies that is not part of the project; tests that use it skip where it is absent."""

import os
from pathlib import Path

_candidates = [Path(os.environ["WAYBILL_TEST_DATA"])] if "WAYBILL_TEST_DATA" in os.environ else []
_candidates.append(Path(__file__).parents[2] / "shared")

SHARED: Path | None = next((path for path in _candidates if (path / "data").is_dir()), None)
