/** The names of what is counted. */
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
  registrations: "Registrations taken",
  registration_failures: "Registrations refused or failed",
  heartbeats: "Heartbeats heard",
  queries: "Queries answered",
  tokens: "Tokens handed out",
  watches: "Watches begun",
  refused_authentications: "Callers whose kite.key was refused",
  refused_registrations: "Registrations beyond what one user may have",
  refused_calls: "Calls beyond what one user may have running",
  refused_watches: "Watches beyond what one user may have",
  refused_lists: "Watches beyond what one user may have with unfinished lists",
  refused_signatures: "Tokens beyond what one user may have waiting to be signed",
  storage_errors: "Operations of the storage that failed",
});

/** Upper bounds of the latency histogram, seconds. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** What a Kontrol counts, as Prometheus text. */
export class Metrics {
  readonly #counters = new Map<CounterName, number>();
  readonly #buckets = new Array<number>(BUCKETS.length).fill(0);
  #storageSeconds = 0;
  #storageOperations = 0;

  /** Counts. */
  count(name: CounterName, by = 1): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + by);
  }

  /** Notes how long an operation of the storage took, milliseconds. */
  observeStorage(milliseconds: number): void {
    const seconds = milliseconds / 1000;
    this.#storageSeconds += seconds;
    this.#storageOperations++;
    for (let i = BUCKETS.length - 1; i >= 0 && seconds <= BUCKETS[i]!; i--) this.#buckets[i]!++;
  }

  /**
   * All of it.
   *
   * @param gauges what is counted only when asked: name, help and the lines with their labels
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
    lines.push(`# HELP ${latency} Operations of the storage`, `# TYPE ${latency} histogram`);
    BUCKETS.forEach((bound, i) =>
      lines.push(`${latency}_bucket{le="${bound}"} ${this.#buckets[i]}`)
    );
    lines.push(`${latency}_bucket{le="+Inf"} ${this.#storageOperations}`);
    lines.push(`${latency}_sum ${this.#storageSeconds}`);
    lines.push(`${latency}_count ${this.#storageOperations}`);
    return lines.join("\n") + "\n";
  }
}

/** Something that is counted when asked. */
export interface Gauge {
  /** Without the `kontrol_` before it. */
  readonly name: string;
  /** What it counts, one line. */
  readonly help: string;
  /** Labels such as `{environment="production"}` or `""`, and the number. */
  readonly values: readonly (readonly [string, number])[];
}

/** Label values of one metric, at most: every one of them is a series that Prometheus keeps. */
const MOST_LABELS = 50;

/**
 * One line for each of the largest groups, and one for the rest of them together.
 *
 * @param name the label whose value is the name of a group
 */
export function largest(
  name: string,
  groups: ReadonlyMap<string, number>,
): [labels: string, value: number][] {
  const sorted = [...groups].sort(([, a], [, b]) => b - a);
  const lines = sorted.slice(0, MOST_LABELS)
    .map(([group, value]): [string, number] => [label(name, group), value]);
  const rest = sorted.slice(MOST_LABELS).reduce((sum, [, value]) => sum + value, 0);
  // No name of a kite's field holds a "/".
  if (rest > 0) lines.push([label(name, "/other"), rest]);
  return lines;
}

/** One label, its value escaped as Prometheus wants it. */
export function label(name: string, value: string): string {
  const escaped = value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  return `{${name}="${escaped}"}`;
}
