"""How v1 spells the words of v2: ``Success`` for ``SUCCESS``, ``renderingFailure`` for ``RENDERING_FAILURE``."""


def in_v1_case(word: str) -> str:
    """``TEMPORARY_FAILURE`` as ``TemporaryFailure``."""
    return "".join(part.capitalize() for part in word.split("_"))


def in_v1_lower_case(word: str) -> str:
    """``RENDERING_FAILURE`` as ``renderingFailure``."""
    spelled = in_v1_case(word)
    return spelled[:1].lower() + spelled[1:]


def in_v2_case(word: str) -> str:
    """``renderingFailure`` and ``RenderingFailure`` as ``RENDERING_FAILURE``."""
    return "".join(f"_{letter}" if letter.isupper() and at else letter for at, letter in enumerate(word)).upper()
