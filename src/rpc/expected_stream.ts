import { type ExpectStream, writeFirstCredit } from "./first_credit.ts";
import { asKiteError } from "./host.ts";

/** Begins a call whose answer should be a stream, with the first credit for it. */
export const expectStream: ExpectStream = (sender, resolve, call) => {
  const nothing = (): void => {};
  const stream = sender.streams.receive(nothing, nothing);
  try {
    const { credit, functions } = stream.expect();
    const [next, end] = sender.handOut(functions);
    const error = call(
      writeFirstCredit({ credit, next: next!, end: end! }),
      (result) => resolve(stream.settle(result)),
    );
    if (error !== undefined) stream.settle(undefined);
    return error;
  } catch (error) {
    stream.settle(undefined);
    return asKiteError(error, "argumentError");
  }
};
