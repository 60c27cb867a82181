import assert from "node:assert/strict";
import { test } from "node:test";
import { ApprovalSpent, Denied, HITL, InterruptSignal, Rejected, type Interrupt } from "hitl-client";
import { decide, hitl, makePolicy, newSession, soon, thrown } from "./people.js";

/** Return a tool that keeps the arguments it was called with. */
function recording() {
  const calls: unknown[] = [];
  const refund = async (args: { order: string; amount: number; password?: string }) => {
    calls.push(structuredClone(args));
    return args.amount;
  };
  return { calls, refund };
}

test("what was approved is what runs, whatever becomes of the caller's object", async () => {
  const { calls, refund } = recording();
  const session_id = newSession();
  const args = { order: "A1", amount: 250 };
  const returned = hitl.gate(refund, { session_id })(args);
  args.amount = 9_000;
  await soon(session_id);
  assert.equal(await returned, 250);
  assert.deepEqual(calls, [{ order: "A1", amount: 250 }]);
});

test("an edit changes the arguments; a rejected call never runs", async () => {
  const { calls, refund } = recording();
  const session_id = newSession();
  const gated = hitl.gate(refund, { session_id });
  const modifications = { order: "A1", amount: 120.5 };
  const [returned] = await Promise.all([
    gated({ order: "A1", amount: 250 }),
    soon(session_id, "approve", { modifications }),
  ]);
  assert.equal(returned, 120.5);
  await Promise.all([thrown(Rejected, gated({ order: "A1", amount: 3 })), soon(session_id, "reject")]);
  assert.deepEqual(calls, [modifications]);
});

test("what a person answers in the tool's place is returned, and the tool does not run", async () => {
  const { calls, refund } = recording();
  const session_id = newSession();
  const gated = hitl.gate(refund, { session_id, report: true, allowed_decisions: ["approve", "respond"] });
  const asked = gated({ order: "A1", amount: 250 });
  const [returned] = await Promise.all([asked, soon(session_id, "respond", { response: 7 })]);
  assert.equal(returned, 7);
  assert.deepEqual(calls, []);
});

test("redacted arguments are not shown, and reach the function", async () => {
  const { calls, refund } = recording();
  const session_id = newSession();
  const gated = hitl.gate(refund, { session_id, redact: ["password"], when: ({ amount }) => amount > 100 });
  const [, decided] = await Promise.all([
    gated({ order: "A1", amount: 250, password: "hunter2" }),
    soon(session_id),
  ]);
  assert.doesNotMatch(JSON.stringify(decided), /hunter2/);
  assert.equal(await gated({ order: "A2", amount: 1 }), 1);
  assert.deepEqual(calls, [
    { order: "A1", amount: 250, password: "hunter2" },
    { order: "A2", amount: 1 },
  ]);
});

test("policies deny and allow", async () => {
  const name = newSession();
  await makePolicy({ name: `${name}-no`, pattern: `${name}-no`, deny: true, note: "Never" });
  await makePolicy({ name: `${name}-yes`, pattern: `${name}-yes`, allow_auto: true });
  const { calls, refund } = recording();
  const denied = await thrown(Denied, hitl.gate(refund, { tool_name: `${name}-no` })({ order: "A1", amount: 1 }));
  assert.equal(denied.note, "Never");
  assert.deepEqual(calls, []);
  assert.equal(await hitl.gate(refund, { tool_name: `${name}-yes` })({ order: "A1", amount: 2 }), 2);
  assert.equal(await hitl.gate(refund, { unlisted: "allow" })({ order: "A1", amount: 3 }), 3);
  assert.equal((await hitl.evaluate(`${name}-no`)).decision, "deny");
});

test("a reported approval is spent before the call and told of after it: it runs once", async () => {
  const session_id = newSession();
  const { calls, refund } = recording();
  const options = { mode: "raise", report: true, tool_name: "refund" } as const;
  const run = (fn: typeof refund) => hitl.session({ session_id }).gate(fn, options)({ order: "A1", amount: 250 });
  const signal = await thrown(InterruptSignal, run(refund));
  // A whole float, as Python writes it, is a number like any other here.
  await decide(signal.interruptId, "approve", { modifications: { order: "A1", amount: 200.0 } });
  assert.equal(await run(refund), 200);
  const spent = await hitl.get<Interrupt>(signal.interruptId);
  assert.ok(spent.consumed_at);
  assert.equal(spent.outcome, "succeeded");
  await thrown(ApprovalSpent, run(refund));
  assert.equal(calls.length, 1);

  const failing = hitl.gate(
    async (_args: { order: string }) => {
      throw new RangeError("with the customer's name");
    },
    { session_id, tool_name: "failing", report: true },
  );
  const [, decided] = await Promise.all([thrown(RangeError, failing({ order: "A1" })), soon(session_id)]);
  const failed = await hitl.get<Interrupt>(decided.id);
  assert.equal(failed.outcome, "failed");
  assert.deepEqual(failed.outcome_result, { error: "RangeError" });
});

test("an approval is spent once, also where the answer to that was lost", async () => {
  const session_id = newSession();
  const { calls, refund } = recording();
  let losses = 1;
  const forgetful = new HITL({
    apiKey: process.env["HITL_API_KEY"]!,
    fetch: async (url, init) => {
      const response = await fetch(url, init);
      if (url.endsWith("/consume") && losses-- > 0) throw new TypeError("fetch failed");
      return response;
    },
    warn: () => undefined,
  });
  const gated = forgetful.gate(refund, { session_id, report: true });
  const [returned] = await Promise.all([gated({ order: "A1", amount: 250 }), soon(session_id)]);
  assert.equal(returned, 250);
  assert.equal(calls.length, 1);
});

test("only JSON can be gated, and only under a name", async () => {
  const gated = hitl.gate((_args: { when: Date }) => 1, { tool_name: "plan" });
  await thrown(TypeError, gated({ when: new Date() }));
  await thrown(TypeError, hitl.gate((_args: string[]) => 1, { tool_name: "plan" })(["a"]));
  assert.throws(() => hitl.gate(() => 1), /needs tool_name/);
});
