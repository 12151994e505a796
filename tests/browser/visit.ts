// For the type of globalThis.page.
import type {} from "./page.ts";
import type { Page } from "./devtools.ts";

/** What a page did with a kite. */
export interface Visit {
  readonly transport: string | undefined;
  readonly squared: unknown;
  readonly ticks: readonly unknown[];
  readonly logged: readonly unknown[];
  readonly alerted: readonly unknown[];
}

/** The page calls a kite, and the kite calls the page's methods `log` and `alert`. */
export function visit(page: Page, url: string): Promise<Visit> {
  return page.evaluate(async (url) => {
    const { Kite } = globalThis.page;
    await using kite = new Kite("page", "1.0.0");
    const logged: unknown[] = [];
    const alerted: unknown[] = [];
    const ticks: unknown[] = [];
    kite.handle("log", ({ args }) => void logged.push(args.one().value));
    kite.handle("alert", ({ args }) => void alerted.push(args.one().value));
    const remote = kite.newClient(url);
    await remote.dial();
    const squared = await remote.tell("square", 4);
    // kite.js calls functions with an object.
    await remote.tell(
      "countdown",
      3,
      (n: number | { error: number }) => ticks.push(typeof n === "object" ? n.error : n),
    );
    await remote.tell("reverse", "log", "a line");
    await remote.tell("reverse", "alert", "a warning");
    return { transport: remote.transport, squared, ticks, logged, alerted };
  }, url);
}

/** What {@linkcode visit} returns, besides the transport. */
export const EXPECTED = {
  squared: 16,
  ticks: [3, 2, 1],
  logged: ["a line"],
  alerted: ["a warning"],
};
