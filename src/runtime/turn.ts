import { Timer } from "./timer.ts";

interface ImmediateScope {
  setImmediate?: (callback: () => void) => unknown;
}

/**
 * Runs `callback` once the event loop has handed out everything that it had ready, and before it
 * waits again. Measured on Deno: one write then carries about seven answers under load, and a single
 * answer leaves sooner than one written from inside the message event.
 *
 * Where there is no `setImmediate` (browsers), the end of the microtask queue has to do.
 */
export const afterTurn: (callback: () => void) => void = chooseAfterTurn();

function chooseAfterTurn(): (callback: () => void) => void {
  const { setImmediate } = globalThis as ImmediateScope;
  return setImmediate === undefined ? queueMicrotask : (callback) => void setImmediate(callback);
}

interface TimerScope {
  Deno?: { unrefTimer?(timer: number): void };
}

/** Lets the process end although a timer still runs. */
export function unref(timer: ReturnType<typeof setTimeout>): void {
  if (typeof timer === "number") (globalThis as TimerScope).Deno?.unrefTimer?.(timer);
  else (timer as { unref?(): void }).unref?.();
}

/** Waits `milliseconds`, or until the signal is aborted. */
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
