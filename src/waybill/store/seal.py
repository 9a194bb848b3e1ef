"""The installation's key: a file beside the database, from which every secret is derived and sealed fields are encrypted."""

import base64
import contextlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from waybill.store.protocol import StoreUnavailable

KEY_BYTES = 32
NONCE_BYTES = 12
PREFIX = "aesgcm1:"


class Seal:
    """Encrypts and decrypts sealed fields (AES-256-GCM) and derives secrets (HKDF-SHA256, RFC 5869)."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._cipher = AESGCM(self.secret("seal"))

    def secret(self, purpose: str) -> bytes:
        """32 bytes that depend on the installation's key and the purpose alone."""
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"waybill " + purpose.encode()).derive(self._key)

    def encrypt(self, plain: str, place: str) -> str:
        """The text encrypted; it can be opened only for the same ``place``."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, plain.encode("utf-8", "surrogatepass"), place.encode())
        return PREFIX + base64.b64encode(nonce + sealed).decode()

    def decrypt(self, sealed: str, place: str) -> str:
        """The text that ``encrypt`` was given.

        Raises:
            StoreUnavailable: the text was sealed with another key, for another place, or is damaged.
        """
        try:
            raw = base64.b64decode(sealed.removeprefix(PREFIX), validate=True)
            plain = self._cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError) as error:
            raise StoreUnavailable(
                f"the sealed field of {place!r} does not open with this key: it is damaged"
            ) from error
        return plain.decode("utf-8", "surrogatepass")


def key_path(database: Path) -> Path:
    """Where the key of a database lies."""
    return database.with_name(database.name + ".key")


def read_key(path: Path) -> bytes:
    """The key in the file.

    Raises:
        FileNotFoundError: there is no such file.
        StoreUnavailable: the file is no key, or may not be read.
    """
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreUnavailable(f"the key file {path} cannot be read: {error.strerror}") from error
    if len(key) != KEY_BYTES:
        raise StoreUnavailable(f"the key file {path} holds {len(key)} bytes; a key has {KEY_BYTES}")
    return key


def make_key(path: Path) -> bytes:
    """The key in the file, made first where there is none. Of several processes that make it at once, one wins for all.

    Raises:
        StoreUnavailable: the file cannot be written, or is no key.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(KEY_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        # A hard link appears whole or not at all, and never replaces a file that is there.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StoreUnavailable(f"the key file {path} cannot be made: {error.strerror}") from error
    return read_key(path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
