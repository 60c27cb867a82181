"""FastAPI and sqlite3, as the tutorials have it: a connection a request, the default journal."""

import json
import os
import sqlite3
from contextlib import closing
from typing import Any
from uuid import uuid4

from fastapi import FastAPI
from pydantic import BaseModel, Field

FILE = os.environ["SQLITE_FILE"]

with closing(sqlite3.connect(FILE)) as first:
    first.execute(
        "CREATE TABLE item (id TEXT PRIMARY KEY, agent TEXT, reason TEXT, session_id TEXT, tool_name TEXT,"
        " tool_args TEXT, data TEXT, status TEXT DEFAULT 'pending')"
    )
    first.execute("CREATE TABLE event (id INTEGER PRIMARY KEY, item TEXT, type TEXT, data TEXT)")
    first.commit()


class Question(BaseModel):
    reason: str = Field(min_length=1, max_length=1000)
    agent: str = Field(max_length=255)
    session_id: str = Field("", max_length=255)
    tool_name: str = Field("", max_length=255)
    tool_args: dict[str, Any] = {}
    data: dict[str, Any] = {}


app = FastAPI()


@app.get("/healthz")
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/interrupts", status_code=201)
def create(question: Question) -> dict[str, Any]:
    pk = f"int_{uuid4().hex}"
    with closing(sqlite3.connect(FILE, timeout=20)) as connection, connection:
        connection.execute(
            "INSERT INTO item (id, reason, agent, session_id, tool_name, tool_args, data)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                pk, question.reason, question.agent, question.session_id, question.tool_name,
                json.dumps(question.tool_args), json.dumps(question.data),
            ],
        )  # fmt: skip
        connection.execute(
            "INSERT INTO event (item, type, data) VALUES (?, 'requested', ?)",
            [pk, question.model_dump_json()],
        )
    return {"id": pk, "status": "pending", **question.model_dump()}
