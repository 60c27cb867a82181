"""FastAPI and asyncpg, written plainly and well: no keys, no limits, no streams; two inserts to create."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel, Field

FIELDS = "id, agent, type, status, reason, session_id, tool_name, tool_args, data, priority, response, resolved_by, resolved_at, created_at, expires_at"  # noqa: E501


class Question(BaseModel):
    reason: str = Field(min_length=1, max_length=1000)
    agent: str = Field(max_length=255)
    session_id: str = Field("", max_length=255)
    tool_name: str = Field("", max_length=255)
    tool_args: dict[str, Any] = {}
    data: dict[str, Any] = {}


async def prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
    )


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["REFERENCE_URL"], min_size=8, max_size=8, init=prepare) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/interrupts")
async def create(question: Question) -> Response:
    values = question.model_dump()
    pk = f"int_{uuid4().hex}"
    async with app.state.pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            "INSERT INTO item (id, reason, agent, session_id, tool_name, tool_args, data)"
            f" VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {FIELDS}",
            pk, *values.values(),
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO event (item, type, data) VALUES ($1, 'requested', $2)", pk, values
        )
    return document(dict(row), status=201)


@app.get("/interrupts/{pk}/status")
async def status(pk: str) -> Response:
    row = await app.state.pool.fetchrow(
        "SELECT id, status, response, resolved_by, resolved_at, expires_at FROM item WHERE id = $1", pk
    )
    if row is None:
        raise HTTPException(404)
    return document({**row, "approved": row["status"] == "approved"})


@app.get("/interrupts")
async def page(agent: str, before: str = "~", limit: int = 50) -> Response:
    rows = await app.state.pool.fetch(
        f"SELECT {FIELDS} FROM item WHERE agent = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        agent,
        before,
        limit,
    )
    results = [dict(row) for row in rows]
    return document({"results": results, "next": results[-1]["id"] if len(results) == limit else None})


def document(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status_code=status, media_type="application/json")
