// The methods that every peer of the tests has, whichever side dialled.
// kite.js gives a handler its arguments, then the answer's callback, then who called.

import { Buffer } from "node:buffer";
import process from "node:process";

/** Writes one line of JSON on stdout. */
export function say(event) {
  process.stdout.write(Buffer.from(JSON.stringify(event) + "\n"));
}

/**
 * The methods. `tellCaller(method, args)` calls a method of the kite at the other end.
 */
export function methods(tellCaller) {
  return {
    square: (n, answer) => answer(null, n * n),
    cube: (n, answer) => answer(null, n * n * n),
    echo: (...all) => {
      const [answer] = all.splice(-2);
      answer(null, all);
    },
    log: (message, answer) => {
      say({ event: "method", method: "log", args: [message] });
      answer(null);
    },
    // With one argument and with two: on the wire these are different shapes.
    fail: (answer) => answer({ type: "genericError", message: "boom" }),
    failTyped: (answer) =>
      answer({ type: "teapotError", message: "short and stout", code: "418" }, null),
    panic: () => {
      throw new Error("out of cheese");
    },
    slow: (ms, answer) => setTimeout(() => answer(null, ms), ms),
    callback: (value, fn, answer) => {
      fn(value);
      answer(null, "called");
    },
    countdown: (from, fn, answer) => {
      for (let n = from; n > 0; n--) fn(n);
      answer(null, "liftoff");
    },
    fnResult: (answer) => answer(null, { f: (x, reply) => reply(x + 1) }),
    nested: (fn, answer) => {
      fn((x, reply) => reply(x * 10));
      answer(null, "nested");
    },
    // A stream of the integers from 0 to below `to`.
    numbers: (to, answer) => {
      let sent = 0;
      let next;
      let end;
      answer(null, {
        $stream: 1,
        pull: (credit, ...functions) => {
          if (functions.length > 0) [next, end] = functions;
          for (; credit > 0 && sent < to; credit--) next(sent++);
          if (sent === to) {
            sent++;
            end(null);
          }
        },
        cancel: () => {
          sent = to + 1;
          say({ event: "cancelled" });
        },
      });
    },
    // Adds up the numbers of a stream, and leaves it after so many.
    total: (stream, most, done, answer) => {
      const credit = 10;
      let sum = 0;
      let count = 0;
      const next = (...items) => {
        for (const item of items) {
          if (count === most) return;
          sum += item;
          count++;
          if (count === most) {
            stream.cancel();
            done({ sum, count, how: "left" });
          } else if (count % credit === 0) stream.pull(credit);
        }
      };
      const end = (error) => {
        const how = error ? `${error.type}: ${error.message}` : "ended";
        done({ sum, count, how });
      };
      stream.pull(credit, next, end);
      answer(null, null);
    },
    reverse: (...all) => {
      const [answer] = all.splice(-2);
      const [method, ...args] = all;
      tellCaller(method, args).then(
        (result) => answer(null, result),
        ({ type, message, code }) => answer({ type, message, code }),
      );
    },
    whoami: (answer, { kite, authentication }) =>
      answer(null, {
        username: kite.username,
        authType: authentication ? authentication.type : "",
        kite,
      }),
  };
}
