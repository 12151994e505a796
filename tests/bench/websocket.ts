/** As little of a WebSocket client as a load generator needs: frames made beforehand, frames counted. */

const MASK = [0x37, 0xa5, 0x5a, 0xc3] as const;
const PONG = Uint8Array.of(0x8a, 0x80, 0, 0, 0, 0);
const READ_BYTES = 262_144;

/** The bytes of one masked text frame. */
export function textFrame(text: string): Uint8Array<ArrayBuffer> {
  const payload = new TextEncoder().encode(text);
  const size = payload.length;
  if (size > 65_535) throw new RangeError(`a ready-made frame of ${size} bytes; at most 65535`);
  const head = size < 126
    ? [0x81, 0x80 | size, ...MASK]
    : [0x81, 0x80 | 126, size >> 8, size & 0xff, ...MASK];
  const frame = new Uint8Array(head.length + size);
  frame.set(head);
  for (let index = 0; index < size; index++) {
    frame[head.length + index] = (payload[index] ?? 0) ^ (MASK[index & 3] ?? 0);
  }
  return frame;
}

/** Frames of equal length, end to end; a write takes any number of them, and goes round. */
export class FrameRing {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #frameBytes: number;
  readonly #count: number;
  #next = 0;

  constructor(texts: readonly string[]) {
    const frames = texts.map(textFrame);
    this.#frameBytes = frames[0]?.length ?? 0;
    this.#count = frames.length;
    this.#bytes = new Uint8Array(this.#frameBytes * frames.length);
    frames.forEach((frame, index) => {
      if (frame.length !== this.#frameBytes) throw new RangeError("frames of different length");
      this.#bytes.set(frame, index * this.#frameBytes);
    });
  }

  /** The bytes of the next frames: `wanted`, or fewer where the ring ends. */
  take(wanted: number): { readonly bytes: Uint8Array<ArrayBuffer>; readonly frames: number } {
    const frames = Math.min(wanted, this.#count - this.#next);
    const start = this.#next * this.#frameBytes;
    this.#next = (this.#next + frames) % this.#count;
    return { bytes: this.#bytes.subarray(start, start + frames * this.#frameBytes), frames };
  }
}

/** Counts a marker in bytes, skipping as far as the byte under its end allows (Horspool's search). */
export class MarkerCounter {
  readonly #marker: Uint8Array;
  readonly #skip: Uint8Array;

  /** @param marker at most 255 bytes of ASCII */
  constructor(marker: string) {
    this.#marker = new TextEncoder().encode(marker);
    const last = this.#marker.length - 1;
    this.#skip = new Uint8Array(256).fill(this.#marker.length);
    for (let index = 0; index < last; index++) this.#skip[this.#marker[index] ?? 0] = last - index;
  }

  /** The bytes of the marker. */
  get length(): number {
    return this.#marker.length;
  }

  /** How often the marker stands in `bytes[start, end)`. */
  count(bytes: Uint8Array, start: number, end: number): number {
    const marker = this.#marker;
    const last = marker.length - 1;
    let found = 0;
    let at = start + last;
    while (at < end) {
      const byte = bytes[at] as number;
      if (byte === marker[last]) {
        let back = 1;
        while (back <= last && bytes[at - back] === marker[last - back]) back++;
        if (back > last) {
          found++;
          at += last + 1;
          continue;
        }
      }
      at += this.#skip[byte] as number;
    }
    return found;
  }
}

/** One connection to a SockJS server over WebSocket, opened and past its `o` frame. */
export class LightSocket {
  readonly #connection: Deno.TcpConn;
  readonly #buffer: Uint8Array<ArrayBuffer>;
  #filled = 0;
  /** Data frames read so far. */
  frames = 0;

  private constructor(connection: Deno.TcpConn, bufferBytes: number) {
    this.#connection = connection;
    this.#buffer = new Uint8Array(bufferBytes);
  }

  /** @param path of the WebSocket, as in `/kite/100/session/websocket` */
  static async open(port: number, path: string, bufferBytes = READ_BYTES): Promise<LightSocket> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay(true);
    const socket = new LightSocket(connection, bufferBytes);
    await socket.write(new TextEncoder().encode(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: http://127.0.0.1:${port}\r\n` +
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==\r\n\r\n",
    ));
    await socket.#readUpgrade();
    const opened = new MarkerCounter("o");
    while (socket.#takeFrames(opened) === 0) await socket.#fill();
    socket.frames = 0;
    return socket;
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      done += await this.#connection.write(done === 0 ? bytes : bytes.subarray(done));
    }
  }

  /** Waits for bytes and says how many markers the frames completed by them hold. */
  async read(marker: MarkerCounter): Promise<number> {
    await this.#fill();
    return this.#takeFrames(marker);
  }

  /**
   * Waits for bytes and counts a marker in them, without looking at frames, for answers that are
   * larger than the buffer. Do not mix with {@linkcode LightSocket.read}.
   */
  async count(marker: MarkerCounter): Promise<number> {
    await this.#fill();
    const found = marker.count(this.#buffer, 0, this.#filled);
    // A marker may continue in the next bytes.
    this.#keepFrom(Math.max(0, this.#filled - marker.length + 1));
    return found;
  }

  close(): void {
    this.#connection.close();
  }

  async #fill(): Promise<void> {
    if (this.#filled === this.#buffer.length) throw new Error("a frame larger than the buffer");
    const count = await this.#connection.read(this.#buffer.subarray(this.#filled));
    if (count === null) throw new Error("the server ended the connection");
    this.#filled += count;
  }

  async #readUpgrade(): Promise<void> {
    const decoder = new TextDecoder("latin1");
    for (;;) {
      await this.#fill();
      const text = decoder.decode(this.#buffer.subarray(0, this.#filled));
      const end = text.indexOf("\r\n\r\n");
      if (end === -1) continue;
      const status = text.slice(0, text.indexOf("\r\n"));
      if (!status.includes(" 101 ")) throw new Error(`the server did not upgrade: ${status}`);
      this.#keepFrom(end + 4);
      return;
    }
  }

  #keepFrom(start: number): void {
    if (start === 0) return;
    this.#buffer.copyWithin(0, start, this.#filled);
    this.#filled -= start;
  }

  #takeFrames(marker: MarkerCounter): number {
    const buffer = this.#buffer;
    let found = 0;
    let at = 0;
    while (this.#filled - at >= 2) {
      const opcode = (buffer[at] as number) & 0x0f;
      let size = (buffer[at + 1] as number) & 0x7f;
      let head = 2;
      if (size === 126) {
        if (this.#filled - at < 4) break;
        size = (buffer[at + 2] as number) * 256 + (buffer[at + 3] as number);
        head = 4;
      } else if (size === 127) {
        throw new Error("a frame larger than the buffer");
      }
      const end = at + head + size;
      if (end > this.#filled) break;
      if (opcode === 8) throw new Error("the server closed the WebSocket");
      if (opcode === 9) void this.write(PONG);
      if (opcode <= 2) {
        this.frames++;
        found += marker.count(buffer, at + head, end);
      }
      at = end;
    }
    this.#keepFrom(at);
    return found;
  }
}
