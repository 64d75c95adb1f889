"""The sandbox as a command: `serve` with a signature from which typer makes an option, with help, for each knob."""

from collections.abc import Callable
from datetime import UTC, datetime
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, Literal

from pipelines.sandbox.emulator import Sandbox
from pipelines.sandbox.knobs import PROFILES, knob_table
from pipelines.sandbox.server import serve

_GROUP = "The tenant"
_OWN = {
    "port": (int, "Loopback port; 0 takes a free one."),
    "username": (str, "Name of the user who may log in."),
    "password": (str, "Password of that user."),
    "totp_secret": (str | None, "Base32 secret of a second factor that the login then wants."),
    "size": (int, "About how many history entries there are at the start."),
    "months": (int, "Over how many months they lie."),
    "seed": (int, "Seed of the tenant and of everything that happens by chance."),
    "until": (datetime | None, "Where the history ends and the clock starts, in UTC; now unless given."),
    "dense_minute_entries": (int, "Entries that a collection batch puts into one single minute."),
    "reported_twice_share": (float, "Share of attempts that a second entry reports again, in another form."),
    "profile": (Literal[tuple(PROFILES)], "Which preset of all options below to begin with."),
}


def sandbox_command(option: Callable[..., Any], on_ready: Callable[[Sandbox], object]) -> Callable[..., None]:
    """A function for `app.command("sandbox")`; `option` is `typer.Option`, `on_ready` says where it answers.

    Raises what `serve` raises: ValueError for an option that does not fit, OSError when the port is taken.
    """

    def sandbox(**options: Any) -> None:  # noqa: ANN401 - each of its own type, see the signature
        """Start an emulator of the Nexudus API until interrupted."""
        until = options["until"]
        if until is not None and until.tzinfo is None:
            options["until"] = until.replace(tzinfo=UTC)
        serve(on_ready=on_ready, **options)

    defaults = signature(serve).parameters
    rows = [(name, kind, defaults[name].default, text, _GROUP) for name, (kind, text) in _OWN.items()]
    # None stands for "as the profile says", so that a profile and an option do not have to be told apart by value.
    rows += [
        (knob.name, knob.type | None, None, f"{knob.explanation} [{knob.default}]", knob.group)
        for knob in knob_table()
        if knob.name not in _OWN
    ]
    parameters = [
        Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            default=default,
            annotation=Annotated[kind, option(help=text, rich_help_panel=group, show_default=group == _GROUP)],
        )
        for name, kind, default, text, group in rows
    ]
    sandbox.__signature__ = Signature(parameters)  # type: ignore[attr-defined] # read by inspect.signature
    sandbox.__annotations__ = {one.name: one.annotation for one in parameters}
    return sandbox
