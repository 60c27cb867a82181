"""Read the body of an upload: exactly one file."""

from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from rest_framework.parsers import BaseParser, DataAndFiles
from rest_framework.request import Request

from events.problems import Problem, invalid

ONE_FILE = {
    "type": "object",
    "properties": {"file": {"type": "string", "format": "binary"}},
    "required": ["file"],
    "additionalProperties": False,
}


class OneFileParser(BaseParser):
    """Take ``multipart/form-data`` with one part, ``file``, that has a file name."""

    media_type = "multipart/form-data"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        request = parser_context["request"]
        meta = {**request.META, "CONTENT_TYPE": media_type}
        try:
            fields, files = MultiPartParser(meta, stream, request.upload_handlers).parse()
        except RequestDataTooBig:
            raise
        except (MultiPartParserError, SuspiciousOperation, LookupError, TypeError, ValueError) as error:
            why = f"The body cannot be read as multipart/form-data: {error}"
            raise invalid({"file": [why]}) from None
        uploads = [upload for _, named in files.lists() for upload in named]
        if fields or len(uploads) != 1 or "file" not in files:  # Django drops what was cut off
            for upload in uploads:
                upload.close()
            raise _not_one()
        return DataAndFiles(fields, files)


def uploaded(request: Request) -> "UploadedFile[bytes]":
    """Return the file that *request* brings."""
    if "file" not in request.FILES:  # no body at all, so that no parser was asked
        raise _not_one()
    found: UploadedFile[bytes] = request.FILES["file"]
    return found


def _not_one() -> Problem:
    return invalid({"file": ["Send exactly one part, called file, with a filename and a boundary after it."]})
