"""Who may use the API, and what it is let do, made of the settings."""

from ipaddress import ip_address

from roomcast.api.directory import Terms
from roomcast.api.keys import Holder, KeyFile, Keyring, Scope
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.hub import Hub
from roomcast.settings import Settings
from roomcast.transport.admission import Admission, RoomTemplate


def build_keyring(settings: Settings) -> Keyring:
    """Read the keys that the settings name.

    Raises:
        ValueError: Naming the file and the rule it breaks.
    """
    files = [KeyFile(Holder(of.name, frozenset(map(Scope, of.scopes))), of.file) for of in settings.api_keys]
    return Keyring(settings.admin.api_key, files)


class RoomTerms:
    """What holds for the rooms of a configuration, for those who publish by the API.

    Args:
        settings: It.
        admission: Made of it.
        hub: Where the numbers of its templates are.
    """

    def __init__(self, settings: Settings, admission: Admission, hub: Hub) -> None:
        reported = frozenset(settings.limits.report_only)
        self._admission = admission
        self._terms = {
            template.name: _terms(template, hub.add_template(template.name), reported)
            for template in admission.templates
        }

    def of(self, room: str) -> Terms | None:
        """Return it for a room of this name; None where no template has it."""
        template = self._admission.template_of(room)
        return self._terms[template.name] if template else None


def is_loopback(address: tuple[str, int] | str) -> bool:
    """Return whether a door at this address is reached from its own machine only; the path of a socket is."""
    return isinstance(address, str) or ip_address(address[0]).is_loopback


def _terms(template: RoomTemplate, counters: TemplateCounters, reported: frozenset[str]) -> Terms:
    # A limit that is only reported refuses nobody, and whom it would have refused knows it from its own log.
    return Terms(
        template=template.name,
        rules=template.rules,
        counters=counters,
        message_max_bytes=template.message_max_bytes,
        messages_per_s=0 if "messages_per_s" in reported else template.messages_per_s,
        bytes_per_s=0 if "bytes_per_s" in reported else template.bytes_per_s,
    )
