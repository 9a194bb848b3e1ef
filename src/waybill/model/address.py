"""How addresses are compared: the local part as given, the domain without regard to case (RFC 5321 §2.4)."""


def comparable(address: str) -> str:
    """The address with its domain in lower case."""
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{domain.lower()}"


def domain_of(address: str) -> str:
    """The domain in lower case; the whole text where there is no ``@``."""
    return address.rpartition("@")[2].lower()
