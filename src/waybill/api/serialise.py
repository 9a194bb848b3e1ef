"""Results and errors become responses: JSON for SES v2, XML for SES v1 and SNS, by the model's shapes."""

import binascii
import re
from typing import Any

import msgspec

from waybill.api.call import ApiError
from waybill.api.shapes import Member, OperationModel, ServiceModel
from waybill.model.clock import rfc3339

# What XML 1.0 §2.2 does not allow in a document, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"})


def json_result(model: ServiceModel, operation: OperationModel, result: dict[str, Any]) -> bytes:
    """The response body. Members of None, and such that the model does not know, are left out."""
    if operation.output is None:
        return b"{}"
    return msgspec.json.encode(_to_json(model, Member(shape=operation.output), result))


def json_error(error: ApiError) -> bytes:
    """The body of an error; its shape's name goes into the x-amzn-ErrorType header."""
    return msgspec.json.encode({"message": _unicode(error.text)})


def xml_result(
    model: ServiceModel, name: str, operation: OperationModel, result: dict[str, Any], request_id: str
) -> bytes:
    """The response document: ``<SendEmailResponse><SendEmailResult>…``. Members of None are left out."""
    parts = [f'<{name}Response xmlns="{model.namespace}">']
    if operation.output is not None:
        element = operation.result or f"{name}Result"
        _append_xml(parts, model, Member(shape=operation.output), result, element)
    parts.append(f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>\n")
    return "".join(parts).encode()


def xml_error(model: ServiceModel, error: ApiError, request_id: str) -> bytes:
    """The error document."""
    side = "Sender" if (error.status or 400) < 500 else "Receiver"
    return (
        f'<ErrorResponse xmlns="{model.namespace}"><Error><Type>{side}</Type><Code>{_escape(error.code)}</Code>'
        f"<Message>{_escape(error.text)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>\n"
    ).encode()


def _to_json(model: ServiceModel, member: Member, value: Any) -> Any:
    shape = model.shapes[member.shape]
    if shape.type == "structure":
        return {
            name: _to_json(model, inner, value[name])
            for name, inner in shape.members.items()
            if value.get(name) is not None
        }
    if shape.type == "list":
        assert shape.member is not None
        return [_to_json(model, shape.member, item) for item in value]
    if shape.type == "map":
        assert shape.value is not None
        return {_unicode(key): _to_json(model, shape.value, item) for key, item in value.items() if item is not None}
    if shape.type == "string":
        return _unicode(value)
    if shape.type == "timestamp":
        return value / 1_000 if value % 1_000 else value // 1_000
    return _base64(value) if shape.type == "blob" else value


def _append_xml(parts: list[str], model: ServiceModel, member: Member, value: Any, element: str) -> None:
    shape = model.shapes[member.shape]
    parts.append(f"<{element}>")
    if shape.type == "structure":
        for name, inner in shape.members.items():
            if value.get(name) is not None:
                _append_xml(parts, model, inner, value[name], name)
    elif shape.type == "list":
        assert shape.member is not None
        for item in value:
            _append_xml(parts, model, shape.member, item, "member")
    elif shape.type == "map":
        assert shape.value is not None
        assert shape.key is not None
        for key, item in value.items():
            if item is None:
                continue
            parts.append("<entry>")
            _append_xml(parts, model, shape.key, key, shape.key.location_name or "key")
            _append_xml(parts, model, shape.value, item, shape.value.location_name or "value")
            parts.append("</entry>")
    else:
        parts.append(_xml_text(shape.type, value))
    parts.append(f"</{element}>")


def _xml_text(kind: str, value: Any) -> str:
    if kind == "string":
        return _escape(value)
    if kind == "boolean":
        return "true" if value else "false"
    if kind == "timestamp":
        return rfc3339(value)
    return _base64(value) if kind == "blob" else str(value)


def _escape(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text).translate(_ESCAPES)


def _unicode(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _base64(value: bytes) -> str:
    return binascii.b2a_base64(value, newline=False).decode("ascii")
