// For the type of globalThis.page.
import type {} from "./page.ts";
/** A signalling message, as the kite passes it on. */
interface Signal {
  readonly type: string;
  readonly src: string;
  readonly payload: unknown;
}

interface DataChannel {
  onopen: () => void;
  onmessage: (event: { readonly data: unknown }) => void;
  send(text: string): void;
}

/** The part of the browser's RTCPeerConnection that is used here; Deno has no types of it. */
interface PeerConnection {
  readonly localDescription: { readonly type: string; readonly sdp: string } | null;
  onicecandidate: (event: { readonly candidate: { toJSON(): unknown } | null }) => void;
  ondatachannel: (event: { readonly channel: DataChannel }) => void;
  createDataChannel(label: string): DataChannel;
  createOffer(): Promise<unknown>;
  createAnswer(): Promise<unknown>;
  setLocalDescription(description: unknown): Promise<void>;
  setRemoteDescription(description: unknown): Promise<void>;
  addIceCandidate(candidate: unknown): Promise<void>;
}

/**
 * Runs in a page. Joins the signalling at a kite; the page that knows the id of the other one offers a
 * data channel.
 *
 * @returns the page's own id
 */
export async function openPeer({ url, dst }: { url: string; dst: string }): Promise<string> {
  const { Kite } = globalThis.page;
  const kite = new Kite("page", "1.0.0");
  const relay = kite.newClient(url);
  const { RTCPeerConnection } = globalThis as unknown as {
    RTCPeerConnection: new () => PeerConnection;
  };
  const connection = new RTCPeerConnection();
  let other = dst;
  const send = (type: string, payload: unknown) =>
    relay.tell("kite.handleWebRTC", { type, dst: other, payload });
  const describe = (type: string) =>
    send(type, { type: connection.localDescription!.type, sdp: connection.localDescription!.sdp });
  connection.onicecandidate = ({ candidate }) => {
    if (candidate !== null) void send("CANDIDATE", candidate.toJSON());
  };
  connection.ondatachannel = ({ channel }) => {
    channel.onmessage = ({ data }) => Object.assign(globalThis, { received: data });
  };
  kite.handle("kite.handleWebRTC", async ({ args }) => {
    const { type, src, payload } = args.one().value as Signal;
    other = src;
    if (type === "CANDIDATE") {
      await connection.addIceCandidate(payload);
      return null;
    }
    await connection.setRemoteDescription(payload);
    if (type === "OFFER") {
      await connection.setLocalDescription(await connection.createAnswer());
      await describe("ANSWER");
    }
    return null;
  });
  await relay.dial();
  if (dst === "") {
    // The kite learns the address of a page from its first message.
    await send("HELLO", null).catch(() => {});
  } else {
    const channel = connection.createDataChannel("chat");
    channel.onopen = () => channel.send("hello over WebRTC");
    await connection.setLocalDescription(await connection.createOffer());
    await describe("OFFER");
  }
  return kite.id;
}
