import { createHttpClient, type HttpClient } from "../../src/runtime/http_client.ts";
import {
  rangeBody,
  readChanges,
  readOutcome,
  readPage,
  transactionBody,
  watchBody,
} from "./etcd_json.ts";
import {
  type EtcdCall,
  type EtcdConnection,
  EtcdFailure,
  type EtcdMember,
  type EtcdOutcome,
  type EtcdPage,
  type EtcdRangeRequest,
  type EtcdTransaction,
  type EtcdWatch,
  type EtcdWatchListener,
  failureCode,
} from "./etcd_member.ts";
import { reasonOf } from "./failure.ts";

/** The gRPC status for a missing or expired token. */
const UNAUTHENTICATED = 16;

/** etcd's messages, with other statuses, for a token issued before users or roles changed. */
const OLD_TOKEN = /auth store is old|user name is empty/;

/** The failure of a call that may succeed with a new token. */
class StaleTokenFailure extends EtcdFailure {}

/**
 * A client for one member by etcd's HTTP/JSON gateway: one POST per call. A watch is a response that
 * does not end. The user's token is fetched on demand, and again when etcd no longer accepts it.
 */
export class EtcdGateway implements EtcdMember {
  readonly #endpoint: string;
  readonly #user: { readonly name: string; readonly password: string } | undefined;
  readonly #http: HttpClient;
  /** Running requests and watches. */
  readonly #running = new Set<AbortController>();
  #token: Promise<string> | undefined;
  #isClosed = false;

  /** @param endpoint `http://host:port` or `https://host:port` */
  constructor(endpoint: string, connection: EtcdConnection) {
    const { username, password = "", ca, cert, key } = connection;
    this.#endpoint = endpoint;
    this.#user = username === undefined ? undefined : { name: username, password };
    this.#http = createHttpClient({
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
    });
  }

  async range(request: EtcdRangeRequest, call: EtcdCall): Promise<EtcdPage> {
    return readPage(await this.#ask("kv/range", rangeBody(request), call));
  }

  async transact(transaction: EtcdTransaction, call: EtcdCall): Promise<EtcdOutcome> {
    return readOutcome(await this.#ask("kv/txn", transactionBody(transaction), call));
  }

  async grantLease(seconds: number, call: EtcdCall): Promise<string> {
    const answer = await this.#ask("lease/grant", { TTL: String(seconds) }, call);
    const { ID = "" } = answer as { ID?: string };
    return ID;
  }

  async keepAlive(leases: readonly string[], call: EtcdCall): Promise<Set<string>> {
    const gone = new Set<string>();
    const waiting = new Set(leases);
    // etcd answers once per lease. Over HTTP/1.1 it may lose the part of the request body that it has
    // not read when it starts to answer, so leases without an answer are sent again.
    while (waiting.size > 0) {
      const before = waiting.size;
      const body = Array.from(waiting, (ID) => JSON.stringify({ ID })).join("\n");
      await this.#request(
        "lease/keepalive",
        body,
        call,
        (response) =>
          readLines(response, (line) => {
            const { ID = "", TTL = "0" } = readResult(line) as { ID?: string; TTL?: string };
            waiting.delete(ID);
            if (Number(TTL) <= 0) gone.add(ID);
          }),
      );
      if (waiting.size === before) {
        throw new EtcdFailure("unreachable", `${this.#endpoint} did not answer for every lease`);
      }
    }
    return gone;
  }

  async watch(
    range: { key: string; end: string; since: number },
    listener: EtcdWatchListener,
  ): Promise<EtcdWatch> {
    const token = await this.#authorization();
    const controller = this.#begin();
    let isStopped = false;
    const follow = async (): Promise<never> => {
      const body = JSON.stringify(watchBody(range));
      const response = await this.#send("watch", body, token, controller.signal);
      await readLines(response, (line) => {
        if (!isStopped) listener.onChanges(readChanges(readResult(line)));
      });
      throw new EtcdFailure("unreachable", `${this.#endpoint} ended the stream of changes`);
    };
    follow().catch((error: unknown) => {
      this.#end(controller);
      if (isStopped) return;
      isStopped = true;
      listener.onLost(this.#failure(error));
    });
    const stop = (): void => {
      isStopped = true;
      this.#end(controller);
    };
    return { stop };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const controller of this.#running) this.#end(controller);
    this.#http.close();
  }

  #ask(path: string, body: object, call: EtcdCall): Promise<object> {
    return this.#request(path, JSON.stringify(body), call, (response) => response.json());
  }

  /** Sends a request and reads the response; retries once if the token was no longer accepted. */
  async #request<Answer>(
    path: string,
    body: string,
    { timeout }: EtcdCall,
    read: (response: Response) => Promise<Answer>,
  ): Promise<Answer> {
    const controller = this.#begin();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      controller.abort();
    }, timeout);
    try {
      for (let attempt = 1;; attempt++) {
        const token = path === AUTHENTICATE ? "" : await this.#authorization();
        try {
          return await read(await this.#send(path, body, token, controller.signal));
        } catch (error) {
          if (!(error instanceof StaleTokenFailure) || attempt > 1) throw error;
        }
      }
    } catch (error) {
      if (isLate) throw new EtcdFailure("timeout", `${this.#endpoint} did not answer in time`);
      throw this.#failure(error);
    } finally {
      clearTimeout(timer);
      this.#end(controller);
    }
  }

  /**
   * Sends a request.
   *
   * @returns a response with status 200
   * @throws {EtcdFailure} for any other status
   */
  async #send(path: string, body: string, token: string, signal: AbortSignal): Promise<Response> {
    const headers: HeadersInit = token === "" ? {} : { authorization: token };
    const url = `${this.#endpoint}/v3/${path}`;
    const init = { method: "POST", redirect: "error", headers, body, signal } as const;
    const response = await this.#http.fetch(url, init);
    if (response.ok) return response;
    const text = await response.text();
    if (response.status === HTTP_NOT_FOUND) {
      throw new EtcdFailure(
        "failed",
        `${this.#endpoint} has no HTTP gateway; use etcd 3.4 or later without --enable-grpc-gateway=false`,
      );
    }
    const { message, status } = readProblem(text) ??
      {
        message: `${this.#endpoint} answered with HTTP status ${response.status}`,
        status: UNKNOWN,
      };
    if (this.#user !== undefined && (status === UNAUTHENTICATED || OLD_TOKEN.test(message))) {
      this.#token = undefined;
      throw new StaleTokenFailure("unreachable", message);
    }
    throw new EtcdFailure(failureCode(status), message);
  }

  /** The user's token; `""` without a user. Concurrent calls share one request for it. */
  #authorization(): Promise<string> | string {
    if (this.#user === undefined) return "";
    return this.#token ??= this.#authenticate(this.#user).catch((error: unknown) => {
      this.#token = undefined;
      throw error;
    });
  }

  async #authenticate(user: { name: string; password: string }): Promise<string> {
    const answer = await this.#ask(AUTHENTICATE, user, { timeout: AUTHENTICATE_TIMEOUT });
    const { token = "" } = answer as { token?: string };
    return token;
  }

  #begin(): AbortController {
    if (this.#isClosed) throw this.#failure(undefined);
    const controller = new AbortController();
    this.#running.add(controller);
    return controller;
  }

  #end(controller: AbortController): void {
    this.#running.delete(controller);
    controller.abort();
  }

  #failure(error: unknown): EtcdFailure {
    if (error instanceof EtcdFailure) return error;
    if (this.#isClosed) {
      return new EtcdFailure("unreachable", `the client for ${this.#endpoint} is closed`);
    }
    if (error instanceof SyntaxError) {
      return new EtcdFailure("failed", `${this.#endpoint} sent a response that is not etcd's`);
    }
    const { cause = error } = error as { cause?: unknown };
    const text = reasonOf(cause).replace(/^error sending request for url \(.*?\): /, "");
    const reason = text.replace(CONNECT, "");
    const isRefused = CONNECT.test(text);
    return new EtcdFailure("unreachable", `${this.#endpoint}: ${reason}`, isRefused);
  }
}

/** The prefix of Deno's error messages for connections that could not be established. */
const CONNECT = /^client error \(Connect\): (tcp connect error: )?/;

const AUTHENTICATE = "auth/authenticate";
const AUTHENTICATE_TIMEOUT = 5_000;
const HTTP_NOT_FOUND = 404;
const UNKNOWN = 2;

/** Passes each line of a response to `onLine`, without line ends and empty lines. */
async function readLines(response: Response, onLine: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  // The pieces of an incomplete line are joined once, however many there are.
  let pieces: string[] = [];
  const add = (text: string): void => {
    const lines = text.split("\n");
    const rest = lines.pop() ?? "";
    for (const line of lines) {
      const whole = pieces.join("") + line;
      pieces = [];
      if (whole !== "") onLine(whole);
    }
    if (rest !== "") pieces.push(rest);
  };
  for await (const chunk of response.body ?? []) add(decoder.decode(chunk, { stream: true }));
  add(`${decoder.decode()}\n`);
}

/** Parses a line of a stream: `{"result": …}`, or the error that ended the stream. */
function readResult(line: string): object {
  const { result, error } = JSON.parse(line);
  if (result !== undefined) return result;
  const { message = "the stream has ended", grpc_code, code = grpc_code ?? UNKNOWN } = error ?? {};
  throw new EtcdFailure(failureCode(Number(code)), String(message));
}

function readProblem(text: string): { message: string; status: number } | undefined {
  try {
    const { message, error, code } = JSON.parse(text);
    return { message: String(message ?? error), status: Number(code) };
  } catch {
    return undefined;
  }
}
