/** The names of the counters. */
export type CounterName =
  | "registrations"
  | "registration_failures"
  | "heartbeats"
  | "queries"
  | "tokens"
  | "watches"
  | "refused_authentications"
  | "refused_registrations"
  | "refused_calls"
  | "refused_watches"
  | "refused_lists"
  | "refused_signatures"
  | "storage_errors";

const HELP: Readonly<Record<CounterName, string>> = Object.freeze({
  registrations: "Accepted registrations",
  registration_failures: "Rejected and failed registrations",
  heartbeats: "Received heartbeats",
  queries: "Queries",
  tokens: "Issued tokens",
  watches: "Started watches",
  refused_authentications: "Rejected kite.keys",
  refused_registrations: "Registrations rejected by the limit per user",
  refused_calls: "Calls rejected by the limit per user",
  refused_watches: "Watches rejected by the limit per user",
  refused_lists: "Watches rejected by the limit of unfinished lists per user",
  refused_signatures: "Token signatures rejected by the limit per user",
  storage_errors: "Failed storage operations",
});

/** Upper bounds of the latency histogram, in seconds. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/**
 * Kontrol's counters, in the text format of Prometheus.
 *
 * @example
 * ```ts
 * import { Metrics } from "@kite/kite/kontrol";
 *
 * const metrics = new Metrics();
 * metrics.count("queries");
 * console.assert(metrics.text([]).includes("kontrol_queries_total 1"));
 * ```
 */
export class Metrics {
  readonly #counters = new Map<CounterName, number>();
  readonly #buckets = new Array<number>(BUCKETS.length).fill(0);
  #storageSeconds = 0;
  #storageOperations = 0;

  /** Increments a counter. */
  count(name: CounterName, by = 1): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + by);
  }

  /** Records the duration of a storage operation in milliseconds. */
  observeStorage(milliseconds: number): void {
    const seconds = milliseconds / 1000;
    this.#storageSeconds += seconds;
    this.#storageOperations++;
    for (let i = BUCKETS.length - 1; i >= 0 && seconds <= BUCKETS[i]!; i--) this.#buckets[i]!++;
  }

  /**
   * Returns all counters as text.
   *
   * @param gauges values to include that are measured on demand
   */
  text(gauges: readonly Gauge[]): string {
    const lines: string[] = [];
    for (const { name, help, values } of gauges) {
      lines.push(`# HELP kontrol_${name} ${help}`, `# TYPE kontrol_${name} gauge`);
      for (const [labels, value] of values) lines.push(`kontrol_${name}${labels} ${value}`);
    }
    for (const [name, help] of Object.entries(HELP) as [CounterName, string][]) {
      lines.push(`# HELP kontrol_${name}_total ${help}`, `# TYPE kontrol_${name}_total counter`);
      lines.push(`kontrol_${name}_total ${this.#counters.get(name) ?? 0}`);
    }
    const latency = "kontrol_storage_seconds";
    lines.push(`# HELP ${latency} Duration of storage operations`, `# TYPE ${latency} histogram`);
    BUCKETS.forEach((bound, i) =>
      lines.push(`${latency}_bucket{le="${bound}"} ${this.#buckets[i]}`)
    );
    lines.push(`${latency}_bucket{le="+Inf"} ${this.#storageOperations}`);
    lines.push(`${latency}_sum ${this.#storageSeconds}`);
    lines.push(`${latency}_count ${this.#storageOperations}`);
    return lines.join("\n") + "\n";
  }
}

/** A value that is measured on demand. */
export interface Gauge {
  /** The name without the prefix `kontrol_`. */
  readonly name: string;
  /** A description in one line. */
  readonly help: string;
  /** The labels, such as `{environment="production"}` or `""`, with their values. */
  readonly values: readonly (readonly [string, number])[];
}

/** Maximum number of label values per metric, since Prometheus stores a series for each. */
const MAX_LABELS = 50;

/**
 * The values of the largest groups, and the sum of all others.
 *
 * @param name the label whose value is the name of a group
 */
export function largest(
  name: string,
  groups: ReadonlyMap<string, number>,
): [labels: string, value: number][] {
  const sorted = [...groups].sort(([, a], [, b]) => b - a);
  const lines = sorted.slice(0, MAX_LABELS)
    .map(([group, value]): [string, number] => [label(name, group), value]);
  const rest = sorted.slice(MAX_LABELS).reduce((sum, [, value]) => sum + value, 0);
  // Not a valid name of a group, since fields of kites contain no "/".
  if (rest > 0) lines.push([label(name, "/other"), rest]);
  return lines;
}

/** One label, with its value escaped for Prometheus. */
export function label(name: string, value: string): string {
  const escaped = value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  return `{${name}="${escaped}"}`;
}
