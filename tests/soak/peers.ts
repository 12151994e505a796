import { Peer } from "../interop/peers.ts";
import type { Found } from "../interop/kontrol/setup.ts";
import { Tally } from "./repeat.ts";

/** Milliseconds between two calls of a peer. */
const PAUSE = 50;

/** Milliseconds between two searches of a peer, each of which it keeps for good. */
const SEARCH_PAUSE = 2_000;

/** A caller that runs until the soak ends. */
export interface Caller {
  readonly name: string;
  readonly tally: Tally;
  /** Resolves once it has stopped; `signal` stops it. */
  run(signal: AbortSignal): Promise<void>;
}

/** Go and kite.js clients that call a kite directly, over each of their transports. */
export async function directCallers(url: string, stack: AsyncDisposableStack): Promise<Caller[]> {
  const start: Record<string, () => Promise<Peer>> = {
    "Go over WebSocket": () => Peer.goClient(url, "-transport", "WebSocket"),
    "Go over XHR": () => Peer.goClient(url, "-transport", "XHRPolling"),
    "kite.js over SockJS": () => Peer.kitejsClient(url, "-transport", "SockJS"),
    "kite.js over XHR": () => Peer.kitejsClient(url, "-transport", "XHRPolling"),
  };
  return await Promise.all(
    Object.entries(start).map(async ([name, open]) => {
      const peer = stack.use(await open());
      return caller(name, PAUSE, async () => {
        const answer = await peer.call("open", [12]);
        if (answer !== 144) throw new Error(`open is ${answer}`);
        // What it reported is not looked at, and there will be much of it.
        peer.events.length = 0;
      });
    }),
  );
}

/** A client of a Kontrol, Go or kite.js, that finds kites and calls the first one. */
export function seeker(name: string, peer: Peer, search: () => Promise<Found[]>): Caller {
  return caller(name, SEARCH_PAUSE, async () => {
    const found = await search();
    if (found[0] === undefined) throw new Error("no kites found");
    peer.events.length = 0;
  });
}

function caller(name: string, pause: number, work: () => Promise<void>): Caller {
  const tally = new Tally();
  return {
    name,
    tally,
    run: async (signal) => {
      while (!signal.aborted) {
        await tally.call(name, work, () => !signal.aborted);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    },
  };
}
