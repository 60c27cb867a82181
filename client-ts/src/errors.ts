// Everything the client throws on purpose.
//
// HITLError
//  ├─ NotApproved            a person, the clock or the agent itself said no; carries item, reason and code
//  │   ├─ Rejected
//  │   │   └─ Denied         a policy said no, and nobody was asked; carries policy and note
//  │   ├─ Answered           a person answered in the tool's place: do not run it; carries response
//  │   ├─ Expired
//  │   └─ Cancelled
//  ├─ WaitTimeout            still undecided when `waitTimeout` was over; carries the item
//  ├─ ArgumentsChanged       this key was used to ask about something else, or other arguments were approved
//  ├─ ProblemError           the server refused: an RFC 9457 problem document
//  │   ├─ ApprovalSpent      the approval was used before, answered in the tool's place, or too old: do not run
//  │   ├─ StreamReset        the event cursor is of another life of the server; carries where to start
//  │   ├─ SecretsLeased      the secret answers were revealed a moment ago; can be had again after the lease
//  │   └─ SecretsGone        the secret answers were acknowledged, or not fetched in time, and are destroyed
//  ├─ Unavailable            no answer, though asked again and again; the last trouble is its cause
//  └─ UnexpectedAnswer       an answer that is not the server's
//
// InterruptSignal            no HITLError: the run ends here and is run again once decided

import type { Interrupt, Item, Json, Problem } from "./models.js";

export class HITLError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The question was settled, and not by a yes. */
export class NotApproved extends HITLError {
  constructor(
    readonly item: Item | null,
    readonly reason: string | null,
    message: string,
  ) {
    super(message);
  }

  /** Why a request was rejected, for programs. */
  get code(): string | null {
    return (this.item && "rejection_code" in this.item && this.item.rejection_code) || null;
  }
}
export class Rejected extends NotApproved {}
export class Expired extends NotApproved {}
export class Cancelled extends NotApproved {}

export class Denied extends Rejected {
  constructor(
    toolName: string,
    readonly policy: string | null,
    readonly note: string,
  ) {
    super(null, note || null, `policy ${policy} denies ${toolName}${note && `: ${note}`}`);
  }
}

export class Answered extends NotApproved {
  readonly response: unknown;

  constructor(interrupt: Interrupt) {
    super(interrupt, null, `${interrupt.id} was answered by ${interrupt.resolved_by}: it is not to run`);
    this.response = interrupt.response;
  }
}

export class WaitTimeout extends HITLError {
  constructor(readonly item: Item) {
    super(`${item.id} is still undecided`);
  }
}

export class ArgumentsChanged extends HITLError {
  constructor(
    readonly key: string | null,
    readonly item: Item | null,
    about = `the key ${key} was used by ${item?.id} to ask about something else`,
  ) {
    super(about);
  }
}

export class ProblemError extends HITLError {
  readonly code: string;
  /** What is wrong with each field of a bad body. */
  readonly errors: Record<string, string[]>;
  /** The item as it stands, where it is no longer open. */
  readonly current: Item | null;

  constructor(
    readonly status: number,
    readonly problem: Partial<Problem>,
  ) {
    const { title, detail, code = "", errors = {}, current = null } = problem;
    const fields = Object.entries(errors).map(([name, said]) => `${name}: ${said}`);
    super(`${status} ${[title, detail, ...fields].filter(Boolean).join(": ")}`);
    this.code = code;
    this.errors = errors;
    this.current = current as Item | null;
  }

  /** Read a refusal, also one that a proxy on the way wrote in its own words. */
  static of(status: number, text: string): ProblemError {
    const said = parsed(text);
    const isProblem = typeof said === "object" && said !== null && !Array.isArray(said);
    const problem: Partial<Problem> = isProblem ? said : { detail: text.slice(0, 200).trim() };
    return new (KINDS.get(String(problem.code)) ?? ProblemError)(status, problem);
  }
}
export class ApprovalSpent extends ProblemError {}
export class SecretsGone extends ProblemError {}

export class StreamReset extends ProblemError {
  /** The cursor to start from; null is the beginning. */
  get cursor(): string | null {
    return this.problem.cursor ?? null;
  }
}

export class SecretsLeased extends ProblemError {
  /** The moment the other call's lease ends, ISO 8601 UTC. */
  get until(): string | null {
    return (this.current && "secrets" in this.current && this.current.secrets?.lease_expires_at) || null;
  }
}

export class Unavailable extends HITLError {}
export class UnexpectedAnswer extends HITLError {}

/** Stop the run at an undecided question; run it again after the decision. */
export class InterruptSignal extends Error {
  override readonly name = "InterruptSignal";
  readonly interruptId: string;
  readonly reason: string;
  /** What the question came with; before a tool call that came with nothing, {tool, arguments}. */
  readonly data: Json;

  constructor(readonly item: Item) {
    const isQuestion = "reason" in item;
    const reason = isQuestion ? item.reason : item.title;
    super(`${item.id} waits for a person: ${reason}`);
    this.interruptId = item.id;
    this.reason = reason;
    const shown = isQuestion ? item.data : item.context;
    const bare = isQuestion && item.tool_name && Object.keys(shown).length === 0;
    this.data = bare ? { tool: item.tool_name, arguments: item.tool_args } : shown;
  }

  /** Return {interrupted: true, interrupt_id, reason, data}, ready for a web answer. */
  toJSON(): Json {
    return { interrupted: true, interrupt_id: this.interruptId, reason: this.reason, data: this.data };
  }
}

const KINDS = new Map<string, new (status: number, problem: Partial<Problem>) => ProblemError>([
  ["spent", ApprovalSpent],
  ["answered", ApprovalSpent],
  ["receipt_expired", ApprovalSpent],
  ["reset", StreamReset],
  ["leased", SecretsLeased],
  ["acknowledged", SecretsGone],
  ["purged", SecretsGone],
]);

const refusals = { rejected: Rejected, expired: Expired, cancelled: Cancelled };

/** Return an item that is not refused; throw Rejected, Expired or Cancelled for one that is. */
export function unrefused<T extends Item>(item: T): T {
  const status = item.status as string;
  if (!(status in refusals)) return item;
  const by = item.resolved_by ? ` by ${item.resolved_by}` : "";
  const reason = item.rejection_reason || null;
  const why = reason ? `: ${reason}` : "";
  throw new refusals[status as keyof typeof refusals](item, reason, `${item.id} was ${status}${by}${why}`);
}

/** Return an approval that may be run with; throw what it is otherwise. */
export function settled<T extends Interrupt>(decision: T): T {
  if (isAnswered(unrefused(decision))) throw new Answered(decision);
  if (decision.status !== "approved") throw new WaitTimeout(decision);
  return decision;
}

/** Tell whether a person answered in the place of a yes. */
export function isAnswered({ type, decision, response }: Interrupt): boolean {
  const asksForYes = type === "approval" || type === "confirmation";
  return asksForYes && (decision === "respond" || response != null);
}

/** Return the JSON of a text, or undefined where it is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
