"""A client of ten lines for the demo: signs with AWS Signature Version 4 and speaks SES v2, without any SDK."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import aiohttp


class DemoClient:
    """Calls SES v2 operations on the demo's own service."""

    def __init__(self, http: aiohttp.ClientSession, *, host: str, key: str, secret: str, region: str) -> None:
        self._http = http
        self._host = host
        self._key = key
        self._secret = secret
        self._region = region

    async def call(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
        """The HTTP status, the request id and the answer's JSON."""
        data = json.dumps(body).encode()
        headers = self._signed(method, path, data)
        async with self._http.request(method, f"http://{self._host}{path}", data=data, headers=headers) as answer:
            return answer.status, answer.headers["x-amzn-requestid"], await answer.json(content_type=None)

    def _signed(self, method: str, path: str, data: bytes) -> dict[str, str]:
        at = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{at[:8]}/{self._region}/ses/aws4_request"
        signed = {"content-type": "application/json", "host": self._host, "x-amz-date": at}
        names = ";".join(signed)
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        request = f"{method}\n{path}\n\n{lines}\n{names}\n{hashlib.sha256(data).hexdigest()}"
        text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{self._secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        credential = f"AWS4-HMAC-SHA256 Credential={self._key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return {**signed, "authorization": credential}
