/** The text of calls, as a kite's client sends them over SockJS, made beforehand. */

/** How often the ring of ready-made calls repeats: each has its own callback id. */
const DISTINCT_CALLS = 1_000;

/** Bytes that every successful answer to {@linkcode readyCalls} contains once, and no error. */
export const GOOD_ANSWER = 'result\\":16';

/** SockJS texts of as many calls of `square` with 4, each one message, all of equal length. */
export function readyCalls(token: string | undefined): string[] {
  return Array.from({ length: DISTINCT_CALLS }, (_, index) => {
    const message = {
      method: "square",
      arguments: [{
        kite: {
          name: "exp2",
          username: "bench",
          id: "b2be8d3b-619f-4edb-b7ca-38843feb577e",
          environment: "unknown",
          region: "unknown",
          version: "1.0.0",
          hostname: "load",
        },
        authentication: token === undefined ? null : { type: "token", key: token },
        withArgs: [4],
        responseCallback: "[Function]",
      }],
      callbacks: { [DISTINCT_CALLS + index]: [0, "responseCallback"] },
    };
    return JSON.stringify([JSON.stringify(message)]);
  });
}
