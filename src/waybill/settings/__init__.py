"""Every setting of the service: its key, default and meaning, and how it is read."""

from waybill.settings.load import ENVIRONMENT_PREFIX, SettingsError, check_files, load_settings
from waybill.settings.sections import Settings, sections, settings_of
from waybill.settings.value import Endpoint, parse_duration

__all__ = [
    "ENVIRONMENT_PREFIX",
    "Endpoint",
    "Settings",
    "SettingsError",
    "check_files",
    "load_settings",
    "parse_duration",
    "sections",
    "settings_of",
]
