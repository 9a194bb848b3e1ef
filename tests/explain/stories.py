"""All stories by name: ``cause`` or ``cause-variant``."""

from collections.abc import Callable

from tests.explain import stories_queue, stories_receiver, stories_waybill
from tests.explain.life import Life

STORIES: dict[str, Callable[[], Life]] = {
    **stories_receiver.LIVES,
    **stories_waybill.LIVES,
    **stories_queue.LIVES,
}
