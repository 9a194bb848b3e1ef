"""The compartments of the Store beside messages and the queue: each a small protocol of its own."""

from typing import Protocol

from waybill.store.authentications import Authentications
from waybill.store.examinations import Examinations
from waybill.store.health_history import HealthHistory, Walks
from waybill.store.incidents import IncidentStore
from waybill.store.likeness import Likenesses
from waybill.store.standing import StandingStore


class Compartments(Protocol):
    """What is kept beside messages' lives."""

    @property
    def standing(self) -> StandingStore:
        """What became of mail as a whole."""

    @property
    def health_history(self) -> HealthHistory:
        """How the service's parts were."""

    @property
    def walks(self) -> Walks:
        """When live probes went where."""

    @property
    def authentications(self) -> Authentications:
        """What SPF, DKIM and DMARC looked like when mail was sent."""

    @property
    def likenesses(self) -> Likenesses:
        """What is like something."""

    @property
    def examinations(self) -> Examinations:
        """What was found in contents."""

    @property
    def incidents(self) -> IncidentStore:
        """What fails for many messages at once."""
