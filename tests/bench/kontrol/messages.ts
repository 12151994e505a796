/** The text of what kites and Kontrol say to each other, made and read with little effort. */
import { USER } from "../credentials.ts";

/** A message as it comes in: an answer, or a call of Kontrol's. */
export interface Incoming {
  readonly method: string | number;
  readonly arguments: readonly Readonly<Record<string, unknown>>[];
  readonly callbacks: Readonly<Record<string, readonly (string | number)[]>>;
}

/** The identity of a kite of the bench. */
export function identity(id: string, environment: string): Readonly<Record<string, string>> {
  return {
    name: "math",
    username: USER,
    id,
    environment,
    region: "europe",
    version: "1.0.0",
    hostname: "load",
  };
}

/** The SockJS text of one call that shows a kite.key; the answer comes to `responseId`. */
export function callText(
  method: string,
  argument: unknown,
  responseId: number,
  kite: Readonly<Record<string, string>>,
  kiteKey: string,
): string {
  return frameText({
    method,
    arguments: [{
      kite,
      authentication: { type: "kiteKey", key: kiteKey },
      withArgs: [argument],
      responseCallback: "[Function]",
    }],
    callbacks: { [responseId]: [0, "responseCallback"] },
  });
}

/** The SockJS text of a call to a function that the other side handed out. */
export function invokeText(id: number, ...args: readonly unknown[]): string {
  return frameText({ method: id, arguments: args, callbacks: {} });
}

/** The messages of a SockJS text; none for one that carries none. */
export function readMessages(text: string): Incoming[] {
  if (!text.startsWith("a")) return [];
  return (JSON.parse(text.slice(1)) as string[]).map((message) => JSON.parse(message));
}

/** In a call of Kontrol's: the function that takes its answer, and the one that takes heartbeats. */
export function heartbeatFunctions(
  { callbacks }: Incoming,
): { readonly response: number | undefined; readonly ping: number | undefined } {
  const idAt = (place: string): number | undefined => {
    const [id] = Object.entries(callbacks).find(([, path]) => path.join("/") === place) ?? [];
    return id === undefined ? undefined : Number(id);
  };
  return { response: idAt("0/responseCallback"), ping: idAt("0/withArgs/1") };
}

/**
 * The result in an answer.
 *
 * @throws when it is an error
 */
export function resultOf({ arguments: [answer] }: Incoming): unknown {
  if (answer === undefined || answer.error !== null) {
    throw new Error(`Kontrol answered ${JSON.stringify(answer).slice(0, 300)}`);
  }
  return answer.result;
}

function frameText(message: unknown): string {
  return JSON.stringify([JSON.stringify(message)]);
}
