import type { HeadEncoder, Request } from "./head.ts";
import type { Input } from "./input.ts";
import type { Stream } from "./stream.ts";
import type { Decision, ForwardingOptions } from "./types.ts";
import type { Upstreams } from "./upstream.ts";

/** Bytes of the head of a kite's answer. */
export const LONGEST_ANSWER_HEAD = 65_536;

/** A request that is being forwarded. */
export interface Exchange {
  /** Checks its time limits. */
  sweep(now: number): void;
  /** Ends it at once. */
  destroy(): void;
}

/** What is needed to forward a request. */
export interface ExchangeParts {
  readonly stream: Stream;
  readonly input: Input;
  readonly request: Request;
  /** Encodes the heads of forwarded requests. */
  readonly encoder: HeadEncoder;
  readonly decision: Decision & { kind: "forward" };
  readonly upstreams: Upstreams;
  readonly options: ForwardingOptions;
}

/** The answer for a client whose request could not be forwarded. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
}
