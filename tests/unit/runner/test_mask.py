import base64
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.runner.mask import MASK, Masker

SECRET = "p/Ä+ s&w\"ö'r\\d?"
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBg+/kqh\nkiG9w0BAQEFAASC\n}\n-----END KEY-----\n"


def mask(text: str, *secrets: str) -> str:
    return Masker(secrets).mask(text)


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        re.sub("%..", lambda match: match[0].lower(), quote(SECRET, safe="")),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(SECRET)[1:-1].replace("/", "\\/"),
        "p/Ä\\u002B s\\u0026w\\u0022ö\\u0027r\\\\d?",
    ],
)
def test_a_secret_is_masked_in_each_form_that_programs_print(form: str):
    assert mask(f"before {form} after", SECRET) == f"before {MASK} after"


@pytest.mark.parametrize("prefix", ["", "u", "us", "use", "user:"])
@pytest.mark.parametrize("suffix", ["", "x", "xy", "xyz"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_masked_wherever_the_secret_lies_in_the_encoded_text(encode, prefix, suffix):
    encoded = encode(f"{prefix}s3cr3t?>value{suffix}".encode()).decode()
    masked = mask(encoded, "s3cr3t?>value")
    assert MASK in masked
    # What is left of the secret are at most the bits that share a character with a neighbour.
    left = masked.replace(MASK, "")
    assert len(left) <= len(base64.b64encode(f"{prefix}{suffix}".encode())) + 4
    assert not any(piece in masked for piece in (encoded[6:12], encoded[8:14]))


def test_each_line_of_a_secret_is_masked_and_trifles_are_kept():
    printed = "".join(f"  {line}\r\n" for line in KEY.splitlines())
    assert mask(printed, KEY) == "  ***\r\n  ***\r\n  ***\r\n  }\r\n  ***\r\n"


def test_a_secret_of_several_lines_is_masked_where_it_is_escaped_as_one():
    for form in (json.dumps(KEY.strip())[1:-1], quote(KEY.strip(), safe="")):
        assert mask(f'"{form}"', KEY) == f'"{MASK}"'


def test_blanks_around_a_value_do_not_save_it():
    assert mask("token=hunter2!", " hunter2!\n") == "token=***"


def test_the_longest_secret_wins_where_several_match():
    assert mask("abcdefgh abcdef abcd", "abcd", "abcdefgh", "abcdef") == "*** *** ***"


def test_values_below_four_characters_are_kept():
    assert mask("abc true 123", "abc", "1", "", "  \n") == "abc true 123"


def test_a_secret_is_no_pattern():
    assert mask("a.c* aXc*", "a.c*") == "*** aXc*"


def test_a_value_that_is_no_utf_8_is_masked_as_it_is_shown():
    secret = b"pass\xff\xfeword".decode(errors="surrogateescape")
    shown = b"pass\xff\xfeword".decode(errors="replace")
    assert mask(shown, secret) == MASK


def test_without_secrets_everything_stays():
    assert Masker(()).mask("anything") == "anything"
    assert Masker(()).mask_start("anything") == ("anything", "")


def test_json_is_masked_in_texts_and_keys():
    value = {"hunter2!": ["a hunter2!", 12345, True, None, 1.5], "n": {"x": "a hunter2!"}}
    assert Masker(["hunter2!", "True"]).mask_json(value) == {
        "***": ["a ***", 12345, True, None, 1.5],
        "n": {"x": "a ***"},
    }


def test_a_number_of_json_is_masked_if_it_is_a_secret_as_a_whole():
    value = {"pin": 12345, "in": [-12345, 123456, {"x": 12.25}], "text": "123456"}
    assert Masker(["12345", "12.25"]).mask_json(value) == {
        "pin": "***",
        "in": [-12345, 123456, {"x": "***"}],
        "text": "***6",
    }


def test_the_start_of_a_text_is_held_back_where_a_secret_may_begin():
    masker = Masker(["abcd", "abcdefgh"])
    masked, rest = masker.mask_start("x" * 50 + "abcd")
    assert masked + rest == "x" * 50 + "abcd"
    assert rest.endswith("abcd")
    assert masker.mask_start(rest + "efgh" + "y" * 50)[0].startswith(
        "x" * (len(rest) - 4) + MASK + "y"
    )


@given(
    pieces=st.lists(st.sampled_from(["x", "ab", "abcd", "abcdefgh", "efgh", " "]), max_size=30),
    size=st.integers(1, 12),
)
def test_masking_piece_by_piece_is_masking_the_whole(pieces: list[str], size: int):
    masker = Masker(["abcd", "abcdefgh"])
    text = "".join(pieces)
    masked, rest = "", ""
    for at in range(0, len(text), size):
        part, rest = masker.mask_start(rest + text[at : at + size])
        masked += part
    assert masked + masker.mask(rest) == masker.mask(text)
