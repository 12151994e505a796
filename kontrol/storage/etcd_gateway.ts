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
  type EtcdWatcher,
  failureCode,
} from "./etcd_member.ts";
import { messageOf } from "./failure.ts";
import { readLines } from "./read_lines.ts";

/** The status of gRPC for a token that is missing or has expired. */
const UNAUTHENTICATED = 16;

/** What etcd says, with other statuses, of a token issued before the users or roles changed. */
const OLD_TOKEN = /auth store is old|user name is empty/;

/** A call that etcd may accept with a new token. */
class StaleTokenFailure extends EtcdFailure {}

/**
 * A member, by etcd's HTTP/JSON gateway: one POST per call. A watch is an answer that does not end.
 * A user's token is fetched when it is needed, and again when etcd no longer accepts it.
 */
export class EtcdGateway implements EtcdMember {
  readonly #endpoint: string;
  readonly #user: { readonly name: string; readonly password: string } | undefined;
  readonly #http: HttpClient;
  /** Requests and watches under way. */
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
    // etcd answers once per lease. Over HTTP/1.1 it may lose the end of a body that it has not read
    // by the time it begins to answer: what got no answer is asked again.
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
        throw new EtcdFailure("unreachable", `${this.#endpoint} does not answer for every lease`);
      }
    }
    return gone;
  }

  async watch(
    place: { key: string; end: string; since: number },
    watcher: EtcdWatcher,
  ): Promise<EtcdWatch> {
    const token = await this.#authorization();
    const controller = this.#begin();
    let isStopped = false;
    const follow = async (): Promise<never> => {
      const body = JSON.stringify(watchBody(place));
      const response = await this.#send("watch", body, token, controller.signal);
      await readLines(response, (line) => {
        if (!isStopped) watcher.heard(readChanges(readResult(line)));
      });
      throw new EtcdFailure("unreachable", `${this.#endpoint} ended the stream of changes`);
    };
    follow().catch((error: unknown) => {
      this.#end(controller);
      if (isStopped) return;
      isStopped = true;
      watcher.lost(this.#failure(error));
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

  /** Sends a request and has its answer read; once more when the token was no longer accepted. */
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
      if (isLate) throw new EtcdFailure("timeout", `${this.#endpoint} does not answer`);
      throw this.#failure(error);
    } finally {
      clearTimeout(timer);
      this.#end(controller);
    }
  }

  /** @returns An answer of status 200; any other is thrown. */
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
        `${this.#endpoint} has no HTTP gateway: it takes etcd 3.4 or newer, without --enable-grpc-gateway=false`,
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

  /** The user's token; `""` without a user. Calls at the same time share one request for it. */
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
    if (this.#isClosed) return new EtcdFailure("unreachable", `${this.#endpoint} is not in use`);
    if (error instanceof SyntaxError) {
      return new EtcdFailure("failed", `${this.#endpoint} does not answer as etcd does`);
    }
    const { cause = error } = error as { cause?: unknown };
    const text = messageOf(cause).replace(/^error sending request for url \(.*?\): /, "");
    const reason = text.replace(CONNECT, "");
    const isRefused = CONNECT.test(text);
    return new EtcdFailure("unreachable", `${this.#endpoint}: ${reason}`, isRefused);
  }
}

/** How Deno begins to say that no connection came about. */
const CONNECT = /^client error \(Connect\): (tcp connect error: )?/;

const AUTHENTICATE = "auth/authenticate";
const AUTHENTICATE_TIMEOUT = 5_000;
const HTTP_NOT_FOUND = 404;
const UNKNOWN = 2;

/** A line of a stream: `{"result": …}`, or why it has ended. */
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
