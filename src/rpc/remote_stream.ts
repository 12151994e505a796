/**
 * The items that a remote sends. It can be iterated once; leaving the loop ends the stream at the
 * remote. The remote sends only as many items as were requested, so a slow loop slows it down.
 *
 * `next()` rejects with the error of the remote's producer, with `disconnect` when the connection
 * is lost, and with `limitError` when the remote sends too much. `return()` ends the stream and
 * discards the items that wait.
 *
 * @typeParam Item what the remote sends; not checked, unless a contract says so
 */
export interface RemoteStream<Item = unknown> extends AsyncIterableIterator<Item>, AsyncDisposable {
  /** The id of the latest item read that the remote sent as `tracked(id, value)`. */
  readonly lastId: string | undefined;
  /** Ends the stream, and discards the items that wait. */
  return(): Promise<IteratorResult<Item>>;
  /** The stream itself. */
  [Symbol.asyncIterator](): RemoteStream<Item>;
}
