/** The rows of Kontrol's table, what each must reach, and how they are printed. */
import type { Contender } from "./contenders.ts";
import type { MeasureName } from "./measures.ts";

/** Looks up the median of a figure over all rounds; undefined where it was not measured. */
export type Lookup = (
  measure: MeasureName,
  contender: Contender,
  figure: string,
) => number | undefined;

/** What a figure must be, by itself or as a multiple of another one. */
interface Bound {
  readonly name: string;
  readonly of: number | undefined;
  readonly atMost?: number;
  readonly atLeast?: number;
}

interface Row {
  readonly label: string;
  readonly ours: number | undefined;
  readonly go: number | undefined;
  /** True if Go's figure is the recorded one. */
  readonly isRecorded?: boolean;
  readonly bounds: readonly Bound[];
}

/** The table as lines of text, and how many bounds were missed. */
export interface Table {
  readonly lines: readonly string[];
  readonly misses: number;
}

const HEADINGS = ["measure", "ours", "Go", "must", ""] as const;

/** Columns of numbers, which are aligned to the right. */
const NUMBERS: readonly number[] = [1, 2];

const STORAGES = {
  postgres: "PostgreSQL",
  etcd: "etcd",
  sqlite: "SQLite",
  memory: "memory",
} as const;

/**
 * Answers per second of the Go Kontrol in an earlier measurement with 1,000 kites and two cores.
 * Used if it cannot be measured, for example on an etcd without the API of version 2.
 */
const RECORDED: Readonly<Record<"postgres" | "etcd", Readonly<Record<number, number>>>> = {
  postgres: { 1: 616, 100: 72, 1_000: 9.6 },
  etcd: { 1: 2_258, 100: 266, 1_000: 32 },
};

/** The required rate on the same storage, as a multiple of Go's. */
const GO_TIMES = { postgres: 10, etcd: 5, sqlite: 10, memory: 10 } as const;

/** The required answers of 1,000 kites in a second: five times those of an early version. */
const LARGE_ANSWERS = 1_350;

/** Fills the table. Rows without measurements are omitted. */
export function makeTable(look: Lookup): Table {
  let misses = 0;
  let usesRecorded = false;
  const lines: string[][] = [[...HEADINGS]];
  for (const { label, ours, go, isRecorded, bounds } of allRows(look)) {
    if (ours === undefined && (go === undefined || isRecorded)) continue;
    usesRecorded ||= isRecorded === true;
    const conditions: string[] = [];
    let verdict = "";
    for (const bound of bounds) {
      if (ours === undefined || bound.of === undefined) continue;
      const { text, holds } = compare(ours, bound.of, bound);
      conditions.push(text);
      if (!holds) misses++;
      if (verdict !== "MISS") verdict = holds ? "ok" : "MISS";
    }
    const goCell = go === undefined ? "" : `${format(go)}${isRecorded ? "*" : " "}`;
    const oursCell = ours === undefined ? "" : format(ours);
    lines.push([label, oursCell, goCell, conditions.join("; "), verdict]);
  }
  if (usesRecorded) lines.push(["* recorded earlier, not in this run"]);
  return { lines: align(lines), misses };
}

function allRows(look: Lookup): Row[] {
  const rows: Row[] = [];
  for (const results of [1, 100, 1_000] as const) {
    for (const contender of ["postgres", "etcd", "sqlite", "memory"] as const) {
      rows.push(kitesRow(look, results, contender));
    }
  }
  const ten = (kites: 100 | 10_000, figure: string): number | undefined => {
    return look(`ten-of-${kites}`, "sqlite", figure);
  };
  const [few, many] = [ten(100, "p99"), ten(10_000, "p99")];
  const goOf = (measure: MeasureName, figure: string): number | undefined => {
    return look(measure, "go", figure);
  };
  rows.push(
    {
      label: "getKites, 10 of 100, SQLite, our client: p50, ms",
      ours: ten(100, "p50"),
      go: undefined,
      bounds: [],
    },
    {
      label: "getKites, 10 of 10,000, SQLite, our client: p50, ms",
      ours: ten(10_000, "p50"),
      go: undefined,
      bounds: [],
    },
    {
      label: "getKites, 10 of 100, SQLite, our client: p99, ms",
      ours: few,
      go: undefined,
      bounds: [],
    },
    {
      label: "getKites, 10 of 10,000, SQLite, our client: p99, ms",
      ours: many,
      go: undefined,
      bounds: [
        { name: "ms", of: 1, atMost: 5 },
        { name: "of 100", of: few, atMost: 2 },
      ],
    },
  );
  for (
    const [measure, label] of [
      ["token-cached", "getToken, cached"],
      ["token-cold", "getToken, a new one each time"],
      ["register-websocket", "register, over WebSocket"],
      ["register-http", "register, over HTTP"],
    ] as const
  ) {
    for (const contender of ["sqlite", "postgres"] as const) {
      rows.push({
        label: `${label}, ${STORAGES[contender]}: a second`,
        ours: look(measure, contender, "perSecond"),
        go: goOf(measure, "perSecond"),
        bounds: [],
      });
    }
  }
  const worst = [["sqlite", 1], ["memory", 1], ["sqlite", 64], ["memory", 64]] as const;
  for (const [contender, sockets] of worst) {
    for (
      const [figure, label] of [["tokenP99", "a new token"], ["healthP99", "/healthz"]] as const
    ) {
      rows.push({
        label: `one user asks all that one may over ${sockets} ${
          sockets === 1 ? "connection" : "connections"
        }, ${STORAGES[contender]}: ${label} for others, p99, ms`,
        ours: look(`fairness-${sockets}`, contender, figure),
        go: undefined,
        bounds: [{ name: "ms", of: 1, atMost: 50 }],
      });
    }
  }
  const beating = (label: string, figure: string, bounds: readonly Bound[]): Row => ({
    label: `kites that send heartbeats, a connection each, SQLite: ${label}`,
    ours: look("heartbeats", "sqlite", figure),
    go: goOf("heartbeats", figure),
    bounds,
  });
  rows.push(
    beating("% of a core", "corePercent", [{ name: "%", of: 1, atMost: 25 }]),
    beating("KiB each", "kibibytesEach", []),
    beating("heartbeats a second", "heartbeats", []),
  );
  return rows;
}

/** SQLite and memory are compared with Go's PostgreSQL, since Go has no such storage. */
function kitesRow(
  look: Lookup,
  results: 1 | 100 | 1_000,
  contender: keyof typeof STORAGES,
): Row {
  const rival = contender === "etcd" ? "go-etcd" : "go";
  const measured = look(`kites-${results}`, rival, "perSecond");
  const recorded = RECORDED[contender === "etcd" ? "etcd" : "postgres"][results];
  const go = measured ?? recorded;
  return {
    label: `getKites, ${format(results)} of 1,000, ${STORAGES[contender]}: a second`,
    ours: look(`kites-${results}`, contender, "perSecond"),
    go,
    isRecorded: measured === undefined,
    bounds: [
      { name: "Go", of: go, atLeast: GO_TIMES[contender] },
      ...(results === 1_000 && contender === "sqlite"
        ? [{ name: "a second", of: 1, atLeast: LARGE_ANSWERS }]
        : []),
    ],
  };
}

function compare(
  value: number,
  other: number,
  { name, atMost = Infinity, atLeast = -Infinity }: Bound,
): { text: string; holds: boolean } {
  const ratio = value / other;
  const condition = atMost < Infinity ? `<= ${atMost}` : `>= ${atLeast}`;
  const figure = other === 1 ? condition : `${ratio.toPrecision(3)} (${condition})`;
  return {
    text: other === 1 ? `${figure} ${name}` : `${figure} x ${name}`,
    holds: ratio <= atMost && ratio >= atLeast,
  };
}

function format(value: number): string {
  if (Number.isInteger(value) && value < 1_000) return String(value);
  if (value >= 1_000) return String(Math.round(value)).replace(/(?<=\d)(?=(\d{3})+$)/g, ",");
  return value.toPrecision(3);
}

function align(rows: readonly string[][]): string[] {
  const widths = HEADINGS.map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0))
  );
  return rows.map((cells) =>
    cells.map((cell, column) => {
      const width = widths[column] ?? 0;
      return NUMBERS.includes(column) ? cell.padStart(width) : cell.padEnd(width);
    }).join("  ").trimEnd()
  );
}
