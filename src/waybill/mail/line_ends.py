"""Line ends: CRLF and nothing else (RFC 5321 §2.3.8)."""


def normalise_line_ends(data: bytes) -> bytes:
    """Returns the data with every CRLF, bare CR and bare LF as CRLF, so that no server sees lines that others do not."""
    lines = data.count(b"\r\n")
    if lines == data.count(b"\n") == data.count(b"\r"):
        return data
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
