"""Put a colour behind a picture, with a person's help: a run from a terminal (needs Pillow).

    HITL_RUN_HOSTS=127.0.0.1:8901 make run                    # the server, allowed to call the service below
    HITL_API_KEY=hitl_… python examples/image_job.py PICTURE  # this, and the service

The run is started without a colour, so it asks for one. Open the link that is printed, write a colour and
approve; look at the result and approve that; then it lies beside the picture. Stop this program, or the
server, whenever you like: started again, it finds its run where that stands. `--color teal` names the colour
at once. `--answer teal` lets the holder of OPERATOR_KEY, a reviewer's personal key, answer from here.
"""

import argparse
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from hitl_client import HITL, HITLError, Run
from image_service import PORT, Service

LOOK_EVERY = 2.0
CONFIG = {"policy": "require_human", "allowed_steps": ["information_review", "response_review"]}


def main(picture: Path, port: int, color: str, answer: str) -> int:
    """Return 0 if the result lies beside the picture, 1 if there is none."""
    content = picture.read_bytes()
    session = f"picture-{hashlib.sha256(content).hexdigest()[:16]}"
    with HITL() as hitl, service(port) as url:
        run = hitl.active(session).run
        if run is None:
            run = begin(hitl, session, picture, url, color)
        else:
            say(f"{run.id} of an earlier start goes on.")
        run = follow(hitl, run, answer)
        if not run.is_completed:
            why = run.error or {}
            say(f"{run.id} was {run.status}: {why.get('message')} {why.get('suggestion') or ''}")
            return 1
        result = picture.with_name(f"{picture.stem}-background.png")
        result.write_bytes(hitl.download_file(session, run.files[0]["id"]))
        say(f"Done: {result}")
        return 0


def begin(hitl: HITL, session: str, picture: Path, url: str, color: str) -> Run:
    """Upload the picture and start a run of its own session."""
    reference = hitl.upload(session, picture)
    say(f"Uploaded {picture.name} as {reference}.")
    inputs = {"image": reference} | ({"background_color": color} if color else {})
    asked = {"tool": "http", "inputs": {"url": f"{url}/background", **inputs}}
    run = hitl.start_run(asked, session_id=session, config=CONFIG)
    say(f"Started {run.id}; it calls {url}/background.")
    return run


def follow(hitl: HITL, run: Run, answer: str) -> Run:
    """Tell how the run gets on until it has ended; return it."""
    told: object = None
    while not run.has_ended:
        if told != (told := (run.status, run.step, run.approval_id)):
            tell(hitl, run)
            if answer and run.approval_id:
                decide(hitl, run, answer)
        run = hitl.wait_run(run.id, timeout=LOOK_EVERY) or hitl.get_run(run.id)
    return run


def tell(hitl: HITL, run: Run) -> None:
    """Say at which step a run is, or what it waits for and where to click."""
    if run.status == "paused":
        say(f"Paused: resume it at {hitl.base_url}{run.item['url']}")
    elif run.approval_id is None:
        say(f"At work: {run.step.replace('_', ' ')}.")
    else:
        asked = hitl.get(run.approval_id)
        say(f"Waits for a person: {asked['reason']}")
        say(f"  Answer it at {hitl.base_url}{asked['url']}")


def decide(hitl: HITL, run: Run, color: str) -> None:
    """Answer as a person would in the admin, by their own key: a colour where one is missing, else yes."""
    said: dict[str, object] = {"approval_id": run.approval_id, "action": "approve"}
    if "approve" not in run.pending_actions:
        said |= {"action": "edit", "edits": {"background_color": color}}
    key = {"Authorization": f"Bearer {os.environ['OPERATOR_KEY']}"}
    httpx.post(f"{hitl.base_url}/api/v1/runs/{run.id}/approve", json=said, headers=key).raise_for_status()
    say(f"  Answered from here: {said['action']}.")


@contextmanager
def service(port: int) -> Iterator[str]:
    """Serve while the block runs; yield where."""
    with Service(port) as running:
        running.start()
        yield running.url
        running.shutdown()


def say(text: str) -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser(usage=__doc__)
    options.add_argument("picture", type=Path)
    options.add_argument("--port", type=int, default=PORT)
    options.add_argument("--color", default="")
    options.add_argument("--answer", default="")
    try:
        sys.exit(main(**vars(options.parse_args())))
    except (HITLError, OSError, httpx.HTTPError) as trouble:
        sys.exit(f"error: {trouble}")
    except KeyboardInterrupt:
        sys.exit("\nStopped; start it again to go on.")
