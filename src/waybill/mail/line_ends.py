"""Line ends: CRLF and nothing else (RFC 5321 §2.3.8)."""

_PIECE = 1024 * 1024  # octets worked on at a time: one call on all of a large message would hold up every other thread


def normalise_line_ends(data: bytes) -> bytes:
    """Returns the data with every CRLF, bare CR and bare LF as CRLF, so that no server sees lines that others do not."""
    if len(data) - len(data.translate(None, b"\r\n")) == 2 * data.count(b"\r\n"):
        return data
    pieces = []
    start = 0
    while start < len(data):
        end = start + _PIECE
        if data[end - 1 : end + 1] == b"\r\n":
            end += 1
        pieces.append(data[start:end].replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n"))
        start = end
    return b"".join(pieces)
