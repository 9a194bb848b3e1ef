"""Random ids."""

import subprocess
import sys
import uuid

from waybill.model.random_id import new_uuid


def test_random_uuids() -> None:
    """Each is a UUID of version 4 in its usual form, and none comes twice, across many fetches of random octets."""
    made = [new_uuid() for _ in range(2_000)]
    assert 2_000 == len(set(made))
    for text in made:
        parsed = uuid.UUID(text)
        assert (text, 4, uuid.RFC_4122) == (str(parsed), parsed.version, parsed.variant)


_FORK = """
import os
from waybill.model.random_id import new_uuid
new_uuid()  # some are waiting now
child = os.fork()
print(*[new_uuid() for _ in range(300)], flush=True)
if child:
    os.waitpid(child, 0)
"""


def test_not_shared_with_a_child() -> None:
    """A forked process does not give its parent's next ids."""
    ran = subprocess.run([sys.executable, "-c", _FORK], capture_output=True, text=True, check=True)
    parent, child = (line.split() for line in ran.stdout.splitlines())
    assert set() == set(parent) & set(child)
