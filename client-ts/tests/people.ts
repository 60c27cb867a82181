// The people who decide, over the API of the running server.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { HITL } from "hitl-client";

export const { HITL_URL = "", OPERATOR_KEY = "" } = process.env;
export const hitl = new HITL({ warn: () => undefined });
export const newSession = (): string => `session-${randomUUID()}`;

async function call(method: string, path: string, body?: unknown): Promise<any> {
  const headers = { Authorization: `Bearer ${OPERATOR_KEY}`, "Content-Type": "application/json" };
  const response = await fetch(`${HITL_URL}/api/v1/${path}`, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  assert.ok(response.ok, text);
  return JSON.parse(text);
}

/** Decide the one open item of a session as soon as it is there. */
export async function soon(session: string, verb = "approve", body: object = {}): Promise<any> {
  const kind = verb === "fulfill" ? "requests" : "interrupts";
  for (let tries = 0; tries < 400; tries++) {
    const { results } = await call("GET", `${kind}?pending_only=true&session_id=${session}`);
    if (results.length) return call("POST", `${kind}/${results[0].id}/${verb}`, body);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing was asked in ${session}`);
}

export const decide = (id: string, verb = "approve", body: object = {}): Promise<any> =>
  call("POST", `interrupts/${id}/${verb}`, body);

export const makePolicy = (policy: object): Promise<any> => call("POST", "policies", policy);

/** Return what an error of this class says; fail where nothing or something else is thrown. */
export async function thrown<E>(kind: new (...args: any[]) => E, promise: Promise<unknown>): Promise<E> {
  const error = await promise.then(
    (value) => assert.fail(`returned ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof kind)) throw error;
  return error;
}
