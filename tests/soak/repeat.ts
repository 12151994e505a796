/** Milliseconds within which a call has to succeed, repetitions included. */
const WITHIN = 45_000;

const PAUSE = 200;

/** What became of the calls of one caller. */
export class Tally {
  calls = 0;
  /** Attempts that failed and were repeated. */
  repeated = 0;
  /** Why calls failed for good. */
  readonly failures: string[] = [];

  /**
   * Makes a call that may safely be made twice, again and again until it succeeds. It fails for good
   * when `isPassing` says so of its error, or when time is up.
   */
  async call(
    what: string,
    work: () => Promise<unknown>,
    isPassing: (error: unknown) => boolean,
  ): Promise<void> {
    const end = performance.now() + WITHIN;
    for (;;) {
      try {
        await work();
        this.calls++;
        return;
      } catch (error) {
        if (!isPassing(error) || performance.now() > end) {
          this.failures.push(`${what}: ${error}`);
          return;
        }
        this.repeated++;
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    }
  }
}
