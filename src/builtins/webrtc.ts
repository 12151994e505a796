import { KiteError } from "../protocol/errors.ts";
import type { RemoteKite } from "../rpc/remote.ts";
import type { KiteRequest } from "../rpc/request.ts";

/** Milliseconds until a disconnected peer is forgotten. */
const GRACE = 2_000;

interface Peer {
  readonly remote: RemoteKite;
  readonly username: string;
  /** Runs while the peer is disconnected. */
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** Implements `kite.handleWebRTC`, which forwards signalling messages between connected kites. */
export class WebRtcSignalling {
  readonly #peers = new Map<string, Peer>();
  readonly #remotes = new WeakSet<RemoteKite>();

  /**
   * Serves `kite.handleWebRTC({type, src, dst, payload})`. As in Go, `type` may be any text or missing;
   * peers use `ANSWER`, `OFFER`, `CANDIDATE` and `LEAVE`.
   */
  readonly handle = async ({ args, client, kite }: KiteRequest): Promise<null> => {
    const message = args.one().object();
    const type = message.field("type");
    if (!type.isNull) type.string(); // rejects values that Go cannot read
    if (kite.id === "") {
      throw new KiteError("argumentError", "Cannot forward the message: the caller has no id");
    }
    this.#remember(kite.id, kite.username, client);
    const dst = message.field("dst");
    if (dst.isNull || dst.string() === "") throw new KiteError("genericError", "dst not set");
    const peer = this.#peers.get(dst.string());
    if (peer === undefined || peer.timer !== undefined) {
      throw new KiteError("genericError", "dst not registered");
    }
    await peer.remote.tell("kite.handleWebRTC", { ...message.value, src: kite.id });
    return null;
  };

  /** Forgets all peers. */
  stop(): void {
    for (const { timer } of this.#peers.values()) clearTimeout(timer);
    this.#peers.clear();
  }

  /** Binds an id to a remote. A remote keeps its first id; only the same user may take over an id. */
  #remember(id: string, username: string, remote: RemoteKite): void {
    const known = this.#peers.get(id);
    if (known?.remote === remote) return;
    if (known !== undefined && known.username !== username) {
      throw new KiteError(
        "genericError",
        "Cannot forward the message: src belongs to another user",
      );
    }
    if (this.#remotes.has(remote)) {
      throw new KiteError(
        "argumentError",
        "Cannot forward the message: the connection has already used another id",
      );
    }
    this.#remotes.add(remote);
    clearTimeout(known?.timer);
    const peer: Peer = { remote, username, timer: undefined };
    this.#peers.set(id, peer);
    const remove = remote.onDisconnect(() => {
      remove();
      this.#remotes.delete(remote);
      if (this.#peers.get(id) !== peer) return;
      peer.timer = setTimeout(() => this.#peers.delete(id), GRACE);
    });
  }
}
