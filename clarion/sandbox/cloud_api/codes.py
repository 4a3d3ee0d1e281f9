"""WhatsApp's table of errors (Meta's public reference: Error codes)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """One line of the provider's table of errors."""

    status: int
    title: str
    details: str


CODES: dict[int, Code] = {
    0: Code(401, "AuthException", "We were unable to authenticate the app user."),
    1: Code(400, "API Unknown", "Invalid request or possible server error."),
    2: Code(503, "API Service", "Temporary due to downtime or due to being overloaded."),
    3: Code(500, "API Method", "Capability or permissions issue."),
    4: Code(400, "API Too Many Calls", "The app has reached its API call rate limit."),
    10: Code(403, "Permission Denied", "Permission is either not granted or has been removed."),
    33: Code(400, "Parameter value is not valid", "The business phone number has been deleted."),
    100: Code(400, "Invalid parameter", "A parameter is missing, unsupported or misspelled."),
    190: Code(401, "Invalid OAuth access token - Cannot parse access token", "The token is not valid."),
    200: Code(403, "API Permission", "Permission is either not granted or has been removed."),
    368: Code(403, "Temporarily blocked for policies violations", "The account has been restricted."),
    80007: Code(400, "Rate limit issues", "The WhatsApp Business Account has reached its rate limit."),
    130429: Code(400, "Rate limit hit", "Cloud API message throughput has been reached."),
    130472: Code(400, "User's number is part of an experiment", "The message was not sent."),
    131000: Code(500, "Something went wrong", "Message failed to send due to an unknown error."),
    131005: Code(403, "Access denied", "Permission is either not granted or has been removed."),
    131008: Code(400, "Required parameter is missing", "The request is missing a required parameter."),
    131009: Code(400, "Parameter value is not valid", "One or more parameter values are invalid."),
    131016: Code(500, "Service unavailable", "A service is temporarily unavailable."),
    131026: Code(400, "Message undeliverable", "Unable to deliver message."),
    131031: Code(403, "Account has been locked", "The account has been restricted or disabled."),
    131042: Code(400, "Business eligibility payment issue", "There was an error with the payment method."),
    131047: Code(400, "Re-engagement message", "More than 24 hours have passed since the last reply."),
    131048: Code(400, "Spam rate limit hit", "There are restrictions on how many messages can be sent."),
    131049: Code(400, "Meta chose not to deliver", "Not delivered, to keep up healthy ecosystem engagement."),
    131050: Code(400, "User has stopped marketing messages", "The recipient has opted out."),
    131051: Code(400, "Unsupported message type", "Message type unknown."),
    131056: Code(400, "(Business Account, Consumer Account) pair rate limit hit",
                 "Too many messages from this number to the same person in a short time."),
    131057: Code(500, "Account in maintenance mode", "The account is in maintenance mode."),
    132000: Code(400, "Number of parameters does not match the expected number of params", ""),
    132001: Code(404, "Template name does not exist in the translation", ""),
    132012: Code(400, "Template parameter format mismatch", "Parameter values are formatted incorrectly."),
    132015: Code(400, "Template is paused", "The template is paused due to low quality."),
    132016: Code(400, "Template is disabled", "The template has been disabled due to low quality."),
    133004: Code(503, "Server temporarily unavailable", "The server is temporarily unavailable."),
    133016: Code(400, "Account register deregister rate limit exceeded", "Too many attempts; not processed."),
}  # fmt: skip
UNKNOWN = Code(400, "Unknown error", "")
