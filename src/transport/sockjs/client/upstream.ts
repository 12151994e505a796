/**
 * Characters after which a frame is full. More would delay its first message: with half as many, the
 * peer works while we still write (64 calls in flight: 1.5 times the calls a second of 65,536).
 */
const FULL_FRAME = 32_768;

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
