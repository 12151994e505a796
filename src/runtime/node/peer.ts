import type { IncomingMessage, ServerResponse } from "node:http";
import { formatAddress } from "../byte_stream.ts";
import type { RequestPeer, TakenOver } from "../serving.ts";

/** Who sent a request to a `node:http` server. */
export class NodePeer implements RequestPeer {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #takeOver: (() => TakenOver) | undefined;
  #isTakenOver = false;

  /** @param takeOver takes over the connection of a request that asks for an upgrade */
  constructor(request: IncomingMessage, response: ServerResponse, takeOver?: () => TakenOver) {
    this.#request = request;
    this.#response = response;
    this.#takeOver = takeOver;
  }

  /** True if another protocol has taken the connection over. */
  get isTakenOver(): boolean {
    return this.#isTakenOver;
  }

  // Created only when it is read.
  get remoteAddress(): string {
    const { remoteAddress = "", remotePort = 0 } = this.#request.socket;
    return formatAddress(remoteAddress, remotePort);
  }

  onGone(listener: () => void): void {
    this.#response.once("close", () => {
      if (!this.#response.writableFinished) listener();
    });
  }

  takeOver(): TakenOver | undefined {
    if (this.#takeOver === undefined || this.#isTakenOver) return undefined;
    this.#isTakenOver = true;
    return this.#takeOver();
  }
}
