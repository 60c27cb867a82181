"""A service that puts a colour behind a picture, for runs to call (needs Pillow: pip install pillow).

    python examples/image_service.py [PORT]

What is joined to a corner and looks like it is the background. `/openapi.json` says what `POST /background`
takes; calls with one Idempotency-Key are carried out once.
"""

import io
import json
import sys
import threading
from collections.abc import Mapping
from email import policy
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image, ImageColor, ImageDraw, ImageOps, UnidentifiedImageError

PORT = 8901
LARGEST = 20 * 1024 * 1024
LONGEST_SIDE = 1600
Reply = tuple[int, str, bytes]

TAKES: dict[str, Any] = {
    "type": "object",
    "required": ["image", "background_color"],
    "additionalProperties": False,
    "properties": {
        "image": {
            "type": "string",
            "format": "binary",
            "title": "Picture",
            "description": "The picture whose background is to go",
        },
        "background_color": {
            "type": "string",
            "minLength": 3,
            "maxLength": 30,
            "title": "Background colour",
            "description": "The colour to put behind, such as teal or #0a7",
        },
        "tolerance": {
            "type": "integer",
            "minimum": 0,
            "maximum": 255,
            "title": "Tolerance",
            "description": "How much the background may differ from its corner; 40 unless said otherwise",
        },
        "width": {
            "type": "integer",
            "minimum": 16,
            "maximum": 4000,
            "title": "Width",
            "description": "Width of the result in pixels; as it is unless said otherwise",
        },
    },
}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Backgrounds", "version": "1"},
    "paths": {
        "/background": {
            "post": {
                "summary": "Put a colour behind a picture",
                "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": TAKES}}},
                "responses": {"200": {"description": "The picture, a PNG"}},
            }
        }
    },
}


class Refused(Exception):
    """What was sent does not do; the message says why."""


def with_background(content: bytes, color: str, tolerance: int = 40, width: int | None = None) -> bytes:
    """Return the picture as PNG with *color* where its background was. Raises Refused."""
    try:
        behind = ImageColor.getrgb(color)
    except ValueError:
        raise Refused(f"{color[:30]!r} is no colour; write a name such as teal, or #0a7.") from None
    try:
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGBA")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        raise Refused("This is no picture.") from None
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    without_background(picture, tolerance)
    result = Image.new("RGB", picture.size, behind[:3])
    result.paste(picture, mask=picture)
    if width:
        result = result.resize((width, max(1, round(result.height * width / result.width))))
    file = io.BytesIO()
    result.save(file, "PNG")
    return file.getvalue()


def without_background(picture: Image.Image, tolerance: int) -> None:
    """Make transparent what is joined to a corner of *picture* and looks like it."""
    right, bottom = picture.width - 1, picture.height - 1
    for corner in ((0, 0), (right, 0), (0, bottom), (right, bottom)):
        ImageDraw.floodfill(picture, corner, (0, 0, 0, 0), thresh=tolerance)


class Service(ThreadingHTTPServer):
    """Listen on a port of this machine; `done` counts the pictures that were worked on."""

    daemon_threads = True

    def __init__(self, port: int = PORT) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.done = 0
        self._answered: dict[str, Reply] = {}
        self._one_at_a_time = threading.Lock()

    def start(self) -> None:
        """Serve in the background, until the program ends."""
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, key: str, fields: Mapping[str, bytes]) -> Reply:
        """Do the work; or say again what was said under this key."""
        with self._one_at_a_time:
            if not key or key not in self._answered:
                self._answered[key] = self._work(fields)
            return self._answered[key]

    def _work(self, fields: Mapping[str, bytes]) -> Reply:
        try:
            if missing := [name for name in TAKES["required"] if not fields.get(name)]:
                raise Refused(f"{' and '.join(missing)} must be given.")
            color = fields["background_color"].decode("utf-8", "replace")
            tolerance, width = (_number(fields, name) for name in ("tolerance", "width"))
            picture = with_background(fields["image"], color, 40 if tolerance is None else tolerance, width)
        except Refused as refusal:
            return 422, "application/json", json.dumps({"detail": str(refusal)}).encode()
        self.done += 1
        return 200, "image/png", picture


class Handler(BaseHTTPRequestHandler):
    """Speak HTTP for a Service."""

    server: Service

    def do_GET(self) -> None:
        """Say what the service takes."""
        known = self.path == "/openapi.json"
        self.say(200 if known else 404, "application/json", json.dumps(DOCUMENT if known else {}).encode())

    def do_POST(self) -> None:
        """Take a form with a picture in it."""
        length = int(self.headers.get("Content-Length", 0))
        if self.path != "/background" or length > LARGEST:
            self.close_connection = True
            self.say(404 if length <= LARGEST else 413, "application/json", b"{}")
            return
        fields = form(self.headers.get("Content-Type", ""), self.rfile.read(length))
        self.say(*self.server.answer(self.headers.get("Idempotency-Key", ""), fields))

    def say(self, status: int, kind: str, body: bytes) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Keep quiet: the program that started the service has the terminal."""


def form(content_type: str, body: bytes) -> dict[str, bytes]:
    """Return the fields of a multipart form; none of another body."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    parts = BytesParser(policy=policy.HTTP).parsebytes(head + body)
    if not parts.is_multipart():
        return {}
    named = {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in parts.iter_parts()
    }
    return {str(name): bytes(content or b"") for name, content in named.items() if name}


def _number(fields: Mapping[str, bytes], name: str) -> int | None:
    text, most = fields.get(name, b""), TAKES["properties"][name]["maximum"]
    if text and not (text.isdigit() and len(text) < 6 and int(text) <= most):
        raise Refused(f"{name} is a whole number up to {most}.")
    return int(text) if text else None


if __name__ == "__main__":
    service = Service(int(sys.argv[1]) if len(sys.argv) > 1 else PORT)
    print(f"POST {service.url}/background puts a colour behind a picture. Stop it with Ctrl-C.")
    try:
        service.serve_forever()
    except KeyboardInterrupt:
        service.server_close()
