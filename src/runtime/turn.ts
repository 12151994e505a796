import { Timer } from "./timer.ts";

interface ImmediateScope {
  setImmediate?: (callback: () => void) => unknown;
}

/** The ways to continue later. */
export interface Turns {
  /** See the function {@linkcode afterTurn}. */
  afterTurn(callback: () => void): void;
  /** See the function {@linkcode afterOthers}. */
  afterOthers(callback: () => void): void;
}

let turns: Turns = {
  afterTurn: chooseAfterTurn(),
  afterOthers: (callback) => void setTimeout(callback, 0),
};

/**
 * Runs `callback` after the event loop has handled all pending events, before it waits for new ones.
 * Measured on Deno: under load, one write then contains about seven answers, and a single answer is
 * sent sooner than from inside the message event.
 *
 * Without `setImmediate` (browsers), `callback` runs as a microtask.
 */
export function afterTurn(callback: () => void): void {
  turns.afterTurn(callback);
}

/**
 * Runs `callback` after other connections had their turn. Call it to continue work that has taken
 * milliseconds.
 */
export function afterOthers(callback: () => void): void {
  turns.afterOthers(callback);
}

/** Replaces what {@linkcode afterTurn} and {@linkcode afterOthers} do. */
export function replaceTurns(by: Turns): void {
  turns = by;
}

function chooseAfterTurn(): (callback: () => void) => void {
  const { setImmediate } = globalThis as ImmediateScope;
  // Browsers refuse to call `queueMicrotask` as a method.
  return (callback) => void (setImmediate ?? queueMicrotask)(callback);
}

interface TimerScope {
  Deno?: { unrefTimer?(timer: number): void };
}

/** Allows the process to end while a timer is running. */
export function unref(timer: ReturnType<typeof setTimeout>): void {
  if (typeof timer === "number") (globalThis as TimerScope).Deno?.unrefTimer?.(timer);
  else (timer as { unref?(): void }).unref?.();
}

/** Waits for `milliseconds`, or until the signal is aborted. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      timer.clear();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = new Timer(done, milliseconds);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}
