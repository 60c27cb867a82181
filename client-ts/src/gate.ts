// Put policies, and a person where they say so, between a caller and a function.

import { given, type Calls } from "./calls.js";
import { Denied, HITLError, InterruptSignal, ProblemError, UnexpectedAnswer } from "./errors.js";
import { isAnswered, settled, unrefused } from "./errors.js";
import { canonical, copied, frozen } from "./keys.js";
import { decisionOf, type AskOptions, type Interrupt, type Json, type PolicyAnswer } from "./models.js";

const REDACTED = "[redacted]";
const PATIENCE_SECONDS = 5;
const UNKNOWN: PolicyAnswer = { decision: "ask", policy: null, note: "", approval_message: "", grant: null };

export interface GateOptions<A = Json> extends Omit<AskOptions, "tool_args"> {
  /** What a person is told unless a policy words it. */
  reason?: string;
  /** Says which calls are for the gate at all; default: all. */
  when?: (args: A) => unknown;
  /** Arguments that are not to be shown, to policies neither. */
  redact?: (keyof A & string)[];
  /** What holds for a tool that no policy speaks of; default: "ask". */
  unlisted?: "ask" | "allow";
  /** Spend an approval before the call and tell what came of it after: it runs once, also when run again. */
  report?: boolean;
}

/** What to run with and the approval that is reported to, if any; or what a person answered instead. */
interface Permit {
  args: Json;
  reportsTo?: string;
  answered?: Interrupt;
}

export function gated<A extends object, R, Rest extends unknown[]>(
  calls: Calls,
  fn: (args: A, ...rest: Rest) => R | Promise<R>,
  options: GateOptions<A>,
): (args: A, ...rest: Rest) => Promise<R> {
  const tool_name = options.tool_name || fn.name;
  if (!tool_name) throw new TypeError("a function without a name needs tool_name");

  return async (args, ...rest) => {
    if (Array.isArray(args)) throw new TypeError(`${tool_name} is to take one object, not a list`);
    // Copied before anybody is asked: the caller may change its object while a person thinks.
    const permit = await permitFor(calls, tool_name, frozen(args ?? {}) as Json, options as GateOptions);
    if (permit.answered) return permit.answered.response as R;
    let result: R;
    try {
      result = await fn(permit.args as A, ...rest);
    } catch (error) {
      const name = error instanceof Error ? error.name : typeof error;
      if (!(error instanceof InterruptSignal)) await tell(calls, permit, "failed", { error: name });
      throw error;
    }
    await tell(calls, permit, "succeeded");
    return result;
  };
}

/** Ask the policies about a call, and a person unless they allow it. A decision of an earlier run holds. */
async function permitFor(
  calls: Calls,
  tool_name: string,
  wanted: Json,
  options: GateOptions,
): Promise<Permit> {
  const { when, redact = [], unlisted = "ask", report = false, reason, ...asking } = options;
  const args = copied(wanted);
  if (when && !when(args)) return { args };
  const hidden = Object.fromEntries(Object.entries(wanted).filter(([name]) => redact.includes(name)));
  const shown = { ...wanted, ...Object.fromEntries(Object.keys(hidden).map((name) => [name, REDACTED])) };
  const answer = await rule(calls, { tool_name, tool_args: shown, session_id: asking.session_id });
  if (answer.decision === "deny") throw new Denied(tool_name, answer.policy, answer.note);
  const asked = {
    type: "approval",
    reason: answer.approval_message || reason || `Tool '${tool_name}' requires approval`,
    tool_name,
    tool_args: shown,
    args_schema: asking.args_schema ?? schemaOf(args),
  };
  const isHidden = Object.keys(hidden).length > 0;
  const question = await calls.compose("interrupts", asked, asking, isHidden ? hidden : undefined);
  const isListed = answer.policy !== null || answer.grant !== null;
  if (answer.decision === "allow" && (isListed || unlisted === "allow")) {
    if (!question.key || !(await calls.keyed("interrupts", question.key))) return { args };
  }
  const decision = unrefused(decisionOf((await calls.pursue(question)) as Interrupt));
  if (isAnswered(decision)) return { args, answered: decision };
  const approved = settled(decision).arguments;
  const kept = Object.entries(copied(hidden)).filter(([name]) => approved[name] === REDACTED);
  const permit = { args: { ...copied(approved), ...Object.fromEntries(kept) } };
  if (!report) return permit;
  await calls.consume(decision.id, approved, decision.receipt);
  return { ...permit, reportsTo: decision.id };
}

/** Ask the policies; "ask" where they give no answer soon. Throws where the key may not, or asks too often. */
async function rule(calls: Calls, call: Json): Promise<PolicyAnswer> {
  try {
    const answer = await calls.evaluate(call, Math.min(PATIENCE_SECONDS, calls.http.retryFor));
    if (["allow", "ask", "deny"].includes(answer.decision)) return answer;
    throw new UnexpectedAnswer(`${canonical(answer)} is no answer of a policy`);
  } catch (trouble) {
    if (!(trouble instanceof HITLError)) throw trouble;
    if (trouble instanceof ProblemError && [401, 403, 429].includes(trouble.status)) throw trouble;
    calls.http.warn(`No answer of the policies about ${call["tool_name"]} (${trouble.message}): asking`);
    return UNKNOWN;
  }
}

/** Report what came of an approved call: the name of its error, and nothing of its result. */
async function tell(calls: Calls, permit: Permit, status: "succeeded" | "failed", result?: Json): Promise<void> {
  if (!permit.reportsTo) return;
  try {
    await calls.once(permit.reportsTo, "outcome", given({ status, result }), "reported");
  } catch (trouble) {
    if (!(trouble instanceof HITLError)) throw trouble; // what the call returned or threw is worth more
    calls.http.warn(`${permit.reportsTo} could not be reported as ${status} (${trouble.message})`);
  }
}

/** Name the arguments there are, so that the server refuses an edit with others. */
function schemaOf(args: Json): Json {
  const properties = Object.fromEntries(Object.keys(args).map((name) => [name, {}]));
  return { type: "object", properties, required: Object.keys(args), additionalProperties: false };
}
