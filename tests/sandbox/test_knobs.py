from inspect import Parameter, Signature, signature

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from pipelines.sandbox.knobs import PROFILES, Knobs, knob_parameters, knob_table, make_knobs


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


def test_a_command_line_can_be_made_of_them():
    got = {}

    def command(profile: str = "calm", **knobs):
        got.update(msgspec.structs.asdict(make_knobs(profile, **knobs)))

    own = [one for one in signature(command).parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
    own = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in own]
    extra = knob_parameters(lambda knob: typer.Option(help=knob.explanation, rich_help_panel=knob.group))
    command.__signature__ = Signature([*own, *extra])
    command.__annotations__ = {one.name: one.annotation for one in (*own, *extra)}
    cli = typer.Typer()
    cli.command()(command)
    result = CliRunner().invoke(cli, ["--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 0, result.output
    assert "Records is null." in result.output
    result = CliRunner().invoke(
        cli, ["--profile", "busy", "--slow-rate", "0.5", "--shuffle-ties", "--range-end", "minute"]
    )
    assert result.exit_code == 0, result.output
    assert (got["slow_rate"], got["range_end"], got["update_rate"]) == (0.5, "minute", 0.5)
