"""Line ends are the same whether a message is worked on whole or in pieces."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.mail import line_ends
from waybill.mail.line_ends import normalise_line_ends


@settings(max_examples=100)
@given(st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"a", b"\n\r"]), max_size=40), st.integers(1, 7))
def test_pieces_make_no_difference(parts: list[bytes], piece: int) -> None:
    """A CRLF that falls on the border of two pieces is still one line end."""
    data = b"".join(parts)
    whole = normalise_line_ends(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_ends, "_PIECE", piece)
        assert whole == normalise_line_ends(data)
