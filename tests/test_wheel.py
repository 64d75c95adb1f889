"""The wheel, as a new user installs it: in an empty folder, on each Python that is here."""

import os
import shutil
import subprocess
import zipfile
from email import message_from_bytes
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def run(*command, cwd):
    # Not as a command of the `uv run` that started the tests.
    bare = {name: value for name, value in os.environ.items() if name != "UV_RUN_RECURSION_DEPTH"}
    done = subprocess.run(command, cwd=cwd, env=bare, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run("uv", "build", "--quiet", "--wheel", "--out-dir", str(folder), cwd=ROOT)
    (file,) = folder.glob("*.whl")
    return file


def test_its_metadata_say_what_it_is(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        found = message_from_bytes(archive.read(name))
    assert set(found.get_all("Provides-Extra")) == {"bucket", "dashboard", "lake"}
    assert found["Requires-Python"] == ">=3.11"
    assert found["Keywords"]
    assert [line for line in found.get_all("Classifier") if line.endswith(("3.11", "3.12", "3.13", "3.14"))]
    needed = [line for line in found.get_all("Requires-Dist") if "extra ==" not in line]
    assert not [line for line in needed if line.startswith(("streamlit", "pandas", "pyarrow", "obstore"))]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_the_demo_and_dagster_run_from_an_empty_folder(wheel, tmp_path, python):
    found = [shutil.which(f"python{python}"), *Path.home().glob(f".pyenv/versions/{python}.*/bin/python")]
    works = [
        one for one in found if one and not subprocess.run([one, "-V"], capture_output=True, check=False).returncode
    ]
    if not works:
        pytest.skip(f"there is no Python {python} here")
    of_wheel = ["uvx", "--quiet", "--python", str(works[0]), "--from", str(wheel)]

    told = run(*of_wheel, "nexudus-billing", "demo", cwd=tmp_path)

    assert "uv run" not in told
    with duckdb.connect(str(tmp_path / "data" / "demo" / "analytics.duckdb"), read_only=True) as figures:
        assert figures.execute("select count(*) > 100 from monthly_payment_failure_rates").fetchall() == [(True,)]
    run(*of_wheel, "dagster", "definitions", "validate", "-m", "pipelines.definitions", cwd=tmp_path)
