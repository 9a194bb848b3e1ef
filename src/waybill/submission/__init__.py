"""SMTP submission: AUTH, STARTTLS, and a message into ``accept``."""

from waybill.submission.door import Submission, SubmissionConfig

__all__ = ["Submission", "SubmissionConfig"]
