import inspect
from datetime import UTC, datetime

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from pipelines.sandbox import command as command_module
from pipelines.sandbox.knobs import PROFILES, Knobs, knob_table, make_knobs


def test_every_knob_is_explained_in_one_line_and_has_a_heading():
    table = knob_table()
    assert [knob.name for knob in table] == [field.name for field in msgspec.structs.fields(Knobs)]
    assert all(knob.explanation.endswith(".") and "\n" not in knob.explanation and knob.group for knob in table)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_fits(profile):
    knobs = make_knobs(profile)
    assert all(getattr(knobs, name) == value for name, value in PROFILES[profile].items())


def test_a_change_wins_over_the_profile_and_none_leaves_it():
    knobs = make_knobs("hostile", max_page_size="50", slow_rate=None)
    assert (knobs.max_page_size, knobs.slow_rate) == (50, PROFILES["hostile"]["slow_rate"])


@pytest.mark.parametrize(
    ("profile", "changes", "named"),
    [
        ("mild", {}, "mild"),
        ("calm", {"error_500_rate": 1.5}, "error_500_rate"),
        ("calm", {"range_end": "soon"}, "range_end"),
        ("calm", {"max_page_size": -1}, "max_page_size"),
        ("calm", {"error_418_rate": 0.1}, "error_418_rate"),
        ("calm", {"filter_time_zone": "Europe/Atlantis"}, "filter_time_zone"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(profile, changes, named):
    with pytest.raises(ValueError, match=named):
        make_knobs(profile, **changes)


def test_a_misspelt_knob_is_refused_when_set():
    with pytest.raises(AttributeError):
        Knobs().error_rate = 1.0


@pytest.fixture
def command(monkeypatch):
    """The command line, whose server is not started; what it would have been started with."""
    started = {}
    real = inspect.signature(command_module.serve)
    stand_in = lambda **options: started.update(options)  # noqa: E731 - a signature of its own is set on it
    stand_in.__signature__ = real
    monkeypatch.setattr(command_module, "serve", stand_in)
    app = typer.Typer()
    app.command()(command_module.sandbox_command(typer.Option, on_ready=print))
    return lambda *arguments: (CliRunner().invoke(app, arguments, env={"COLUMNS": "200", "TERM": "dumb"}), started)


def test_the_commands_help_explains_every_knob(command):
    result, _ = command("--help")
    assert result.exit_code == 0, result.output
    for knob in knob_table():
        assert "--" + knob.name.replace("_", "-") in result.output
    assert "200 with an HTML login page." in result.output
    assert "Questions misunderstood" in result.output


def test_options_reach_the_server_with_their_types(command):
    result, started = command(
        *("--profile", "busy", "--slow-rate", "0.5", "--no-shuffle-ties", "--range-end", "minute"),
        *("--bad-login-status", "401", "--until", "2025-01-31", "--seed", "7"),
    )
    assert result.exit_code == 0, result.output
    assert started["until"] == datetime(2025, 1, 31, tzinfo=UTC)
    own = {"port", "username", "password", "totp_secret", "size", "months", "until", "dense_minute_entries", "on_ready"}
    own |= {"reported_twice_share"}
    knobs = make_knobs(**{name: value for name, value in started.items() if name not in own})
    assert (knobs.slow_rate, knobs.shuffle_ties, knobs.range_end, knobs.bad_login_status) == (0.5, False, "minute", 401)
    assert (knobs.update_rate, knobs.seed) == (0.5, 7)


def test_an_option_outside_its_choices_is_refused(command):
    result, started = command("--range-end", "soon")
    assert (result.exit_code, started) == (2, {})
