"""Names of businesses, as a user's file and as the API give them."""

import pytest

from pipelines.errors import BrokenPromiseError, RefusedError, WrongUseError
from pipelines.extract.businesses import ask_for_names, read_names_file


def names_file(tmp_path, text):
    path = tmp_path / "businesses.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,name\n1,x\n", ":1: the header must read business_id,business_name,time_zone."),
        ("business_id,business_name\nx,y\n", ":2: business_id 'x' is not a whole number."),
        ("business_id,business_name\n1,y\n1,z\n", ":3: business 1 is named twice."),
        ("", ":1: the header must read"),
    ],
)
def test_a_broken_file_is_said_with_its_line(tmp_path, text, said):
    with pytest.raises(WrongUseError, match=said.replace(".", r"\.")):
        read_names_file(names_file(tmp_path, text))


def test_a_file_that_is_missing_is_said(tmp_path):
    with pytest.raises(WrongUseError, match="cannot be read"):
        read_names_file(tmp_path / "none.csv")


def test_the_api_names_all_businesses(small_sandbox, client_for):
    names = ask_for_names(client_for(small_sandbox))
    assert {(one.business_id, one.business_name) for one in names} == {
        (one.id, one.name) for one in small_sandbox.store.businesses
    }


class Answering:
    """A client whose every answer has this body."""

    def __init__(self, body):
        self.body = body

    def get(self, *_, **__):
        return self


def test_a_name_has_no_control_character_and_an_answer_nested_without_end_is_no_crash():
    (named,) = ask_for_names(Answering(b'{"Records": [{"Id": 1, "Name": "Hub\\u001b[2J"}]}'))
    assert named.business_name == "Hub\ufffd[2J"

    with pytest.raises(BrokenPromiseError, match="not the documented one"):
        ask_for_names(Answering(b'{"Records": ' + b"[" * 5_000 + b"]" * 5_000 + b"}"))


def test_without_the_role_the_refusal_names_it(small_sandbox, client_for):
    small_sandbox.knobs.roles = "CoworkerInvoiceHistory-List"
    with pytest.raises(RefusedError, match="`Business-List`"):
        ask_for_names(client_for(small_sandbox))
