import { Kite } from "../kite.ts";
import type { KiteOptions } from "../kite_options.ts";

/** Creates the kite that `kitectl up` starts as a sample. */
export function createSampleKite(options: KiteOptions): Kite {
  const math = new Kite("math", "1.0.0", { logLevel: "WARNING", ...options });
  math.handle("square", ({ args }) => args.one().number() ** 2);
  math.handle("countdown", ({ args }) => {
    const [from, tick] = args.sliceOfLength(2);
    const call = tick.function();
    for (let left = Math.min(from.number(), 100); left > 0; left--) call(left);
    return "done";
  });
  return math;
}
