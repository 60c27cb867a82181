export { HITL, type EventOptions, type Options } from "./client.js";
export type { GateOptions } from "./gate.js";
export { Answered, ApprovalSpent, ArgumentsChanged, Cancelled, Denied, Expired, HITLError } from "./errors.js";
export { InterruptSignal, NotApproved, ProblemError, Rejected, SecretsGone, SecretsLeased } from "./errors.js";
export { StreamReset, Unavailable, UnexpectedAnswer, WaitTimeout } from "./errors.js";
export { Float, canonical, replayKey } from "./keys.js";
export type * from "./models.js";
export type { components, paths } from "./schema.js";
