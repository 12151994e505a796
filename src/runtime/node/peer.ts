import { KiteError } from "../../protocol/errors.ts";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { RequestPeer } from "../serving.ts";
import type { Upgrade } from "../upgrade.ts";

/** Who sent a request to a `node:http` server. */
export class NodePeer implements RequestPeer {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #upgrade: (() => Upgrade) | undefined;
  #isUpgraded = false;

  /** @param upgrade turns the request into a WebSocket; none for one that does not ask for it */
  constructor(request: IncomingMessage, response: ServerResponse, upgrade?: () => Upgrade) {
    this.#request = request;
    this.#response = response;
    this.#upgrade = upgrade;
  }

  /** True once the request has become a WebSocket. */
  get isUpgraded(): boolean {
    return this.#isUpgraded;
  }

  // Created only when it is read.
  get remoteAddress(): string {
    const { remoteAddress = "", remotePort = 0 } = this.#request.socket;
    return remoteAddress.includes(":")
      ? `[${remoteAddress}]:${remotePort}`
      : `${remoteAddress}:${remotePort}`;
  }

  onGone(listener: () => void): void {
    this.#response.once("close", () => {
      if (!this.#response.writableFinished) listener();
    });
  }

  upgrade(): Upgrade {
    if (this.#upgrade === undefined) {
      throw new KiteError("protocolError", "not a WebSocket handshake");
    }
    const upgrade = this.#upgrade();
    this.#isUpgraded = true;
    return upgrade;
  }
}
