/** The rows of the table, what each must reach, and how they are printed. */
import type { Contender } from "./contenders.ts";
import type { MeasureName } from "./measures.ts";

/** Where a number comes from: a measurement of a contender, and the figure's name in it. */
export interface Source {
  readonly measure: MeasureName;
  readonly contender: Contender;
  readonly figure: string;
}

/** Looks up the median of a figure over all rounds; undefined where it was not measured. */
export type Lookup = (source: Source) => number | undefined;

/** The required figure, as a multiple of another one. */
interface Bound {
  readonly name: string;
  /** The other figure, or a fixed number. */
  readonly of: Source | number;
  readonly atMost?: number;
  readonly atLeast?: number;
}

interface Row {
  readonly label: string;
  readonly unit: "ms" | "calls/s" | "items/s" | "µs" | "KiB" | "MiB";
  readonly sources: Partial<Record<Contender, Source>>;
  readonly bounds: readonly Bound[];
}

/** The table as lines of text, and how many bounds were missed. */
export interface Table {
  readonly lines: readonly string[];
  readonly misses: number;
}

const CONTENDERS = ["ours", "floor", "go", "kitejs"] as const;
const HEADINGS = ["measure", "ours", "floor", "Go", "kite.js", "ratios (must)", ""] as const;

/** A second, in milliseconds: how long the slow call takes. */
const SLOW = 1_000;

const ROWS: readonly Row[] = [
  row("one call at a time, p50", "ms", "one", "p50", ["ours", "floor", "go", "kitejs"], [
    { name: "floor", of: source("one", "floor", "p50"), atMost: 1.3 },
    { name: "Go", of: source("one", "go", "p50"), atMost: 0.7 },
  ]),
  {
    label: "64 in flight, one connection (floor: its own client, unbatched)",
    unit: "calls/s",
    sources: {
      ours: source("flight", "ours", "perSecond"),
      floor: source("load-token", "floor", "callsPerSecond"),
      go: source("flight", "go", "perSecond"),
      kitejs: source("flight", "kitejs", "perSecond"),
    },
    bounds: [
      { name: "floor", of: source("load-token", "floor", "callsPerSecond"), atLeast: 1 },
      { name: "Go", of: source("flight", "go", "perSecond"), atLeast: 6 },
    ],
  },
  row("the same, our client against each", "calls/s", "flight", "perSecond", ["ours", "floor"], [
    { name: "floor", of: source("flight", "floor", "perSecond") },
  ]),
  {
    label: "compact messages, one call at a time, p50",
    unit: "ms",
    sources: {
      ours: source("one", "compact", "p50"),
      floor: source("one", "compactFloor", "p50"),
    },
    bounds: [{ name: "plain", of: source("one", "ours", "p50"), atMost: 1 }],
  },
  {
    label: "compact messages, 64 in flight, one connection",
    unit: "calls/s",
    sources: {
      ours: source("flight", "compact", "perSecond"),
      floor: source("flight", "compactFloor", "perSecond"),
    },
    bounds: [
      { name: "plain", of: source("flight", "ours", "perSecond"), atLeast: 1.6 },
      { name: "floor", of: source("flight", "compactFloor", "perSecond"), atLeast: 0.7 },
    ],
  },
  {
    label: "compact messages, 512 in flight, one connection",
    unit: "calls/s",
    sources: {
      ours: source("flight-many", "compact", "perSecond"),
      floor: source("flight-many", "compactFloor", "perSecond"),
    },
    bounds: [
      { name: "plain at 64", of: source("flight", "ours", "perSecond"), atLeast: 3 },
      { name: "floor", of: source("flight-many", "compactFloor", "perSecond") },
    ],
  },
  loadRow("light load, 64 in flight, no token", "load", [0.85, 2.5]),
  loadRow("light load, 64 in flight, token", "load-token", [0.85, 5]),
  loadRow("light load, 50 connections x 4, token", "load-many", [0.85]),
  {
    label: "a typed call with a contract of zod, 64 in flight",
    unit: "calls/s",
    sources: { ours: source("typed", "compact", "perSecond") },
    bounds: [{ name: "untyped", of: source("flight", "compact", "perSecond"), atLeast: 0.8 }],
  },
  {
    label: "4 KiB argument, p50",
    unit: "ms",
    sources: { ours: source("sizes", "ours", "4096") },
    bounds: [{ name: "100 B", of: source("sizes", "ours", "100"), atMost: 3 }],
  },
  {
    label: "64 KiB argument, p50",
    unit: "ms",
    sources: { ours: source("sizes", "ours", "65536") },
    bounds: [{ name: "100 B", of: source("sizes", "ours", "100"), atMost: 8 }],
  },
  row("server CPU a call, 64 in flight, no token", "µs", "load", "serverMicros", servers(), [
    { name: "floor", of: source("load", "floor", "serverMicros") },
    { name: "Go", of: source("load", "go", "serverMicros"), atMost: 0.4 },
  ]),
  row("server CPU a call, 64 in flight, token", "µs", "load-token", "serverMicros", servers(), [
    { name: "floor", of: source("load-token", "floor", "serverMicros") },
    { name: "Go", of: source("load-token", "go", "serverMicros"), atMost: 0.4 },
  ]),
  row("idle connection, memory", "KiB", "idle", "kibibytesEach", servers(), [
    { name: "floor", of: source("idle", "floor", "kibibytesEach"), atMost: 1.5 },
    { name: "Go", of: source("idle", "go", "kibibytesEach"), atMost: 0.5 },
  ]),
  row("the same after one call", "KiB", "idle-called", "kibibytesEach", servers(), [
    { name: "floor", of: source("idle-called", "floor", "kibibytesEach") },
    { name: "Go", of: source("idle-called", "go", "kibibytesEach") },
  ]),
  {
    label: "a fast call behind one of 1 s, slowest of three",
    unit: "ms",
    sources: { ours: source("slow", "ours", "fast") },
    bounds: [{ name: "the slow one", of: SLOW, atMost: 0.1 }],
  },
  streamRow("a stream of small items, compact", "stream", 1_000_000),
  streamRow("a stream of small items, plain", "stream-plain", 150_000),
  {
    label: "memory that the stream takes from its first fifth on",
    unit: "MiB",
    sources: { ours: source("stream", "ours", "grown") },
    bounds: [{ name: "64 MiB", of: 64, atMost: 1 }],
  },
];

/** Fills the table. Rows without measurements are omitted. */
export function makeTable(lookup: Lookup): Table {
  let misses = 0;
  const rows: string[][] = [[...HEADINGS]];
  for (const { label, unit, sources, bounds } of ROWS) {
    const values = CONTENDERS.map((name) => sources[name] && lookup(sources[name]));
    if (values.every((value) => value === undefined)) continue;
    const ours = values[0];
    const ratios: string[] = [];
    let verdict = "";
    for (const bound of bounds) {
      const other = typeof bound.of === "number" ? bound.of : lookup(bound.of);
      if (ours === undefined || other === undefined) continue;
      const { text, holds } = compare(ours / other, bound);
      ratios.push(text);
      if (holds === false) misses++;
      if (holds !== undefined && verdict !== "MISS") verdict = holds ? "ok" : "MISS";
    }
    const cells = values.map((value) => value === undefined ? "" : format(value));
    rows.push([`${label}, ${unit}`, ...cells, ratios.join("; "), verdict]);
  }
  return { lines: align(rows), misses };
}

function compare(ratio: number, bound: Bound): { text: string; holds: boolean | undefined } {
  const text = `${ratio.toFixed(2)} x ${bound.name}`;
  if (bound.atMost !== undefined) {
    return { text: `${text} (<= ${bound.atMost})`, holds: ratio <= bound.atMost };
  }
  if (bound.atLeast !== undefined) {
    return { text: `${text} (>= ${bound.atLeast})`, holds: ratio >= bound.atLeast };
  }
  return { text, holds: undefined };
}

function source(measure: MeasureName, contender: Contender, figure: string): Source {
  return { measure, contender, figure };
}

function servers(): Contender[] {
  return ["ours", "floor", "go"];
}

function row(
  label: string,
  unit: Row["unit"],
  measure: MeasureName,
  figure: string,
  contenders: readonly Contender[],
  bounds: readonly Bound[],
): Row {
  const entries = contenders.map((name) => [name, source(measure, name, figure)]);
  return { label, unit, sources: Object.fromEntries(entries), bounds };
}

/** @param must items a second, at least */
function streamRow(label: string, measure: MeasureName, must: number): Row {
  return row(label, "items/s", measure, "perSecond", ["ours"], [
    { name: `${must / 1_000}k`, of: must, atLeast: 1 },
  ]);
}

/** @param must at least so many times the floor's and, where given, Go's */
function loadRow(label: string, measure: MeasureName, must: readonly [number, number?]): Row {
  const figure = "callsPerSecond";
  const [floor, go] = must;
  return row(label, "calls/s", measure, figure, servers(), [
    { name: "floor", of: source(measure, "floor", figure), atLeast: floor },
    {
      name: "Go",
      of: source(measure, "go", figure),
      ...(go === undefined ? {} : { atLeast: go }),
    },
  ]);
}

function format(value: number): string {
  if (value >= 1_000) return String(Math.round(value)).replace(/(?<=\d)(?=(\d{3})+$)/g, ",");
  return value.toPrecision(3);
}

function align(rows: readonly string[][]): string[] {
  const widths = HEADINGS.map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0))
  );
  return rows.map((cells) =>
    cells.map((cell, column) =>
      column >= 1 && column <= CONTENDERS.length
        ? cell.padStart(widths[column] ?? 0)
        : cell.padEnd(widths[column] ?? 0)
    ).join("  ").trimEnd()
  );
}
