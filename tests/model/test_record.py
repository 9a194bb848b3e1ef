"""Records: what they promise at run time besides what the type checker sees to."""

from dataclasses import replace

from waybill.model.outcome import Line, Speaker


def test_records_are_values() -> None:
    """Equal records have one hash, and a changed copy leaves the first as it was."""
    line = Line(at=1, who=Speaker.NOTE, text="a")
    other = replace(line, text="b")
    assert {line} == {line, Line(at=1, who=Speaker.NOTE, text="a")}
    assert ("a", "b") == (line.text, other.text)
    assert line != other


def test_records_have_no_room_for_more() -> None:
    """Slots: a misspelt field is an error, not a new one."""
    assert not hasattr(Line(at=1, who=Speaker.NOTE, text="a"), "__dict__")
