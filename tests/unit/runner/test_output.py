import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.domain.events import ConnectorEvent, TableReport
from orchestration.runner.mask import Masker
from orchestration.runner.output import TAIL_BYTES, LineCutter, Stream, Tail, Transcript

STDOUT, STDERR = Stream.STDOUT, Stream.STDERR


class Listener:
    """Keeps what it is told, and raises at the texts it was told to."""

    def __init__(self, *raises_at: str) -> None:
        self.lines: list[tuple[Stream, str]] = []
        self.events: list[ConnectorEvent] = []
        self._raises_at = raises_at

    def on_output(self, stream: Stream, line: str) -> None:
        if line in self._raises_at:
            raise KeyboardInterrupt
        self.lines.append((stream, line))


def listen(*secrets: str, listener: Listener | None = None) -> tuple[Transcript, Listener]:
    listener = listener or Listener()
    transcript = Transcript(
        Masker(secrets), on_output=listener.on_output, on_event=listener.events.append
    )
    return transcript, listener


def event_line(event_type: str, **fields) -> bytes:
    return json.dumps({"event_type": event_type, **fields}).encode() + b"\n"


def cut(*chunks: bytes, secrets: tuple[str, ...] = (), longest: int = 1000) -> list[str]:
    cutter = LineCutter(Masker(secrets), longest=longest)
    return [masked for chunk in (*chunks, b"") for _, masked in cutter.cut(chunk)]


def test_lines_are_cut_at_line_feeds_only():
    assert cut(b"a\nb\r\n\nc\rd\x0b\x85\n") == ["a", "b", "", "c\rd\x0b\ufffd"]
    assert cut("a\u2028b\x1ec\n".encode()) == ["a\u2028b\x1ec"]


def test_a_line_is_handed_on_as_soon_as_it_is_complete():
    cutter = LineCutter(Masker(()))
    assert cutter.cut(b"fir") == []
    assert cutter.cut(b"st\nsec") == [("first", "first")]
    assert cutter.cut(b"ond") == []
    assert cutter.cut(b"") == [("second", "second")]
    assert cutter.cut(b"") == []


def test_a_last_line_break_makes_no_empty_line():
    assert cut(b"a\n") == ["a"]
    assert cut() == []


def test_a_character_may_be_split_between_reads():
    assert cut(*(bytes([byte]) for byte in "Zürich €\n".encode())) == ["Zürich €"]


def test_what_is_no_utf_8_is_replaced_not_lost():
    assert cut(b"a\xffb\xe2\x82\nc\xe2\x82") == ["a\ufffdb\ufffd", "c\ufffd"]


def test_a_very_long_line_comes_in_pieces_of_bounded_size():
    pieces = cut(*[b"x" * 700] * 10, longest=1000)
    assert "".join(pieces) == "x" * 7000
    assert max(map(len, pieces)) <= 1700


def test_no_piece_of_a_long_line_ends_within_a_secret():
    text = b"x" * 997 + b"hunter2!hunter2!" + b"y" * 990 + b"hunter2!" + b"z\n"
    for size in range(1, 40):
        chunks = [text[at : at + size] for at in range(0, len(text), size)]
        joined = "".join(cut(*chunks, secrets=("hunter2!",), longest=1000))
        assert joined == "x" * 997 + "******" + "y" * 990 + "***" + "z"


@given(
    text=st.text(
        st.sampled_from("ab\n\rü€\N{PILE OF POO}") | st.characters(codec="utf-8"), max_size=200
    ),
    sizes=st.lists(st.integers(1, 7), min_size=1),
)
def test_how_the_bytes_arrive_makes_no_difference(text: str, sizes: list[int]):
    data, chunks, at = text.encode(), [], 0
    while at < len(data):
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(data[at : at + size])
        at += size
    assert cut(*chunks, secrets=("abab", "üü€€")) == cut(data, secrets=("abab", "üü€€"))


def test_the_tail_keeps_all_of_a_short_text():
    tail = Tail(32)
    tail.add("one\n")
    tail.add("two\n")
    assert tail.text == "one\ntwo"


def test_the_tail_of_many_lines_starts_at_a_line_and_fits_its_limit_in_bytes():
    tail = Tail()
    for number in range(50_000):
        tail.add(f"line {number} €\n")
    lines = tail.text.split("\n")
    assert lines == [f"line {number} €" for number in range(50_000 - len(lines), 50_000)]
    assert TAIL_BYTES - 20 < len(tail.text.encode()) <= TAIL_BYTES


def test_the_tail_starts_at_a_line_also_just_after_it_forgot_the_rest():
    tail = Tail(160)
    tail.add("".join(f"line {number:03}\n" for number in range(100)))
    assert tail.text.split("\n") == [f"line {number:03}" for number in range(83, 100)]


def test_the_tail_of_one_endless_line_starts_at_a_character():
    tail = Tail(100)
    for _ in range(1000):
        tail.add("€€")
    assert tail.text == "€" * 33


def test_the_tail_takes_texts_that_no_encoding_has():
    tail = Tail()
    tail.add("a\ud800b\n")
    assert tail.text == "a?b"


def test_free_text_of_both_streams_is_handed_on_and_stderr_is_kept():
    transcript, listener = listen()
    transcript.feed(STDOUT, b"out\n{not json\n")
    transcript.feed(STDERR, b"err 1\nerr 2\n")
    assert listener.lines == [
        (STDOUT, "out"),
        (STDOUT, "{not json"),
        (STDERR, "err 1"),
        (STDERR, "err 2"),
    ]
    assert transcript.stderr_tail == "err 1\nerr 2"
    assert transcript.error_text == ""


def test_an_event_goes_to_its_own_callback_only():
    transcript, listener = listen()
    transcript.feed(STDOUT, b"before\n" + event_line("checkpoint_saved", at=3) + b"after\n")
    assert listener.events == [ConnectorEvent(event_type="checkpoint_saved", fields={"at": 3})]
    assert listener.lines == [(STDOUT, "before"), (STDOUT, "after")]


def test_stderr_is_free_text_whatever_it_looks_like():
    transcript, listener = listen()
    line = event_line("metrics_complete", rows=3)
    transcript.feed(STDERR, line)
    assert listener.lines == [(STDERR, line.decode().rstrip())]
    assert (listener.events, transcript.metrics) == ([], {})


def test_the_last_metrics_and_the_last_table_count():
    transcript, _ = listen()
    transcript.feed(STDOUT, event_line("metrics_writing", table="a.first", row_count=1))
    transcript.feed(STDOUT, event_line("metrics_writing", table="a.last", row_count=2))
    transcript.feed(STDOUT, event_line("metrics_writing", files_written=1))
    transcript.feed(STDOUT, event_line("metrics_complete", status="partial"))
    transcript.feed(STDOUT, event_line("metrics_complete", status="success", rows=2))
    assert transcript.metrics == {"status": "success", "rows": 2}
    assert transcript.table == TableReport(name="a.last", row_count=2)


def test_what_error_events_say_is_kept_line_by_line():
    transcript, _ = listen()
    transcript.feed(STDOUT, event_line("metrics_error", message="no route", error="E1"))
    transcript.feed(STDOUT, event_line("metrics_error", error="timeout"))
    transcript.feed(STDOUT, event_line("metrics_error", error={"code": 7}))
    transcript.feed(STDOUT, event_line("metrics_error"))
    assert transcript.error_text == 'no route\ntimeout\n{"code": 7}'


def test_secrets_are_masked_in_lines_tail_events_metrics_and_errors():
    transcript, listener = listen("hunter2!", "1000")
    transcript.feed(STDOUT, b"token hunter2!\n")
    transcript.feed(STDERR, b"bad hunt")
    transcript.feed(STDERR, b"er2! here\n")
    transcript.feed(STDOUT, event_line("metrics_error", message="hunter2! is wrong"))
    transcript.feed(STDOUT, event_line("metrics_complete", url="x?hunter2!", rows=1000))
    assert listener.lines == [(STDOUT, "token ***"), (STDERR, "bad *** here")]
    assert [event.fields for event in listener.events] == [
        {"message": "*** is wrong"},
        {"url": "x?***", "rows": "***"},
    ]
    assert transcript.stderr_tail == "bad *** here"
    assert transcript.error_text == "*** is wrong"
    assert transcript.metrics == {"url": "x?***", "rows": "***"}


def test_an_event_is_masked_however_its_writer_escaped_it():
    transcript, listener = listen("hun+er2!")
    transcript.feed(STDOUT, b'{"event_type": "metrics_api", "url": "\\u0068un\\u002ber2\\u0021"}\n')
    assert listener.events == [ConnectorEvent(event_type="metrics_api", fields={"url": "***"})]


def test_a_callback_that_raised_is_not_called_again_but_the_rest_is_kept():
    transcript, listener = listen(listener=Listener("stop"))
    with pytest.raises(KeyboardInterrupt):
        transcript.feed(STDOUT, b"a\nstop\nb\n")
    transcript.feed(STDERR, b"late\n")
    transcript.feed(STDOUT, event_line("metrics_complete", rows=1))
    transcript.note("a note")
    assert (listener.lines, listener.events) == ([(STDOUT, "a")], [])
    assert transcript.stderr_tail == "late"
    assert transcript.metrics == {"rows": 1}


def test_a_note_is_shown_but_is_no_part_of_the_tail():
    transcript, listener = listen()
    transcript.note("ended 1 process")
    assert listener.lines == [(STDERR, "ended 1 process")]
    assert transcript.stderr_tail == ""


def test_an_added_error_stands_with_those_of_the_connector():
    transcript, _ = listen()
    transcript.feed(STDOUT, event_line("metrics_error", message="no route"))
    transcript.add_error("the guard is gone")
    assert transcript.error_text == "no route\nthe guard is gone"
