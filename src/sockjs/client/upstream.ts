/** Characters after which a frame is full: more in one would only delay its first message. */
const FULL_FRAME = 65_536;

/** The index after the last of `messages` that share a frame with the one at `start`. */
export function frameEnd(messages: readonly string[], start: number): number {
  let length = messages[start]?.length ?? 0;
  let end = start + 1;
  while (end < messages.length) {
    length += messages[end]!.length;
    if (length > FULL_FRAME) break;
    end++;
  }
  return end;
}

/** The SockJS frame that carries `messages` to a server. */
export function encodeUpstream(messages: readonly string[]): string {
  return JSON.stringify(messages);
}
