"""All stories by name: ``cause`` or ``cause-variant``."""

from collections.abc import Callable

from tests.explain import (
    stories_authentication,
    stories_content,
    stories_copies,
    stories_health,
    stories_incidents,
    stories_live,
    stories_near,
    stories_queue,
    stories_receiver,
    stories_standing,
    stories_waybill,
)
from tests.explain.life import Life

STORIES: dict[str, Callable[[], Life]] = {
    **stories_receiver.LIVES,
    **stories_content.LIVES,
    **stories_near.LIVES,
    **stories_authentication.LIVES,
    **stories_waybill.LIVES,
    **stories_queue.LIVES,
    **stories_live.LIVES,
    **stories_health.LIVES,
    **stories_incidents.LIVES,
    **stories_standing.LIVES,
    **stories_copies.LIVES,
}
