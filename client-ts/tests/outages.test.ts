import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { HITL, HITLError, ProblemError, Unavailable, UnexpectedAnswer } from "hitl-client";
import { HITL_URL, newSession, soon, thrown } from "./people.js";

/** Return a client whose first requests are answered by these, and the rest by the server. */
function after(...answers: (() => Response)[]): { hitl: HITL; warnings: string[]; sent: string[] } {
  const warnings: string[] = [];
  const sent: string[] = [];
  const hitl = new HITL({
    apiKey: process.env["HITL_API_KEY"]!,
    fetch: async (url, init) => {
      sent.push(`${init.method} ${new Headers(init.headers).get("Idempotency-Key")}`);
      return answers.shift()?.() ?? fetch(url, init);
    },
    warn: (message) => warnings.push(message),
    retryFor: 3,
  });
  return { hitl, warnings, sent };
}

const lost = (): Response => {
  throw new TypeError("fetch failed");
};
const busy = (seconds: string) => () => new Response("{}", { status: 503, headers: { "Retry-After": seconds } });

test("what got lost is sent again under the same key, and Retry-After is honoured", async () => {
  const session_id = newSession();
  const { hitl, warnings, sent } = after(lost, busy("1"));
  const began = performance.now();
  const [said] = await Promise.all([hitl.requireConfirmation("Deploy?", { session_id }), soon(session_id)]);
  assert.equal(said, true);
  assert.ok(performance.now() - began > 1000);
  assert.equal(warnings.length, 2);
  const posts = sent.filter((line) => line.startsWith("POST"));
  assert.equal(posts.length, 3);
  assert.equal(new Set(posts).size, 1);
  assert.match(posts[0]!, /^POST .{36}$/);
});

test("an outage that lasts is told, with its cause", async () => {
  const { hitl } = after(busy("60"));
  const away = await thrown(Unavailable, hitl.find("k"));
  assert.ok(away.cause instanceof ProblemError);
  const nobody = new HITL({ baseUrl: "http://127.0.0.1:9", apiKey: "k", retryFor: 0, warn: () => undefined });
  await thrown(Unavailable, nobody.find("k"));
});

test("what is not the server's is not believed", async () => {
  const page = () => new Response("<html>", { status: 200 });
  await thrown(UnexpectedAnswer, after(page).hitl.find("k"));
  const elsewhere = createServer((request, answer) => {
    answer.writeHead(307, { Location: `${HITL_URL}${request.url}` }).end();
  });
  await once(elsewhere.listen(0, "127.0.0.1"), "listening");
  const { port } = elsewhere.address() as AddressInfo;
  const redirected = new HITL({ baseUrl: `http://127.0.0.1:${port}` });
  assert.equal((await thrown(ProblemError, redirected.find("k"))).status, 307);
  elsewhere.close();
  const stranger = new HITL({ baseUrl: HITL_URL, apiKey: "hitl_0_wrong" });
  const refused = await thrown(HITLError, stranger.requireApproval("Deploy?"));
  assert.match(refused.message, /^401/);
});
