export { HITL, type EventOptions, type Options } from "./client.js";
export type { GateOptions } from "./gate.js";
export * from "./errors.js";
export { Float, canonical, replayKey } from "./keys.js";
export type * from "./models.js";
export type { components, paths } from "./schema.js";
