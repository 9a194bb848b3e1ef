"""One error for whatever can go wrong in a call: the code, text and HTTP status that the client gets."""

import logging

from waybill.accept.content import LARGEST, LARGEST_V1
from waybill.api.authorization import Fault, NotAuthentic
from waybill.api.call import ApiError
from waybill.api.shapes import ServiceModel
from waybill.api.spool import TooLong, TooMuchInFlight, TooSlow
from waybill.model.refusal import Rejected
from waybill.store.protocol import StoreUnavailable

log = logging.getLogger(__name__)

# https://docs.aws.amazon.com/ses/latest/APIReference/CommonErrors.html and its REST-JSON spelling
_FAULTS = {
    Fault.MISSING: ("MissingAuthenticationToken", "MissingAuthenticationTokenException", 403),
    Fault.INCOMPLETE: ("IncompleteSignature", "IncompleteSignatureException", 400),
    Fault.UNKNOWN_KEY: ("InvalidClientTokenId", "UnrecognizedClientException", 403),
    Fault.MISMATCH: ("SignatureDoesNotMatch", "InvalidSignatureException", 403),
    Fault.EXPIRED: ("RequestExpired", "RequestExpired", 400),
}
_COMMON_STATUS = {
    "AccessDenied": 403,
    "AccessDeniedException": 403,
    "InternalFailure": 500,
    "ServiceUnavailable": 503,
}


def to_api_error(error: Exception, model: ServiceModel, request_id: str) -> ApiError:
    """What the client is told of ``error``, its status filled in. An error nobody foresaw is logged with its traceback."""
    query = model.protocol == "query"
    if isinstance(error, ApiError):
        told = error
    elif isinstance(error, Rejected):
        told = ApiError(error.code_v1 if query else error.code, error.text)
    elif isinstance(error, NotAuthentic):
        code_query, code_json, status = _FAULTS[error.fault]
        told = ApiError(code_query if query else code_json, error.text, status=status)
    elif isinstance(error, TooLong):
        code = "InvalidParameterValue" if query else "BadRequestException"
        largest = LARGEST_V1 if query else LARGEST
        told = ApiError(code, f"Message length is more than {largest} bytes long: '{error.size}'.")
    elif isinstance(error, TooMuchInFlight):
        told = ApiError("ServiceUnavailable", "Too many large requests at once; nothing was accepted. Try again.")
    elif isinstance(error, TooSlow):
        told = ApiError("RequestTimeout", "The body of the request did not come in time.", status=408)
    elif isinstance(error, StoreUnavailable):
        log.error("store_unavailable while=answering request_id=%s error=%s", request_id, error)
        told = ApiError("ServiceUnavailable", "The store cannot be written now; nothing was accepted. Try again.")
    else:
        log.error("call_failed request_id=%s", request_id, exc_info=error)
        told = ApiError(
            "InternalFailure", f"The request processing has failed because of an unknown error ({request_id})."
        )
    status = told.status or model.errors.get(told.code) or _COMMON_STATUS.get(told.code, 400)
    return ApiError(told.code, told.text, status=status)


def not_implemented(operation: str, model: ServiceModel) -> ApiError:
    """An operation of the model that Waybill does not have. Status 400, so that no SDK tries it again."""
    code = "InvalidAction" if model.protocol == "query" else "BadRequestException"
    return ApiError(code, f"Waybill does not implement {operation}. See docs/compatibility.md.", status=400)
