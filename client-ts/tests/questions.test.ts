import assert from "node:assert/strict";
import { test } from "node:test";
import { Answered, ArgumentsChanged, Cancelled, Expired, InterruptSignal, ProblemError } from "hitl-client";
import { Rejected, StreamReset, WaitTimeout } from "hitl-client";
import { SecretsGone, SecretsLeased, type Event, type Interrupt } from "hitl-client";
import { decide, hitl, newSession, soon, thrown } from "./people.js";

const DELETE = { tool_name: "delete_file", tool_args: { path: "a.txt", ratio: 1.5 } };

test("an approval gives back the arguments and who decided", async () => {
  const session_id = newSession();
  const [decision] = await Promise.all([
    hitl.requireApproval("Delete a.txt?", { session_id, ...DELETE }),
    soon(session_id),
  ]);
  assert.deepEqual(decision.arguments, DELETE.tool_args);
  assert.equal(decision.approved, true);
  assert.ok(decision.resolved_by);
  assert.ok(decision.receipt);
});

test("an edit replaces the arguments, with their types", async () => {
  const session_id = newSession();
  const modifications = { path: "b.txt", ratio: 2.5, deep: { list: [1, null, "ü"] } };
  const [decision] = await Promise.all([
    hitl.requireApproval("Delete a.txt?", { session_id, ...DELETE }),
    soon(session_id, "approve", { modifications }),
  ]);
  assert.deepEqual(decision.arguments, modifications);
});

test("a rejection says why, and silence never approves", async () => {
  const session_id = newSession();
  const [rejected] = await Promise.all([
    thrown(Rejected, hitl.requireApproval("Delete a.txt?", { session_id, ...DELETE })),
    soon(session_id, "reject", { reason: "Not authorized" }),
  ]);
  assert.equal(rejected.reason, "Not authorized");
  assert.match(rejected.message, /rejected by .*: Not authorized/);
  await thrown(Expired, hitl.requireApproval("Delete a.txt?", { session_id, expires_in: 1 }));
});

test("an answer in the tool's place is no approval", async () => {
  const session_id = newSession();
  const [answered] = await Promise.all([
    thrown(
      Answered,
      hitl.requireApproval("Look it up?", { session_id, ...DELETE, allowed_decisions: ["approve", "respond"] }),
    ),
    soon(session_id, "respond", { response: "It is 42" }),
  ]);
  assert.equal(answered.response, "It is 42");
});

test("yes and no, a value, and what somebody thinks", async () => {
  const session_id = newSession();
  const yes = hitl.requireConfirmation("Deploy?", { session_id });
  assert.deepEqual(await Promise.all([yes, soon(session_id)]).then(([said]) => said), true);
  const no = hitl.requireConfirmation("Deploy?", { session_id });
  assert.deepEqual(await Promise.all([no, soon(session_id, "reject")]).then(([said]) => said), false);

  const entered = hitl.requireInput<number>("How many?", { session_id, response_schema: { type: "integer" } });
  await soon(session_id, "respond", { response: 7 });
  assert.equal(await entered, 7);

  const thought = hitl.requireFeedback("The draft", { session_id, outcomes: ["good", "bad"] });
  await soon(session_id, "respond", { response: { outcome: "bad", comment: "Too long" } });
  const { outcome, comment } = await thought;
  assert.deepEqual({ outcome, comment }, { outcome: "bad", comment: "Too long" });
});

test("a run that is run again finds its decisions and goes on", async () => {
  const session_id = newSession();
  const refund = async () => {
    const run = hitl.session({ session_id });
    const first = await run.requireApproval("Refund?", { tool_name: "refund", tool_args: { amount: 250 }, mode: "raise" });
    await run.requireApproval("Tell them?", { mode: "raise" });
    return first.arguments["amount"];
  };
  const first = await thrown(InterruptSignal, refund());
  assert.deepEqual(first.data, { tool: "refund", arguments: { amount: 250 } });
  const again = await thrown(InterruptSignal, refund());
  assert.equal(again.interruptId, first.interruptId);
  await decide(first.interruptId, "approve", { modifications: { amount: 200 } });
  const second = await thrown(InterruptSignal, refund());
  assert.notEqual(second.interruptId, first.interruptId);
  await decide(second.interruptId);
  assert.equal(await refund(), 200);
});

test("two equal calls of a run are two questions, and a key cannot change what it is about", async () => {
  const run = hitl.session({ run_id: newSession() });
  const ask = () => run.requireApproval("Delete a.txt?", { ...DELETE, mode: "raise" });
  const [one, other] = await Promise.all([thrown(InterruptSignal, ask()), thrown(InterruptSignal, ask())]);
  assert.notEqual(one.interruptId, other.interruptId);

  const key = newSession();
  const named = await thrown(InterruptSignal, hitl.requireApproval("A?", { key, ...DELETE, mode: "raise" }));
  const reworded = await thrown(InterruptSignal, hitl.requireApproval("Really A?", { key, ...DELETE, mode: "raise" }));
  assert.equal(named.interruptId, reworded.interruptId);
  assert.equal((await hitl.find(key))?.id, named.interruptId);
  assert.equal(await hitl.find(newSession()), null);
  const other_args = { tool_name: "delete_file", tool_args: { path: "b.txt" } };
  const changed = await thrown(ArgumentsChanged, hitl.requireApproval("A?", { key, ...other_args, mode: "raise" }));
  assert.equal(changed.item?.id, named.interruptId);
});

test("waiting ends after its time, by a signal, or with what was withdrawn", async () => {
  const session_id = newSession();
  const timeout = await thrown(WaitTimeout, hitl.requireApproval("Delete?", { session_id, waitTimeout: 0.1 }));
  assert.equal(await hitl.wait(timeout.item.id, { timeout: 1.2 }), null);

  const stop = new AbortController();
  const waiting = thrown(RangeError, hitl.wait(timeout.item.id, { signal: stop.signal }));
  setTimeout(() => stop.abort(new RangeError("enough")), 100);
  await waiting;

  assert.equal((await hitl.cancel(timeout.item.id, "No longer")).status, "cancelled");
  assert.equal((await hitl.cancel(timeout.item.id)).status, "cancelled");
  assert.equal((await hitl.wait(timeout.item.id))?.status, "cancelled");
  const asked = await hitl.get<Interrupt>(timeout.item.id);
  assert.ok(asked.history?.length);
  await thrown(ProblemError, hitl.get("int_nowhere"));
  const keyed = { key: asked.key, session_id, mode: "raise" } as const;
  await thrown(Cancelled, hitl.requireApproval("Delete?", keyed));
});

test("secret answers are lent once, and destroyed when they have arrived", async () => {
  const session_id = newSession();
  const [request] = await Promise.all([
    hitl.requestAction({
      request_type: "api_key",
      title: "A key for Stripe",
      description: "To read invoices.",
      required_fields: { account: "Account", api_key: { label: "Key", type: "secret" } },
      session_id,
    }),
    soon(session_id, "fulfill", { response_data: { account: "ours", api_key: "sk_1" } }),
  ]);
  assert.deepEqual(request.response_data, { account: "ours" });
  assert.equal((await hitl.waitRequest(request.id))?.status, "fulfilled");
  const secrets = await hitl.reveal(request.id);
  assert.equal(secrets.get("api_key"), "sk_1");
  assert.throws(() => JSON.stringify({ secrets }), TypeError);
  assert.ok((await thrown(SecretsLeased, hitl.reveal(request.id))).until);
  await hitl.ack(request.id);
  await hitl.ack(request.id);
  await thrown(SecretsGone, hitl.reveal(request.id));

  const open = { title: "A signature", description: "On paper.", request_type: "custom", mode: "ask" } as const;
  const asked = await hitl.requestAction({ ...open, workflow_id: session_id });
  assert.equal((await hitl.requestAction({ ...open, workflow_id: session_id })).id, asked.id);
});

test("events go on after a cursor, and live", async () => {
  const session_id = newSession();
  const signal = await thrown(InterruptSignal, hitl.requireApproval("One?", { session_id, mode: "raise" }));
  const seen: Event[] = [];
  for await (const event of hitl.events({ follow: false })) seen.push(event);
  const at = seen.findIndex((event) => event.subject_id === signal.interruptId);
  const rest: Event[] = [];
  for await (const event of hitl.events({ after: seen[at]!.cursor, follow: false })) rest.push(event);
  assert.deepEqual(rest, seen.slice(at + 1));

  const live = hitl.events({ after: seen.at(-1)!.cursor, types: ["hitl.interrupt.cancelled"] });
  const [next] = await Promise.all([live.next(), hitl.cancel(signal.interruptId)]);
  assert.equal(next.value?.subject_id, signal.interruptId);
  await live.return();
  const reset = await thrown(StreamReset, hitl.events({ after: "another-epoch:3" }).next());
  assert.ok(reset.cursor);
});
