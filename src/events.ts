/** A listener for one event. Its errors and rejected promises are reported. */
export type Listener<Detail> = (detail: Detail) => unknown;

/** Typed events. If a listener throws, the error is reported and the other listeners are still called. */
export class Events<Map extends object> {
  readonly #listeners: { [Name in keyof Map]?: Set<Listener<Map[Name]>> } = {};
  readonly #report: (event: string, error: unknown) => void;

  /** @param report called with the error of a listener that fails */
  constructor(report: (event: string, error: unknown) => void) {
    this.#report = report;
  }

  /**
   * Adds a listener.
   *
   * @returns a function that removes it
   */
  on<Name extends keyof Map>(name: Name, listener: Listener<Map[Name]>): () => void {
    const listeners = this.#listeners[name] ??= new Set();
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /**
   * Adds a listener for the next event only.
   *
   * @returns a function that removes it
   */
  once<Name extends keyof Map>(name: Name, listener: Listener<Map[Name]>): () => void {
    const remove = this.on(name, (detail) => {
      remove();
      return listener(detail);
    });
    return remove;
  }

  /** True if the event has listeners. */
  has(name: keyof Map): boolean {
    return (this.#listeners[name]?.size ?? 0) > 0;
  }

  /** Calls the listeners in the order in which they were added. */
  emit<Name extends keyof Map>(name: Name, detail: Map[Name]): void {
    const listeners = this.#listeners[name];
    if (listeners === undefined || listeners.size === 0) return;
    for (const listener of [...listeners]) {
      try {
        const outcome = listener(detail);
        if (outcome instanceof Promise) {
          outcome.catch((error: unknown) => this.#report(String(name), error));
        }
      } catch (error) {
        this.#report(String(name), error);
      }
    }
  }
}
