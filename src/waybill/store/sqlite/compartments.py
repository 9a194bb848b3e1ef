"""The compartments of the store on SQLite, one import for all."""

from waybill.store.sqlite.authenticating import SqliteAuthentications as SqliteAuthentications
from waybill.store.sqlite.examinations import SqliteExaminations as SqliteExaminations
from waybill.store.sqlite.health_history import SqliteHealthHistory as SqliteHealthHistory
from waybill.store.sqlite.health_history import SqliteWalks as SqliteWalks
from waybill.store.sqlite.incidents import SqliteIncidents as SqliteIncidents
from waybill.store.sqlite.likeness import SqliteLikenesses as SqliteLikenesses
from waybill.store.sqlite.standing import SqliteStanding as SqliteStanding
