/** Numbers that look random and are the same in every run. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0, below `sides`. */
  roll(sides: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % sides;
  }

  /** One of several. */
  pick<Value>(values: readonly Value[]): Value {
    return values[this.roll(values.length)]!;
  }
}

const KEYS = [
  "method",
  "arguments",
  "callbacks",
  "links",
  "kite",
  "authentication",
  "withArgs",
  "responseCallback",
  "error",
  "result",
  "from",
  "to",
  "__proto__",
  "constructor",
  "prototype",
  "toJSON",
  "then",
  "length",
  "0",
];

const VALUES = [
  "null",
  "true",
  "-1",
  "-0",
  "0",
  "1",
  "7",
  "1e400",
  "1e15",
  "9007199254740993",
  "0.1",
  '""',
  '"square"',
  '"__proto__"',
  '"[Function]"',
  '"\\ud800"',
  "[]",
  "{}",
  "[[]]",
  '{"0":[0,"responseCallback"]}',
  '[0,"withArgs",0]',
  '{"__proto__":{"polluted":1}}',
  '[{"from":[0],"to":[0,"withArgs",0]}]',
];

type Mutation = (text: string, dice: Dice, corpus: readonly string[]) => string;

function span(text: string, dice: Dice): [number, number] {
  const start = dice.roll(text.length + 1);
  return [start, Math.min(text.length, start + dice.roll(24))];
}

/** Turns one value of a JSON text, chosen by chance, into another. */
function graft(text: string, dice: Dice): string {
  let left = dice.roll(20);
  try {
    return JSON.stringify(JSON.parse(text), (key, value) => {
      if (key === "" || left-- !== 0) return value;
      const other = dice.pick(VALUES);
      return other === "1e400" ? 1e308 : JSON.parse(other);
    });
  } catch {
    return text; // it is no JSON any more: the other mutations have their turn
  }
}

const MUTATIONS: readonly Mutation[] = [
  // A character becomes another.
  (text, dice) => {
    const at = dice.roll(text.length + 1);
    const code = dice.roll(8) === 0 ? dice.roll(0x10000) : 32 + dice.roll(95);
    return text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
  },
  // A piece is gone.
  (text, dice) => {
    const [start, end] = span(text, dice);
    return text.slice(0, start) + text.slice(end);
  },
  // A piece comes twice.
  (text, dice) => {
    const [start, end] = span(text, dice);
    return text.slice(0, end) + text.slice(start);
  },
  // The beginning of one and the end of another.
  (text, dice, corpus) => {
    const other = dice.pick(corpus);
    return text.slice(0, dice.roll(text.length + 1)) + other.slice(dice.roll(other.length + 1));
  },
  // A bomb, whole or without its end.
  (text, dice) => {
    const at = dice.roll(text.length + 1);
    const depth = dice.roll(1_200);
    const bomb = dice.pick(["[", '{"a":']).repeat(depth) +
      dice.pick(["", "]".repeat(depth), "1" + "}".repeat(depth)]);
    return text.slice(0, at) + bomb + text.slice(at);
  },
  // A key becomes another.
  (text, dice) => text.replaceAll(`"${dice.pick(KEYS)}"`, `"${dice.pick(KEYS)}"`),
  // A number becomes another.
  (text, dice) => text.replace(/-?\d+/, () => dice.pick(VALUES)),
  graft,
  graft,
];

/** A text of the corpus with one to three mutations. */
export function mutate(corpus: readonly string[], dice: Dice): string {
  let text = dice.pick(corpus);
  for (let times = 1 + dice.roll(3); times > 0; times--) {
    text = dice.pick(MUTATIONS)(text, dice, corpus);
  }
  return text;
}
