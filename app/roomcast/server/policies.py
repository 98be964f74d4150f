"""Who may enter where, made of the settings; and what would happen to somebody, without a relay."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from roomcast.policies.forwarded import Forwarding, Scheme, TrustedProxies
from roomcast.policies.grants import TokenError, TokenFault
from roomcast.policies.origins import OriginPolicy
from roomcast.policies.templates import Template
from roomcast.relay.rules import RoomRules
from roomcast.server.tokens import verify_token
from roomcast.settings import RoomSettings, Settings
from roomcast.transport.admission import Admission, Admitted, Outcome, Refusal, RoomTemplate
from roomcast.transport.tokens import HOW, check_room, token_refusal
from roomcast.transport.visit import Visit


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would happen to a handshake. ``rule`` is the configuration's text that decides, where one does."""

    status: int
    outcome: str
    template: str | None
    room: str | None
    rule: str | None
    message: str
    shadow: str | None = None
    """What the shadow list of origins says, where there is one."""


def build_policies(settings: Settings) -> Admission:
    """Compile everything that the settings say about who may enter where.

    Raises:
        ValueError: Naming the value and the rule it breaks: an origin that is
            none, a template that cannot be, two that are ambiguous.
    """
    return Admission(
        [_room_template(room.inherit(settings.limits), settings) for room in settings.rooms],
        hosts=settings.server.hosts,
        protocols=settings.server.protocols,
    )


def build_forwarding(settings: Settings) -> Forwarding:
    """Compile what the settings say about who is believed when it says for whom it speaks.

    Raises:
        ValueError: Naming the network and the rule it breaks.
    """
    server = settings.server
    return Forwarding(
        TrustedProxies(server.trusted_proxies), header=server.forwarded_header, proxy_protocol=server.proxy_protocol
    )


def _room_template(room: RoomSettings, settings: Settings) -> RoomTemplate:
    is_own = room.origins is not None
    # Whoever has a list of its own has a shadow of its own, or none: another list's would say nothing about it.
    lists = settings.origins if room.origins is None else room.origins
    return RoomTemplate(
        template=Template(room.name, room.path),
        rules=RoomRules(
            echo=room.echo,
            members_max=room.members_max,
            overflow=room.overflow,
            over_rate=room.over_rate,
            lag_max_bytes=room.lag_max_bytes,
            pending_max_bytes=room.pending_max_bytes,
            gather_max_s=room.gather_max_s,
            history_messages=room.history_messages,
            history_max_bytes=room.history_max_bytes,
            history_max_age_s=room.history_max_age_s,
            presence=room.presence,
            presence_interval_s=room.presence_interval_s,
        ),
        origins=_origin_policy(settings, lists.allow),
        shadow=_origin_policy(settings, lists.shadow, key="shadow") if lists.shadow else None,
        allow_key=f'origins of the room template "{room.name}"' if is_own else "[origins] allow",
        message_max_bytes=room.message_max_bytes or 0,
        messages_per_s=room.messages_per_s or 0,
        bytes_per_s=room.bytes_per_s or 0,
        control_frames_per_s=room.control_frames_per_s or 0,
        fragments_max=settings.limits.fragments_max,
        fragments_per_s=settings.limits.fragments_per_s,
        greeting=room.greeting,
        access=room.access,
    )


def _origin_policy(settings: Settings, entries: Sequence[str], *, key: str = "allow") -> OriginPolicy:
    origins = settings.origins
    return OriginPolicy(
        allow=entries, same_origin=origins.same_origin, missing=origins.missing, enforce=origins.enforce, key=key
    )


def explain(
    settings: Settings, *, path: str, origin: str | None = None, host: str | None = None, token: str | None = None
) -> Explanation:
    """Say what would happen to the handshake of a browser's page, on a relay that is not full.

    A token is checked by the keys of the settings; their URL is not asked, and revocations are a relay's own.

    Raises:
        ValueError: As ``build_policies``; and as ``verify_token``, with a token.
    """
    admission = build_policies(settings)
    path = path.partition("?")[0]
    scheme: Scheme = "https" if settings.tls.certificate else None
    try:
        if host is not None:
            admission.check_host(host, path)
        admitted = admission.admit(path, Visit(origin, host, scheme))
        _check_token(settings, token, admitted)
        note = "" if admitted.verdict.is_allowed else "only reported: [origins] enforce = false"
        template, room = admitted.template.name, admitted.room
        answer = Explanation(101, str(Outcome.ACCEPTED), template, room, admitted.verdict.rule, note)
    except Refusal as refusal:
        message = f"{refusal.message}; {refusal.hint}" if refusal.hint else refusal.message
        answer = Explanation(
            refusal.status, str(refusal.outcome), refusal.template, refusal.room, refusal.rule, message
        )
    template_asked = None if answer.room is None else admission.template_of(answer.room)
    shadow = None if template_asked is None else template_asked.shadow
    if shadow is None:
        return answer
    verdict = shadow.judge(origin, host=host, scheme=scheme)
    return replace(answer, shadow=f"would {'let it in' if verdict.is_allowed else 'refuse it'}: {verdict.rule}")


def _check_token(settings: Settings, token: str | None, admitted: Admitted) -> None:
    """Refuse as the door would. Raises Refusal."""
    is_asked_for = admitted.template.access == "token"
    try:
        if token is not None:
            grant = verify_token(settings, token)
            if is_asked_for:
                check_room(grant, admitted.room)
        elif is_asked_for:
            raise TokenError(TokenFault.MISSING, HOW)
    except TokenError as error:
        raise token_refusal(error, admitted) from None
